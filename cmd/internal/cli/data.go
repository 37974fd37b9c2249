package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
)

// printData says what the tables of a profile hold.
func printData(w io.Writer, p profiles.Profile) {
	for _, t := range p.Data {
		columns := strings.Join(t.Columns, ", ")
		if len(columns) > 60 {
			columns = fmt.Sprintf("%d columns", len(t.Columns))
		}
		fmt.Fprintf(w, "  data    %s: %s of %s, %s\n", t.Name, format.Counted(len(t.Rows), "row"), withoutControls(columns), t.Pick)
	}
}
