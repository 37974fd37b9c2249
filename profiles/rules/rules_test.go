package rules_test

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/profiles/rules"
)

func sample() profiles.Profile {
	return profiles.Profile{
		Name: "peak",
		Targets: []profiles.Target{
			{Name: "orders", URL: "http://orders.internal:8080/api", Share: 0.7, Requests: []profiles.Request{
				{Path: "/orders/42"},
				{Method: "POST", Path: "/orders", Headers: []profiles.Header{{Name: "Authorization", Value: "Bearer sesame-open"}, {Name: "X-Tenant", Value: "red"}}, Body: "x", Weight: 2},
			}},
			{Name: "payments", URL: "http://127.0.0.1:8081"},
			{Name: "files", File: "/srv/targets.http"},
		},
		Load: profiles.Load{
			profiles.Ramp{From: 50, To: 2000, For: 2 * time.Minute},
			profiles.Staircase{From: 500, To: 1500, Step: 100, Every: 10 * time.Second},
		},
		Hosts: []profiles.Host{{Name: "db", Prometheus: []profiles.Metrics{{URL: "http://u:dbpassword@db:9100/metrics"}}}},
	}
}

// TestDerivedIsValid: what is made of a valid profile is one.
func TestDerivedIsValid(t *testing.T) {
	whole := sample().WithDefaults()
	part, _, err := whole.Only([]string{"orders"})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]profiles.Profile{
		"whole": whole, "redacted": redaction.Profile(whole), "only": part, "scaled": profiles.Scale(whole, 0.3),
	} {
		if problems := rules.Profile(p, nil); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// TestCode has what no YAML can hold; the rest is in profiles/yaml.
func TestCode(t *testing.T) {
	for _, c := range []struct {
		change func(*profiles.Profile)
		want   string
	}{
		{func(p *profiles.Profile) { p.Name = "" }, "name: the profile has no name: write one, such as name: peak"},
		{func(p *profiles.Profile) { p.Targets[1].Name = "" }, "targets.1: the target has no name: write one, such as name: orders"},
		{func(p *profiles.Profile) { p.Targets[0].Share = math.NaN() }, "targets.0.share: NaN is not a number that can be used: write a finite one"},
		{func(p *profiles.Profile) { p.Targets[0].Share = -0.2 }, "targets.0.share: a share of -20% is not from 0% to 100%: write one such as 70%"},
		{func(p *profiles.Profile) { p.Targets[0].Requests[0].Weight = -1 }, "targets.0.requests.0.weight: a weight of -1 is never sent: write a positive number, or leave out the request"},
		{func(p *profiles.Profile) { p.Targets[0].Requests[0].Method = "" }, `targets.0.requests.0.method: "" is not a method: write it as GET`},
		{func(p *profiles.Profile) { p.Load[0] = profiles.Ramp{From: math.Inf(1), To: 2000, For: time.Minute} }, "load.0.from: +Inf is not a number that can be used: write a finite one"},
		{func(p *profiles.Profile) { p.Load[0] = profiles.Ramp{From: -1, To: 2000, For: time.Minute} }, "load.0.from: -1/s is negative: write 0/s or more"},
		{func(p *profiles.Profile) { p.Load[0] = profiles.Max{For: -time.Second} }, "load.0.for: the stage has no length: write one above 0s, such as 2m"},
		{func(p *profiles.Profile) { p.Load[0] = nil }, "load.0: there is no stage: make one of the types of package profiles"},
		{func(p *profiles.Profile) {
			p.Load[1] = profiles.Staircase{From: 500, To: 1500, Step: math.NaN(), Every: time.Second}
		}, "load.1.step: NaN is not a number that can be used: write a finite one"},
		{func(p *profiles.Profile) {
			p.Load[0] = profiles.Connections{From: -1, To: 5, For: time.Second}
			p.Client.PerConnection = 1
		}, "load.0: a number of connections is negative: write 0 conns or more"},
		{func(p *profiles.Profile) { p.Client.MaxInFlight = -1 }, "client.max-in-flight: with max-in-flight -1 nothing can be sent: write 1 or more"},
		{func(p *profiles.Profile) { p.Client.Timeout = -time.Second }, "client.timeout: no attempt can end within -1s: write a timeout above 0s, such as 5s"},
		{func(p *profiles.Profile) { p.Client.IdleTimeout = -time.Second }, "client.idle-timeout: -1s is negative: write 0s to keep idle connections for ever"},
		{func(p *profiles.Profile) { p.Client.Engine = "fast" }, `client.engine: unknown engine "fast"; write one of vegeta, direct`},
		{func(p *profiles.Profile) { p.Client.Protocol = "http" }, `client.protocol: unknown protocol "http"; did you mean "http1"?`},
		{func(p *profiles.Profile) { p.Client.LocalAddrs = []netip.Addr{{}} }, "client.local-addresses.0: invalid IP is no address to send from: write one of this machine, such as 10.0.0.5"},
		{func(p *profiles.Profile) { p.Client.Retries = profiles.Retries{Max: 1, Base: -1} }, "client.retries.base: -1ns is negative: write 0s or more"},
		{func(p *profiles.Profile) { p.Client.Retries = profiles.Retries{Max: 1, Cap: -1} }, "client.retries.cap: -1ns is negative: write 0s for no cap"},
		{func(p *profiles.Profile) { p.Hosts[0].Name = "" }, "hosts.0: the host has no name: write one, such as name: orders-1"},
		{func(p *profiles.Profile) { p.Gate = []profiles.Gate{{}} }, `gate.0: unknown metric "0"; write one of wire-resets, visible-resets, failures, lost, p99, headroom, onset, crosses`},
		{func(p *profiles.Profile) {
			p.Gate = []profiles.Gate{{Metric: profiles.GateFailures, Op: profiles.Less, Value: 1, Percentile: 0.5}}
		}, `gate.0: the gate "failures < 1" cannot be written: make it with ParseGate`},
	} {
		p := sample().WithDefaults()
		c.change(&p)
		problems := rules.Profile(p, nil)
		if len(problems) == 0 || problems[0].String() != c.want {
			t.Errorf("problems %q\nwant %s", problems, c.want)
		}
	}
}
