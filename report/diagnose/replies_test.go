package diagnose_test

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// replies adds what a hop answered on the wire to each request that failed.
func (w chained) replies(host, protocol, peer string, status uint16, text string, each int) {
	for _, f := range w.log.Failures {
		for range each {
			w.event(probe.Event{
				Kind: probe.LogLine, At: f.End - dur(0.001), Source: probe.Source{Host: host, Name: "replies"}, Host: host, Process: protocol, Reason: text, Count: 1,
				Line: &probe.Line{File: "replies", Level: "error", Peer: peer, Status: status, Format: "reply " + protocol},
			})
		}
	}
}

// answersWell has a service answer a number of requests a second without an error, of which
// one in 32 is counted.
func (w chained) answersWell(host, local string, perSecond float64) {
	sampled := 0.0
	for at := 1.0; at < w.length; at++ {
		n := math.Floor(perSecond*at/32) - sampled
		sampled += n
		w.event(probe.Event{
			Kind: probe.Answered, At: dur(at), Source: probe.Source{Host: host, Name: "replies"}, Host: host,
			Local: netip.MustParseAddrPort(local), Count: uint64(n) * 32, Value: 32,
		})
	}
}

// TestRefusesWhatItIsAnswered has a proxy answer 503 though the service behind it answers
// well, as a part of its answers tells: the error is the proxy's own. Where the service
// answers nothing, that is not said.
func TestRefusesWhatItIsAnswered(t *testing.T) {
	for _, test := range []struct {
		name      string
		perSecond float64
		from      float64 // the load that it falls from, to 100/s
		want      bool
	}{
		{"it answers each", 100, 100, true},
		{"it answers a few health checks", 2, 100, false},
		{"it answers nothing", 0, 100, false},
		{"the load has fallen long before", 150, 250, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newChained(1)
			w.from = test.from
			w.hop(serverHost, "varnishd", "*:8080", 10, 1, 5, 0, 0, 1, 0.01)
			w.peer(serverHost, "varnishd", "10.0.0.3:8081", 1, 0, 0.01, 0)
			w.hop("api-1", "node", "*:8081", 20, 8, 1, 0, 0, 1, 0.01)
			w.fails(answered(503, 0.004))
			w.replies(serverHost, "http", "10.0.0.2:8080", 503, "503 Backend fetch failed", 1)
			w.answersWell("api-1", "10.0.0.3:8081", test.perSecond)
			f := w.finding()
			if got := f.Cause == "response-refused" && f.Verdict == diagnose.Explains && f.Host == serverHost; got != test.want {
				t.Errorf("%s %s on %s (%.2f)\n%s\n%s", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
			}
			if f.Cause == "upstream-application-error" {
				t.Errorf("%s: %s", f.Cause, f.Summary)
			}
		})
	}
}

// TestAnswersToChecks has a proxy take the service out for what that answers to its checks, which
// are all that it still asks: neither a rule of the proxy's nor the service turns anybody away.
// Without a word of the proxy and without checks nobody knows.
func TestAnswersToChecks(t *testing.T) {
	for _, test := range []struct {
		name   string
		says   string // the proxy's own page
		checks bool
		always bool   // they are refused all the time, long before anything fails
		want   string // "": none is claimed
	}{
		{"it has nobody to ask, and checks are refused", "503 Backend fetch failed: Guru Meditation", true, false, "marked-down"},
		{"checks are refused", "503 try later", true, false, "marked-down"},
		{"it has nobody to ask", "503 Backend fetch failed: Guru Meditation", false, false, ""},
		{"it answers for others, who are well", "503 down for maintenance", false, false, "deny-rule"},
		{"so, and somebody without credentials asks all the time", "503 down for maintenance", true, true, "deny-rule"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newChained(1)
			from := w.at - 2
			if test.always {
				w.at, from = 4, 0.1
			}
			w.threeHops("varnishd", "shop", "postgres")
			w.fails(answered(503, 0.0004))
			w.traffic([]string{serverHost, "api-1", "db-1"}, []carried{{300, 400}, {320, 420}, {250, 700}}, []carried{{300, 300}, {0, 0}, {0, 0}})
			w.totals(serverHost, probe.AttemptFails, "", 0, 0)
			w.replies(serverHost, "http", "10.0.0.2:8080", 503, test.says, 1)
			for at := from; test.checks && at < w.length; at++ {
				w.event(probe.Event{
					Kind: probe.LogLine, At: dur(at), Source: probe.Source{Host: "api-1", Name: "replies"}, Host: "api-1", Process: "http", Reason: "401 Unauthorized", Count: 1,
					Line: &probe.Line{File: "replies", Level: "error", Peer: "10.0.0.3:8081", Status: 401, Format: "reply http"},
				})
			}
			f := w.finding()
			got := ""
			if f.Verdict == diagnose.Explains {
				got = f.Cause
			}
			if got != test.want || got != "" && f.Host != serverHost {
				t.Errorf("%s %s on %s (%.2f), want %q\n%s\n%s", f.Verdict, f.Cause, f.Host, f.Confidence, test.want, f.Summary, evidence(f))
			}
		})
	}
}

// TestReplies has hops say on the wire why they refuse, whatever those before them make of
// it for the client.
func TestReplies(t *testing.T) {
	for _, test := range []struct {
		name  string
		make  func(w chained)
		want  string
		host  string
		words string // in the summary
		open  bool   // it is the first candidate
	}{
		{
			name: "a service refuses beyond its rate, and the one before tries again and again meanwhile",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 200, 0, 20, 200, 2)
				w.peer("api-1", "api", "10.0.0.4:5432", 4, 0, 0.01, 0)
				w.hop("db-1", "pricing", "*:5432", 30, 8, 4, 0, 0, 1, 0.01)
				w.fails(answered(502, 1))
				w.replies("db-1", "http", "10.0.0.4:5432", 429, "429 Too Many Requests: slow down", 4)
				w.replies("api-1", "http", "10.0.0.3:8081", 502, "502 Bad Gateway: pricing failed", 1)
			},
			want: "upstream-rate-limit-policy", host: "db-1", words: "429 Too Many Requests",
		},
		{
			name: "a store is full, and who asked it says 500 and no more",
			make: func(w chained) {
				w.threeHops("nginx", "api", "redis-server")
				w.fails(answered(500, 0.004))
				w.replies("db-1", "redis", "10.0.0.4:5432", 0, "OOM command not allowed when used memory > 'maxmemory'.", 1)
				w.replies("api-1", "http", "10.0.0.3:8081", 500, "500 Internal Server Error", 1)
			},
			want: "dependency-memory-full", host: "db-1", words: "OOM command not allowed",
		},
		{
			name: "a store that speaks HTTP has reached its quota, and has no other status for that than one of rates",
			make: func(w chained) {
				w.threeHops("nginx", "api", "etcd")
				w.fails(answered(503, 0.004))
				w.replies("db-1", "http", "10.0.0.4:5432", 429, `429 Too Many Requests: {"error":"etcdserver: mvcc: database space exceeded"}`, 1)
				w.replies("api-1", "http", "10.0.0.3:8081", 503, "503 Service Unavailable: session store unavailable", 1)
			},
			want: "dependency-memory-full", host: "db-1", words: "database space exceeded",
		},
		{
			name: "a database takes no more clients",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(500, 0.004))
				w.replies("db-1", "postgresql", "10.0.0.4:5432", 0, "FATAL: sorry, too many clients already (53300)", 1)
			},
			want: "upstream-connection-limit", host: "db-1", words: "too many clients",
		},
		{
			name: "a service behind answers with an error in words that nobody knows",
			make: func(w chained) {
				w.threeHops("nginx", "api", "pricing")
				w.fails(answered(502, 0.004))
				w.replies("db-1", "http", "10.0.0.4:5432", 500, "500 Internal Server Error: the moon is in the seventh house", 1)
				w.replies("api-1", "http", "10.0.0.3:8081", 502, "502 Bad Gateway", 1)
			},
			want: "upstream-application-error", host: "db-1", words: "seventh house", open: true,
		},
		{
			name: "a store answers with an error in words that nobody knows",
			make: func(w chained) {
				w.threeHops("nginx", "api", "redis-server")
				w.fails(answered(502, 0.004))
				w.replies("db-1", "redis", "10.0.0.4:5432", 0, "MOON it is in the seventh house", 1)
				w.replies("api-1", "http", "10.0.0.3:8081", 502, "502 Bad Gateway", 1)
			},
			want: "dependency-error", host: "db-1", words: "seventh house",
		},
		{
			name: "a service that nobody watches says so to the one that asks it",
			make: func(w chained) {
				w.threeHops("nginx", "api", "postgres")
				w.fails(answered(500, 0.004))
				w.replies("api-1", "postgresql", "10.9.9.9:5432", 0, `FATAL: password authentication failed for user "shop" (28P01)`, 1)
			},
			want: "upstream-credentials", host: "db-1", words: "password authentication failed",
		},
		{
			name: "a name server says nothing, and all threads of who asks it stand",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 200, 0, 190, 200, 2)
				w.peer("api-1", "api", "10.0.0.4:5432", 4, 0, 0.01, 0)
				w.hop("db-1", "pricing", "*:5432", 30, 8, 4, 0, 0, 1, 0.01)
				w.fails(gatewayTimeout)
				w.replies("api-1", "dns", "10.9.9.53:53", 0, "lookup profiles.shop.internal: no answer from the name server in 1 s", 1)
			},
			want: "dns", host: "api-1", words: "no answer from the name server",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(2) {
				w := newChained(seed)
				test.make(w)
				f := w.finding()
				if (f.Verdict != diagnose.Explains) != test.open || f.Cause != test.want || f.Host != test.host || !strings.Contains(f.Summary, test.words) {
					t.Errorf("seed %d: %s %s on %s (%.2f), want %s on %s\n%s\n%s", seed, f.Verdict, f.Cause, f.Host, f.Confidence, test.want, test.host, f.Summary, evidence(f))
				}
			}
		})
	}
}

// TestEndsItself: those before it log that a service ended connections instead of answering.
func TestEndsItself(t *testing.T) {
	w := newChained(1)
	w.threeHops("nginx", "api", "postgres")
	w.fails(answered(502, 0.004))
	for _, f := range w.log.Failures {
		w.event(probe.Event{
			Kind: probe.LogLine, At: f.End, Source: probe.Source{Host: serverHost, Name: "log nginx"}, Host: serverHost, Process: "nginx", Count: 1,
			Reason: "upstream prematurely closed connection while reading response header from upstream", Line: &probe.Line{File: "error.log", Level: "error", Peer: "10.0.0.3:8081", Format: "nginx"},
		})
	}
	if f := w.finding(); f.Cause != "upstream-application-abort" || f.Host != "api-1" || f.Tier != "upstream" {
		t.Errorf("%s %s on %s (%.2f)\n%s\n%s", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
	}
}

// TestOthersUseTheProcessor: a service that is ready all the time and uses next to nothing
// lacks what others use: that its own work is too much is not claimed.
func TestOthersUseTheProcessor(t *testing.T) {
	w := newChained(1)
	w.log.Header.CPUs = 2
	w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
	w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
	w.hop("api-1", "api", "*:8081", 20, 8, 200, 0, 20, 200, 2)
	w.put(probe.Metric{Host: "api-1", Process: "api", PID: 20, Name: probe.ThreadsRunning}, 0, 3)
	w.fails(gatewayTimeout)
	f := w.finding()
	if f.Verdict == diagnose.Explains && f.Cause == "upstream-cpu-shedding" {
		t.Errorf("claims %s: %s", f.Cause, f.Summary)
	}
	if f.Host != "api-1" || !strings.Contains(f.Summary, "200 open requests") {
		t.Errorf("does not say where requests stand: %s on %q: %s", f.Cause, f.Host, f.Summary)
	}
}

// TestNotInTheCatalogue: of a fault whose cause is not in the catalogue the sentence still
// says at which hop requests stand, and what that leaves.
func TestNotInTheCatalogue(t *testing.T) {
	w := newChained(1)
	w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
	w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
	w.hop("api-1", "orders", "*:8081", 20, 8, 200, 0, 0, 200, 2)
	w.fails(gatewayTimeout)
	w.complete()
	f := diagnose.AnalyzeWithout(w.log, func(inquiry.Kind) bool { return true }).Findings[0]
	if f.Verdict != diagnose.Unexplained || f.Host != "api-1" || f.Process != "orders" || f.Tier != "upstream" || f.Mechanism != "slow" {
		t.Errorf("%s at %s/%s, tier %q, mechanism %q", f.Verdict, f.Host, f.Process, f.Tier, f.Mechanism)
	}
	for _, want := range []string{"Requests stand at orders on api-1:8081", "a lock, a pool of its own", "200 of 200 open requests wait for"} {
		if !strings.Contains(f.Summary, want) {
			t.Errorf("no %q in: %s", want, f.Summary)
		}
	}
}

// TestToldItsCaller: what a pool logs of a caller that it refused is said of itself, and not
// of the database behind it.
func TestToldItsCaller(t *testing.T) {
	w := newChained(1)
	w.threeHops("api", "pgbouncer", "postgres")
	w.fails(answered(500, 0.004))
	for _, f := range w.log.Failures {
		w.event(probe.Event{
			Kind: probe.LogLine, At: f.End, Source: probe.Source{Host: "api-1", Name: "log pgbouncer"}, Host: "api-1", Process: "pgbouncer", Count: 1,
			Reason: "WARNING C-0x55a4: (nodb)/(nouser)@10.0.0.2:33544 pooler error: no more connections allowed (max_client_conn)",
			Line:   &probe.Line{File: "pgbouncer.log", Level: "warning", Peer: "10.0.0.2:33544", Format: "text"},
		})
	}
	if f := w.finding(); f.Verdict != diagnose.Explains || f.Cause != "upstream-connection-limit" || f.Host != "api-1" {
		t.Errorf("%s %s on %s (%.2f)\n%s\n%s", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
	}
}

// TestKeptAnswers has a proxy go on to give the error of a service behind it that was in
// trouble for three seconds and answers well since.
func TestKeptAnswers(t *testing.T) {
	const gone, page = 13.0, "404 Not Found: The requested page was not found on this server"
	for _, test := range []struct {
		name      string
		own       string
		until     float64 // seconds: those behind answer so
		perSecond float64 // answers of those behind that are no errors
		headers   []attack.AnswerHeader
		want      bool
	}{
		{"it keeps it", page, gone, 60, nil, true},
		{"it says that it is from its cache", "404 Not Found", gone, 60, []attack.AnswerHeader{{Name: "x-cache", Value: "HIT from edge"}}, true},
		{"it has a page of its own", "404 Not Found: no such route on this gateway, ask the owner", gone, 60, nil, false},
		{"a name of a status is everybody's", "404 Not Found", gone, 60, nil, false},
		{"those behind are not asked any more", page, gone, 0, nil, false},
		{"those behind go on", page, 30, 60, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newChained(1)
			w.threeHops("nginx", "haproxy", "apache2")
			w.fail = func(r *request) {
				if r.due >= w.at && r.number%2 == 0 {
					answered(404, 0.002)(r)
					r.answer = &attack.Answer{Headers: test.headers, Declared: -1}
				}
			}
			w.background()
			w.play()
			said := page
			if len(test.headers) > 0 || test.own == "404 Not Found" {
				said = test.own
			}
			w.replies(serverHost, "http", "10.0.0.2:8080", 404, test.own, 1)
			w.replies("api-1", "http", "10.0.0.3:8081", 404, said, 1)
			w.replies("db-1", "http", "10.0.0.4:5432", 404, said, 1)
			w.log.Events = slices.DeleteFunc(w.log.Events, func(e probe.Event) bool {
				return e.Kind == probe.LogLine && e.Host != serverHost && e.At.Seconds() > test.until
			})
			w.answersWell("api-1", "10.0.0.3:8081", test.perSecond)
			f := w.finding()
			if got := f.Cause == "deny-rule" && f.Verdict == diagnose.Explains && f.Host == serverHost; got != test.want {
				t.Errorf("%s %s on %s (%.2f)\n%s\n%s", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
			}
			if told := strings.Contains(strings.Join(evidence(f), "\n"), "with what it had kept"); told != test.want {
				t.Errorf("told that it keeps it: %v\n%s", told, evidence(f))
			}
		})
	}
}
