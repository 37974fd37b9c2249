package main_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// hopTest is something wrong in the street, and what the verdict has to say of it.
type hopTest struct {
	name string
	scene
	ill    []string // who fails from some request on; nil: nobody, the balancer refuses by itself
	host   string   // the hop, or the instance
	tier   string
	causes []string // one of them
	open   bool     // the evidence need not prove it
	tells  []string // the edge, and what logs say of it
	untold string
	// silent is told in the place of the others where the balancer wrote no line of most failed
	// requests: it writes none where a server breaks a connection that had served before.
	silent string
	short  bool // in every run of the tests; the others with RAMPLOAD_TEST_HOPS
}

// hopTests are what an instance does, and what the balancer does by itself, to clients
// that see 500, 502, 503, 504, or a connection that is closed.
func hopTests() []hopTest {
	rate := func(action string) string {
		return "stick-table type ip size 1k expire 10s store http_req_rate(1s)\n  http-request track-sc0 src\n  http-request " + action + " if { sc_http_req_rate(0) gt 90 }"
	}
	edge := []string{"haproxy on lb passed ", "failed transactions", "to 10.92.0.32:8080, one of the 3 that it asks"}
	one := []string{"orders-2"}
	instance := func(name, fault string, open bool, causes ...string) hopTest {
		h := hopTest{name: name, scene: scene{fault: fault}, ill: one, host: "orders-2", tier: "upstream", open: open, causes: causes, tells: edge}
		if fault == "reset" || fault == "eof" {
			h.silent = "orders-2:8080, one of the 3 that haproxy on lb asks, ended "
		}
		return h
	}
	reset := instance("instance resets", "reset", false, "upstream-application-abort")
	reset.short = true
	says := instance("instance resets, and says why", "reset", false, "upstream-pool-exhausted")
	says.says, says.tells = "cannot reserve: connection pool exhausted", append(slices.Clone(edge), "cannot reserve: connection pool exhausted")
	says.silent = "orders on orders-2: cannot reserve: connection pool exhausted"
	refused := hopTest{
		name: "balancer denies with 503", scene: scene{front: rate("deny deny_status 503")}, host: "lb", tier: "proxy", causes: []string{"rate-limit-policy"},
		tells: []string{"haproxy on lb: 503 to GET /orders: refused by a rule of the proxy (PR)"}, untold: "one of the 3", short: true,
	}
	as502 := refused
	as502.name, as502.front, as502.short, as502.tells = "balancer denies with 502", rate("deny deny_status 502"), false, []string{"haproxy on lb: 502 to GET /orders: refused by a rule of the proxy (PR)"}
	closes := refused
	closes.name, closes.front, closes.short, closes.tells = "balancer closes", rate("reject"), false, nil
	return []hopTest{
		reset, says, refused, as502, closes,
		instance("instance closes", "eof", true, "upstream-application-abort"),
		instance("instance answers 503", "status 503", true, "upstream-application-error"),
		instance("instance answers 502", "status 502", true, "upstream-application-error"),
		instance("instance answers 500", "status 500", false, "upstream-application-error"),
		instance("instance is away", "down", true, "upstream-service-down", "upstream-process-crash"),
		instance("instance is late", "slow", true, "slow-dependency", "upstream-deadlock", "upstream-server-threads"),
		{
			name: "instance resets in the body", scene: scene{fault: "body"}, ill: one, host: "orders-2", tier: "upstream",
			causes: []string{"upstream-application-abort"}, tells: []string{"orders-2"},
		},
		{
			name: "payments resets", scene: scene{inner: "reset"}, ill: []string{"payments"}, host: "payments", tier: "upstream", causes: []string{"upstream-application-abort"},
			tells: []string{"10.92.0.40:8081", "connection reset by peer"},
		},
		{
			name: "payments answers 503", scene: scene{inner: "status 503"}, ill: []string{"payments"}, host: "payments", tier: "upstream", open: true,
			causes: []string{"dependency-error", "upstream-application-error"}, tells: []string{"payments"},
		},
		{
			name: "balancer's queue", scene: scene{server: "maxconn 1", defaults: "timeout queue 20ms", work: "30ms"}, host: "lb", tier: "proxy", causes: []string{"proxy-queue-limit"},
			tells: []string{"haproxy on lb: 503 to GET /orders"}, untold: "one of the 3",
		},
	}
}

// TestHop has an instance behind a balancer fail, or somebody whom it asks, or the balancer
// refuse by itself. The verdict names the hop, the instance and the edge, with what the
// logs of the services say of the very requests that failed; their number is that of who
// failed them.
func TestHop(t *testing.T) {
	for _, test := range hopTests() {
		if !test.short && os.Getenv("RAMPLOAD_TEST_HOPS") == "" {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			for try := 1; ; try++ {
				if try == 4 {
					t.Fatal("this machine was too busy to send the load, three times")
				}
				if test.judge(t) {
					return
				}
			}
		})
	}
}

// judge reports whether the run could be judged.
func (h hopTest) judge(t *testing.T) bool {
	t.Helper()
	st := newStreet(t, h.scene)
	defer st.end()
	r, text := st.run(250, h.ill...)
	f, target := r.Findings[0], r.Targets[0]
	if f.Verdict == "generator-limited" {
		t.Log(f.Summary)
		return false
	}
	if injected := st.injected(h.ill); h.fault != "down" && len(h.ill) > 0 && target.Failed != injected {
		t.Errorf("%d requests failed, %v failed %d", target.Failed, h.ill, injected)
	}
	if target.Failed < 100 {
		t.Errorf("%d requests failed", target.Failed)
	}
	good := f.Verdict == "explains" || h.open && f.Verdict == "ambiguous"
	if !good || !slices.Contains(h.causes, f.Cause) || f.Host != h.host || string(f.Tier) != h.tier {
		t.Errorf("the verdict is %s %s on %s (%s), not %v on %s (%s)", f.Verdict, f.Cause, f.Host, f.Tier, h.causes, h.host, h.tier)
	}
	tells := h.tells
	lines := uint64(0)
	for _, s := range target.Said {
		if s.Service == "haproxy" {
			lines += s.Lines
		}
	}
	// Of few lines either is told: what these name, or what the kernel of the instance kept.
	if h.silent != "" && lines < target.Failed/2 && strings.Contains(told(f), h.silent) {
		tells = nil
	}
	for _, want := range tells {
		if !strings.Contains(told(f), want) {
			t.Errorf("%q is not told", want)
		}
	}
	if h.untold != "" && strings.Contains(told(f), h.untold) {
		t.Errorf("%q is told", h.untold)
	}
	if t.Failed() {
		t.Logf("%s\nsaid: %+v\n%s", told(f), target.Said, text)
	}
	return true
}
