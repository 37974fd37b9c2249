package diagnose_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
)

// slowScoring is nginx before a service that takes longer for some requests than nginx waits.
func slowScoring(refused int) chained {
	w := newChained(1)
	w.hop(serverHost, "nginx", "*:8080", 10, 1, 20, 0, 0, 20, 1)
	w.peer(serverHost, "nginx", "10.0.0.3:8081", 20, 20, 1, 0)
	w.hop("api-1", "orders", "*:8081", 20, 8, 20, 0, 0, 20, 2)
	w.fail = func(r *request) {
		if r.number%6 == 0 {
			gatewayTimeout(r)
			r.latency = 1
		}
	}
	w.background()
	w.play()
	for i, f := range w.log.Failures {
		if i%refused != 0 {
			continue
		}
		w.event(probe.Event{
			Kind: probe.RSTSent, At: f.End + dur(0.7), Host: serverHost, Source: probe.Source{Host: serverHost, Name: "reset trace"}, Reason: "TCP_ABORT_ON_DATA",
			Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), f.Conn.Local.Port()), Remote: netip.MustParseAddrPort("10.0.0.3:8081"),
		})
	}
	return w
}

// TestPatience: what a proxy gave up and the next hop answered later is the proxy's
// impatience; what is never answered is the next hop's.
func TestPatience(t *testing.T) {
	if f := slowScoring(1).finding(); f.Cause != "timeout-too-short" || f.Host != serverHost || f.Verdict != diagnose.Explains || f.Tier != "proxy" {
		t.Errorf("%s %s on %s (%.2f)\n%s\n%s", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
	}
	if f := slowScoring(10).finding(); f.Cause == "timeout-too-short" {
		t.Errorf("one answer in ten came late: %s %s: %s", f.Verdict, f.Cause, f.Summary)
	}
}

// TestLockedStore: a store ends sessions itself that wait for each other, so that sessions of
// it that wait long for a lock wait for somebody who keeps it.
func TestLockedStore(t *testing.T) {
	w := newChained(1)
	w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
	w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
	w.hop("api-1", "api", "*:8081", 20, 16, 200, 0, 184, 200, 6)
	w.peer("api-1", "api", "10.0.0.4:5432", 16, 16, 6, 0)
	w.hop("db-1", "postgres", "*:5432", 30, 16, 16, 0, 0, 16, 6)
	w.put(probe.Metric{Host: "db-1", Process: "postgres", Name: probe.Sessions, Instance: "waiting"}, 0, 16)
	w.fails(gatewayTimeout)
	if f := w.finding(); f.Cause != "lock-contention" || f.Host != "db-1" {
		t.Errorf("%s %s on %s (%.2f)\n%s\n%s", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
	}
}

// TestNoThreadComesBack: threads that came to stand one after the other, until none is left to
// read a request, and of which none ends one, do not lack company. Those that end some do.
func TestNoThreadComesBack(t *testing.T) {
	for _, comeBack := range []bool{false, true} {
		w := newChained(1)
		w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
		w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
		w.hop("api-1", "ledger", "*:8081", 20, 24, 200, 0, 180, 200, 2)
		w.runs("api-1", "ledger", 20, 400, map[bool]float64{true: 380, false: 40}[comeBack])
		for i := range w.log.Series {
			if s := &w.log.Series[i]; s.Metric.Host == "api-1" && s.Metric.Name == probe.OwedOldest && !comeBack {
				for j, at := range s.At {
					s.Value[j] = max(0.01, at.Seconds()-w.at)
				}
			}
		}
		w.fails(func(r *request) {
			if comeBack && r.number%4 == 0 || r.due < w.at+2 && r.number%2 == 0 {
				return
			}
			gatewayTimeout(r)
		})
		f := w.finding()
		if comeBack && (f.Cause != "upstream-threads" || f.Host != "api-1") {
			t.Errorf("some end: %s %s on %s (%.2f)\n%s", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary)
		}
		if !comeBack && (f.Cause != "upstream-deadlock" || f.Host != "api-1") {
			t.Errorf("none ends: %s %s on %s (%.2f)\n%s", f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary)
		}
	}
}

// TestHeldByTheKernel: what the kernel says that threads wait for is believed.
func TestHeldByTheKernel(t *testing.T) {
	for by, want := range map[string]string{probe.HeldFileLock: "lock-contention", probe.HeldOutput: "upstream-output-blocked"} {
		w := newChained(1)
		w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
		w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
		w.hop("api-1", "orders", "*:8081", 20, 8, 200, 0, 192, 200, 2)
		w.put(probe.Metric{Host: "api-1", Process: "orders", PID: 20, Name: probe.ThreadsHeld, Instance: by}, 0, 8)
		w.fails(gatewayTimeout)
		if f := w.finding(); f.Cause != want || f.Host != "api-1" || f.Verdict != diagnose.Explains {
			t.Errorf("%s: %s %s on %s (%.2f)\n%s\n%s", by, f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
		}
	}
}

// TestNotAtTheFirstHop: a first hop that holds one request of the many that the client waits
// for has answered the others: they stand between the two, as large answers do on a path
// that does not pass them.
func TestNotAtTheFirstHop(t *testing.T) {
	w := newChained(1)
	w.hop(serverHost, "nginx", "*:8080", 10, 1, 1, 0, 0, 1, 0.01)
	w.fails(func(r *request) { timeout(r, attack.PhaseAwait, 5) })
	for i := range w.windows {
		if float64(i)*windowLength > w.at {
			w.windows[i].InFlight = 500
		}
	}
	for i := range 300 {
		w.event(probe.Event{
			Kind: probe.PacketDrop, At: dur(w.at + 0.1 + float64(i)*0.04), Host: serverHost, Reason: "PKT_TOO_BIG", Count: 1,
			Local: netip.MustParseAddrPort("10.0.0.2:8080"), Remote: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(40000+i)),
			Kernel: &probe.Kernel{Packet: "segment"},
		})
	}
	f := w.finding()
	if strings.Contains(f.Summary, "Requests stand at") || f.Cause == "deadlock" || f.Cause == "upstream-deadlock" {
		t.Errorf("%s %s on %s: %s", f.Verdict, f.Cause, f.Host, f.Summary)
	}
}
