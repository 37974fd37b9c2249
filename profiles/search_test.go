package profiles_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/fingerprint"
)

// What a search looks for is its own condition, else the gates that a part of a
// run can be judged on, else the default; the other gates stay gates.
func TestSearchGates(t *testing.T) {
	gates := func(texts ...string) []profiles.Gate {
		var out []profiles.Gate
		for _, text := range texts {
			g, err := profiles.ParseGate(text)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, g)
		}
		return out
	}
	words := func(gates []profiles.Gate) []string {
		var out []string
		for _, g := range gates {
			out = append(out, g.String())
		}
		return out
	}
	for _, c := range []struct {
		until           string
		gate            []string
		step, whole     []string
		search, abortIf bool
	}{
		{until: "", gate: nil, step: []string{"failures < 0.1%"}, search: true},
		{until: "p99 < 1s", gate: []string{"onset > 5/s"}, step: []string{"p99 < 1s"}, whole: []string{"onset > 5/s"}, search: true},
		{gate: []string{"wire-resets == 0", "failures < 1% up to 50/s", "p99 < 1s"}, step: []string{"wire-resets == 0", "p99 < 1s"}, whole: []string{"failures < 1% up to 50/s"}, search: true},
		{gate: []string{"headroom(cpu) > 10%"}, step: []string{"failures < 0.1%"}, whole: []string{"headroom(cpu) > 10%"}, search: true},
		{gate: []string{"failures < 1%"}, whole: []string{"failures < 1%"}, abortIf: true},
	} {
		p := profiles.Profile{Gate: gates(c.gate...), Load: profiles.Load{profiles.Hold{Rate: 5, For: time.Second}}}
		if c.search {
			search := profiles.DefaultSearch(10, 100)
			if c.until != "" {
				search.Until = gates(c.until)[0]
			}
			p.Load[0] = search
		}
		p = p.WithDefaults()
		if got := words(p.SearchGates()); !slices.Equal(got, c.step) {
			t.Errorf("%+v: each load has to hold %q", c, got)
		}
		if got := words(p.RunGates()); !slices.Equal(got, c.whole) {
			t.Errorf("%+v: the run has to hold %q", c, got)
		}
		// A search is meant to break its targets: nothing aborts it by default.
		if (len(p.AbortIf) > 0) != c.abortIf || p.AbortIf == nil {
			t.Errorf("%+v: abort-if %v", c, p.AbortIf)
		}
	}
}

// Searches for different conditions are not comparable, other gates do not matter.
func TestFingerprintOfSearch(t *testing.T) {
	p := profiles.Profile{Targets: []profiles.Target{{Name: "a", URL: "http://a"}}, Load: profiles.Load{profiles.DefaultSearch(10, 100)}}
	base := fingerprint.Of(p)
	p.Gate = []profiles.Gate{{Metric: profiles.GateOnset, Op: profiles.Greater, Value: 5, Unit: profiles.UnitRate}}
	if fingerprint.Of(p) != base {
		t.Error("a gate of the whole run changed the fingerprint")
	}
	p.Gate = []profiles.Gate{{Metric: profiles.GateFailures, Op: profiles.Less, Value: 0.05, Unit: profiles.UnitRatio}}
	if fingerprint.Of(p) == base {
		t.Error("the condition of the search is not part of the fingerprint")
	}
	p.Load = profiles.Load{profiles.Idle{From: 1e9, To: 60e9}}
	long := p
	long.Load = profiles.Load{profiles.Idle{From: 1e9, To: 120e9}}
	if fingerprint.Of(p) == fingerprint.Of(long) {
		t.Error("idle stages of different lengths have one fingerprint")
	}
}
