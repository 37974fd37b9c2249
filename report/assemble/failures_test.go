package assemble

import (
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
)

// Failures are grouped by what they have in common, with who sent the RST of their
// connection: of a port that was used twice, the one at that time.
func TestFailureGroups(t *testing.T) {
	local, remote := netip.MustParseAddrPort("10.0.0.9:41000"), netip.MustParseAddrPort("10.0.0.1:80")
	failed := func(at time.Duration, idle time.Duration, served uint32) attack.Failure {
		return attack.Failure{Attempt: attack.Attempt{
			Target: 0, Fault: attack.Reset, Phase: attack.PhaseAwait, End: at, WireReset: true,
			Conn: attack.Conn{ID: 1, Reused: served > 0, Served: served, Idle: idle, Local: local, Remote: remote},
		}}
	}
	sent := func(at time.Duration, host, reason string) probe.Event {
		return probe.Event{Kind: probe.RSTSent, At: at, Host: host, Process: "api", PID: 7, Reason: reason, Local: netip.MustParseAddrPort("[::ffff:10.0.0.1]:80"), Remote: local}
	}
	log := &runlog.Log{
		Header:  runlog.Header{Targets: []runlog.Target{{Name: "orders"}}},
		Windows: [][]attack.Window{{{FailuresDropped: 5}}},
		Failures: []attack.Failure{
			failed(10*time.Second, 0, 0),
			failed(20*time.Second, 0, 0),
			failed(20*time.Second, 0, 0),
			failed(30*time.Second, 2500*time.Millisecond, 70),
			{Attempt: attack.Attempt{Fault: attack.Refused, Phase: attack.PhaseDial}},
			{Attempt: attack.Attempt{Fault: attack.Canceled}},
			{Attempt: attack.Attempt{Target: 1, Fault: attack.Reset}},
		},
		Events: []probe.Event{sent(20*time.Second, "b", "TCP_STATE"), sent(10*time.Second, "a", "TCP_ABORT_ON_DATA"), sent(25*time.Second, "c", "late")},
	}
	groups, leftOut := failureGroups(log, senders(log), 0)
	if leftOut != 5 {
		t.Errorf("%d left out, want 5", leftOut)
	}
	want := []report.FailureGroup{
		{Fault: "reset", Phase: "await", State: "fresh", Address: "10.0.0.1:80", Sender: "b/api[7]", Reason: "TCP_STATE", Count: 2},
		{Fault: "refused", Phase: "dial", State: "none", Count: 1},
		{Fault: "reset", Phase: "await", State: "fresh", Address: "10.0.0.1:80", Sender: "a/api[7]", Reason: "TCP_ABORT_ON_DATA", Count: 1},
		{Fault: "reset", Phase: "await", State: "reused", Address: "10.0.0.1:80", IdleMS: new(2000.0), Served: new(50.0), Count: 1},
	}
	if len(groups) != len(want) {
		t.Fatalf("%d groups: %+v", len(groups), groups)
	}
	for i, g := range groups {
		w := want[i]
		if orZero(g.IdleMS) != orZero(w.IdleMS) || orZero(g.Served) != orZero(w.Served) {
			t.Errorf("group %d: idle %v ms, served %v", i, orZero(g.IdleMS), orZero(g.Served))
		}
		g.IdleMS, g.Served, w.IdleMS, w.Served = nil, nil, nil, nil
		if g != w {
			t.Errorf("group %d: %+v, want %+v", i, g, w)
		}
	}
}

func TestStep(t *testing.T) {
	for v, want := range map[float64]float64{0: 0, 0.5: 0, 1: 1, 1.9: 1, 2: 2, 4.9: 2, 9: 5, 10: 10, 49: 20, 999: 500, 1e12: 5e8} {
		if got := *step(v); got != want {
			t.Errorf("step(%v) = %v, want %v", v, got, want)
		}
	}
}

// The heat map holds every success once, in a step whose upper end is not below it.
func TestHeat(t *testing.T) {
	s := report.NewSeries(250*time.Millisecond, []string{"orders"})
	for i := range int32(1000) {
		s.Add(attack.Window{Index: i, FromDue: attack.Histogram{{Value: 900, Count: 3}, {Value: int64(1000 + i*100), Count: 1}}})
	}
	h := heat(s, 0)
	if h == nil || len(h.Counts) > maxHeatRows || h.IntervalMS != 1250 {
		t.Fatalf("heat: %+v", h)
	}
	var n uint64
	for _, row := range h.Counts {
		for _, c := range row {
			n += c
		}
	}
	if n != 4000 || h.UpperMS[0] < 0.9 || h.UpperMS[len(h.UpperMS)-1] < 100.9 {
		t.Errorf("%d successes in steps up to %v ms", n, h.UpperMS)
	}
	if heat(report.NewSeries(time.Second, []string{"orders"}), 0) != nil {
		t.Error("a heat map of nothing")
	}
}
