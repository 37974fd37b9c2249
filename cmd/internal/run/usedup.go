package run

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
)

// UsedUp says that the rows of a table ended the load, as a source of the run and in a
// line for the user; "" if none did.
func UsedUp(s attack.Summary, p profiles.Profile) (source []probe.Status, line string) {
	for _, t := range p.Data {
		if t.Name == s.UsedUp && s.UsedUp != "" {
			line = fmt.Sprintf("data %s: all %s were used, so the load ended after %s", t.Name, format.Counted(len(t.Rows), "row"),
				format.Seconds(s.Ended.Round(100*time.Millisecond).Seconds()))
			source = []probe.Status{{
				Source: probe.Source{Host: profiles.LocalHost, Name: "data " + t.Name}, State: probe.Partial,
				Reason: fmt.Sprintf("all %s were used: the load ended there", format.Counted(len(t.Rows), "row")),
			}}
		}
	}
	return source, line
}
