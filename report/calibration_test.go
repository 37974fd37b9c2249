package report

import (
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// A gate must rarely fail a target that is within its limit, and rarely pass one
// that is beyond it, however often it is asked.
func TestGateErrorRates(t *testing.T) {
	const runs = 400
	tests := []struct {
		name, gate string
		share      float64 // true share of failures
		may        string  // the result that would be wrong
		most       int     // of all runs
	}{
		// The bounds are one-sided at 95 %: 5 % of runs, and what chance adds.
		{"at the limit, failed", "failures < 1%", 0.01, GateFailed, runs * 8 / 100},
		{"at the limit, passed", "failures < 1%", 0.01, GatePassed, runs * 8 / 100},
		{"below", "failures < 1%", 0.005, GateFailed, 0},
		{"above", "failures < 1%", 0.02, GatePassed, 0},
		// Spans overlap and there are many of them: that is what the correction is for.
		{"spans at the limit, failed", "failures within 5s < 1%", 0.01, GateFailed, runs * 8 / 100},
		{"spans below", "failures within 5s < 1%", 0.006, GateFailed, runs * 1 / 100},
		{"spans above", "failures within 5s < 1%", 0.015, GatePassed, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := profiles.ParseGate(tt.gate)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(11, uint64(tt.share*1e6)))
			wrong := 0
			for range runs {
				s := NewSeries(interval, []string{"orders"})
				for i := range int32(240) {
					var k uint64
					for range 50 {
						if r.Float64() < tt.share {
							k++
						}
					}
					s.Add(attack.Window{Index: i, Scheduled: 50, Sent: 50, Cells: []attack.Cell{
						{DueWindow: i, Phase: attack.PhaseDone, Attempts: 50 - k, Requests: 50 - k},
						{DueWindow: i, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: k, Requests: k, WireResets: k},
					}})
				}
				if Judge([]profiles.Gate{g}, Judged{Series: s})[0].Result == tt.may {
					wrong++
				}
			}
			t.Logf("%s in %d of %d runs", tt.may, wrong, runs)
			if wrong > tt.most {
				t.Errorf("%s in %d of %d runs, want at most %d", tt.may, wrong, runs, tt.most)
			}
		})
	}
}
