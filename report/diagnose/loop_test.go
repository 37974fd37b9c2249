package diagnose_test

import (
	"math"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// loops lets the one thread of a service on api-1 be held: it has taken so many connections,
// takes no more, and the requests that it has get older.
func (w chained) loops(accepted, notAccepted, notRead float64) {
	w.hop(serverHost, "nginx", "*:8080", 10, 1, 64, 0, 0, 64, 2.3)
	w.peer(serverHost, "nginx", "10.0.0.3:8081", 64, 64, 2.3, 0)
	w.hop("api-1", "python3", "*:8081", 20, 2, accepted+notAccepted, notAccepted, notRead, accepted, 6)
	for _, s := range w.log.Series {
		if s.Metric.Host == "api-1" && s.Metric.Name == probe.OwedOldest {
			for i, at := range s.At {
				s.Value[i] = max(0.01, at.Seconds()-w.at)
			}
		}
	}
	w.runs("api-1", "python3", 20, 400, 8)
}

// asksOneByOne lets the loop ask a dependency that takes so long for each call, one at a time.
func (w chained) asksOneByOne(takes float64) {
	w.peer("api-1", "python3", "10.0.0.4:5432", 1, 1, takes, 0)
	w.seriesOf(probe.Metric{Host: "api-1", Process: "python3", Name: probe.Asked, Instance: "10.0.0.4:5432"}, math.NaN(), func(t float64) float64 {
		return 60*max(0, min(t, w.at)) + max(0, t-w.at)/takes
	})
	w.hop("db-1", "geo", "*:5432", 30, 8, 1, 0, 0, 1, takes)
}

// TestLoop holds an event loop that is held in a call against what looks like it.
func TestLoop(t *testing.T) {
	for _, test := range []between{
		{
			name: "an event loop is held in a call of its own, reads nothing that it has taken, and takes no more",
			make: func(w chained) {
				w.loops(110, 100, 50)
				w.fails(timedOut)
			},
			want: "upstream-threads", host: "api-1", tier: "upstream",
			refused: []string{"upstream-connection-limit", "upstream-deadlock", "slow-dependency"},
		},
		{
			name: "so, and it had read all that it took: it keeps to no number of connections, and is in no deadlock with itself",
			make: func(w chained) {
				w.loops(60, 100, 0)
				w.fails(timedOut)
			},
			want: "upstream-threads", host: "api-1", tier: "upstream",
			refused: []string{"upstream-connection-limit", "upstream-deadlock"},
		},
		{
			name: "an event loop makes one call after the other, each of which is answered late: whoever answers is in no deadlock",
			make: func(w chained) {
				w.loops(60, 130, 2)
				w.asksOneByOne(0.8)
				w.fails(timedOut)
			},
			want: "slow-dependency", host: "db-1", tier: "upstream",
			refused: []string{"upstream-deadlock", "upstream-threads"},
		},
	} {
		t.Run(test.name, test.judge)
	}
}

func timedOut(r *request) {
	r.fault, r.phase, r.status, r.latency = attack.Timeout, attack.PhaseAwait, 0, 3
}
