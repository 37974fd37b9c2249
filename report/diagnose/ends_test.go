package diagnose_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// twoInstances is haproxy before api-1 and api-2, of which the second closes connections
// instead of answering from w.at on. No log says so: HAProxy ends its clients' connections
// without a word, and tidies up what it has open to the other by a reset.
func twoInstances(seed uint64) chained {
	w := newChained(seed)
	w.log.Header.Targets[0].Hosts = []string{serverHost, "api-1", "api-2"}
	w.log.Header.Hosts[3] = runlog.Host{Name: "api-2", Addrs: []string{"10.0.0.4"}}
	w.hop(serverHost, "haproxy", "*:8080", 10, 1, 4, 0, 0, 1, 0.01)
	for i, host := range []string{"api-1", "api-2"} {
		w.peer(serverHost, "haproxy", []string{"10.0.0.3:8081", "10.0.0.4:8081"}[i], 4, 0, 0.01, 0)
		w.hop(host, "api", "*:8081", int32(20+i), 8, 4, 0, 0, 1, 0.01)
		w.put(probe.Metric{Host: host, Process: "api", Name: probe.Callers, Instance: "*:8081 10.0.0.2"}, 4, 4)
	}
	w.fail = func(r *request) {
		if r.due >= w.at && r.number%2 == 0 {
			r.fault, r.phase, r.latency = attack.EOF, attack.PhaseAwait, 0.001
		}
	}
	w.background()
	w.play()
	w.totals(serverHost, probe.NetReceived, "eth0", 700, 450)
	w.totals(serverHost, probe.NetSent, "eth0", 700, 560)
	for host, part := range map[string][2]carried{"api-1": {{160, 210}, {0, 0}}, "api-2": {{160, 210}, {320, 150}}} {
		w.totals(host, probe.NetReceived, "eth0", part[0].in, part[1].in)
		w.totals(host, probe.NetSent, "eth0", part[0].out, part[1].out)
		w.totals(host, probe.OutRsts, "", 0, 0)
	}
	w.totals("api-1", probe.TimeWait, "", 0, 0)
	w.totals("api-2", probe.TimeWait, "", 0, 1)
	w.totals(serverHost, probe.AttemptFails, "", 0, 0)
	for _, f := range w.log.Failures {
		w.event(probe.Event{
			Kind: probe.RSTSent, At: f.End - dur(0.001), Host: serverHost, Source: probe.Source{Host: serverHost, Name: "reset trace"}, Reason: "TCP_STATE",
			Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), f.Conn.Local.Port()), Remote: netip.MustParseAddrPort("10.0.0.3:8081"),
		})
	}
	return w
}

// TestOneInstanceEnds: the kernel of the end that closes first keeps it in TIME_WAIT. That
// names the instance where no log does; resets to another instance say nothing of it.
func TestOneInstanceEnds(t *testing.T) {
	for seed := range uint64(3) {
		w := twoInstances(seed)
		w.complete()
		r := diagnose.Analyze(w.log)
		f := r.Findings[0]
		if f.Cause != "upstream-application-abort" || f.Host != "api-2" {
			t.Errorf("seed %d: %s %s on %s (%.2f)\n%s\n%s", seed, f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
		}
		if want := "api-2:8081, one of the 2 that haproxy on orders-1 asks, ended 1.0 connections for each failed request"; !strings.Contains(strings.Join(evidence(f), "; "), want) {
			t.Errorf("seed %d: %q is not told:\n%s", seed, want, evidence(f))
		}
		if line := r.Targets[0].Way.Line; !strings.Contains(line, "api on api-2:8081 (one of 2 instances)") {
			t.Errorf("seed %d: the way is %q", seed, line)
		}
	}
}

// TestBothInstancesEnd: where each ends a part of them, none is named for all.
func TestBothInstancesEnd(t *testing.T) {
	w := twoInstances(1)
	w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool { return s.Metric.Name == probe.TimeWait })
	w.totals("api-1", probe.TimeWait, "", 0, 0.5)
	w.totals("api-2", probe.TimeWait, "", 0, 0.5)
	if f := w.finding(); strings.Contains(strings.Join(evidence(f), "; "), "one of the 2") {
		t.Errorf("says of both that it is one:\n%s", evidence(f))
	}
}

// TestInstanceThatNobodyCounts: of an instance whose kernel was not read it is not known how
// many connections it ended, and the other is not said to be the only one.
func TestInstanceThatNobodyCounts(t *testing.T) {
	w := twoInstances(1)
	w.complete()
	w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool {
		return s.Metric.Host == "api-1" && (s.Metric.Name == probe.OutRsts || s.Metric.Name == probe.TimeWait)
	})
	f := diagnose.Analyze(w.log).Findings[0]
	if told := strings.Join(evidence(f), "; "); strings.Contains(told, "the others hardly any") {
		t.Errorf("told: %s", told)
	}
}

// TestCommandsAreNoWorkers has a service stand in a command that it runs again and again: each
// ends in good order, and none of them ever had a socket of the service. Workers do.
func TestCommandsAreNoWorkers(t *testing.T) {
	for _, test := range []struct {
		name    string
		serving bool
		want    string
	}{
		{"commands", false, "upstream-threads"},
		{"workers that live shortly", true, "upstream-worker-recycling"},
	} {
		w := newChained(1)
		w.hop(serverHost, "nginx", "*:8080", 10, 1, 64, 0, 0, 64, 2.4)
		w.peer(serverHost, "nginx", "10.0.0.3:8081", 64, 64, 2.4, 0)
		w.hop("api-1", "node", "*:8081", 20, 7, 151, 145, 0, 6, 5.4)
		w.fails(func(r *request) { r.fault, r.phase, r.latency = attack.Timeout, attack.PhaseAwait, 2 })
		for i, at := int32(0), w.at; at < w.length; i, at = i+1, at+0.45 {
			pid := 900 + i
			w.event(probe.Event{Kind: probe.ProcessStart, At: dur(at), Host: "api-1", Process: "node", PID: pid})
			w.event(probe.Event{Kind: probe.ProcessExit, At: dur(at + 0.4), Host: "api-1", Process: "node", PID: pid, Reason: "exit status 0"})
			if test.serving {
				w.put(probe.Metric{Host: "api-1", Process: "node", PID: pid, Name: probe.Serving, Instance: "*:8081"}, 0, 0)
			}
		}
		if f := w.finding(); f.Cause != test.want {
			t.Errorf("%s: %s %s on %s (%.2f), want %s\n%s\n%v", test.name, f.Verdict, f.Cause, f.Host, f.Confidence, test.want, f.Summary, evidence(f))
		}
	}
}

// A service that has the number which a command had before is none.
func TestNumberUsedAgain(t *testing.T) {
	for _, again := range []int32{20, 21} {
		w := newChained(1)
		w.threeHops("nginx", "api", "postgres")
		// a command that had the number before, and whoever has it now is not yet seen with a socket
		w.event(probe.Event{Kind: probe.ProcessStart, At: dur(1), Host: "api-1", Process: "api", PID: again + 100})
		w.event(probe.Event{Kind: probe.ProcessExit, At: dur(1.3), Host: "api-1", Process: "api", PID: again + 100, Reason: "exit status 0"})
		w.event(probe.Event{Kind: probe.ProcessStart, At: dur(3), Host: "api-1", Process: "api", PID: 120})
		w.event(probe.Event{Kind: probe.ProcessExit, At: dur(w.at - 0.1), Host: "api-1", Process: "api", PID: 120, Reason: "killed by SIGSEGV"})
		w.fails(answered(502, 0.0007))
		w.traffic([]string{serverHost, "api-1", "db-1"}, []carried{{300, 400}, {320, 420}, {250, 700}}, []carried{{300, 300}, {60, 54}, {0, 0}})
		w.totals(serverHost, probe.AttemptFails, "", 0, 1)
		f := w.finding()
		if f.Cause != "upstream-process-crash" {
			t.Error("not found")
		}
	}
}
