package probetest

import (
	"math"
	"testing"

	"github.com/rampload/rampload/probe"
)

// The suite is worth as much as what it refuses.
func TestImplausible(t *testing.T) {
	nan := math.NaN()
	source := probe.Source{Host: "local", Name: "x"}
	metric := func(name string) probe.Metric { return probe.Metric{Host: "local", Process: "p", PID: 1, Name: name} }
	for _, c := range []struct {
		name string
		r    probe.Reading
		ok   bool
	}{
		{"good", probe.Reading{Metric: metric(probe.OpenFiles), Value: 3, Limit: 1024}, true},
		{"no limit", probe.Reading{Metric: metric(probe.OpenFiles), Value: 3, Limit: nan}, true},
		{"counter", probe.Reading{Metric: metric(probe.ListenDrops), Value: 3, Limit: nan}, true},
		{"share", probe.Reading{Metric: metric(probe.CPU), Value: 0.3, Limit: 1}, true},
		{"NaN", probe.Reading{Metric: metric(probe.OpenFiles), Value: nan, Limit: 1024}, false},
		{"infinite limit", probe.Reading{Metric: metric(probe.OpenFiles), Value: 1, Limit: math.Inf(1)}, false},
		{"negative", probe.Reading{Metric: metric(probe.OpenFiles), Value: -1, Limit: 1024}, false},
		{"half a file", probe.Reading{Metric: metric(probe.OpenFiles), Value: 1.5, Limit: 1024}, false},
		{"share above 1", probe.Reading{Metric: metric(probe.CPU), Value: 30, Limit: 1}, false},
		{"share of 100", probe.Reading{Metric: metric(probe.CPU), Value: 0.3, Limit: 100}, false},
		{"counter with a limit", probe.Reading{Metric: metric(probe.ListenDrops), Value: 3, Limit: 5}, false},
		{"other host", probe.Reading{Metric: probe.Metric{Host: "b", Name: probe.Load1}, Value: 1, Limit: nan}, false},
		{"no label", probe.Reading{Metric: probe.Metric{Host: "local", Name: probe.OpenFiles}, Value: 1, Limit: nan}, false},
		{"negative pid", probe.Reading{Metric: probe.Metric{Host: "local", Name: probe.Load1, PID: -1}, Value: 1, Limit: nan}, false},
	} {
		d, _ := probe.Lookup(c.r.Metric.Name)
		if why := implausible(d, source, c.r); (why == "") != c.ok {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}
