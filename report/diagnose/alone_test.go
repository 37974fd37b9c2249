package diagnose_test

import (
	"net/netip"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/runlog"
)

// TestAlone analyses faults that look like a cause and are none, with that cause alone in the
// catalogue: a fault that the catalogue does not know is not claimed for want of another name.
func TestAlone(t *testing.T) {
	for _, test := range []struct {
		name string
		rule string
		make func(w chained)
	}{
		{
			name: "what brings something is larger than what asks for something, and is answered 500: it could not be kept",
			rule: "request-too-large",
			make: func(w chained) {
				w.log.Header.Targets[0].Endpoints = []runlog.Endpoint{{Name: "GET /small", Share: 0.4}, {Name: "GET /page", Share: 0.3}, {Name: "POST /big", Share: 0.3}}
				w.fail = func(r *request) {
					sized(r)
					if r.endpoint == 2 && r.due >= w.at {
						r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, 500, 0.004
					}
				}
				w.log.Header.Targets[0].Hosts = []string{serverHost}
				w.background()
				w.play()
			},
		},
		{
			name: "some ask for what is not there, while most wait in vain: nobody who waits was answered early",
			rule: "early-response-unread-body",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "node", "*:8081", 20, 7, 200, 190, 0, 200, 2)
				w.log.Header.Targets[0].Hosts = []string{serverHost, "api-1"}
				w.log.Header.Targets[0].Endpoints = []runlog.Endpoint{{Name: "GET /small", Share: 0.4}, {Name: "GET /page", Share: 0.3}, {Name: "POST /big", Share: 0.3}}
				w.fail = func(r *request) {
					sized(r)
					switch {
					case r.due >= w.at && r.number%25 == 0:
						r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, 404, 0.004
					case r.due >= w.at && r.endpoint == 2:
						gatewayTimeout(r)
					}
				}
				w.background()
				w.play()
				for i := range 100 { // it closes what was given up meanwhile, unread
					w.event(probe.Event{
						Kind: probe.RSTSent, At: dur(w.at + 2 + float64(i)*0.1), Host: "api-1", Source: probe.Source{Host: "api-1", Name: "reset trace"}, Reason: "ABORT_ON_CLOSE", State: "CLOSE_WAIT",
						Local: netip.MustParseAddrPort("10.0.0.3:8081"), Remote: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(40000+i)),
					})
				}
			},
		},
		{
			name: "a worker was ended for memory, and the next one starts: it does not stand still",
			rule: "process-paused",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 100, 0, 0, 100, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 100, 100, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 5, 104, 104, 0, 0, 0)
				w.runs("api-1", "api", 20, 400, 0)
				w.fails(gatewayTimeout)
				w.event(probe.Event{Kind: probe.OOMKill, At: dur(w.at - 0.2), Host: "api-1", Source: probe.Source{Host: "api-1", Name: "kernel counters"}, Process: "api", Comm: "api", PID: 20})
				w.restart("api-1", "api", 20, w.at-0.2, 0.3, "signal: killed")
			},
		},
		{
			name: "what is out has not arrived: nothing tells whether it was lost, or dropped by somebody's rule",
			rule: "packet-loss",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 160, 0, 0, 160, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 160, 160, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 16, 370, 0, 350, 370, 6)
				w.peer("api-1", "api", "10.0.0.4:5432", 16, 16, 0.5, 0)
				w.hop("db-1", "postgres", "*:5432", 30, 16, 16, 0, 0, 1, 0.1)
				w.fails(func(r *request) {
					if r.number%40 > 0 {
						gatewayTimeout(r)
					}
				})
			},
		},
		{
			name: "so, and a few segments are sent again, as often as before: that harmed nobody then",
			rule: "packet-loss",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 160, 0, 0, 160, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 160, 160, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 16, 370, 0, 350, 370, 6)
				w.peer("api-1", "api", "10.0.0.4:5432", 16, 16, 0.5, 0)
				w.hop("db-1", "postgres", "*:5432", 30, 16, 16, 0, 0, 1, 0.1)
				w.fails(func(r *request) {
					if r.number%40 > 0 {
						gatewayTimeout(r)
					}
				})
				w.counter("api-1", probe.RetransSegs, func(float64) float64 { return 4 })
			},
		},
		{
			name: "a service answers 500, and says nothing of why",
			rule: "application-error",
			make: func(w chained) {
				w.threeHops("nginx", "api", "pricing")
				w.fails(answered(502, 0.004))
				w.replies("db-1", "http", "10.0.0.4:5432", 500, "500 Internal Server Error", 1)
				w.replies("api-1", "http", "10.0.0.3:8081", 502, "502 Bad Gateway", 1)
			},
		},
		{
			name: "users who were signed in are asked to log in: their sessions are gone, by expiry or by loss",
			rule: "credentials",
			make: func(w chained) {
				w.threeHops("haproxy", "gunicorn", "redis-server")
				w.fails(answered(401, 0.004))
				w.replies("api-1", "http", "10.0.0.3:8081", 401, `401 UNAUTHORIZED: {"error":"please log in"}`, 1)
			},
		},
	} {
		for seed := range uint64(2) {
			w := newChained(seed)
			test.make(w)
			w.complete()
			f := diagnose.AnalyzeWithout(w.log, func(k inquiry.Kind) bool { return k.Rule != test.rule }).Findings[0]
			if f.Verdict == diagnose.Explains {
				t.Errorf("%s, seed %d: claims %s (%.2f): %s\n%s", test.name, seed, f.Cause, f.Confidence, f.Summary, evidence(f))
			}
		}
	}
}
