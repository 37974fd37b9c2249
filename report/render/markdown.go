package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/rampload/rampload/report"
)

// Markdown writes a report as GitHub-flavoured Markdown, short enough for a
// comment: the verdict, why, the targets and the gates, and the rest folded.
func Markdown(w io.Writer, r *report.Report) error {
	p := pageOf(r)
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "### %s: %s\n\n", p.word, escapeMarkdown(p.headline))
	title := "rampload " + r.Name
	if r.Label != "" {
		title += " " + r.Label
	}
	fmt.Fprintf(out, "%s, %s, exit %d\n\n", escapeMarkdown(title), r.Started.UTC().Format("2006-01-02 15:04 MST"), p.exit)
	writeMarkdownFacts(out, p.facts)
	var folded []grid
	for _, g := range p.grids {
		switch {
		case len(g.rows) == 0:
		case g.name == "targets" || g.name == "gates":
			writeMarkdownGrid(out, g)
		default:
			folded = append(folded, g)
		}
	}
	writeMarkdownFacts(out, p.findings)
	for _, g := range folded {
		fmt.Fprintf(out, "<details><summary>%s</summary>\n\n", g.name)
		writeMarkdownGrid(out, g)
		fmt.Fprint(out, "</details>\n\n")
	}
	writeMarkdownFacts(out, p.closing)
	return out.Flush()
}

func writeMarkdownFacts(w io.Writer, facts []fact) {
	for _, f := range facts {
		lines := make([]string, len(f.lines))
		for i, line := range f.lines {
			lines[i] = escapeMarkdown(line)
		}
		fmt.Fprintf(w, "- **%s**: %s\n", escapeMarkdown(f.label), strings.Join(lines, "<br>"))
	}
	if len(facts) > 0 {
		fmt.Fprintln(w)
	}
}

func writeMarkdownGrid(w io.Writer, g grid) {
	for _, c := range g.columns {
		fmt.Fprintf(w, "| %s ", escapeMarkdown(strings.ToLower(c.title)))
	}
	fmt.Fprint(w, "|\n")
	for _, c := range g.columns {
		if c.right {
			fmt.Fprint(w, "|---:")
		} else {
			fmt.Fprint(w, "|:---")
		}
	}
	fmt.Fprint(w, "|\n")
	for _, row := range g.rows {
		for _, c := range row {
			s := escapeMarkdown(c.text)
			if c.mark == bad {
				s = "**" + s + "**"
			}
			fmt.Fprintf(w, "| %s ", s)
		}
		fmt.Fprint(w, "|\n")
	}
	if g.note != "" {
		fmt.Fprintf(w, "\n%s\n", escapeMarkdown(g.note))
	}
	fmt.Fprintln(w)
}

// escapeMarkdown makes text come out as it is: one line, no markup, no HTML, no
// mention of a person or an issue.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(clean(s)), " ") {
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
