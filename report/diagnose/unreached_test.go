package diagnose_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// logged has a service write a line into its log for each request that failed.
func (w chained) logged(host, process, format, peer, text string) {
	for _, f := range w.log.Failures {
		w.event(probe.Event{
			Kind: probe.LogLine, At: f.End - dur(0.001), Source: probe.Source{Host: host, Name: "log " + process}, Host: host, Process: process, Count: 1,
			Reason: text, Line: &probe.Line{File: process + ".log", Level: "error", Peer: peer, Format: format},
		})
	}
}

// unreachable is a service whose connections to the next one do not come up.
func (w chained) unreachable() {
	w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
	w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
	w.hop("api-1", "api", "*:8081", 20, 8, 200, 0, 0, 200, 2)
	w.peer("api-1", "api", "10.0.0.4:5432", 0, 0, 0, 200)
	w.hop("db-1", "bank", "*:5432", 30, 8, 0, 0, 0, 0, 0)
	w.fails(answered(502, 2))
}

// TestBetweenHops holds plausible verdicts of what lies between inner hops, and of what they
// say of each other, against what cannot be.
func TestBetweenHops(t *testing.T) {
	for _, test := range []struct {
		name    string
		make    func(w chained)
		refused []string // never claimed
		want    string
		host    string
		tier    string
	}{
		{
			name: "a translator between a service and the next has no port left: its table has room, and no inner process is to blame",
			make: func(w chained) {
				w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "egress"})
				w.unreachable()
				w.logged("api-1", "api", "text", "", `bank: Post "http://10.0.0.4:5432/": dial tcp 10.0.0.4:5432: i/o timeout`)
				w.totals("egress", probe.ConntrackInsertFail, "", 0, 1.5)
				w.totals("egress", probe.ConntrackDrop, "", 0, 1.5)
				w.series("egress", "", probe.Conntrack, 262144, func(float64) float64 { return 128 })
			},
			want: "nat-ports", host: "egress", tier: "path",
			refused: []string{"conntrack-table", "slow-dependency", "upstream-application-abort", "upstream-pool-exhausted", "proxy-queue-limit"},
		},
		{
			name: "the same counters where the table is full are no want of ports",
			make: func(w chained) {
				w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "egress"})
				w.unreachable()
				w.logged("api-1", "api", "text", "", `dial tcp 10.0.0.4:5432: i/o timeout`)
				w.totals("egress", probe.ConntrackInsertFail, "", 0, 1.5)
				w.totals("egress", probe.ConntrackDrop, "", 0, 1.5)
				w.series("egress", "", probe.Conntrack, 128, func(t float64) float64 { return math.Min(128, 30+10*t) })
			},
			refused: []string{"nat-ports"},
		},
		{
			name: "a service behind answers 503 itself: the proxy that passes it on has let nothing wait",
			make: func(w chained) {
				w.threeHops("haproxy", "feed", "redis-server")
				w.fails(answered(503, 0.15))
				w.replies("api-1", "http", "10.0.0.3:8081", 503, `503 Service Unavailable: {"error":"feed not available"}`, 1)
				w.logged("api-1", "feed", "text", "", "feed store: read tcp 10.0.0.3:41516->10.0.0.4:5432: i/o timeout")
			},
			refused: []string{"proxy-queue-limit", "server-connection-limit", "rate-limit-policy"},
		},
		{
			name: "a service takes nothing more, and its threads are ready all the time and get no processor: it lacks no threads",
			make: func(w chained) {
				w.log.Header.CPUs = 2
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 128, 0, 0, 128, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 128, 128, 2, 0)
				w.hop("api-1", "java", "*:8081", 20, 20, 128, 128, 0, 0, 1.4)
				w.seriesOf(probe.Metric{Host: "api-1", Process: "java", PID: 20, Name: probe.RunDelay}, math.NaN(), func(t float64) float64 { return 4e6 * t })
				w.fails(gatewayTimeout)
			},
			refused: []string{"upstream-threads", "upstream-connection-limit", "upstream-pool-exhausted"},
		},
		{
			name: "a proxy does not take what it is answered: the service that answered did not abort",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(502, 0.004))
				w.logged(serverHost, "nginx", "nginx", "10.0.0.3:8081", "upstream sent too big header while reading response header from upstream")
			},
			want: "response-refused", host: serverHost, tier: "proxy",
			refused: []string{"upstream-application-abort", "upstream-application-error"},
		},
		{
			name: "a store is busy with one command: it has not died, and refuses nobody",
			make: func(w chained) {
				w.threeHops("nginx", "api", "redis-server")
				w.fails(answered(500, 0.004))
				w.replies("db-1", "redis", "10.0.0.4:5432", 0, "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", 1)
			},
			want: "slow-dependency", host: "db-1", tier: "upstream",
			refused: []string{"dependency-error", "upstream-connection-limit"},
		},
		{
			name: "a broker is low on memory and blocks those who publish",
			make: func(w chained) {
				w.threeHops("nginx", "api", "beam.smp")
				w.fails(answered(503, 0.004))
				w.replies("db-1", "amqp", "10.0.0.4:5432", 0, "connection blocked: low on memory", 1)
			},
			want: "dependency-memory-full", host: "db-1", tier: "upstream",
			refused: []string{"upstream-memory-oom", "proxy-queue-limit"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(2) {
				w := newChained(seed)
				test.make(w)
				f := w.finding()
				if f.Verdict == diagnose.Explains && slices.Contains(test.refused, f.Cause) {
					t.Errorf("seed %d: claims %s (%.2f): %s\n%s", seed, f.Cause, f.Confidence, f.Summary, strings.Join(evidence(f), "\n"))
				}
				if test.want != "" && (f.Verdict != diagnose.Explains || f.Cause != test.want || f.Host != test.host || string(f.Tier) != test.tier) {
					t.Errorf("seed %d: %s %s on %s in the %s (%.2f), want %s on %s\n%s\n%s", seed, f.Verdict, f.Cause, f.Host, f.Tier, f.Confidence, test.want, test.host, f.Summary, strings.Join(evidence(f), "\n"))
				}
			}
		})
	}
}
