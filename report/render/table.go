package render

import (
	"bufio"
	"fmt"
	"io"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
)

// Table writes a report for a terminal: the verdict in one line, why, the
// tables, the findings and the exit code.
func Table(w io.Writer, r *report.Report, opt layout.Options) error {
	p := pageOf(r)
	out := bufio.NewWriter(w)
	layout.WriteVerdict(out, p, opt)
	if len(p.Facts) > 0 {
		fmt.Fprintln(out)
		layout.WriteFacts(out, p.Facts, opt)
	}
	for _, g := range p.Grids {
		if len(g.Rows) == 0 {
			continue
		}
		fmt.Fprintln(out)
		if err := g.Cleaned().Write(out, opt); err != nil {
			return err
		}
	}
	for _, block := range [][]layout.Fact{p.Findings, p.Closing} {
		if len(block) > 0 {
			fmt.Fprintln(out)
			layout.WriteFacts(out, block, opt)
		}
	}
	layout.WriteExit(out, p.Exit, opt)
	return out.Flush()
}
