package diagnose

import (
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/runlog"
)

// What fails of one request only is told of that request.
func TestFailuresOfOneRequest(t *testing.T) {
	endpoints := []runlog.Endpoint{{Name: "GET /orders", Share: 0.9}, {Name: "GET /export", Share: 0.1}}
	for name, c := range map[string]struct {
		endpoints []runlog.Endpoint
		of        []uint16
		want      string
	}{
		"one of two":    {endpoints, []uint16{1, 1, 1, 1, 1, 1}, "6 of 6 failures are of GET /export, 10 % of the requests"},
		"the usual one": {endpoints, []uint16{0, 0, 0, 0, 0, 0}, ""},
		"both":          {endpoints, []uint16{0, 1, 1, 0, 1, 1}, ""},
		"not listed":    {nil, []uint16{1, 1, 1, 1, 1, 1}, ""},
		"too few":       {endpoints, []uint16{1, 1}, ""},
	} {
		inv := &investigation{t: &targetSeries{info: runlog.Target{Endpoints: c.endpoints}}}
		for _, e := range c.of {
			inv.failures = append(inv.failures, &attack.Failure{Attempt: attack.Attempt{Endpoint: e, Phase: attack.PhaseAwait}})
		}
		if got := inv.oneRequest(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
