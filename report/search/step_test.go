package search

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

// held is a target that was offered so many requests a window.
type held struct {
	offered, failed uint64
	unsent, late    uint64 // late: microseconds
	local           uint64
	slow            uint64 // of the successes, 400 ms instead of 5 ms
	inFlight        int64
	endsAfter       int32 // windows
}

func seriesOfHolds(parts ...held) *report.Series {
	s := report.NewSeries(250*time.Millisecond, []string{"orders"})
	for i, h := range parts {
		ok := h.offered - h.failed - h.unsent - h.local
		w := attack.Window{
			Index: int32(i), Scheduled: h.offered, Sent: h.offered - h.unsent, Unsent: h.unsent, InFlight: h.inFlight,
			Lag: attack.Histogram{{Value: max(1, int64(h.late)), Count: h.offered}},
		}
		end := attack.Window{Index: int32(i) + h.endsAfter, InFlight: h.inFlight, Cells: []attack.Cell{
			{DueWindow: int32(i), Phase: attack.PhaseDone, Attempts: ok, Requests: ok},
			{DueWindow: int32(i), Phase: attack.PhaseAwait, Fault: attack.Reset, Attempts: h.failed, Requests: h.failed, WireResets: h.failed},
			{DueWindow: int32(i), Phase: attack.PhaseDial, Fault: attack.PortsExhausted, Attempts: h.local, Requests: h.local},
		}}
		if h.slow > 0 {
			end.FromDue = attack.Histogram{{Value: 5000, Count: ok - h.slow}, {Value: 400_000, Count: h.slow}}
		} else if ok > 0 {
			end.FromDue = attack.Histogram{{Value: 5000, Count: ok}}
		}
		s.Add(w)
		s.Add(end)
	}
	return s
}

func repeat(n int, h held) []held {
	out := make([]held, n)
	for i := range out {
		out[i] = h
	}
	return out
}

func judgeOf(t *testing.T, s *report.Series, gates ...string) Judge {
	t.Helper()
	j := Judge{Series: s, Connections: 256, MaxInFlight: 10_000}
	for _, text := range gates {
		g, err := profiles.ParseGate(text)
		if err != nil {
			t.Fatal(err)
		}
		j.Gates = append(j.Gates, g)
	}
	return j
}

func TestStepVerdicts(t *testing.T) {
	well := held{offered: 100}
	for name, c := range map[string]struct {
		parts  []held
		load   float64
		gates  []string
		result string
		clean  bool
		reason string
	}{
		"proven":               {repeat(40, well), 400, []string{"failures < 0.1%"}, report.StepPassed, true, "0 of 4,000"},
		"too few to prove":     {repeat(40, held{offered: 10}), 40, []string{"failures < 0.1%"}, report.StepUndecided, true, "too few to tell"},
		"broken":               {repeat(40, held{offered: 100, failed: 3}), 400, []string{"failures < 0.1%"}, report.StepFailed, false, "120 of 4,000"},
		"too close":            {append(repeat(39, well), held{offered: 100, failed: 6}), 400, []string{"failures < 0.1%"}, report.StepUndecided, false, "too close to tell"},
		"second gate":          {repeat(40, held{offered: 100, slow: 30}), 400, []string{"failures < 0.1%", "p99 < 250ms"}, report.StepFailed, false, "0.4 s; 1,200 of 4,000"},
		"count":                {append(repeat(39, well), held{offered: 100, failed: 1}), 400, []string{"wire-resets == 0"}, report.StepFailed, false, "1 of 4,000"},
		"in flight to the end": {repeat(40, held{offered: 100, failed: 3, endsAfter: 8}), 400, []string{"failures < 0.1%"}, report.StepFailed, false, ""},
		// This machine's own limits are not the target's.
		"late":              {repeat(40, held{offered: 100, failed: 3, late: 90_000}), 400, []string{"failures < 0.1%"}, report.StepLimited, false, "it sent up to 90 ms late"},
		"late from half on": {append(repeat(20, well), repeat(20, held{offered: 100, late: 90_000})...), 400, []string{"failures < 0.1%"}, report.StepLimited, false, "late"},
		"failed before":     {append(repeat(20, held{offered: 100, failed: 9}), repeat(20, held{offered: 100, late: 90_000})...), 400, []string{"failures < 0.1%"}, report.StepFailed, false, "180 of 2,000"},
		"one late window":   {append(repeat(39, well), held{offered: 100, late: 90_000}), 400, []string{"failures < 0.1%"}, report.StepPassed, true, ""},
		"out of ports":      {repeat(40, held{offered: 100, local: 30}), 400, []string{"failures < 0.1%"}, report.StepLimited, false, "lack of ports"},
		"not scheduled":     {repeat(40, well), 500, []string{"failures < 0.1%"}, report.StepLimited, false, "4,000 of 5,000"},
		"not sent":          {repeat(40, held{offered: 100, unsent: 20}), 400, []string{"failures < 0.1%"}, report.StepLimited, false, "3,200 of 4,000"},
		// A slow target fills the client's pool, and is late for it.
		"waits for the target": {repeat(40, held{offered: 100, failed: 30, late: 90_000, inFlight: 256}), 400, []string{"failures < 0.1%"}, report.StepFailed, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := judgeOf(t, seriesOfHolds(c.parts...), c.gates...)
			v := j.Judge(c.load, 0, 40)
			if v.Result != c.result || v.Clean != c.clean || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%+v, want %s %v %q", v, c.result, c.clean, c.reason)
			}
			if (v.Gate != "") != (v.Result == report.StepFailed || v.Result == report.StepUndecided) {
				t.Errorf("gate %q", v.Gate)
			}
		})
	}
}

// Slow answers end after the hold; they count.
func TestStepLatencyOfTheLastRequests(t *testing.T) {
	j := judgeOf(t, seriesOfHolds(repeat(20, held{offered: 100, slow: 60, endsAfter: 4})...), "p50 < 250ms")
	if v := j.Judge(400, 0, 20); v.Result != report.StepFailed {
		t.Errorf("%+v", v)
	}
}

func TestHoldEndsEarly(t *testing.T) {
	for name, c := range map[string]struct {
		part   held
		gate   string
		after  int
		broken bool
	}{
		"hopeless":            {held{offered: 100, failed: 20}, "failures < 0.1%", 4, true},
		"a little over":       {held{offered: 100, failed: 1}, "failures < 0.9%", 40, false},
		"fine":                {held{offered: 100}, "failures < 0.1%", 40, false},
		"one is too many":     {held{offered: 100, failed: 1}, "wire-resets == 0", 1, true},
		"a count not reached": {held{offered: 100, failed: 1}, "wire-resets < 20", 10, false},
		"a count reached":     {held{offered: 100, failed: 1}, "wire-resets < 20", 20, true},
		"slow":                {held{offered: 100, slow: 50}, "p90 < 100ms", 4, true},
		"spans":               {held{offered: 100, failed: 50}, "failures within 5s < 1%", 40, false},
	} {
		j := judgeOf(t, seriesOfHolds(repeat(40, c.part)...), c.gate)
		if got := j.Broken(0, c.after); got != c.broken {
			t.Errorf("%s: broken %v after %d windows", name, got, c.after)
		}
	}
	// 10 % fail at once, the others succeed two seconds later: what is in flight is
	// no proof that all fail.
	j := judgeOf(t, seriesOfHolds(repeat(40, held{offered: 100, failed: 10})...), "failures < 20%")
	for t := range j.Series.Points {
		for i := range j.Series.Points[t][:8] {
			j.Series.Points[t][i].Requests = 10
		}
	}
	if j.Broken(0, 8) {
		t.Error("requests in flight were taken for failures")
	}
}

func TestHoldGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		part held
		gate string
		open bool
	}{
		"decided":           {held{offered: 100}, "failures < 0.1%", false},
		"a little more":     {held{offered: 60}, "failures < 0.1%", true}, // 2,400 of 2,995
		"never enough":      {held{offered: 10}, "failures < 0.1%", false},
		"hopeless":          {held{offered: 100, failed: 20}, "failures < 0.1%", false},
		"near the limit":    {held{offered: 100, failed: 1}, "failures < 1%", true},
		"percentile":        {held{offered: 5}, "p99 < 250ms", true}, // 200 of 299
		"percentile, never": {held{offered: 1}, "p99 < 250ms", false},
	} {
		j := judgeOf(t, seriesOfHolds(repeat(40, c.part)...), c.gate)
		if got := j.Open(0, 40, 120); got != c.open {
			t.Errorf("%s: open %v", name, got)
		}
	}
}

// An early end is wrong about a target at its limit in fewer than one hold in
// twenty, although it is looked for at every window.
func TestEarlyEndsAreRarelyWrong(t *testing.T) {
	wrong, r := 0, rand.New(rand.NewPCG(9, 9))
	const holds = 300
	for range holds {
		parts := repeat(40, held{offered: 100})
		for i := range parts {
			for range 100 {
				if r.Float64() < 0.01 {
					parts[i].failed++
				}
			}
		}
		j := judgeOf(t, seriesOfHolds(parts...), "failures < 1%")
		for i := 8; i <= 40; i++ {
			if j.Broken(0, i) {
				wrong++
				break
			}
		}
	}
	t.Logf("%d of %d holds ended early", wrong, holds)
	if wrong > holds/20 {
		t.Errorf("%d of %d holds at the limit ended early", wrong, holds)
	}
}
