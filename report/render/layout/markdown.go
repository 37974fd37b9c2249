package layout

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdownFacts writes facts as a list.
func WriteMarkdownFacts(w io.Writer, facts []Fact) {
	for _, f := range facts {
		lines := make([]string, len(f.Lines))
		for i, line := range f.Lines {
			lines[i] = EscapeMarkdown(line)
		}
		fmt.Fprintf(w, "- **%s**: %s\n", EscapeMarkdown(f.Label), strings.Join(lines, "<br>"))
	}
	if len(facts) > 0 {
		fmt.Fprintln(w)
	}
}

// WriteMarkdownGrid writes a table.
func WriteMarkdownGrid(w io.Writer, g Grid) {
	for _, c := range g.Columns {
		fmt.Fprintf(w, "| %s ", EscapeMarkdown(strings.ToLower(c.Title)))
	}
	fmt.Fprint(w, "|\n")
	for _, c := range g.Columns {
		if c.Right {
			fmt.Fprint(w, "|---:")
		} else {
			fmt.Fprint(w, "|:---")
		}
	}
	fmt.Fprint(w, "|\n")
	for _, row := range g.Rows {
		for _, c := range row {
			s := EscapeMarkdown(c.Text)
			if c.Mark == Bad {
				s = "**" + s + "**"
			}
			fmt.Fprintf(w, "| %s ", s)
		}
		fmt.Fprint(w, "|\n")
	}
	if g.Note != "" {
		fmt.Fprintf(w, "\n%s\n", EscapeMarkdown(g.Note))
	}
	fmt.Fprintln(w)
}

// EscapeMarkdown makes text come out as it is: one line, no markup, no HTML, no
// mention of a person or an issue.
func EscapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(Clean(s)), " ") {
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '@':
			b.WriteString("&#64;")
		case '#':
			b.WriteString("&#35;")
		case '\\', '`', '*', '_', '[', ']', '|', '~':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
