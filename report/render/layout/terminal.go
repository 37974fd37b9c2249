package layout

import (
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/rampload/rampload/report/format"
)

// labelWidth is the width of the labels of facts, space included.
const labelWidth = 11

// WriteExit prints the exit code and the files of the run: on one line, or one
// below the other where that is too long.
func WriteExit(w io.Writer, code int, opt Options) {
	if opt.Plain {
		fmt.Fprintf(w, "\nexit code %d\n", code)
		for _, f := range opt.Files {
			fmt.Fprintf(w, "written: %s\n", Clean(f))
		}
		return
	}
	start := fmt.Sprintf("exit %d", code)
	line := start
	for _, f := range opt.Files {
		line += "   " + Clean(f)
	}
	if twwidth.Width(line) > opt.width() {
		line = start
		for i, f := range opt.Files {
			if i > 0 {
				line += "\n" + strings.Repeat(" ", len(start))
			}
			line += "   " + Clean(f)
		}
	}
	fmt.Fprintf(w, "\n%s\n", line)
}

// WriteVerdict prints the word and the headline, which hangs below itself.
func WriteVerdict(w io.Writer, p Page, opt Options) {
	if opt.Plain {
		fmt.Fprintf(w, "%s: %s\n", p.Word, oneLine(p.Headline))
		return
	}
	indent := len(p.Word) + 2
	for i, line := range wrap(Clean(p.Headline), opt.width()-indent) {
		if i == 0 {
			fmt.Fprintf(w, "%s  %s\n", opt.paint(p.Mark, p.Word), line)
			continue
		}
		fmt.Fprintf(w, "%*s%s\n", indent, "", line)
	}
}

// WriteFacts prints facts: labels in a column, and their lines beside them.
func WriteFacts(w io.Writer, facts []Fact, opt Options) {
	said := "" // a fact without a label goes on with the one before
	for _, f := range facts {
		if opt.Plain {
			if f.Label != "" {
				said = f.Label
			}
			for _, line := range f.Lines {
				fmt.Fprintf(w, "%s: %s\n", Clean(said), oneLine(line))
			}
			continue
		}
		label := Clean(f.Label)
		if n := twwidth.Width(label); n >= labelWidth {
			fmt.Fprintln(w, opt.paint(Faint, label))
			label = ""
		}
		for _, text := range f.Lines {
			for _, line := range wrap(Clean(text), opt.width()-labelWidth) {
				pad := strings.Repeat(" ", labelWidth-twwidth.Width(label))
				fmt.Fprintln(w, strings.TrimRight(opt.paint(Faint, label)+pad+line, " "))
				label = ""
			}
		}
	}
}

// Cleaned returns the grid without control characters in its cells.
func (g Grid) Cleaned() Grid {
	for _, row := range g.Rows {
		for c := range row {
			row[c].Text = Clean(row[c].Text)
		}
	}
	return g
}

// writeRecords prints a table that is to be read aloud, or is too wide for its terminal: what
// it is of, and a sentence a row. What has no value is left out.
func (g Grid) writeRecords(w io.Writer, width int) error {
	if _, err := fmt.Fprintf(w, "%s, %s\n", g.Name, format.Counted(len(g.Rows), "row")); err != nil {
		return err
	}
	for _, row := range g.Rows {
		text, between := oneLine(row[0].Text), ": "
		if text == "" {
			between = ""
		}
		for c, col := range g.Columns[1:] {
			value := oneLine(row[c+1].Text)
			if value == "" || value == None {
				continue
			}
			text += between + spoken(col.Title) + " " + value
			between = "; "
		}
		if err := writeHanging(w, text, width); err != nil {
			return err
		}
	}
	return writeHanging(w, oneLine(g.Note), width)
}

// writeHanging prints text in lines of at most width columns, if any; what follows the first
// is indented.
func writeHanging(w io.Writer, text string, width int) error {
	if text == "" {
		return nil
	}
	indent := ""
	for _, line := range wrap(text, width-gap) {
		if _, err := fmt.Fprintln(w, indent+Shorten(line, width-gap)); err != nil {
			return err
		}
		indent = strings.Repeat(" ", gap)
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(Clean(s)), " ") }

// spoken is a column's title as it is read aloud.
func spoken(title string) string {
	if title == "%" {
		return "share"
	}
	return strings.ToLower(title)
}
