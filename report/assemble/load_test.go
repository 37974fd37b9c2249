package assemble

import (
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
)

// What ends when nothing is due any more is in the bin of the load at which it
// was due, and takes no time of it.
func TestByLoadOfTheDrain(t *testing.T) {
	const interval = 250 * time.Millisecond
	s := report.NewSeries(interval, []string{"orders"})
	for i := range int32(8) {
		n := uint64(25)
		if i >= 4 {
			n = 100
		}
		w := attack.Window{Index: i, Scheduled: n, Sent: n}
		if i < 4 {
			w.Cells = []attack.Cell{{DueWindow: i, Attempts: n, Requests: n}}
			w.FromDue = attack.Histogram{{Value: 5000, Count: n}}
		}
		s.Add(w)
	}
	for i := range int32(4) {
		s.Add(attack.Window{
			Index: 8 + i, FromDue: attack.Histogram{{Value: 1_000_000, Count: 100}},
			Cells: []attack.Cell{
				{DueWindow: 4 + i, Attempts: 100, Requests: 100},
				{DueWindow: 8 + i, Fault: attack.Reset, Phase: attack.PhaseIdle, WireResets: 1},
			},
		})
	}
	h := runlog.Header{Stages: []runlog.Stage{{Kind: "ramp", From: 100, To: 400}}}
	bins := byLoad(h, s, 0)
	if len(bins) != 2 {
		t.Fatalf("bins %+v, want two", bins)
	}
	low, high := bins[0], bins[1]
	if low.Requests != 100 || *low.P99MS != 5 || low.WireResets != 0 || low.Seconds != 1 {
		t.Errorf("at 100/s %+v", low)
	}
	if high.Requests != 400 || *high.P50MS != 1000 || high.WireResets != 4 || high.Seconds != 1 || high.AchievedRPS != 400 {
		t.Errorf("at 400/s %+v", high)
	}
}
