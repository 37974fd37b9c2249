package assemble

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
)

// ramped is a series of 480 windows, 20 to 2,000/s, of a target that fails as
// share says and answers as slowly as p99 says.
func ramped(r *rand.Rand, share func(load float64) float64, p99 func(load float64) float64) *report.Series {
	s := report.NewSeries(interval, []string{"orders"})
	for i := range int32(480) {
		load := 20 + 1980*(float64(i)+0.5)/480
		n := uint64(load * interval.Seconds())
		var k uint64
		for range n {
			if r.Float64() < share(load) {
				k++
			}
		}
		w := attack.Window{Index: i, Scheduled: n, Sent: n, Cells: []attack.Cell{
			{DueWindow: i, Phase: attack.PhaseDone, Attempts: n - k, Requests: n - k},
			{DueWindow: i, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: k, Requests: k, WireResets: k},
		}}
		for range n - k {
			// Exponential, with the wanted 99th percentile.
			us := 1000 * p99(load) * r.ExpFloat64() / math.Log(100)
			w.FromDue = w.FromDue.Merge(attack.Histogram{{Value: int64(us/20+1) * 20, Count: 1}})
		}
		s.Add(w)
	}
	return s
}

func TestCapacityOfARamp(t *testing.T) {
	none := func(float64) float64 { return 0 }
	steady := func(float64) float64 { return 20 }
	// Everything beyond 1,200/s is turned away.
	excess := func(load float64) float64 { return max(0, 1-1200/load) }
	climbs := func(load float64) float64 { return 20 * math.Exp(max(0, load-1000)/250) }
	found := report.Onset{Status: report.OnsetFound}
	for name, c := range map[string]struct {
		share, p99 func(float64) float64
		onset      report.Onset
		binding    string
		faults     float64
		goodput    float64
		latency    float64
	}{
		"nothing":            {none, steady, report.Onset{Status: "none"}, "", 0, 0, 0},
		"a rate limit":       {excess, steady, found, "", 1200, 1200, 0},
		"queues":             {none, climbs, report.Onset{Status: "none"}, "latency", 0, 0, 1000},
		"queues, then sheds": {excess, climbs, found, "latency", 1200, 1200, 1000},
		"2 ms doubled":       {none, func(load float64) float64 { return 2 * math.Exp(max(0, load-1000)/800) }, report.Onset{Status: "none"}, "", 0, 0, 0},
		"higher for a while": {none, func(load float64) float64 { return map[bool]float64{true: 80, false: 20}[load > 1000 && load < 1700] }, report.Onset{Status: "none"}, "", 0, 0, 0},
		"a step to 20 %":     {func(load float64) float64 { return map[bool]float64{true: 0.2}[load > 900] }, steady, found, "faults", 900, 0, 0},
		"a passing episode":  {excess, steady, report.Onset{Status: "transient"}, "goodput", 0, 1200, 0},
		"one in 2,000":       {func(float64) float64 { return 0.0005 }, steady, report.Onset{Status: "none"}, "", 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := ramped(rand.New(rand.NewPCG(1, 7)), c.share, c.p99)
			got := targetCapacity(s, 0, c.onset, diagnose.GeneratorState{})
			if got == nil {
				t.Fatal("nothing measured")
			}
			least := math.Inf(1)
			for _, l := range []struct {
				name string
				got  *report.CapacityLimit
				want float64
			}{{"faults", got.Faults, c.faults}, {"goodput", got.Goodput, c.goodput}, {"latency", got.Latency, c.latency}} {
				switch {
				case (l.got == nil) != (l.want == 0):
					t.Errorf("%s %+v, want %v", l.name, l.got, l.want)
				case l.got == nil:
				case math.Abs(l.got.RPS/l.want-1) > 0.05 || l.got.LowRPS > l.got.RPS || l.got.HighRPS < l.got.RPS || l.got.LowRPS > 1.02*l.want || l.got.HighRPS < 0.98*l.want:
					t.Errorf("%s %+v, want %v", l.name, *l.got, l.want)
				default:
					least = min(least, l.got.RPS)
				}
			}
			switch {
			case math.IsInf(least, 1):
				if got.RPS != nil || got.Binding != "" || got.RecommendedRPS != nil || got.AtLeastRPS < 1980 {
					t.Errorf("%+v, want at least what was sent", got)
				}
			case got.RPS == nil || *got.RPS != least || got.RecommendedRPS == nil || *got.RecommendedRPS > 0.8**got.RPS || c.binding != "" && got.Binding != c.binding:
				t.Errorf("%+v, want the least, %v, by %s", got, least, c.binding)
			}
		})
	}
}

// What came after this machine's limit is not the target's capacity, and a level
// load has none to tell.
func TestCapacityIsNotMeasured(t *testing.T) {
	excess := func(load float64) float64 { return max(0, 1-1200/load) }
	s := ramped(rand.New(rand.NewPCG(2, 7)), excess, func(float64) float64 { return 20 })
	limited := targetCapacity(s, 0, report.Onset{Status: report.OnsetFound}, diagnose.GeneratorState{Limited: true, At: 60 * time.Second})
	if limited == nil || limited.RPS != nil || limited.AtLeastRPS > 1020 {
		t.Errorf("%+v, want at least 1,010/s", limited)
	}
	for i := range s.Points[0] {
		s.Points[0][i].Offered = 500
	}
	for _, status := range []diagnose.OnsetStatus{diagnose.NoOnset, diagnose.Found} {
		got := targetCapacity(s, 0, report.Onset{Status: report.OnsetStatus(status)}, diagnose.GeneratorState{})
		if got.RPS != nil || got.Faults != nil || got.Goodput != nil || got.Latency != nil {
			t.Errorf("%s: %+v of a level load", status, got)
		}
	}
	if got := targetCapacity(report.NewSeries(interval, []string{"orders"}), 0, report.Onset{}, diagnose.GeneratorState{}); got != nil {
		t.Errorf("%+v of nothing", got)
	}
}

// A run that stops in the middle of a window has fewer requests there, of which
// all failed: that is no low load at which all fail.
func TestCapacityOfAnAbortedRamp(t *testing.T) {
	all := func(load float64) float64 { return map[bool]float64{true: 1}[load > 900] }
	s := ramped(rand.New(rand.NewPCG(3, 7)), all, func(float64) float64 { return 20 })
	s.Points[0] = s.Points[0][:300]
	s.Add(attack.Window{Index: 300, Scheduled: 90, Sent: 90, Cells: []attack.Cell{
		{DueWindow: 300, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: 90, Requests: 90, WireResets: 90},
	}})
	got := targetCapacity(s, 0, report.Onset{Status: report.OnsetFound}, diagnose.GeneratorState{})
	if got == nil || got.RPS == nil || math.Abs(*got.RPS/900-1) > 0.05 {
		t.Errorf("%+v, want 900/s", got)
	}
}
