package diagnose_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// stormed is a service that gives each call to a stock 0.4 s, and tries five times. What
// comes to the stock and what stands before it is left to the test.
type stormed struct {
	before, since float64                 // requests that come to the stock, a second
	stood         float64                 // that it has not taken in the second and a half after the onset
	owed          func(t float64) float64 // that stand in it, by time since the onset; nil: 700
	others        float64                 // connections that somebody else has to it
}

func (w chained) storm(x stormed) {
	const host, at = "db-1", "*:5432"
	w.hop(serverHost, "nginx", "*:8080", 10, 1, 64, 0, 0, 64, 2.1)
	w.peer(serverHost, "nginx", "10.0.0.3:8081", 64, 64, 2.1, 0)
	w.hop("api-1", "api", "*:8081", 20, 8, 100, 0, 0, 100, 2.1)
	w.peer("api-1", "api", "10.0.0.4:5432", 100, 100, 0.4, 0)
	w.hop(host, "stock", at, 30, 8, 700, 0, 0, 700, 4)
	w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool {
		return s.Metric.Host == host && s.Metric.Name == probe.Owed && x.owed != nil
	})
	put := func(name, instance string, of func(t float64) float64) {
		w.seriesOf(probe.Metric{Host: host, Process: "stock", Name: name, Instance: instance}, math.NaN(), of)
	}
	w.stoodAt(host, "stock", at, x.stood)
	put(probe.Arrived, at, func(t float64) float64 { return x.before*max(0, min(t, w.at)) + x.since*max(0, t-w.at) })
	if x.owed != nil {
		put(probe.Owed, at, func(t float64) float64 {
			if t < w.at {
				return 1
			}
			return x.owed(t - w.at)
		})
	}
	put(probe.Callers, at+" 10.9.9.9", func(float64) float64 { return x.others })
	w.fails(answered(503, 2.1))
}

// stoodAt lets so many connections not be accepted for a second and a half after the onset,
// and none before and since.
func (w chained) stoodAt(host, process, listener string, n float64) {
	w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool {
		return s.Metric.Host == host && s.Metric.Name == probe.NotAccepted
	})
	w.seriesOf(probe.Metric{Host: host, Process: process, Name: probe.NotAccepted, Instance: listener}, math.NaN(), func(t float64) float64 {
		if t >= w.at && t < w.at+1.5 {
			return n
		}
		return 0
	})
}

// TestMultiplied holds a service that is kept down by those who try again against one that
// is slow itself and is asked again for that.
func TestMultiplied(t *testing.T) {
	storms := []string{"retry-storm", "upstream-retry-storm"}
	grows := func(rate float64) func(float64) float64 { return func(t float64) float64 { return 20 + rate*t } }
	for _, test := range []between{
		{
			name: "a pause is over, and five come for each request: it bore one",
			make: func(w chained) { w.storm(stormed{before: 100, since: 500, stood: 190}) },
			want: "upstream-retry-storm", host: "db-1", tier: "upstream",
			refused: []string{"upstream-pool-exhausted", "upstream-connection-limit", "slow-dependency", "upstream-threads"},
		},
		{
			name:    "each takes five seconds, and five come for each request: nothing ever stood before it",
			make:    func(w chained) { w.storm(stormed{before: 100, since: 500}) },
			refused: []string{"upstream-connection-limit", "server-connection-limit", "upstream-pool-exhausted"}, unsaid: storms,
		},
		{
			name:   "a pause is over, and no more comes than before: nobody tries again",
			make:   func(w chained) { w.storm(stormed{before: 100, since: 104, stood: 190}) },
			unsaid: storms,
		},
		{
			name:   "a pause is over, and somebody else asks it",
			make:   func(w chained) { w.storm(stormed{before: 100, since: 500, stood: 190, others: 400}) },
			unsaid: storms,
		},
		{
			name:   "a cache before it is empty after a pause: all requests come, and each once",
			make:   func(w chained) { w.storm(stormed{before: 20, since: 104, stood: 190}) },
			unsaid: storms,
		},
		{
			name: "what stands there grows, and it ends more than the client sends: asked once for each it would keep up",
			make: func(w chained) { w.storm(stormed{before: 100, since: 500, owed: grows(350)}) },
			want: "upstream-retry-storm", host: "db-1", tier: "upstream",
		},
		{
			name:   "what stands there grows, and it ends hardly anything: it would not keep up with one for each either",
			make:   func(w chained) { w.storm(stormed{before: 100, since: 500, owed: grows(470)}) },
			unsaid: storms,
		},
	} {
		t.Run(test.name, test.judge)
	}
}
