package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab/services"
)

// The machines were started at other times, and their clocks read days more: what the
// agent saw is on the run's clock all the same, the kernel's own times included, so that
// resets are joined and the cause is named.
func TestFleetOfOtherClocks(t *testing.T) {
	need(t, "unshare")
	if _, err := os.Stat("/proc/self/ns/time"); err != nil {
		t.Skip("needs a kernel with time namespaces")
	}
	s := newSite(t)
	s.ahead = map[string]time.Duration{"orders": 36 * time.Hour, "w1": 72 * time.Hour}
	p := services.Payments{NoFile: 220, Hold: 120 * time.Millisecond, Ledgers: 1}
	service := s.command("orders", "rampload", append([]string{"lab-service", "payments", "-addr", "10.91.0.20:8080"}, p.Args()...)...)
	s.start(service, "payments")
	s.member("orders", "agent")
	s.hub()
	s.worker("w1")
	s.worker("w2")
	out := filepath.Join(t.TempDir(), "run.json")
	path := s.profileOf(2, "{at: 200/s, for: 4s}, {from: 200/s, to: 1400/s, over: 14s}", "{method: POST, path: /payments, body: "+strings.Repeat("p", 2000)+"}")
	lead := s.start(s.command("lead", "rampload", "run", "--profile", path, "--out", out), "coordinator")
	s.wait("the end of the run", lead.exited)
	r := readCounted(t, out)
	if why := r.reasonOf("orders", "agent"); !strings.Contains(why, "its times are right within") {
		t.Errorf("the agent: %q in %+v", why, r.Sources)
	}
	var sent, late int
	for _, e := range r.Events {
		if e.Kind != "rst-sent" || e.Host != "orders" {
			continue
		}
		if sent++; e.AtS < 0 || e.AtS > 25 {
			late++
		}
	}
	if sent == 0 || late > 0 {
		t.Errorf("%d resets of the service are told, %d of them at other times than those of the run", sent, late)
	}
	f := r.Findings[0]
	if f.Cause != "server-file-descriptors" || f.Host != "orders" || r.Totals.WireResets == 0 {
		t.Errorf("%+v of %+v\n%s", f, r.Totals, lead.said.String())
	}
}

// Each role is killed, and comes back: what was recorded is there, and what was not sent
// is told.
func TestFleetComesBack(t *testing.T) {
	s := newSite(t)
	s.start(s.command("orders", "rampload", "lab-service", "api", "-addr", "10.91.0.20:8080"), "orders")
	agent := s.member("orders", "agent")
	s.hub()
	workers := []*process{s.worker("w1"), s.worker("w2")}

	t.Run("an agent", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "run.json")
		lead := s.start(s.command("lead", "rampload", "run", "--profile", s.profile(2, "{at: 200/s, for: 14s}"), "--out", out), "coordinator")
		s.wait("the load", func() bool { return workers[1].says("ready to send") })
		<-time.After(5 * time.Second)
		agent.kill()
		agent = s.member("orders", "agent")
		s.wait("it goes on", func() bool { return agent.says("watching for run") || lead.exited() })
		s.wait("the end of the run", lead.exited)
		r := readCounted(t, out)
		if r.Totals.Requests != 2800 || r.Totals.Unsent != 0 || !r.Complete {
			t.Errorf("%+v of 2800 requests", r.Totals)
		}
		if why := r.reason("orders", "agent"); !strings.Contains(why, "it was started again: nothing was seen of its host from") || !lead.says(why) {
			t.Errorf("the agent that was started again: %q in %+v\n%s", why, r.Sources, lead.said.String())
		}
		if lead.says("not all records have arrived") {
			t.Errorf("what it had recorded is missing:\n%s", lead.said.String())
		}
	})

	t.Run("the server", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "run.json")
		before := workers[0].count("ready to send")
		lead := s.start(s.command("lead", "rampload", "run", "--profile", s.profile(2, "{at: 200/s, for: 60s}"), "--out", out), "coordinator")
		s.wait("the load", func() bool { return workers[0].count("ready to send") > before })
		<-time.After(6 * time.Second)
		s.nats.kill()
		s.wait("the end of the run", lead.exited)
		if code := lead.cmd.ProcessState.ExitCode(); code != 3 || !lead.says("every worker was lost") || !lead.says("report --resume") {
			t.Errorf("exit %d:\n%s", code, lead.said.String())
		}
		s.startNATS()
		resumed := filepath.Join(filepath.Dir(out), "resumed.json")
		text, err := s.command("lead", "rampload", "report", "--resume", strings.TrimSuffix(out, ".json")+".runlog", "--wait", "40s", "--out", resumed).CombinedOutput()
		if err != nil && !strings.Contains(string(text), "exit") || !strings.Contains(string(text), "is the whole run") {
			t.Fatalf("%v\n%s", err, text)
		}
		r := readCounted(t, resumed)
		if r.Totals.Requests < 400 || r.Totals.Failed != 0 {
			t.Errorf("%+v\n%s", r.Totals, text)
		}
		for _, name := range []string{"orders", "hub"} {
			if why := r.reason(name, "agent"); why != "" {
				t.Errorf("agent of %s: %s", name, why)
			}
		}
	})
}
