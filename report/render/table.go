package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/rampload/rampload/report"
)

// labelWidth is the width of the labels of facts, space included.
const labelWidth = 11

// Table writes a report for a terminal: the verdict in one line, why, the
// tables, the findings and the exit code.
func Table(w io.Writer, r *report.Report, opt Options) error {
	p := pageOf(r)
	out := bufio.NewWriter(w)
	writeVerdict(out, p, opt)
	if len(p.facts) > 0 {
		fmt.Fprintln(out)
		writeFacts(out, p.facts, opt)
	}
	for _, g := range p.grids {
		if len(g.rows) == 0 {
			continue
		}
		fmt.Fprintln(out)
		if err := g.cleaned().write(out, opt); err != nil {
			return err
		}
	}
	for _, block := range [][]fact{p.findings, p.closing} {
		if len(block) > 0 {
			fmt.Fprintln(out)
			writeFacts(out, block, opt)
		}
	}
	writeExit(out, p.exit, opt)
	return out.Flush()
}

// writeExit prints the exit code and the files of the run: on one line, or one
// below the other where that is too long.
func writeExit(w io.Writer, code int, opt Options) {
	start := fmt.Sprintf("exit %d", code)
	line := start
	for _, f := range opt.Files {
		line += "   " + clean(f)
	}
	if twwidth.Width(line) > opt.width() {
		line = start
		for i, f := range opt.Files {
			if i > 0 {
				line += "\n" + strings.Repeat(" ", len(start))
			}
			line += "   " + clean(f)
		}
	}
	fmt.Fprintf(w, "\n%s\n", line)
}

// writeVerdict prints the word and the headline, which hangs below itself.
func writeVerdict(w io.Writer, p page, opt Options) {
	indent := len(p.word) + 2
	for i, line := range wrap(clean(p.headline), opt.width()-indent) {
		if i == 0 {
			fmt.Fprintf(w, "%s  %s\n", opt.paint(p.mark, p.word), line)
			continue
		}
		fmt.Fprintf(w, "%*s%s\n", indent, "", line)
	}
}

func writeFacts(w io.Writer, facts []fact, opt Options) {
	for _, f := range facts {
		label := clean(f.label)
		if n := twwidth.Width(label); n >= labelWidth {
			fmt.Fprintln(w, opt.paint(faint, label))
			label = ""
		}
		for _, text := range f.lines {
			for _, line := range wrap(clean(text), opt.width()-labelWidth) {
				pad := strings.Repeat(" ", labelWidth-twwidth.Width(label))
				fmt.Fprintln(w, strings.TrimRight(opt.paint(faint, label)+pad+line, " "))
				label = ""
			}
		}
	}
}

// cleaned returns the grid without control characters in its cells.
func (g grid) cleaned() grid {
	for _, row := range g.rows {
		for c := range row {
			row[c].text = clean(row[c].text)
		}
	}
	return g
}
