package diagnose_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
)

// carried is what one request brings to a hop and takes back.
type carried struct{ in, out float64 }

// totals adds a total of a host that grows with what was served and what failed; requests
// must have been played.
func (w chained) totals(host, name, instance string, ok, failed float64) {
	served, lost := make([]float64, len(w.windows)+1), make([]float64, len(w.windows)+1)
	for i := range w.windows {
		for _, c := range w.windows[i].Cells {
			if c.Fault == attack.None {
				served[c.DueWindow+1] += float64(c.Attempts)
			} else {
				lost[c.DueWindow+1] += float64(c.Attempts)
			}
		}
	}
	for i := 1; i < len(served); i++ {
		served[i] += served[i-1]
		lost[i] += lost[i-1]
	}
	at := func(v []float64, t float64) float64 {
		x := min(max(t/windowLength, 0), float64(len(v)-1))
		i := int(x)
		if i == len(v)-1 {
			return v[i]
		}
		return v[i] + (x-float64(i))*(v[i+1]-v[i])
	}
	base := float64(w.rng.IntN(1000))
	background := 20 * w.rng.Float64()
	w.put(probe.Metric{Host: host, Name: name, Instance: instance}, 0, 0)
	s := &w.log.Series[len(w.log.Series)-1]
	for i, t := range s.At {
		s.Value[i] = base + background*(t.Seconds()+1)/100 + ok*at(served, t.Seconds()) + failed*at(lost, t.Seconds())
	}
}

// traffic adds what the interfaces of the three hosts counted, each of them one, from what a
// request brings to each hop: hosts count what their own upstream sends them as well.
func (w chained) traffic(hosts []string, ok, failed []carried) {
	at := func(v []carried, i int) carried {
		if i < len(v) {
			return v[i]
		}
		return carried{}
	}
	for i, host := range hosts {
		o, f, on, fn := at(ok, i), at(failed, i), at(ok, i+1), at(failed, i+1)
		w.totals(host, probe.NetReceived, "eth0", o.in+on.out, f.in+fn.out)
		w.totals(host, probe.NetSent, "eth0", o.out+on.in, f.out+fn.in)
	}
}

func answered(status uint16, latency float64) func(r *request) {
	return func(r *request) {
		r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, status, latency
	}
}

// threeHops is nginx before api before postgres, all of them answering.
func (w chained) threeHops(front, service, store string) {
	w.hop(serverHost, front, "*:8080", 10, 1, 4, 0, 0, 1, 0.01)
	w.peer(serverHost, front, "10.0.0.3:8081", 4, 0, 0.01, 0)
	w.hop("api-1", service, "*:8081", 20, 8, 4, 0, 0, 1, 0.01)
	w.peer("api-1", service, "10.0.0.4:5432", 4, 0, 0.01, 0)
	w.hop("db-1", store, "*:5432", 30, 8, 4, 0, 0, 1, 0.01)
}

// TestReach holds plausible verdicts of requests that fail at once against how far they got.
func TestReach(t *testing.T) {
	hosts := []string{serverHost, "api-1", "db-1"}
	usual := []carried{{300, 400}, {320, 420}, {250, 700}}
	for _, test := range []struct {
		name    string
		make    func(w chained)
		refused []string // never claimed
		want    string
		host    string
		doubt   bool // the cause comes first, claimed or not
	}{
		{
			name: "the proxy refuses everything, and tries no connection, since the service behind it was restarted",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.restart("api-1", "api", 20, w.at-0.3, 0.4, "killed by SIGKILL")
				w.fails(answered(503, 0.0005))
				w.traffic(hosts, usual, []carried{{300, 300}, {0, 0}, {0, 0}})
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			want: "marked-down", host: serverHost,
			refused: []string{"rate-limit-policy", "upstream-rate-limit-policy", "service-down", "upstream-process-crash", "upstream-application-abort"},
		},
		{
			name: "the proxy tries for every request, and nobody listens: it has marked nothing",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.event(probe.Event{Kind: probe.ProcessExit, At: dur(w.at - 0.2), Host: "api-1", Process: "api", PID: 20, Reason: "exit status 1"})
				w.fails(answered(502, 0.0007))
				w.traffic(hosts, usual, []carried{{300, 300}, {60, 54}, {0, 0}})
				w.totals(serverHost, probe.AttemptFails, "", 0, 1)
			},
			want: "upstream-process-crash", host: "api-1", refused: []string{"marked-down", "circuit-open", "upstream-rate-limit-policy", "upstream-connection-limit"},
		},
		{
			name: "a service stops asking a store that answers errors again and again: it is the store",
			make: func(w chained) {
				w.threeHops("nginx", "api", "pricing")
				bad := func(r *request) bool { return r.due >= w.at && int(r.due*20)%60 == 0 }
				w.fail = func(r *request) {
					switch {
					case bad(r):
						answered(502, 0.01)(r)
					case r.due >= w.at:
						answered(503, 0.0005)(r)
					}
				}
				w.background()
				w.play()
				w.traffic(hosts, usual, []carried{{300, 300}, {320, 200}, {5, 7}})
				w.totals("api-1", probe.AttemptFails, "", 0, 0)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			want: "dependency-error", host: "db-1", refused: []string{"upstream-rate-limit-policy", "marked-down", "upstream-circuit-open"},
		},
		{
			name: "a breaker opened once for a store that was gone for a moment, and stays open",
			make: func(w chained) {
				w.threeHops("nginx", "api", "pricing")
				w.restart("db-1", "pricing", 30, w.at-0.4, 0.3, "exit status 2")
				w.fails(answered(503, 0.0005))
				w.traffic(hosts, usual, []carried{{300, 300}, {320, 200}, {0, 0}})
				w.totals("api-1", probe.AttemptFails, "", 0, 0)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			want: "upstream-circuit-open", host: "api-1", refused: []string{"marked-down", "upstream-rate-limit-policy", "upstream-process-crash"},
		},
		{
			name: "a service looks in vain for the name of the next before it refuses: nothing came there that could have waited",
			make: func(w chained) {
				w.threeHops("nginx", "api", "pricing")
				w.fail = func(r *request) {
					switch {
					case r.due >= w.at && r.due < w.at+4:
						answered(502, 0.6)(r)
					case r.due >= w.at:
						answered(502, 0.001)(r)
					}
				}
				w.background()
				w.play()
				w.traffic(hosts, usual, []carried{{300, 300}, {320, 200}, {0, 0}})
				w.totals("api-1", probe.AttemptFails, "", 0, 0)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			want: "upstream-circuit-open", host: "api-1", doubt: true, refused: []string{"slow-dependency", "upstream-circuit-open", "dependency-error"},
		},
		{
			name: "a proxy has no local port left, and so asks nobody: that is no rule",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.seriesOf(probe.Metric{Host: serverHost, Name: probe.EphemeralPorts, Instance: "10.0.0.3:8081"}, 1200, func(t float64) float64 { return min(1200, 1200*(t+1)/(w.at+0.7)) })
				w.fails(answered(502, 0.0005))
				w.traffic(hosts, usual, []carried{{300, 300}, {0, 0}, {0, 0}})
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			want: "proxy-ephemeral-ports", host: serverHost, refused: []string{"deny-rule", "marked-down"},
		},
		{
			name: "a proxy on the way answers 403 itself: it knows nobody's credentials",
			make: func(w chained) {
				w.threeHops("nginx", "squid", "bank")
				w.fails(answered(502, 0.001))
				w.replies("api-1", "http", "10.0.0.3:8081", 403, "403 Forbidden: ERROR: The requested URL could not be retrieved", 1)
				w.traffic(hosts, usual, []carried{{300, 300}, {320, 600}, {0, 0}})
				w.totals("api-1", probe.AttemptFails, "", 0, 0)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			want: "upstream-deny-rule", host: "api-1", refused: []string{"upstream-credentials", "dependency-error"},
		},
		{
			name: "the first proxy answers 403 itself, and passes nothing on",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(403, 0.0005))
				w.traffic(hosts, usual, []carried{{300, 300}, {0, 0}, {0, 0}})
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			want: "deny-rule", host: serverHost, refused: []string{"credentials"},
		},
		{
			name: "the database answers what fails, with more than usual, and the service passes on a 500",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(500, 0.012))
				w.traffic(hosts, usual, []carried{{300, 380}, {320, 400}, {260, 1400}})
				w.totals("api-1", probe.AttemptFails, "", 0, 0)
				w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			},
			want: "dependency-error", host: "db-1", refused: []string{"upstream-application-error", "upstream-application-abort", "upstream-pool-exhausted", "server-connection-limit"},
		},
		{
			name: "one kind of answer is not taken by the proxy, which ends the connection itself",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fail = func(r *request) {
					if r.number%5 == 0 {
						answered(502, 0.01)(r)
					}
				}
				w.background()
				w.play()
				for _, f := range w.log.Failures {
					w.event(probe.Event{
						Kind: probe.RSTSent, At: f.End - dur(0.001), Host: serverHost, Source: probe.Source{Host: serverHost, Name: "reset trace"}, Reason: "ABORT_ON_CLOSE",
						Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), f.Conn.Local.Port()), Remote: netip.MustParseAddrPort("10.0.0.3:8081"),
					})
				}
				w.traffic(hosts, usual, []carried{{300, 300}, {320, 9000}, {250, 700}})
			},
			want: "response-refused", host: serverHost, doubt: true, refused: []string{"upstream-application-abort", "upstream-process-crash"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(3) {
				w := newChained(seed)
				test.make(w)
				f := w.finding()
				claimed := f.Verdict == diagnose.Explains
				if claimed && slices.Contains(test.refused, f.Cause) {
					t.Errorf("seed %d: claims %s on %s: %s", seed, f.Cause, f.Host, f.Summary)
				}
				if f.Cause != test.want || f.Host != test.host || !claimed && !test.doubt {
					t.Errorf("seed %d: %s %s on %s (%.2f), want %s on %s\n%s\n%s", seed, f.Verdict, f.Cause, f.Host, f.Confidence, test.want, test.host, f.Summary, evidence(f))
				}
			}
		})
	}
}

// TestConnectionsOfTheirOwn: a store that has a number of connections ends what comes beyond
// in its greeting; it lets no rate pass, and nothing rests that is opened for each request.
func TestConnectionsOfTheirOwn(t *testing.T) {
	for seed := range uint64(3) {
		w := newChained(seed)
		w.from, w.to = 60, 300
		w.threeHops("nginx", "api", "redis-server")
		limit := w.timeOf(150)
		w.fail = func(r *request) {
			if r.due >= limit && w.rng.Float64() > 150/r.load {
				answered(500, 0.004)(r)
			}
		}
		w.background()
		w.play()
		w.traffic([]string{serverHost, "api-1", "db-1"}, []carried{{300, 400}, {320, 420}, {600, 700}}, []carried{{300, 380}, {320, 400}, {340, 350}})
		w.totals("api-1", probe.TimeWait, "", 1, 0)
		w.totals("db-1", probe.TimeWait, "", 0, 0.1)
		w.totals("db-1", probe.OutRsts, "", 0, 0.9)
		w.totals("api-1", probe.AttemptFails, "", 0, 0)
		w.seriesOf(probe.Metric{Host: "db-1", Name: probe.Established, Instance: "*:5432"}, 0, func(at float64) float64 {
			return min(25, 25*w.loadAt(min(max(at, 0), w.length-0.01))/150)
		})
		f := w.finding()
		if f.Cause != "upstream-connection-limit" || f.Host != "db-1" || f.Verdict != diagnose.Explains {
			t.Errorf("seed %d: %s %s on %s (%.2f)\n%s\n%s", seed, f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
		}
	}
}

// TestEndsWithoutAWord: who does not take an answer says so to those who asked, with a status.
// A proxy that ends their connections without a word passes on an end, and tidies up behind it.
func TestEndsWithoutAWord(t *testing.T) {
	w := newChained(1)
	w.threeHops("nginx", "api", "postgres")
	w.fail = func(r *request) {
		if r.number%5 == 0 {
			r.fault, r.phase, r.latency = attack.EOF, attack.PhaseAwait, 0.01
		}
	}
	w.background()
	w.play()
	for _, f := range w.log.Failures {
		w.event(probe.Event{
			Kind: probe.RSTSent, At: f.End - dur(0.001), Host: serverHost, Source: probe.Source{Host: serverHost, Name: "reset trace"}, Reason: "ABORT_ON_CLOSE",
			Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), f.Conn.Local.Port()), Remote: netip.MustParseAddrPort("10.0.0.3:8081"),
		})
	}
	w.traffic([]string{serverHost, "api-1", "db-1"}, []carried{{300, 400}, {320, 420}, {250, 700}}, []carried{{300, 300}, {320, 9000}, {250, 700}})
	for _, f := range diagnose.Analyze(w.log).Findings {
		if f.Cause == "response-refused" {
			t.Errorf("says %s (%.2f): %s", f.Cause, f.Confidence, f.Summary)
		}
	}
}
