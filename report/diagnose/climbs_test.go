package diagnose

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// Failures that grow for half an hour are told in one sentence with the resource that
// climbs with them, and with none where none does.
func TestASlowGrowthNamesWhatClimbs(t *testing.T) {
	const windows = 30 * 60 * 4
	files := probe.Metric{Host: "orders-1", Process: "orders", PID: 7, Name: probe.OpenFiles}
	memory := probe.Metric{Host: "orders-1", Process: "orders", PID: 7, Name: probe.RSS}
	for name, climbs := range map[string]bool{"a leak": true, "no leak": false} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			log := &runlog.Log{Header: runlog.Header{
				Interval: 250 * time.Millisecond, Targets: []runlog.Target{{Name: "orders", Hosts: []string{"orders-1"}, Share: 1}}, Hosts: []runlog.Host{{Name: "local"}, {Name: "orders-1"}},
				Stages: []runlog.Stage{{Text: "500/s", Kind: "hold", End: 30 * time.Minute, From: 500, To: 500}},
			}, Windows: make([][]attack.Window, 1), Trailer: &runlog.Trailer{Ended: 30 * time.Minute}}
			open, rss := runlog.Series{Metric: files}, runlog.Series{Metric: memory}
			for i := range int32(windows) {
				done := float64(i) / windows
				failed := uint64(0)
				for range 125 {
					if rng.Float64() < 0.01*done {
						failed++
					}
				}
				log.Windows[0] = append(log.Windows[0], attack.Window{Index: i, Scheduled: 125, Sent: 125, Cells: []attack.Cell{
					{DueWindow: i, Phase: attack.PhaseDone, Reused: true, Attempts: 125 - failed, Requests: 125 - failed},
					{DueWindow: i, Fault: attack.Reset, Phase: attack.PhaseAwait, Reused: true, Attempts: failed, Requests: failed, WireResets: failed},
				}})
				at := time.Duration(i) * 250 * time.Millisecond
				value := 300 + 20*rng.Float64()
				if climbs {
					value = 100 + 700*done + 20*rng.Float64()
				}
				open.At, open.Value, open.Limit = append(open.At, at), append(open.Value, value), append(open.Limit, 1024)
				rss.At, rss.Value, rss.Limit = append(rss.At, at), append(rss.Value, 200e6+1e6*rng.Float64()), append(rss.Limit, 1e9)
			}
			log.Series = []runlog.Series{rss, open}
			o := Analyze(log).Targets[0].Onsets[0]
			if o.Status != Found {
				t.Fatalf("%+v", o)
			}
			if got := strings.Contains(o.Note, "open files of orders on orders-1 climbs with it, from 1"); got != climbs {
				t.Errorf("%q", o.Note)
			}
		})
	}
}
