package diagnose_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
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

// byID gives the lines that a service wrote for failed requests the ids of these.
func (w chained) byID() {
	w.log.Header.RunID = "00112233445566ab"
	at := map[time.Duration]uint64{}
	for _, f := range w.log.Failures {
		at[f.End-dur(0.001)] = f.Request
	}
	for i := range w.log.Events {
		if e := &w.log.Events[i]; e.Line != nil {
			e.Line.ID = fmt.Sprintf("%s-%016x", w.log.Header.RunID, at[e.At])
		}
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

// between is a chain of hops of which requests fail, and what must not and must be said of it.
type between struct {
	name    string
	make    func(w chained)
	refused []string // never claimed
	unsaid  []string // not even candidates
	first   string   // claimed, or the likeliest
	want    string
	host    string
	tier    string
}

// judge holds the verdict on each of two seeds against what it must be.
func (test between) judge(t *testing.T) {
	for seed := range uint64(2) {
		w := newChained(seed)
		test.make(w)
		f := w.finding()
		for _, g := range diagnose.Analyze(w.log).Findings {
			if slices.Contains(test.unsaid, g.Cause) {
				t.Errorf("seed %d: says %s (%.2f): %s", seed, g.Cause, g.Confidence, g.Summary)
			}
		}
		if test.first != "" && f.Cause != test.first {
			t.Errorf("seed %d: %s first (%.2f), want %s: %s\n%s", seed, f.Cause, f.Confidence, test.first, f.Summary, strings.Join(evidence(f), "\n"))
		}
		if f.Verdict == diagnose.Explains && slices.Contains(test.refused, f.Cause) {
			t.Errorf("seed %d: claims %s (%.2f): %s\n%s", seed, f.Cause, f.Confidence, f.Summary, strings.Join(evidence(f), "\n"))
		}
		if test.want != "" && (f.Verdict != diagnose.Explains || f.Cause != test.want || f.Host != test.host || string(f.Tier) != test.tier) {
			t.Errorf("seed %d: %s %s on %s in the %s (%.2f), want %s on %s\n%s\n%s", seed, f.Verdict, f.Cause, f.Host, f.Tier, f.Confidence, test.want, test.host, f.Summary, strings.Join(evidence(f), "\n"))
		}
	}
}

// TestBetweenHops holds plausible verdicts of what lies between inner hops, and of what they
// say of each other, against what cannot be.
func TestBetweenHops(t *testing.T) {
	for _, test := range []between{
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
		{
			name: "a pooler refuses connections long after requests began to wait in it: its number of them is full for that",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 120, 0, 0, 120, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 120, 120, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 120, 0, 0, 120, 2)
				w.peer("api-1", "api", "10.0.0.4:5432", 120, 300, 7, 0)
				w.hop("db-1", "pgbouncer", "*:5432", 30, 2, 300, 0, 260, 300, 7)
				w.fails(answered(500, 1.5))
				late := w
				late.world = &world{rng: w.rng, log: &runlog.Log{}}
				for _, f := range w.log.Failures {
					if f.End.Seconds() > w.at+9 {
						late.log.Failures = append(late.log.Failures, f)
					}
				}
				late.replies("db-1", "postgresql", "10.0.0.4:5432", 0, "FATAL: no more connections allowed (max_client_conn) (08P01)", 1)
				w.log.Events = append(w.log.Events, late.log.Events...)
			},
			refused: []string{"upstream-connection-limit", "upstream-threads"},
		},
		{
			name: "a proxy passes on the page of the one behind it: whoever wrote it says so once",
			make: func(w chained) {
				w.threeHops("haproxy", "nginx", "api")
				w.fails(answered(400, 0.004))
				w.replies(serverHost, "http", "10.0.0.2:8080", 400, "400 Bad Request: 400 No required SSL certificate was sent nginx/1.22.1", 1)
				w.logged("api-1", "nginx", "nginx", "", "client sent no required SSL certificate while reading client request headers")
			},
			want: "upstream-certificate", host: "api-1", tier: "upstream",
		},
		{
			name: "who was asked in the clear was shown no certificate: the page is of the one behind, of the same make",
			make: func(w chained) {
				w.threeHops("nginx", "nginx", "api")
				w.fails(answered(400, 0.004))
				w.replies(serverHost, "http", "10.0.0.2:8080", 400, "400 Bad Request: 400 The SSL certificate error nginx/1.22.1", 1)
			},
			want: "upstream-certificate", host: "api-1", tier: "upstream",
		},
		{
			name: "what a service wrote is not found: no code of it failed",
			make: func(w chained) {
				w.threeHops("nginx", "gunicorn", "redis-server")
				w.fails(answered(404, 0.004))
				w.replies("api-1", "http", "10.0.0.3:8081", 404, "404 Not Found", 1)
			},
			refused: []string{"upstream-application-error", "application-error"},
		},
		{
			name: "what a proxy asks has stopped to speak its version of TLS: no certificate was shown at all",
			make: func(w chained) {
				w.threeHops("haproxy", "nginx", "api")
				w.fails(answered(503, 2))
				w.replies("api-1", "tls", "10.0.0.3:8081", 0, "TLS alert: protocol version (70)", 2)
				w.replies(serverHost, "http", "10.0.0.2:8080", 503, "503 Service Unavailable No server is available to handle this request.", 1)
			},
			want: "upstream-tls-mismatch", host: "api-1", tier: "upstream",
			refused: []string{"upstream-certificate"},
		},
		{
			name: "a file system has no inode left, and the service says 500 and no more: its code is not at fault",
			make: func(w chained) {
				w.threeHops("nginx", "gunicorn", "postgres")
				w.seriesOf(probe.Metric{Host: "api-1", Process: "gunicorn", PID: 20, Name: probe.FileSystemInodes, Instance: "/srv/receipts"}, 900, func(t float64) float64 { return math.Min(900, 90*t) })
				w.fails(answered(500, 0.004))
				w.replies("api-1", "http", "10.0.0.3:8081", 500, "500 Internal Server Error: receipt not written", 1)
			},
			want: "upstream-disk-full", host: "api-1", tier: "upstream",
			refused: []string{"upstream-application-error", "dependency-error"},
		},
		{
			name: "one thread writes its log into a full pipe, and all others need what it holds: no deadlock",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 200, 0, 0, 200, 4)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 200, 200, 4, 0)
				w.hop("api-1", "loyalty", "*:8081", 20, 12, 200, 0, 0, 200, 4)
				w.put(probe.Metric{Host: "api-1", Process: "loyalty", PID: 20, Name: probe.ThreadsHeld, Instance: probe.HeldOutput}, 0, 1)
				w.fails(gatewayTimeout)
			},
			want: "upstream-output-blocked", host: "api-1", tier: "upstream",
			refused: []string{"upstream-deadlock", "deadlock"},
		},
		{
			name: "one thread writes its log into a full socket, the others need what it holds, and none is left to read",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 200, 0, 0, 200, 4)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 200, 200, 4, 0)
				w.hop("api-1", "gunicorn", "*:8081", 20, 12, 200, 0, 190, 200, 4)
				w.put(probe.Metric{Host: "api-1", Process: "gunicorn", PID: 20, Name: probe.ThreadsHeld, Instance: probe.HeldOutput}, 0, 1)
				w.fails(gatewayTimeout)
			},
			want: "upstream-output-blocked", host: "api-1", tier: "upstream",
			refused: []string{"upstream-deadlock", "deadlock", "upstream-threads"},
		},
		{
			name: "a file is shorter than the length that is announced, and the proxy says who broke off",
			make: func(w chained) {
				w.threeHops("haproxy", "nginx", "api")
				w.fails(func(r *request) {
					r.fault, r.phase, r.status, r.latency = attack.EOF, attack.PhaseBody, 200, 0.004
					r.answer = &attack.Answer{Declared: 90000, Received: 60000}
				})
				w.logged(serverHost, "haproxy", "haproxy", "10.0.0.3:8081", "200 to GET /catalog.json by p/s: connection reset or closed in the middle of the answer (SD)")
			},
			want: "upstream-short-response", host: "api-1", tier: "upstream",
			refused: []string{"short-response", "upstream-application-abort"},
		},
		{
			name: "a worker behind a queue fails at one order again and again, and says so: the others wait behind it",
			make: func(w chained) {
				w.log.Header.Targets[0].Part = profiles.RoleCompletion
				w.fails(func(r *request) { timeout(r, attack.PhaseAwait, 3) })
				for at := w.at; at < w.length; at += 0.04 {
					w.event(probe.Event{
						Kind: probe.LogLine, At: dur(at), Source: probe.Source{Host: "db-1", Name: "log worker"}, Host: "db-1", Process: "worker", Count: 1,
						Reason: "order 6c4e9021340a: TypeError: nil can't be coerced into Integer, will try again", Line: &probe.Line{File: "worker.log", Level: "error", Format: "text"},
					})
				}
			},
			want: "upstream-application-error", host: "db-1", tier: "upstream",
			refused: []string{"client-timeout", "deadlock"},
		},
		{
			name: "a runtime has no memory left, says so a few times, and stands: no deadlock",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 4)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 4, 0)
				w.hop("api-1", "java", "*:8081", 20, 30, 240, 200, 0, 240, 9)
				w.fails(gatewayTimeout)
				w.event(probe.Event{
					Kind: probe.LogLine, At: dur(w.at - 0.5), Source: probe.Source{Host: "api-1", Name: "log java"}, Host: "api-1", Process: "java", Count: 3,
					Reason: `Exception in thread "pool-1-thread-21" java.lang.OutOfMemoryError: Java heap space`, Line: &probe.Line{File: "java.log", Level: "error", Format: "text"},
				})
			},
			want: "upstream-memory-oom", host: "api-1", tier: "upstream",
			refused: []string{"upstream-deadlock", "deadlock", "upstream-threads"},
		},
		{
			name: "a pause is over, and a service works on what nobody waits for any more, and is asked again and again: it is not too small",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 200, 0, 0, 200, 1.2)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 200, 200, 1.2, 0)
				w.hop("api-1", "orders", "*:8081", 20, 8, 200, 0, 0, 200, 1.2)
				w.peer("api-1", "orders", "10.0.0.4:5432", 200, 200, 0.3, 0)
				w.hop("db-1", "stock", "*:5432", 30, 8, 3000, 0, 0, 3000, 4.5)
				w.stoodAt("db-1", "stock", "*:5432", 400)
				w.fails(answered(503, 1.2))
				w.traffic([]string{serverHost, "api-1", "db-1"}, []carried{{300, 400}, {320, 420}, {250, 700}}, []carried{{300, 300}, {320, 320}, {1000, 0}})
			},
			want: "upstream-retry-storm", host: "db-1", tier: "upstream",
			refused: []string{"upstream-cpu-shedding", "upstream-deadlock", "slow-dependency", "upstream-threads"},
		},
		{
			name: "a proxy answers 503, and nothing speaks of its ports: that they ran out is not even said",
			make: func(w chained) {
				w.threeHops("varnishd", "lighttpd", "php-fpm")
				w.fails(answered(503, 1))
				w.series(serverHost, "", probe.EphemeralPorts, 28232, func(float64) float64 { return 30 })
			},
			unsaid: []string{"proxy-ephemeral-ports"},
		},
		{
			name: "the process that looks up names ended: what fails are the names",
			make: func(w chained) {
				w.threeHops("nginx", "api", "dnsmasq")
				w.event(probe.Event{Kind: probe.ProcessExit, At: dur(w.at - 0.1), Host: "db-1", Process: "dnsmasq", PID: 30, Reason: "killed by SIGTERM"})
				w.fails(answered(502, 0.004))
			},
			want: "dns", host: "db-1", tier: "path",
			refused: []string{"upstream-process-crash", "upstream-worker-killed", "upstream-ungraceful-restart"},
		},
		{
			name: "statements wait for locks until the database ends them, and requests for threads: these wait far longer than any statement",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 300, 0, 0, 300, 10)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 300, 300, 10, 0)
				w.hop("api-1", "api", "*:8081", 20, 40, 300, 0, 260, 300, 10)
				w.peer("api-1", "api", "10.0.0.4:5432", 40, 40, 1.5, 0)
				w.hop("db-1", "postgres", "*:5432", 30, 8, 40, 0, 0, 40, 1.5)
				w.put(probe.Metric{Host: "db-1", Process: "postgres", Name: probe.Sessions, Instance: "waiting"}, 0, 40)
				w.fails(func(r *request) { gatewayTimeout(r); r.latency = 10 })
				w.logged("api-1", "api", "text", "10.0.0.4:5432", "GET /stock/7 failed: canceling statement due to statement timeout")
			},
			want: "lock-contention", host: "db-1", tier: "upstream",
			refused: []string{"slow-dependency", "upstream-threads"},
		},
		{
			name: "what one failure in five was told is not told of more because all those on its way pass it on",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(500, 0.004))
				few := w
				few.world = &world{rng: w.rng, log: &runlog.Log{}}
				for i, f := range w.log.Failures {
					if i%5 == 0 {
						few.log.Failures = append(few.log.Failures, f)
					}
				}
				const text = "FATAL: sorry, too many clients already"
				few.replies("db-1", "postgresql", "10.0.0.4:5432", 0, text, 1)
				few.logged("db-1", "postgres", "postgresql", "", text)
				few.logged("api-1", "api", "text", "10.0.0.4:5432", text)
				w.log.Events = append(w.log.Events, few.log.Events...)
			},
			refused: []string{"upstream-connection-limit"},
		},
	} {
		t.Run(test.name, test.judge)
	}
}
