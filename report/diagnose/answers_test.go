package diagnose_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// answer makes a request fail with a status and what was answered.
func answer(r *request, code uint16, body string, headers ...string) {
	r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, code, 0.003
	r.answer = &attack.Answer{Body: body, Declared: int64(len(body)), Received: int64(len(body))}
	for i := 0; i+1 < len(headers); i += 2 {
		r.answer.Headers = append(r.answer.Headers, attack.AnswerHeader{Name: headers[i], Value: headers[i+1]})
	}
}

// TestAnswersAreRead plays services that say what they lack.
func TestAnswersAreRead(t *testing.T) {
	excess := func(become func(r *request)) func(w *world, r *request) {
		return func(w *world, r *request) {
			if limit := 0.55 * w.to; r.load > limit && w.rng.Float64() < 1-limit/r.load {
				become(r)
			}
		}
	}
	for _, test := range []struct {
		name  string
		fail  func(w *world, r *request)
		cause string // accepted causes, claimed or first
		says  string // in the evidence or the summary
		open  bool   // it is the first candidate: one request alone is large, so it may be of the request
	}{
		{
			name: "a database that is full", cause: "upstream-connection-limit", says: "too many clients",
			fail: excess(func(r *request) {
				answer(r, 500, fmt.Sprintf("FATAL: sorry, too many clients already (request %d)", r.number), "server", "gunicorn")
			}),
		},
		{
			name: "a pool that is full", cause: "pool-exhausted", says: "QueuePool limit",
			fail: excess(func(r *request) {
				answer(r, 500, "QueuePool limit of size 5 overflow 10 reached, connection timed out")
			}),
		},
		{
			name: "worker_connections", cause: "server-connection-limit", says: "worker_connections",
			fail: excess(func(r *request) { answer(r, 503, "512 worker_connections are not enough") }),
		},
		{
			name: "a rate limit that says when to come again", cause: "rate-limit-policy", says: "come again after 2 s",
			fail: excess(func(r *request) { answer(r, 503, "busy", "retry-after", "2") }),
		},
		{
			name: "tokens that expire", cause: "credentials", says: "token expired",
			fail: func(w *world, r *request) {
				if r.due > 0.5*w.length {
					answer(r, 401, `{"error":"token expired"}`)
				}
			},
		},
		{
			name: "a limit on the size of requests", cause: "request-too-large", says: "of 2,200 bytes and more failed", open: true,
			fail: func(_ *world, r *request) {
				sized(r)
				if r.endpoint == 2 {
					answer(r, 400, "no")
				}
			},
		},
		{
			name: "full-size packets that vanish", cause: "mtu-black-hole", says: "of 2,200 bytes and more failed",
			fail: func(_ *world, r *request) {
				sized(r)
				if r.endpoint == 2 {
					timeout(r, attack.PhaseAwait, 5)
					r.retrans, r.unacked = 4, 2
				}
			},
		},
		{
			name: "a length that never comes", cause: "short-response", says: "announced 5,000 bytes and brought 4,900",
			fail: func(_ *world, r *request) {
				sized(r)
				if r.endpoint == 1 {
					timeout(r, attack.PhaseBody, 5)
					r.status = 200
					r.answer = &attack.Answer{Declared: 5000, Received: 4900}
				}
			},
		},
		{
			name: "a length that never comes, and a close in good order", cause: "short-response", says: "announced 5,000 bytes and brought 4,900",
			fail: func(_ *world, r *request) { short(r, attack.EOF) },
		},
	} {
		for seed := range uint64(2) {
			w := newWorld(rand.New(rand.NewPCG(seed, 77)))
			w.length = 24
			w.log.Header.Targets[0].Endpoints = []runlog.Endpoint{{Name: "GET /small", Share: 0.4}, {Name: "GET /page", Share: 0.3}, {Name: "POST /big", Share: 0.3}}
			w.fail = func(r *request) { test.fail(w, r) }
			w.background()
			w.play()
			w.complete()
			f := diagnose.Analyze(w.log).Findings[0]
			if f.Cause != test.cause || f.Verdict != diagnose.Explains && !test.open {
				t.Errorf("%s, seed %d: %s %s %.2f, want %s: %s", test.name, seed, f.Verdict, f.Cause, f.Confidence, test.cause, f.Summary)
			}
			said := strings.Contains(f.Summary, test.says) || slices.ContainsFunc(f.Evidence, func(e diagnose.Evidence) bool { return strings.Contains(e.Text, test.says) })
			if !said {
				t.Errorf("%s, seed %d: nothing tells of %q: %s %+v", test.name, seed, test.says, f.Summary, f.Evidence)
			}
		}
	}
}

// A body that a reset cuts, be it always at one place, was aborted.
func TestBodyCutByReset(t *testing.T) {
	for seed := range uint64(2) {
		w := newWorld(rand.New(rand.NewPCG(seed, 77)))
		w.length = 24
		w.log.Header.Targets[0].Endpoints = []runlog.Endpoint{{Name: "GET /small", Share: 0.4}, {Name: "GET /page", Share: 0.3}, {Name: "POST /big", Share: 0.3}}
		w.fail = func(r *request) { short(r, attack.Reset) }
		w.background()
		w.play()
		w.traced(serverHost, "TCP_ABORT_ON_DATA", "ESTABLISHED")
		w.complete()
		if f := diagnose.Analyze(w.log).Findings[0]; f.Cause != "application-abort" {
			t.Errorf("seed %d: %s %s %.2f: %s", seed, f.Verdict, f.Cause, f.Confidence, f.Summary)
		}
	}
}

// short ends one response in thirty after the same bytes of its body.
func short(r *request, end attack.Fault) {
	sized(r)
	if r.number%30 == 0 {
		r.endpoint, r.fault, r.phase, r.status = 1, end, attack.PhaseBody, 200
		r.answer = &attack.Answer{Declared: 5000, Received: 4900}
	}
}

// sized spreads requests over three of different sizes.
func sized(r *request) {
	r.endpoint = uint32(r.number % 3)
	r.sent = []int{180, 190, 2200}[r.endpoint]
	r.received = []int{12, 5000, 20}[r.endpoint]
}

// TestAnswersOfThoseBehind plays a proxy before a service before a database, and answers
// that speak of one or the other.
func TestAnswersOfThoseBehind(t *testing.T) {
	late := func(become func(r *request)) func(w *world, r *request) {
		return func(w *world, r *request) {
			if r.due > 0.5*w.length && r.number%3 > 0 {
				become(r)
			}
		}
	}
	for _, test := range []struct {
		name        string
		fail        func(w *world, r *request)
		cause, host string
		says        string
	}{
		{"a replica", late(func(r *request) { answer(r, 500, "READONLY You can't write against a read only replica.") }), "dependency-read-only", "db-1", "READONLY"},
		{"a full store", late(func(r *request) { answer(r, 500, "OOM command not allowed when used memory > 'maxmemory'.") }), "dependency-memory-full", "db-1", "OOM command"},
		{"no identifiers", late(func(r *request) { answer(r, 500, `nextval: reached maximum value of sequence "orders_id_seq"`) }), "identifier-exhausted", "db-1", "nextval"},
		{"a migration", late(func(r *request) { answer(r, 500, `column "vat" does not exist`) }), "schema-mismatch", "db-1", "vat"},
		{"row locks", late(func(r *request) { answer(r, 500, "ERROR: deadlock detected") }), "lock-contention", "db-1", "deadlock detected"},
		{"a password that was changed", late(func(r *request) { answer(r, 500, `FATAL: password authentication failed for user "shop"`) }), "upstream-credentials", "db-1", "password"},
		{"no room on the service's disk", late(func(r *request) { answer(r, 500, "OSError: [Errno 28] No space left on device", "server", "gunicorn") }), "upstream-disk-full", serverHost, "No space"},
		{"an exception", late(func(r *request) { answer(r, 500, "Traceback (most recent call last): KeyError: 'sku'") }), "upstream-application-error", serverHost, "Traceback"},
		{"a name", late(func(r *request) { answer(r, 502, "dial tcp: lookup payments on 10.0.0.53:53: no such host") }), "dns", serverHost, "no such host"},
		{"a header that is too large for the proxy", late(func(r *request) {
			answer(r, 400, "<html><head><title>400 Request Header Or Cookie Too Large</title></head><hr><center>nginx/1.22.1</center></html>", "server", "nginx/1.22.1", "content-type", "text/html")
		}), "request-too-large", "lb-1", "Cookie Too Large"},
		{"a token, told by the service", late(func(r *request) { answer(r, 401, `{"error":"token expired"}`, "server", "nginx/1.22.1") }), "upstream-credentials", serverHost, "token expired"},
	} {
		for seed := range uint64(2) {
			w := newWorld(rand.New(rand.NewPCG(seed, 78)))
			w.length = 24
			w.log.Header.Targets[0].Hosts = []string{"lb-1", serverHost, "db-1"}
			w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "lb-1", Addrs: []string{"10.0.0.9"}}, runlog.Host{Name: "db-1", Addrs: []string{"10.0.0.3"}})
			w.fail = func(r *request) { test.fail(w, r) }
			w.background()
			for _, host := range []struct{ name, process string }{{"lb-1", "nginx"}, {"db-1", "postgres"}} {
				w.series(host.name, host.process, probe.OpenFiles, 1024, func(float64) float64 { return 20 })
			}
			w.play()
			w.complete()
			f := diagnose.Analyze(w.log).Findings[0]
			if f.Cause != test.cause || f.Host != test.host || f.Verdict != diagnose.Explains {
				t.Errorf("%s, seed %d: %s %s on %s %.2f, want %s on %s: %s", test.name, seed, f.Verdict, f.Cause, f.Host, f.Confidence, test.cause, test.host, f.Summary)
			}
			said := strings.Contains(f.Summary, test.says) || slices.ContainsFunc(f.Evidence, func(e diagnose.Evidence) bool { return strings.Contains(e.Text, test.says) })
			if !said {
				t.Errorf("%s, seed %d: nothing tells of %q: %s %+v", test.name, seed, test.says, f.Summary, f.Evidence)
			}
		}
	}
}

// TestSlowConsumer plays a broker that says why it ends connections.
func TestSlowConsumer(t *testing.T) {
	for seed := range uint64(2) {
		w := newWorld(rand.New(rand.NewPCG(seed, 79)))
		w.length = 24
		w.fail = func(r *request) {
			if r.due > 0.5*w.length && r.number%3 > 0 {
				r.fault, r.phase, r.detail = attack.Status, attack.PhaseBody, attack.Detail{Kind: attack.ServerDetail, Code: attack.ServerSlowConsumer}
			}
		}
		w.background()
		w.play()
		w.complete()
		f := diagnose.Analyze(w.log).Findings[0]
		if f.Cause != "slow-consumer" || f.Verdict != diagnose.Explains {
			t.Errorf("seed %d: %s %s %.2f: %s", seed, f.Verdict, f.Cause, f.Confidence, f.Summary)
		}
	}
}

// TestLogsAreHeard plays a proxy before a service before a database whose answers say
// nothing, and whose logs do.
func TestLogsAreHeard(t *testing.T) {
	type told struct{ host, service, format, text string }
	for _, test := range []struct {
		name        string
		status      uint16
		told        []told
		every       int // failed request is told of
		cause, host string
		says        string
	}{
		{"a full database", 500, []told{{"db-1", "postgres", "postgresql", "sorry, too many clients already"}}, 1, "upstream-connection-limit", "db-1", "too many clients"},
		{"a replica", 500, []told{{serverHost, "payments", "json", "READONLY You can't write against a read only replica."}}, 1, "dependency-read-only", "db-1", "READONLY"},
		{"no descriptors at the service", 502, []told{
			{"lb-1", "nginx", "nginx", `recv() failed (104: Connection reset by peer) while reading response header from upstream, upstream: "http://10.0.0.2:8080/"`},
			{serverHost, "payments", "go", "http: Accept error: accept tcp [::]:8080: accept4: too many open files; retrying in 5ms"},
		}, 1, "upstream-file-descriptors", serverHost, "too many open files"},
		{"a driver's code, its text in another language", 500, []told{{serverHost, "payments", "json", "SQLSTATE[53300]: FATAL: désolé, trop de clients sont déjà connectés"}}, 1, "upstream-connection-limit", "db-1", "SQLSTATE[53300]"},
		{"a consumer that reads too slowly", 500, []told{{serverHost, "payments", "json", "nats: slow consumer, messages dropped"}}, 1, "upstream-slow-consumer", "db-1", "slow consumer"},
		{"one whom the broker gave up", 500, []told{{"db-1", "nats-server", "text", "10.0.0.2:51234 - cid:7 - Slow Consumer Detected: WriteDeadline of 2s exceeded with 1 chunks of 4096 total bytes."}}, 1, "upstream-slow-consumer", "db-1", "Slow Consumer"},
		{"slots of the proxy", 503, []told{{"lb-1", "nginx", "nginx", "512 worker_connections are not enough"}}, 1, "server-connection-limit", "lb-1", "worker_connections"},
	} {
		for _, withID := range []bool{true, false} {
			w := newWorld(rand.New(rand.NewPCG(1, 79)))
			w.length = 24
			w.log.Header.RunID = "00112233445566aa"
			w.log.Header.Targets[0].Hosts = []string{"lb-1", serverHost, "db-1"}
			w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "lb-1", Addrs: []string{"10.0.0.9"}}, runlog.Host{Name: "db-1", Addrs: []string{"10.0.0.3"}})
			w.fail = func(r *request) {
				if limit := 0.55 * w.to; r.load > limit && w.rng.Float64() < 1-limit/r.load {
					answer(r, test.status, "error")
					if r.number%uint64(test.every) > 0 {
						return
					}
					for _, x := range test.told {
						e := probe.Event{Kind: probe.LogLine, At: dur(r.due + 0.005), Host: x.host, Process: x.service, Reason: x.text, Count: 1, Line: &probe.Line{Format: x.format, Level: "error"}}
						if withID && x.format != "postgresql" {
							e.Line.ID = fmt.Sprintf("00112233445566aa-%016x", r.number)
						}
						w.event(e)
					}
				}
			}
			w.background()
			for _, host := range []struct{ name, process string }{{"lb-1", "nginx"}, {"db-1", "postgres"}} {
				w.series(host.name, host.process, probe.OpenFiles, 1024, func(float64) float64 { return 20 })
			}
			w.play()
			w.complete()
			result := diagnose.Analyze(w.log)
			f := result.Findings[0]
			if f.Cause != test.cause || f.Host != test.host || f.Verdict != diagnose.Explains {
				t.Errorf("%s, ids %v: %s %s on %s %.2f, want %s on %s: %s %+v", test.name, withID, f.Verdict, f.Cause, f.Host, f.Confidence, test.cause, test.host, f.Summary, result.Targets[0].Said)
			}
			said := strings.Contains(f.Summary, test.says) || slices.ContainsFunc(f.Evidence, func(e diagnose.Evidence) bool { return strings.Contains(e.Text, test.says) })
			if !said || len(result.Targets[0].Said) != len(test.told) {
				t.Errorf("%s, ids %v: nothing tells of %q: %s %+v %+v", test.name, withID, test.says, f.Summary, f.Evidence, result.Targets[0].Said)
			}
		}
	}
}
