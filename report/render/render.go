// Package render prints reports and comparisons: aligned tables for terminals,
// Markdown, HTML, JUnit XML, CSV and JSON. Each function is pure: what it writes
// depends on its arguments alone, so that a report prints the same anywhere. It
// concludes nothing; what it says stands in the report.
//
// Text from a report (names, addresses, summaries) is escaped for the format
// that it goes to; control characters never reach a terminal.
package render

import (
	"fmt"
	"io"

	"github.com/rampload/rampload/report"
)

// Options is how text for a terminal is laid out.
type Options struct {
	Width  int      // columns of the terminal; less than 80 is taken as 80, more than 160 as 160
	Colour bool     // ANSI colours
	Files  []string // names of the files of this run, for the last line
	Assets Assets   // for HTML
}

// Assets are the chart library's files, which a self-contained page embeds.
// Without them the page has tables only.
type Assets struct {
	UPlotJS  []byte
	UPlotCSS []byte
}

const (
	minWidth = 80
	maxWidth = 160 // beyond it lines are hard to follow
)

func (o Options) width() int {
	return min(maxWidth, max(minWidth, o.Width))
}

func (o Options) paint(m mark, s string) string {
	if !o.Colour || s == "" {
		return s
	}
	code := map[mark]string{good: "32", bad: "1;31", unsure: "33", faint: "2"}[m]
	if code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + reset
}

// reset ends a colour.
const reset = "\x1b[0m"

// Formats returns the names that [Report] knows.
func Formats() []string { return []string{"table", "json", "md", "html", "junit", "csv"} }

// Report writes a report in the named format; see [Formats].
func Report(w io.Writer, format string, r *report.Report, opt Options) error {
	switch format {
	case "table":
		return Table(w, r, opt)
	case "json":
		return r.Write(w)
	case "md":
		return Markdown(w, r)
	case "html":
		return HTML(w, r, opt.Assets)
	case "junit":
		return JUnit(w, r)
	case "csv":
		return CSV(w, r)
	}
	return fmt.Errorf("render report: unknown format %q; choose one of %v", format, Formats())
}
