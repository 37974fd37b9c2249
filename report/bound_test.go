package report

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/judge"
)

// What Enough says is what Judge asks for: so many requests that all end well
// pass the gate, and one fewer leaves it undecided.
func TestEnoughIsWhatJudgeAsksFor(t *testing.T) {
	series := func(n uint64) *Series {
		s := NewSeries(interval, []string{"orders"})
		s.Add(attack.Window{
			Scheduled: n, Sent: n, FromDue: attack.Histogram{{Value: 1000, Count: n}},
			Cells: []attack.Cell{{Phase: attack.PhaseDone, Attempts: n, Requests: n}},
		})
		return s
	}
	for _, text := range []string{
		"failures < 0.1%", "failures <= 0.1%", "failures < 1%", "failures < 5%", "failures < 60%", "wire-resets < 0.01%",
		"visible-resets <= 2.5%", "p50 < 1s", "p90 <= 1s", "p99 < 1s", "p99.9 < 1s",
	} {
		g, err := profiles.ParseGate(text)
		if err != nil {
			t.Fatal(err)
		}
		n := judge.Enough(g)
		if n < 2 {
			t.Fatalf("%s: %d are enough", text, n)
		}
		gates := []profiles.Gate{g}
		if got := Judge(gates, Judged{Series: series(n)})[0]; got.Result != GatePassed {
			t.Errorf("%s: %d requests: %s %q", text, n, got.Result, got.Reason)
		}
		if got := Judge(gates, Judged{Series: series(n - 1)})[0]; got.Result != GateUndecided || !strings.Contains(got.Reason, "too few") {
			t.Errorf("%s: %d requests: %s %q", text, n-1, got.Result, got.Reason)
		}
	}
	for _, text := range []string{"wire-resets == 0", "failures < 5", "failures <= 0%", "failures > 5%", "onset > 5/s", "headroom(open-files) > 20%"} {
		g, err := profiles.ParseGate(text)
		if err != nil {
			t.Fatal(err)
		}
		if n := judge.Enough(g); n != 0 {
			t.Errorf("%s needs %d requests, want any number", text, n)
		}
	}
}
