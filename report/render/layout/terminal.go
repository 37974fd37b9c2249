package layout

import (
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// labelWidth is the width of the labels of facts, space included.
const labelWidth = 11

// WriteExit prints the exit code and the files of the run: on one line, or one
// below the other where that is too long.
func WriteExit(w io.Writer, code int, opt Options) {
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
	indent := len(p.Word) + 2
	for i, line := range wrap(Clean(p.Headline), opt.width()-indent) {
		if i == 0 {
			fmt.Fprintf(w, "%s  %s\n", opt.paint(p.Mark, p.Word), line)
			continue
		}
		fmt.Fprintf(w, "%*s%s\n", indent, "", line)
	}
}

func WriteFacts(w io.Writer, facts []Fact, opt Options) {
	for _, f := range facts {
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
