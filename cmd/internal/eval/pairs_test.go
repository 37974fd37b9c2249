package eval

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

func TestWritePairs(t *testing.T) {
	said := func(cause, host string, right bool) Judgement {
		return Judgement{Verdict: diagnose.Explains, Cause: cause, Host: host, Confidence: 0.98, Right: right}
	}
	pairs := []Pair{
		{Case: Case{Scenario: "a", Seed: 1}, Namespaces: said("nat-ports", "router", true), Agents: said("nat-ports", "router", true)},
		{Case: Case{Scenario: "b", Seed: 1}, Namespaces: said("nat-ports", "router", true), Agents: said("listen-backlog", "orders-1", false)},
	}
	well := func(host string) Judgement { return said("healthy", host, true) }
	busy := said("client-cpu", "local", false)
	busy.Disturbed = true
	pairs = append(pairs,
		Pair{Case: Case{Scenario: "c", Seed: 1}, Namespaces: well("local"), Agents: well("orders-1")},
		Pair{Case: Case{Scenario: "d", Seed: 1}, Namespaces: busy, Agents: said("nat-ports", "router", true)})
	if !pairs[0].Same() || pairs[1].Same() || !pairs[2].Same() {
		t.Error("what is the same is not seen")
	}
	var out bytes.Buffer
	if err := WritePairs(&out, pairs); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2 of 3 runs get the same cause", "2 of them with the same\nverdict. 3 are right by namespaces and 2 by agents", "1 more\nsay",
		"(explains, 0.98) on router | not counted |",
		"| a-1 | nat-ports (explains, 0.98) on router | nat-ports (explains, 0.98) on router | yes |",
		"| *listen-backlog (explains, 0.98) on orders-1* | **no** |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// What was seen of a host and of its twin is taken apart, and nothing is in both or lost.
func TestApart(t *testing.T) {
	event := func(source, host string) probe.Event {
		return probe.Event{Kind: probe.RSTSent, Source: probe.Source{Host: source, Name: "reset trace"}, Host: host}
	}
	series := func(host string) runlog.Series {
		return runlog.Series{Metric: probe.Metric{Host: host, Name: probe.FileTable}, At: []time.Duration{1}, Value: []float64{1}, Limit: []float64{2}}
	}
	log := &runlog.Log{
		Header: runlog.Header{Hosts: []runlog.Host{{Name: "local"}, {Name: "orders-1", SameAs: "local"}, {Name: "orders-1-by-agent", Addrs: []string{"10.90.2.2"}}}},
		Series: []runlog.Series{series("local"), series("orders-1"), series("orders-1-by-agent")},
		Events: []probe.Event{event("local", "local"), event("local", "orders-1"), event("orders-1-by-agent", "orders-1-by-agent")},
		Trailer: &runlog.Trailer{Sources: []probe.Status{
			{Source: probe.Source{Host: "local", Name: "host"}}, {Source: probe.Source{Host: "orders-1", Name: "sockets"}}, {Source: probe.Source{Host: "orders-1-by-agent", Name: "host"}},
		}},
	}
	hosts, agents := apart(log, map[string]string{"orders-1-by-agent": "orders-1", "local-by-agent": "local"})
	for name, got := range map[string]*runlog.Log{"hosts": hosts, "agents": agents} {
		var of []string
		for _, h := range got.Header.Hosts {
			of = append(of, h.Name)
		}
		if !slices.Equal(of, []string{"local", "orders-1"}) || len(got.Series) != 2 || len(got.Events) != 2 || len(got.Trailer.Sources) != 2 {
			t.Errorf("%s: %+v", name, got)
		}
		if seen := got.Events[1]; seen.Host != "orders-1" || (seen.Source.Host == "local") != (name == "hosts") {
			t.Errorf("%s: %+v", name, seen)
		}
	}
	if hosts.Header.Hosts[1].SameAs != "local" || agents.Header.Hosts[1].SameAs != "" {
		t.Errorf("%+v, %+v", hosts.Header.Hosts, agents.Header.Hosts)
	}
}
