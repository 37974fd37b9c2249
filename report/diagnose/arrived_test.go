package diagnose_test

import (
	"math"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// TestArrived holds plausible verdicts against what did arrive at the next hop, what is under
// way to it, and what it answered.
func TestArrived(t *testing.T) {
	for _, test := range []between{
		{
			name: "a store ends by itself what waits for its locks: it is stuck for those who wait alone",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 64, 0, 0, 64, 4)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 64, 64, 4, 0)
				w.hop("api-1", "api", "*:8081", 20, 24, 64, 0, 40, 64, 4)
				w.peer("api-1", "api", "10.0.0.4:5432", 24, 24, 3, 0)
				w.hop("db-1", "mariadbd", "*:5432", 30, 30, 24, 0, 0, 24, 3)
				w.put(probe.Metric{Host: "db-1", Process: "mariadbd", PID: 30, Name: probe.ThreadsRunning}, 0, 0)
				w.fails(gatewayTimeout)
				w.replies("db-1", "mysql", "10.0.0.4:5432", 0, "error 1205: Lock wait timeout exceeded; try restarting transaction", 1)
			},
			want: "lock-contention", host: "db-1", tier: "upstream",
			refused: []string{"upstream-deadlock"},
		},
		{
			name: "a database does nothing and answers none of those that wait, without a word: it breaks up deadlocks itself",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 64, 0, 0, 64, 3)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 64, 64, 3, 0)
				w.hop("api-1", "api", "*:8081", 20, 24, 230, 0, 206, 230, 6)
				w.peer("api-1", "api", "10.0.0.4:5432", 24, 24, 6, 0)
				w.hop("db-1", "mariadbd", "*:5432", 30, 30, 24, 0, 0, 24, 6)
				w.runs("db-1", "mariadbd", 30, 400, 20)
				for _, s := range w.log.Series {
					if s.Metric.Host == "db-1" && s.Metric.Name == probe.OwedOldest {
						for i, at := range s.At {
							s.Value[i] = max(0.01, at.Seconds()-w.at)
						}
					}
				}
				w.fails(gatewayTimeout)
			},
			first:   "lock-contention",
			unsaid:  []string{"upstream-deadlock"},
			refused: []string{"upstream-threads", "upstream-pool-exhausted"},
		},
		{
			name: "packets to a store are under way for a second and more: nobody at either end is slow",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 120, 0, 0, 120, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 120, 120, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 48, 120, 0, 70, 120, 2)
				w.peer("api-1", "api", "10.0.0.4:5432", 48, 48, 2, 0)
				w.put(probe.Metric{Host: "api-1", Process: "api", Name: probe.RoundTrip, Instance: "10.0.0.4:5432"}, 0.0003, 1.2)
				w.hop("db-1", "redis-server", "*:5432", 30, 4, 48, 0, 0, 1, 0.01)
				w.fails(gatewayTimeout)
			},
			want: "path-delay", tier: "path",
			refused: []string{"slow-dependency", "packet-loss", "network-outage", "upstream-pool-exhausted"},
		},
		{
			name: "packets between the client and the first hop are under way for long, and hardly a request stands behind it",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 2, 60, 0, 0, 1, 0.01)
				w.peer("local", "rampload", "10.0.0.2:8080", 20, 20, 0.9, 30)
				w.put(probe.Metric{Host: "local", Process: "rampload", Name: probe.RoundTrip, Instance: "10.0.0.2:8080"}, 0.0003, 0.41)
				w.fails(func(r *request) { r.fault, r.phase, r.latency = attack.Timeout, attack.PhaseDial, 1 })
			},
			want: "path-delay", tier: "path",
			refused: []string{"packet-loss", "network-outage", "path-connection-limit"},
		},
		{
			name: "connections do not come up, and the store's kernel holds them half open: its address is reached, and a full queue on the way keeps its answers",
			make: func(w chained) {
				w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "router"})
				w.log.Header.Targets[0].Hosts = []string{serverHost, "api-1", "router", "db-1"}
				w.unreachable()
				w.seriesOf(probe.Metric{Host: "db-1", Name: probe.SynRecv}, math.NaN(), func(t float64) float64 { return 80 * min(1, max(0, t-w.at)) })
				w.seriesOf(probe.Metric{Host: "router", Name: probe.QdiscDrops, Instance: "eth0"}, math.NaN(), func(t float64) float64 { return 2000 * max(0, t-w.at) })
			},
			first:   "path-delay",
			unsaid:  []string{"address-unreachable", "upstream-connection-limit"},
			refused: []string{"network-outage", "silent-firewall"},
		},
		{
			name: "so, and no queue is seen: what keeps the answers is not known",
			make: func(w chained) {
				w.unreachable()
				w.seriesOf(probe.Metric{Host: "db-1", Name: probe.SynRecv}, math.NaN(), func(t float64) float64 { return 80 * min(1, max(0, t-w.at)) })
			},
			refused: []string{"address-unreachable", "network-outage", "silent-firewall", "path-delay"},
		},
		{
			name: "a pooler does not try again for a while after a login failed: all that it refuses meanwhile is for that",
			make: func(w chained) {
				w.threeHops("api", "pgbouncer", "postgres")
				w.fails(answered(500, 0.004))
				few := w
				few.world = &world{rng: w.rng, log: &runlog.Log{Failures: w.log.Failures[:6]}}
				few.replies("db-1", "postgresql", "10.0.0.4:5432", 0, `FATAL: password authentication failed for user "app" (28P01)`, 1)
				w.replies("api-1", "postgresql", "10.0.0.3:8081", 0, "FATAL: server login has been failing, try again later (server_login_retry) (08P01)", 1)
				w.log.Events = append(w.log.Events, few.log.Events...)
				w.logged(serverHost, "api", "text", "10.0.0.3:8081", "server closed the connection unexpectedly")
			},
			want: "upstream-credentials", host: "db-1", tier: "upstream",
			refused: []string{"upstream-application-abort", "upstream-connection-limit"},
		},
		{
			name: "a proxy gives up what those behind it go on with: the time after which all are refused is its own, and no queue's",
			make: func(w chained) {
				w.hop(serverHost, "apache2", "*:8080", 10, 30, 16, 0, 0, 16, 2)
				w.peer(serverHost, "apache2", "10.0.0.3:8081", 16, 16, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 40, 24, 0, 0, 24, 2.9)
				w.peer("api-1", "api", "10.0.0.4:5432", 23, 23, 2.9, 0)
				w.hop("db-1", "node", "*:5432", 30, 8, 23, 0, 0, 23, 2.9)
				w.fails(answered(502, 2))
			},
			want: "slow-dependency", host: "db-1", tier: "upstream",
			refused: []string{"upstream-pool-exhausted", "upstream-connection-limit"},
		},
		{
			name: "segments between a service and its store are sent again from one moment on, at a load that was borne before: what is out has not arrived",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 2, 65, 0, 0, 65, 2.2)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 56, 56, 2.2, 0)
				w.hop("api-1", "api", "*:8081", 20, 16, 65, 0, 0, 65, 2.2)
				w.peer("api-1", "api", "10.0.0.4:5432", 12, 12, 0.44, 0)
				w.hop("db-1", "postgres", "*:5432", 30, 8, 12, 0, 0, 0, 0)
				for _, host := range []string{"api-1", "db-1"} {
					w.seriesOf(probe.Metric{Host: host, Name: probe.RetransSegs}, math.NaN(), func(t float64) float64 { return 25 * max(0, t-w.at) })
					w.seriesOf(probe.Metric{Host: host, Name: probe.SynRetrans}, math.NaN(), func(t float64) float64 { return 4 * max(0, t-w.at) })
				}
				w.fails(gatewayTimeout)
			},
			want: "packet-loss", tier: "path",
			refused: []string{"upstream-pool-exhausted", "path-rate-limit", "slow-dependency"},
		},
		{
			name: "segments are sent again from one moment of a slow ramp on: a queue may overflow, and no load was borne before",
			make: func(w chained) {
				w.from, w.to = 20, 180
				w.threeHops("haproxy", "api", "postgres")
				w.fails(answered(504, 1.5))
				for _, host := range []string{serverHost, "api-1"} {
					w.seriesOf(probe.Metric{Host: host, Name: probe.RetransSegs}, math.NaN(), func(t float64) float64 { return 40 * max(0, t-w.at) })
					w.seriesOf(probe.Metric{Host: host, Name: probe.SynRetrans}, math.NaN(), func(t float64) float64 { return 4 * max(0, t-w.at) })
				}
			},
			unsaid: []string{"packet-loss"},
		},
		{
			name: "an outside service that nobody watches answers each failed request with 429, and who asks it answers 502 without a reason",
			make: func(w chained) {
				w.log.Header.Targets[0].Hosts = []string{serverHost, "api-1"}
				w.hop(serverHost, "caddy", "*:8080", 10, 1, 4, 0, 0, 1, 0.01)
				w.peer(serverHost, "caddy", "10.0.0.3:8081", 4, 0, 0.01, 0)
				w.hop("api-1", "node", "*:8081", 20, 8, 4, 0, 0, 1, 0.01)
				w.peer("api-1", "node", "10.9.9.9:80", 4, 0, 0.01, 0)
				w.fails(answered(502, 0.004))
				w.replies("api-1", "http", "10.9.9.9:80", 429, `429 Too Many Requests: {"message":"You have exceeded your plan"}`, 1)
			},
			want: "upstream-rate-limit-policy", tier: "upstream",
			refused: []string{"upstream-application-error", "upstream-application-abort"},
		},
		{
			name: "a proxy's file system is full, and it answers 500 itself, without a word: that is no rule",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.series(serverHost, "nginx", probe.FileSystem, 24<<20, func(t float64) float64 { return min(24<<20, 2<<20*(1+t*1.1)) })
				w.fails(answered(500, 0.0005))
				w.traffic([]string{serverHost, "api-1", "db-1"}, []carried{{300, 400}, {320, 420}, {250, 700}}, []carried{{300, 300}, {0, 0}, {0, 0}})
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			first:   "disk-full",
			refused: []string{"deny-rule"},
		},
		{
			name: "a proxy takes servers out for what they answer to its checks: they turn nobody away, and there is no rate",
			make: func(w chained) {
				w.threeHops("haproxy", "api", "postgres")
				w.fails(answered(503, 0.0004))
				w.takenOut("Layer7 wrong status, code: 503, info: \"SERVICE UNAVAILABLE\", check duration: 2ms")
			},
			want: "marked-down", host: serverHost, tier: "proxy",
			refused: []string{"upstream-connection-limit", "upstream-rate-limit-policy"},
		},
		{
			name: "checks have waited too long behind requests, which were served",
			make: func(w chained) {
				w.threeHops("haproxy", "api", "postgres")
				w.fails(answered(503, 0.0004))
				w.takenOut("Layer7 timeout, check duration: 800ms")
			},
			want: "marked-down", host: serverHost, tier: "proxy",
			refused: []string{"upstream-connection-limit", "upstream-rate-limit-policy"},
		},
		{
			name: "checks have waited too long, and requests had no answer in time either: that they are taken out follows",
			make: func(w chained) {
				w.threeHops("haproxy", "api", "postgres")
				w.fails(func(r *request) {
					if answered(504, 2)(r); r.number%2 == 0 {
						answered(503, 0.0004)(r)
					}
				})
				w.takenOut("Layer7 timeout, check duration: 800ms")
			},
			refused: []string{"marked-down"},
		},
		{
			name: "requests hung at once, and all are refused since the only server is taken out for it",
			make: func(w chained) {
				w.threeHops("haproxy", "api", "postgres")
				w.fails(func(r *request) {
					if answered(503, 0.0004)(r); r.due < w.at+0.5 {
						answered(504, 2)(r)
					}
				})
				w.takenOut("Layer7 timeout, check duration: 2001ms")
			},
			refused: []string{"marked-down"},
		},
	} {
		t.Run(test.name, test.judge)
	}
}

// takenOut has HAProxy say that it has no server, of each failed request, and why it took out the
// last of them.
func (w chained) takenOut(why string) {
	w.logged(serverHost, "haproxy", "haproxy", "", "503 to GET /item/702: no server is available (SC)")
	w.byID()
	for _, e := range w.log.Events {
		if e.Line != nil {
			e.Line.Status = 503
		}
	}
	w.event(probe.Event{
		Kind: probe.LogLine, At: dur(w.at - 0.2), Source: probe.Source{Host: serverHost, Name: "log haproxy"}, Host: serverHost, Process: "haproxy", Count: 1,
		Reason: "[WARNING]  (9) : Server web/web2 is DOWN, reason: " + why + ". 0 active and 0 backup servers left.",
		Line:   &probe.Line{File: "haproxy.log", Level: "warning", Format: "text"},
	})
}
