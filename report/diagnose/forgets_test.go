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
	"github.com/rampload/rampload/report/runlog"
)

// TestForgottenSessions has a service refuse users who were signed in, for the store of their
// sessions has lost them, or for what they show.
func TestForgottenSessions(t *testing.T) {
	const off = math.MaxFloat64
	for _, test := range []struct {
		name    string
		evicts  float64 // keys a second from evictsFrom on
		from    float64 // seconds
		nothing float64 // answers of the store a second that nothing is there
		since   float64 // seconds
		want    string
		host    string
		open    bool   // what it is is not proven
		says    string // in its evidence
	}{
		{"the store says that it throws keys out", 40, 9, 0, off, "dependency-memory-full", "db-1", false, "to make room for others"},
		{"it answers that nothing is there", 0, off, 100, 10, "dependency-memory-full", "db-1", true, "what it was given for these users is gone"},
		{"both", 40, 9, 100, 10, "dependency-memory-full", "db-1", false, "to make room for others"},
		{"nothing is amiss with the store", 0, off, 0, off, "upstream-credentials", "api-1", true, ""},
		{"it throws keys out all the time, as caches do", 40, 0, 0, off, "upstream-credentials", "api-1", true, ""},
		{"it has nothing for some, all the time", 0, off, 100, 0, "upstream-credentials", "api-1", true, ""},
		{"it throws keys out for what fails, later", 40, 16, 0, off, "upstream-credentials", "api-1", true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newChained(1)
			w.threeHops("haproxy", "gunicorn", "redis-server")
			w.fails(answered(401, 0.004))
			w.replies("api-1", "http", "10.0.0.3:8081", 401, `401 UNAUTHORIZED: {"error":"please log in"}`, 1)
			thrown := 0.0
			w.seriesOf(probe.Metric{Host: "db-1", Name: probe.StoreEvictions, Instance: "redis"}, math.NaN(), func(t float64) float64 {
				if t >= test.from {
					thrown += test.evicts / 4
				}
				return 500 + math.Floor(thrown)
			})
			for at := 1.0; at < w.length; at++ {
				if at > test.since {
					w.event(probe.Event{
						Kind: probe.Answered, At: dur(at), Source: probe.Source{Host: "db-1", Name: "replies"}, Host: "db-1",
						Local: netip.MustParseAddrPort("10.0.0.4:5432"), Count: uint64(test.nothing/32) * 32, Value: 32, Reason: probe.NothingThere,
					})
				}
			}
			f := w.finding()
			if f.Cause != test.want || f.Host != test.host || (f.Verdict == diagnose.Explains) == test.open {
				t.Errorf("%s %s on %s (%.2f)\n%s\n%v", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
			}
			if test.says != "" && !slices.ContainsFunc(evidence(f), func(s string) bool { return strings.Contains(s, test.says) }) {
				t.Errorf("nothing says %q: %v", test.says, evidence(f))
			}
		})
	}
}

// TestEmptiedStore has users refused who were signed in, since the store that kept that in memory
// was started again. One that writes to disk has lost nothing, nor has one that ended long before.
func TestEmptiedStore(t *testing.T) {
	for _, test := range []struct {
		name, store, why string
		before           float64 // seconds
		want, host       string
		ended            string // beside the store; empty: the store itself
	}{
		{"it crashed", "memcached", "killed by SIGSEGV", 0.6, "upstream-process-crash", "db-1", ""},
		{"it was restarted", "redis-server", "killed by SIGTERM", 0.6, "upstream-ungraceful-restart", "db-1", ""},
		{"it keeps what it has on disk", "postgres", "killed by SIGSEGV", 0.6, "upstream-credentials", "api-1", ""},
		{"it crashed long before", "memcached", "killed by SIGSEGV", 7, "upstream-credentials", "api-1", ""},
		{"a check of its health is over", "redis-server", "exited with status 0", 0.6, "upstream-credentials", "api-1", "redis-cli"},
		{"what reads its metrics crashed", "memcached", "killed by SIGSEGV", 0.6, "upstream-credentials", "api-1", "memcached_exporter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newChained(1)
			w.threeHops("haproxy", "gunicorn", test.store)
			if test.ended == "" {
				w.restart("db-1", test.store, 30, w.at-test.before, 0.4, test.why)
			} else {
				w.restart("db-1", test.ended, 77, w.at-test.before, 0.4, test.why)
			}
			w.fails(answered(401, 0.004))
			w.replies("api-1", "http", "10.0.0.3:8081", 401, `401 UNAUTHORIZED: {"error":"please log in"}`, 1)
			f := w.finding()
			open := test.want == "upstream-credentials" // who asks to log in says that it finds no session, and not why
			if f.Cause != test.want || f.Host != test.host || (f.Verdict == diagnose.Explains) == open {
				t.Errorf("%s %s on %s (%.2f)\n%s\n%v", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
			}
		})
	}
}

// TestCacheThatStaysAway has all that a cache kept asked for at the database, which gets no
// further: that the cache ended is why. One that came back, however late, or that ended long
// before, is not; and that more is asked is said only where it is.
func TestCacheThatStaysAway(t *testing.T) {
	for _, test := range []struct {
		name   string
		before float64 // seconds: when it ended
		back   float64 // seconds after failures began, when it was there again; 0: never
		always float64 // of the database for each request, with the cache as well
		asked  float64 // of the database, a second, since
		want   string
		host   string
	}{
		{"it ended and stayed away", 0.2, 0, 0, 20, "upstream-process-crash", "mc-1"},
		{"it came back", 0.2, 0.4, 0, 20, "upstream-cpu-shedding", "db-1"},
		{"it came back late", 0.2, 9, 0, 20, "upstream-cpu-shedding", "db-1"},
		{"it had ended long before", 8, 0, 0, 20, "upstream-cpu-shedding", "db-1"},
		{"nothing more is asked of the database, when it ended just then", 0.2, 0, 1, 0, "upstream-process-crash", "mc-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newChained(1)
			w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "mc-1", Addrs: []string{"10.0.0.5"}})
			w.hop(serverHost, "nginx", "*:8080", 10, 1, 64, 0, 0, 64, 2)
			w.peer(serverHost, "nginx", "10.0.0.3:8081", 64, 64, 2, 0)
			w.hop("api-1", "gunicorn", "*:8081", 20, 16, 180, 0, 164, 180, 2)
			w.peer("api-1", "gunicorn", "10.0.0.4:5432", 16, 16, 1.1, 0)
			w.peer("api-1", "gunicorn", "10.0.0.5:11211", 0, 0, 0, 0)
			w.hop("db-1", "postgres", "*:5432", 30, 1, 16, 0, 0, 16, 0.95)
			w.hop("mc-1", "memcached", "*:11211", 40, 4, 0, 0, 0, 0, 0)
			w.put(probe.Metric{Host: "db-1", Process: "postgres", PID: 31, Name: probe.ProcessCPU}, 0.05, 1)
			w.put(probe.Metric{Host: "db-1", Process: "postgres", PID: 31, Name: probe.Threads}, 1, 1)
			w.put(probe.Metric{Host: "db-1", Process: "postgres", PID: 31, Name: probe.Serving, Instance: "*:5432"}, 0, 0)
			for peer, rates := range map[string][2]float64{"10.0.0.5:11211": {100, 0}, "10.0.0.4:5432": {100 * test.always, 100*test.always + test.asked}} {
				w.seriesOf(probe.Metric{Host: "api-1", Process: "gunicorn", Name: probe.Asked, Instance: peer}, math.NaN(), func(at float64) float64 {
					return rates[0]*min(at+5, w.at+5) + rates[1]*max(0, at-w.at)
				})
			}
			w.event(probe.Event{Kind: probe.ProcessExit, At: dur(w.at - test.before), Host: "mc-1", Process: "memcached", PID: 40, Reason: "killed by SIGSEGV"})
			if test.back > 0 {
				w.event(probe.Event{Kind: probe.ProcessStart, At: dur(w.at + test.back), Host: "mc-1", Process: "memcached", PID: 41})
			}
			w.fails(func(r *request) { r.fault, r.phase, r.latency = attack.Timeout, attack.PhaseAwait, 2 })
			f := w.finding()
			if f.Cause != test.want || f.Host != test.host {
				t.Errorf("%s %s on %s (%.2f)\n%s\n%v", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
			}
			if said := strings.Contains(f.Summary, "for that since"); said != (test.want == "upstream-process-crash" && test.asked > 0) {
				t.Errorf("that more is asked is said: %v: %s", said, f.Summary)
			}
		})
	}
}

// TestCacheUnderLoad has a cache behind throw out, or miss, the same share of what it is asked for
// at every load, while users are refused for what they show: it lost nothing just then.
func TestCacheUnderLoad(t *testing.T) {
	for _, kind := range []string{"throws out", "has nothing"} {
		t.Run(kind, func(t *testing.T) {
			w := newChained(1)
			w.from, w.to = 1, 200
			w.threeHops("haproxy", "gunicorn", "redis-server")
			w.fails(answered(401, 0.004))
			w.replies("api-1", "http", "10.0.0.3:8081", 401, `401 UNAUTHORIZED: {"error":"token expired"}`, 1)
			rate := func(t float64) float64 { return w.from + (w.to-w.from)*t/w.length }
			if kind == "throws out" {
				thrown := 0.0
				w.seriesOf(probe.Metric{Host: "db-1", Name: probe.StoreEvictions, Instance: "redis"}, math.NaN(), func(t float64) float64 {
					thrown += 0.6 * rate(t) / 4
					return math.Floor(thrown)
				})
			} else {
				for at := 1.0; at < w.length; at++ {
					w.event(probe.Event{
						Kind: probe.Answered, At: dur(at), Source: probe.Source{Host: "db-1", Name: "replies"}, Host: "db-1",
						Local: netip.MustParseAddrPort("10.0.0.4:5432"), Count: uint64(0.6*rate(at)/32) * 32, Value: 32, Reason: probe.NothingThere,
					})
				}
			}
			f := w.finding()
			if f.Cause != "upstream-credentials" || f.Host != "api-1" || f.Verdict != diagnose.Explains {
				t.Errorf("at %v of %v: %s %s on %s (%.2f)\n%s\n%v", w.at, w.length, f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
			}
		})
	}
}
