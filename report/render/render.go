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
	"github.com/rampload/rampload/report/render/layout"
	"github.com/rampload/rampload/report/render/windows"
)

// Formats returns the names that [Report] knows.
func Formats() []string { return []string{"table", "json", "md", "html", "junit", "csv"} }

// Report writes a report in the named format; see [Formats].
func Report(w io.Writer, format string, r *report.Report, opt layout.Options) error {
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
		return windows.CSV(w, r)
	}
	return fmt.Errorf("render report: unknown format %q; choose one of %v", format, Formats())
}
