package yaml

import (
	"os"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/bind"
)

const overridden = `
name: peak
targets:
  - name: orders
    url: http://127.0.0.1:8080
    requests: [GET /orders/42, {method: POST, path: /orders, headers: {X-Tenant: a}, body: x}]
  - name: pay.v2
    url: http://127.0.0.1:8081
load:
  - {from: 50/s, to: 2000/s, over: 2m}
hosts:
  - name: payments
gate: [failures < 1%]
`

func decodeSet(t *testing.T, set ...string) (profiles.Profile, error) {
	t.Helper()
	opt := options()
	opt.Set = set
	return Decode("peak.yaml", []byte(overridden), opt)
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		set  []string
		want func(profiles.Profile) bool
	}{
		{[]string{"name=night"}, func(p profiles.Profile) bool { return p.Name == "night" }},
		{[]string{"client.timeout=2s"}, func(p profiles.Profile) bool { return p.Client.Timeout == 2*time.Second && p.Client.Connections == 256 }},
		{[]string{"client={connections: 0, timeout: 1s}"}, func(p profiles.Profile) bool { return p.Client.Timeout == time.Second && p.Client.Connections == 0 }},
		{[]string{"targets.orders.url=http://10.0.0.1:9000"}, func(p profiles.Profile) bool {
			return p.Targets[0].URL == "http://10.0.0.1:9000" && p.Targets[1].URL == "http://127.0.0.1:8081"
		}},
		{[]string{"targets.pay.v2.share=30%"}, func(p profiles.Profile) bool { return p.Targets[1].Share == 0.3 && p.Targets[0].Share == 0.7 }},
		{[]string{"targets.1.name=payments"}, func(p profiles.Profile) bool { return p.Targets[1].Name == "payments" }},
		{[]string{"load.0.to=3000/s"}, func(p profiles.Profile) bool {
			return p.Load[0] == profiles.Ramp{From: 50, To: 3000, For: 2 * time.Minute}
		}},
		{[]string{"load.1={at: 5/s, for: 5s}"}, func(p profiles.Profile) bool {
			return len(p.Load) == 2 && p.Load[1] == profiles.Hold{Rate: 5, For: 5 * time.Second}
		}},
		{[]string{"load=[{at: 5/s, for: 5s}]"}, func(p profiles.Profile) bool {
			return len(p.Load) == 1 && p.Load[0] == profiles.Hold{Rate: 5, For: 5 * time.Second}
		}},
		{[]string{"hosts.payments.processes.0.pid=77"}, func(p profiles.Profile) bool { return p.Hosts[0].Processes[0].PID == 77 }},
		{[]string{"hosts.payments.processes=[{pid: 77}, {listen: 80}]"}, func(p profiles.Profile) bool { return p.Hosts[0].Processes[1].Listen == 80 }},
		{[]string{"gate.0=failures < 2%", "gate.1=p99 < 1s"}, func(p profiles.Profile) bool { return len(p.Gate) == 2 && p.Gate[0].Value == 0.02 }},
		{[]string{"gate=[]"}, func(p profiles.Profile) bool { return len(p.Gate) == 0 }},
		{[]string{"abort-if.0=failures > 5"}, func(p profiles.Profile) bool { return len(p.AbortIf) == 1 && p.AbortIf[0].Value == 5 }},
		{[]string{"targets.orders.requests.0.path=/orders/43"}, func(p profiles.Profile) bool {
			return p.Targets[0].Requests[0].Path == "/orders/43" && p.Targets[0].Requests[0].Method == "GET"
		}},
		{[]string{"targets.orders.requests.0=PUT /a"}, func(p profiles.Profile) bool { return p.Targets[0].Requests[0].Method == "PUT" }},
		{[]string{"targets.orders.requests.0={path: /a, weight: 3}"}, func(p profiles.Profile) bool { return p.Targets[0].Requests[0].Weight == 3 }},
		{[]string{`targets.orders.requests.1.body={"a": [1]}`}, func(p profiles.Profile) bool { return p.Targets[0].Requests[1].Body == `{"a": [1]}` }},
		{[]string{"targets.orders.requests.1.headers.x-tenant=b=c"}, func(p profiles.Profile) bool {
			return len(p.Targets[0].Requests[1].Headers) == 1 && p.Targets[0].Requests[1].Headers[0] == profiles.Header{Name: "X-Tenant", Value: "b=c"}
		}},
		{[]string{"targets.orders.requests.1.headers.Authorization=Bearer ${TOKEN}"}, func(p profiles.Profile) bool {
			return p.Targets[0].Requests[1].Headers[1].Value == "Bearer sesame-open" && p.Secrets.Len() == 1
		}},
		{[]string{"targets.orders.expect=404"}, func(p profiles.Profile) bool {
			return p.Targets[0].Expect.Contains(404) && len(p.Targets[0].Expect) == 1
		}},
		{[]string{"targets.orders.expect=[2xx, 404]"}, func(p profiles.Profile) bool { return len(p.Targets[0].Expect) == 2 }},
		{[]string{"client.local-addresses=[10.0.0.5]"}, func(p profiles.Profile) bool { return p.Client.LocalAddrs[0].String() == "10.0.0.5" }},
	} {
		p, err := decodeSet(t, c.set...)
		if err != nil || !c.want(p) {
			t.Errorf("%q: error %v, profile %+v", c.set, err, p)
		}
	}
}

func TestSetErrors(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"client.timeout", `--set client.timeout: an override is a key and a value: write it as client.timeout=2s`},
		{"=5", `--set =5: an override is a key and a value: write it as client.timeout=2s`},
		{"cleint.timeout=2s", `--set cleint.timeout: unknown key "cleint"; did you mean "client"?`},
		{"client.timeot=2s", `--set client.timeot: unknown key "timeot"; did you mean "timeout"?`},
		{"client.timeout=2", `--set client.timeout: 2 needs a unit: write 2s`},
		{"client.timeout=2h", `--set client.timeout: a timeout of 2h is longer than 1h: write a shorter one`},
		{"client.timeout.max=2s", `--set client.timeout.max: there is nothing below a single value: leave out ".max"`},
		{"client=fast", `--set client: this must be keys with values: write them as connections: ...`},
		{"client={timeout: [", `--set client: this is not YAML (sequence end token ']' not found): check indentation, quotes and brackets`},
		{"targets.order.url=http://a", `--set targets.order.url: there is no "order" in this list; did you mean "orders"?`},
		{"targets.7.url=http://a", `--set targets.7.url: there is no "7" in this list: write orders, pay.v2, or an index from 0 to 2`},
		{"load.5.to=5/s", `--set load.5.to: there is no "5" in this list: write an index from 0 to 1`},
		{"load.0.step=5/s", `peak.yaml:10:30: over does not belong to a staircase: write it as {from: 500/s, to: 1500/s, step: 100/s, every: 10s}`},
		{"load.1.to=5/s", `--set load.1.to: a ramp needs from: write it as {from: 50/s, to: 2000/s, over: 2m}`},
		{"gate.0=failures < 1", ``},
		{"gate.0=failures", `--set gate.0: a comparison is missing after failures: write failures < 0.1%`},
		{"targets.orders.requests.0.headers=5", `--set targets.orders.requests.0.headers: these must be names with values: write X-Tenant: a`},
		{"targets.orders.requests.1.body.x=5", `--set targets.orders.requests.1.body.x: there is nothing below a single value: leave out ".x"`},
		{"name=${NOPE}", `--set name: the environment has no NOPE: set it, or write $${NOPE} for the text itself`},
	} {
		_, err := decodeSet(t, c.set)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.set, got, c.want)
		}
	}
}

// TestSetOnBadShapes enters what the file has as something else.
func TestSetOnBadShapes(t *testing.T) {
	for _, c := range []struct{ text, set, want string }{
		{"client: 5\ntargets: 7\n", "client.timeout=2s", `--set client.timeout: the profile has a single value or a list before "timeout": correct it there`},
		{"client: 5\ntargets: 7\n", "targets.0.url=http://a", `--set targets.0.url: the profile has no list before "0": correct it there`},
		{"targets: [{name: a, requests: [{headers: 5}]}]\n", "targets.a.requests.0.headers.X=5", `--set targets.a.requests.0.headers.X: the profile has no headers before "X": correct it there`},
	} {
		_, err := Decode("x.yaml", []byte(c.text), Options{Set: []string{c.set}})
		var found bool
		if e, ok := err.(*bind.Error); ok { //nolint:errorlint // Decode promises it unwrapped
			for _, p := range e.Problems {
				found = found || p.String() == c.want
			}
		}
		if !found {
			t.Errorf("%s: error %v\nwant %s", c.set, err, c.want)
		}
	}
}

// TestSetMakesAProfile builds one from nothing.
func TestSetMakesAProfile(t *testing.T) {
	p, err := Decode("x.yaml", nil, Options{Set: []string{
		"targets=[{name: a, url: http://127.0.0.1}]", "load.0={at: 5/s, for: 5s}", "client.tls.skip-verify=true",
	}})
	if err != nil || len(p.Targets) != 1 || p.Load[0] != (profiles.Hold{Rate: 5, For: 5 * time.Second}) || !p.Client.TLS.SkipVerify {
		t.Errorf("error %v, profile %+v", err, p)
	}
}

// TestSetDoesNotLeakThroughAliases overrides one of two values that share an
// anchor.
func TestSetDoesNotLeakThroughAliases(t *testing.T) {
	data, err := os.ReadFile("testdata/valid-aliases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Decode("x.yaml", data, Options{Set: []string{"targets.b.requests.1.path=/other"}})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := p.Targets[0].Requests[1].Path, p.Targets[1].Requests[1].Path; a != "/b" || b != "/other" {
		t.Errorf("paths %s and %s", a, b)
	}
}

// A step of a journey has its own keys, and those of its request.
func TestOverrideSteps(t *testing.T) {
	data, err := os.ReadFile("testdata/valid-journeys.yaml")
	if err != nil {
		t.Fatal(err)
	}
	opt := options()
	opt.Set = []string{
		"journeys.checkout.steps.pay.think=2s", "journeys.checkout.steps.pay.path=/buy", "journeys.checkout.steps.list.check.body=pens",
		"journeys.browse.url=https://127.0.0.1:9", "data.users.pick=once", "data.users.file=other.csv", "data.items=items.csv",
	}
	p, err := Decode("a.yaml", data, opt)
	if err != nil {
		t.Fatal(err)
	}
	steps := p.Journeys[0].Steps
	if pay := steps[2]; pay.ThinkFrom != 2*time.Second || pay.Request.Path != "/buy" || steps[1].Check.Body != "pens" {
		t.Errorf("%+v", steps)
	}
	if p.Journeys[1].URL != "https://127.0.0.1:9" || p.Data[0].File != "other.csv" || p.Data[0].Pick != profiles.PickOnce || p.Data[1].File != "items.csv" || p.Targets[2].Requests[0].Path != "/buy" {
		t.Errorf("%+v %+v", p.Journeys[1], p.Data)
	}
}
