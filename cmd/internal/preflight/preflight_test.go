package preflight

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
)

var loopbacks = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}

func testPlan(change func(*profiles.Profile)) profiles.Profile {
	p := profiles.Profile{
		Name:    "plan",
		Targets: []profiles.Target{{Name: "orders", URL: "http://orders.internal:8080"}},
		Load:    profiles.Load{profiles.Ramp{From: 10, To: 1000, For: time.Minute}},
		Client:  profiles.DefaultClient(),
	}
	change(&p)
	return p.WithDefaults()
}

func TestPlanWarnings(t *testing.T) {
	limits := generatorLimits{
		files: 20_000, ports: 28_000, timeWait: time.Minute, cpus: 2,
		perVegeta: 12 * time.Microsecond, perDirect: 8 * time.Microsecond,
	}
	tests := []struct {
		name   string
		change func(*profiles.Profile)
		limits generatorLimits
		want   []string // a part of each warning
	}{
		{"fits", func(*profiles.Profile) {}, limits, nil},
		{"nothing measured", func(p *profiles.Profile) { p.Client.Connections = 1 << 20 }, generatorLimits{}, nil},
		{"files", func(p *profiles.Profile) { p.Client.Connections = 25_000 }, limits, []string{"ulimit -n 25064"}},
		{
			"files and ports", func(p *profiles.Profile) { p.Client.Connections = 30_000 }, limits,
			[]string{"ulimit -n 30064", "ip_local_port_range"},
		},
		{"more source addresses", func(p *profiles.Profile) {
			p.Client.Connections, p.Client.LocalAddrs = 30_000, loopbacks
		}, generatorLimits{ports: 28_000}, nil},
		{
			"a connection for each request", func(p *profiles.Profile) { p.Client.Connections = 0 }, limits,
			[]string{"up to 30,300 ports in TIME_WAIT"},
		},
		{"a connection for each request, for a while", func(p *profiles.Profile) {
			p.Client.Connections, p.Load[0] = 0, p.Load[0].Lasting(20*time.Second)
		}, limits, nil},
		{"a connection for each request, for long", func(p *profiles.Profile) {
			p.Client.Connections = 0
			p.Load = append(p.Load, profiles.Hold{Rate: 1000, For: 3 * time.Minute})
		}, limits, []string{"up to 60,000 ports in TIME_WAIT"}},
		{"CPU", func(p *profiles.Profile) { p.Load[0] = profiles.Ramp{From: 10, To: 150_000, For: time.Minute} }, limits, []string{"client.engine: direct"}},
		{"CPU of the direct engine", func(p *profiles.Profile) {
			p.Load[0] = profiles.Ramp{From: 10, To: 250_000, For: time.Minute}
			p.Client.Engine = profiles.EngineDirect
		}, limits, []string{"send from more cores"}},
		{"closed loop", func(p *profiles.Profile) {
			p.Load = profiles.Load{profiles.Max{For: time.Second}}
		}, limits, []string{"at: max"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := PlanWarnings(testPlan(tt.change), tt.limits)
			if len(got) != len(tt.want) {
				t.Fatalf("warnings %q, want %d", got, len(tt.want))
			}
			for i, want := range tt.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("warning %q lacks %q", got[i], want)
				}
			}
		})
	}
}
