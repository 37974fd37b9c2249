package verdicts

import (
	"fmt"
	"strings"

	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// incidents tells of serving processes that did not end in good order, by name: a load
// that hardly noticed met them all the same.
func incidents(c *evidence.Case) []inquiry.Evidence {
	var out []inquiry.Evidence
	for _, h := range c.Hops {
		first := map[string]evidence.Death{}
		times := map[string]float64{}
		for _, d := range kernels.Deaths(c, h) {
			if d.Why == "" || d.Why == "replaced" || strings.EqualFold(d.Why, "exit status 0") {
				continue
			}
			if times[d.Process]++; times[d.Process] == 1 {
				first[d.Process] = d
			}
		}
		for _, name := range words.SortedKeys(first) {
			d := first[name]
			ended := d.Why
			if d.Oom {
				ended = "killed for memory"
			}
			out = append(out, inquiry.Evidence{Source: "processes of " + h.Host, At: words.Pointer(d.At), Text: fmt.Sprintf("%s ended%s, %s in all", d.Who(), words.Why(ended), format.Counted(times[name], "time"))})
		}
	}
	return out
}
