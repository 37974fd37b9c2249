// Package windows writes the windows of a report, the columns behind its charts, as CSV.
package windows

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
)

// CSV writes the windows of a report, one row each. The time and the loads come
// first, the other columns in the order of their names. A value that was not
// measured is empty.
func CSV(w io.Writer, r *report.Report) error {
	names := columnNames(r.Windows)
	out := csv.NewWriter(w)
	header := make([]string, len(names))
	for i, name := range names {
		header[i] = csvText(name)
	}
	if err := out.Write(header); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	rows := 0
	if len(names) > 0 {
		rows = len(r.Windows.Columns[names[0]])
	}
	line := make([]string, len(names))
	for row := range rows {
		for i, name := range names {
			line[i] = ""
			if v := r.Windows.Columns[name][row]; v != nil {
				line[i] = strconv.FormatFloat(*v, 'g', 10, 64)
			}
		}
		if err := out.Write(line); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	out.Flush()
	return out.Error()
}

// csvText is text that a spreadsheet takes for text: no control characters, one
// line, and no formula (OWASP, CSV Injection). Numbers are not text.
func csvText(s string) string {
	s = strings.Join(strings.Fields(layout.Clean(s)), " ")
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

// columnNames returns the names of all columns, those of the run first.
func columnNames(w report.Windows) []string {
	first := []string{"at_s", "offered_rps", "achieved_rps"}
	var names, rest []string
	for _, name := range first {
		if _, ok := w.Columns[name]; ok {
			names = append(names, name)
		}
	}
	for name := range w.Columns {
		if !slices.Contains(first, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	return append(names, rest...)
}
