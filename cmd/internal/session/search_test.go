package session

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/search"
)

// limitedTarget is a loader with a target that answers so many requests a second
// and resets the rest, over a schedule that grows.
type limitedTarget struct {
	clock    probe.Clock
	schedule *schedule.Growing
	capacity uint64        // a second
	takes    int32         // windows until requests end
	most     float64       // this machine sends no more a second; 0: any number
	late     time.Duration // of each window's delivery
	offered  []float64     // by window
}

func (l *limitedTarget) Run(ctx context.Context, sink attack.Sink) (attack.Summary, error) {
	var flying []attack.Cell
	inFlight := int64(0)
	for i := int32(0); ; i++ {
		end := time.Duration(i+1) * interval
		next := time.NewTimer(end + 60*time.Millisecond + l.late - l.clock.Now())
		select {
		case <-ctx.Done():
			return attack.Summary{Ended: l.clock.Now(), Interrupted: true}, nil
		case <-next.C:
		}
		due := l.schedule.Count(end-1) - l.schedule.Count(end-interval-1)
		l.offered = append(l.offered, float64(due)/interval.Seconds())
		sent := due
		if l.most > 0 {
			sent = min(due, uint64(l.most*interval.Seconds()))
		}
		ok := min(sent, l.capacity/4)
		flying = append(flying,
			attack.Cell{DueWindow: i, Phase: attack.PhaseDone, Attempts: ok, Requests: ok},
			attack.Cell{DueWindow: i, Phase: attack.PhaseAwait, Fault: attack.Reset, Attempts: sent - ok, Requests: sent - ok, WireResets: sent - ok})
		inFlight += int64(sent)
		w := attack.Window{Index: i, Scheduled: due, Sent: sent, Lag: attack.Histogram{{Value: 100, Count: due}}}
		for len(flying) > 0 && flying[0].DueWindow <= i-l.takes {
			inFlight -= int64(flying[0].Requests)
			w.Cells = append(w.Cells, flying[0])
			flying = flying[1:]
		}
		w.InFlight = inFlight
		sink.Window(w)
		if l.schedule.Final() && end >= l.schedule.End() && inFlight == 0 {
			return attack.Summary{Ended: end}, nil
		}
	}
}

// find runs a search against a target.
func find(t *testing.T, target *limitedTarget, stage profiles.Search) ([]attack.Step, search.Result) {
	t.Helper()
	target.schedule = new(schedule.Growing)
	target.clock = probe.NewClock(time.Now().Add(time.Second))
	var steps []attack.Step
	cfg := Config{
		Clock: target.clock, Loader: target, Recorder: &memory{}, CoolDown: time.Second, Interval: interval,
		Targets: []string{"orders"}, Offered: target.schedule.Rate,
		Search: &Search{
			Stage: stage, Gates: []profiles.Gate{profiles.DefaultUntil()}, Client: profiles.DefaultClient(), Schedule: target.schedule,
			Step: func(s attack.Step) {
				if s.End == 0 {
					steps = append(steps, s)
				}
				steps[len(steps)-1] = s
			},
		},
	}
	var said []string
	cfg.Progress = func(p Progress) { said = append(said, p.Search) }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := newLive(cfg, cancel)
	if _, err := l.load(ctx); err != nil {
		t.Fatal(err)
	}
	if len(said) == 0 || !strings.Contains(said[0], "step 1 at") {
		t.Errorf("progress %q", said)
	}
	return steps, l.searcher.search.Result()
}

func TestSearchOfACapacity(t *testing.T) {
	for name, takes := range map[string]int32{"at once": 0, "after a second": 4} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target := &limitedTarget{capacity: 700, takes: takes}
				stage := profiles.DefaultSearch(100, 5000)
				steps, got := find(t, target, stage)
				if got.Status != report.CapacityFound || got.Load > 700 || got.Over <= 700 || got.Over/got.Load > 1.05 || !got.Done {
					t.Errorf("%+v", got)
				}
				for i, s := range steps {
					if s.Number != i+1 || s.Hold-s.Start != time.Second || s.Start%interval != 0 || s.End%interval != 0 {
						t.Errorf("step %+v", s)
					}
					// 100/s is too low to prove anything in 10 s, and is decided in 30.
					length := s.End - s.Hold
					switch {
					case s.Load > 1.02*700 && length > 7*time.Second:
						t.Errorf("%v/s was held for %v, although it failed", s.Load, length)
					case s.Load > 300 && s.Load <= 700 && length != 10*time.Second:
						t.Errorf("%v/s was held for %v", s.Load, length)
					case s.Load == 100 && length < 29*time.Second:
						t.Errorf("%v/s was held for %v, which proves nothing", s.Load, length)
					}
					if i > 0 && s.Start-steps[i-1].End < stage.CoolDown {
						t.Errorf("only %v between steps", s.Start-steps[i-1].End)
					}
					// The load is what the step says, all of the time.
					for w := int(s.Hold / interval); w < int(s.End/interval); w++ {
						if o := target.offered[w]; o < s.Load-4 || o > s.Load+4 {
							t.Fatalf("step %d at %v/s: window %d was offered %v/s", s.Number, s.Load, w, o)
						}
					}
				}
			})
		})
	}
}

// A load that nobody could send says nothing of the target.
func TestSearchIsLimitedByThisMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, got := find(t, &limitedTarget{capacity: 1e6, most: 1000}, profiles.DefaultSearch(400, 5000))
		if got.Status != report.CapacityAtLeast || got.Why != report.StepLimited || got.Load < 900 || got.Load > 1020 {
			t.Errorf("%+v", got)
		}
	})
}

func TestSearchWhoseFirstLoadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steps, got := find(t, &limitedTarget{capacity: 50}, profiles.DefaultSearch(400, 5000))
		if got.Status != report.CapacityBelow || len(steps) != 2 {
			t.Errorf("%+v after %d steps", got, len(steps))
		}
	})
}

// A process that is held up for half a second leaves no hole in the load.
func TestSearchWithLateWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &limitedTarget{capacity: 700, late: 500 * time.Millisecond}
		steps, got := find(t, target, profiles.DefaultSearch(400, 1000))
		if got.Status != report.CapacityFound || got.Load > 700 || got.Over <= 700 {
			t.Errorf("%+v", got)
		}
		for w := int(steps[0].Hold / interval); w < int(steps[0].End/interval); w++ {
			if target.offered[w] < 396 {
				t.Errorf("window %d of the first step was offered %v/s", w, target.offered[w])
			}
		}
	})
}

// The next load waits for this machine's ports, but not for ever.
func TestSearchWaitsForPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ports := probe.Sample{Reading: probe.Reading{Metric: probe.Metric{Host: profiles.LocalHost, Name: probe.EphemeralPorts}, Value: 20_000, Limit: 28_000}}
		target := &limitedTarget{capacity: 1e6}
		target.schedule = new(schedule.Growing)
		target.clock = probe.NewClock(time.Now())
		var starts []time.Duration
		cfg := Config{
			Clock: target.clock, Loader: target, Recorder: &memory{}, Interval: interval, Targets: []string{"orders"}, Offered: target.schedule.Rate,
			Search: &Search{
				Stage: profiles.DefaultSearch(400, 1600), Gates: []profiles.Gate{profiles.DefaultUntil()}, Client: profiles.DefaultClient(), Schedule: target.schedule,
				Step: func(s attack.Step) {
					if s.End == 0 {
						starts = append(starts, s.Start)
					}
				},
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := newLive(cfg, cancel)
		l.samples([]probe.Sample{ports})
		go func() {
			time.Sleep(30 * time.Second) // in the first pause
			ports.Value = 1000
			l.samples([]probe.Sample{ports})
			time.Sleep(10 * time.Second) // in the second step
			ports.Value = 20_000
			l.samples([]probe.Sample{ports})
		}()
		if _, err := l.load(ctx); err != nil {
			t.Fatal(err)
		}
		// Steps of 11 s: the second when the ports are free, the third and the
		// fourth when TIME_WAIT must be over.
		if len(starts) != 4 || starts[1] < 30*time.Second || starts[1] > 32*time.Second ||
			starts[2]-starts[1] < 11*time.Second+portsWait || starts[2]-starts[1] > 13*time.Second+portsWait {
			t.Errorf("steps began at %v", starts)
		}
	})
}
