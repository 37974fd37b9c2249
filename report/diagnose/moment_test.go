package diagnose_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
)

// refuses has the kernel of the innermost host refuse connections to its port: times for
// each request that failed.
func (w chained) refuses(times int) {
	for k, f := range w.log.Failures {
		for i := range times {
			w.event(probe.Event{
				Kind: probe.RSTSent, At: f.End - dur(0.002), Host: "db-1", Source: probe.Source{Host: "db-1", Name: "reset trace"}, Reason: "NO_SOCKET",
				Local: netip.MustParseAddrPort("10.0.0.4:5432"), Remote: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.3"), uint16(20000+(k*times+i)%40000)),
			})
		}
	}
	w.log.Trailer.Sources = append(w.log.Trailer.Sources, probe.Status{Source: probe.Source{Host: "db-1", Name: "reset trace"}, State: probe.Measured})
}

// TestMoments holds plausible verdicts against what happened just when requests began to
// fail, and against what all of them share.
func TestMoments(t *testing.T) {
	hosts := []string{serverHost, "api-1", "db-1"}
	usual := []carried{{300, 400}, {320, 420}, {250, 700}}
	turnedAway := []carried{{300, 300}, {0, 0}, {0, 0}}
	ends := func(w chained, host, process string, pid int32, at float64, why string) {
		w.event(probe.Event{Kind: probe.ProcessExit, At: dur(at), Host: host, Process: process, PID: pid, Reason: why})
	}
	for _, test := range []struct {
		name    string
		make    func(w chained)
		refused []string // never claimed
		want    string   // claimed or first; empty: any other than those refused
		host    string
	}{
		{
			name: "a proxy answers everything itself from one moment on, and those behind are well: a rule",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(503, 0.0005))
				w.traffic(hosts, usual, turnedAway)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
				w.answersWell("api-1", "10.0.0.3:8081", 100)
			},
			want: "deny-rule", host: serverHost, refused: []string{"marked-down", "rate-limit-policy", "proxy-queue-limit"},
		},
		{
			name: "so, and nobody read what those behind it answered: it may have taken them out for their errors",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(503, 0.0005))
				w.traffic(hosts, usual, turnedAway)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			refused: []string{"deny-rule"},
		},
		{
			name: "so, and its workers were replaced just before: another configuration",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.put(probe.Metric{Host: serverHost, Process: "nginx", PID: 11, Name: probe.Threads}, 1, 1)
				w.restart(serverHost, "nginx", 11, w.at-0.2, 0.1, "exit status 0")
				w.fails(answered(404, 0.0005))
				w.traffic(hosts, usual, turnedAway)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			want: "configuration-change", host: serverHost, refused: []string{"marked-down", "worker-recycling", "ungraceful-restart"},
		},
		{
			name: "a service asks nobody any more, and those before it say that it resets their connections: it answers nothing",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(502, 0.002))
				w.traffic(hosts, usual, []carried{{300, 300}, {320, 0}, {0, 0}})
				w.totals("api-1", probe.AttemptFails, "", 0, 0)
				w.logged(serverHost, "nginx", "nginx", "10.0.0.3:8081", "recv() failed (104: Connection reset by peer) while reading response header from upstream")
				w.byID()
			},
			want: "upstream-application-abort", host: "api-1", refused: []string{"upstream-deny-rule", "upstream-configuration-change"},
		},
		{
			name: "a service answers everything with 503 itself from one moment on, and says no more: its code may have failed",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(502, 0.002))
				w.traffic(hosts, usual, []carried{{300, 300}, {320, 300}, {0, 0}})
				w.totals("api-1", probe.AttemptFails, "", 0, 0)
				w.replies("api-1", "http", "10.0.0.3:8081", 503, "503 Service Unavailable: sorry", 1)
			},
			want: "upstream-application-error", host: "api-1", refused: []string{"upstream-deny-rule"},
		},
		{
			name: "so, and it says that it is under maintenance: a rule",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(502, 0.002))
				w.traffic(hosts, usual, []carried{{300, 300}, {320, 300}, {0, 0}})
				w.totals("api-1", probe.AttemptFails, "", 0, 0)
				w.replies("api-1", "http", "10.0.0.3:8081", 503, "503 Service Unavailable: down for maintenance", 1)
			},
			want: "upstream-deny-rule", host: "api-1",
		},
		{
			name: "half of the requests go on being served: a limit, and no rule against all",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fail = func(r *request) {
					if r.due >= w.at && r.number%2 == 0 {
						answered(503, 0.0005)(r)
					}
				}
				w.background()
				w.play()
				w.traffic(hosts, usual, turnedAway)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			refused: []string{"deny-rule", "configuration-change"},
		},
		{
			name: "workers are replaced all the time: that they were just then is no news",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				for k := range 10 {
					w.restart(serverHost, "nginx", int32(100+2*k), 0.8+2.3*float64(k), 0.1, "exit status 0")
				}
				w.fails(answered(404, 0.0005))
				w.traffic(hosts, usual, turnedAway)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			refused: []string{"configuration-change"},
		},
		{
			name: "one of several stores ended, a third of the requests fail for it, and its kernel refuses them",
			make: func(w chained) {
				w.threeHops("nginx", "api", "memcached")
				ends(w, "db-1", "memcached", 30, w.at-0.1, "killed by SIGKILL")
				w.fail = func(r *request) {
					if r.due >= w.at && r.number%3 == 0 {
						answered(500, 0.002)(r)
					}
				}
				w.background()
				w.play()
				w.refuses(1)
				w.traffic(hosts, usual, []carried{{300, 300}, {320, 300}, {60, 54}})
			},
			want: "upstream-process-crash", host: "db-1", refused: []string{"dependency-error", "upstream-disk-full", "upstream-application-error", "upstream-worker-killed"},
		},
		{
			name: "far more refusals than failures are answers to what comes late",
			make: func(w chained) {
				w.threeHops("nginx", "api", "bank")
				w.fail = func(r *request) {
					if r.number%20 == 0 {
						answered(502, 0.002)(r)
					}
				}
				w.background()
				w.play()
				w.refuses(20)
			},
			refused: []string{"upstream-service-down", "upstream-process-crash"},
		},
		{
			name: "a store says that its disk is full, ends, and then starts again and again: the disk",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				for k := range 5 {
					ends(w, "db-1", "postgres", int32(30+k), w.at-0.05+float64(k), "exit status 2")
				}
				w.fails(answered(500, 0.004))
				w.event(probe.Event{
					Kind: probe.LogLine, At: dur(w.at + 0.01), Source: probe.Source{Host: "db-1", Name: "log postgres"}, Host: "db-1", Process: "postgres", Count: 2,
					Reason: `PANIC: could not write to file "pg_wal/xlogtemp.1": No space left on device`, Line: &probe.Line{File: "postgres.log", Level: "panic", Format: "postgresql"},
				})
				w.refuses(1)
				w.logged("api-1", "api", "text", "", "OperationalError: connection to server at 10.0.0.4, port 5432 failed: FATAL: the database system is in recovery mode")
			},
			want: "upstream-disk-full", host: "db-1", refused: []string{"upstream-process-crash", "upstream-service-down", "upstream-worker-killed"},
		},
		{
			name: "one kind of request fails whenever it is sent, at every load: nothing that all share is short",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.hop("api-1", "api", "*:8081", 20, 2, 40, 30, 10, 40, 0.2)
				w.fail = func(r *request) {
					sized(r)
					if r.endpoint == 1 {
						answer(r, 500, "sorry", "server", "api")
					}
				}
				w.background()
				w.play()
				w.replies("api-1", "http", "10.0.0.3:8081", 500, "500 Internal Server Error: sorry", 1)
			},
			want: "upstream-application-error", host: "api-1", refused: []string{"upstream-threads", "upstream-listen-backlog", "upstream-connection-limit", "upstream-pool-exhausted"},
		},
		{
			name: "somebody who works for a broker ended, and what has its name since does not do its work",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 40, 0, 0, 40, 1)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 40, 40, 1, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 40, 0, 0, 40, 1)
				w.put(probe.Metric{Host: "db-1", Process: "python3", PID: 40, Name: probe.Threads}, 1, 1)
				w.restart("db-1", "python3", 40, w.at-0.1, 5, "killed by SIGKILL")
				w.fails(gatewayTimeout)
			},
			host: "db-1", refused: []string{"upstream-deadlock", "upstream-client-timeout"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(3) {
				w := newChained(seed)
				test.make(w)
				f := w.finding()
				if f.Verdict == diagnose.Explains && slices.Contains(test.refused, f.Cause) {
					t.Errorf("seed %d: claims %s on %s: %s", seed, f.Cause, f.Host, f.Summary)
				}
				if test.want != "" && (f.Cause != test.want || f.Host != test.host) {
					t.Errorf("seed %d: %s %s on %s (%.2f), want %s on %s\n%s\n%s", seed, f.Verdict, f.Cause, f.Host, f.Confidence, test.want, test.host, f.Summary, evidence(f))
				}
			}
		})
	}
}
