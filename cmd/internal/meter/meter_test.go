package meter_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/meter"
	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/assemble"
	"github.com/rampload/rampload/report/runlog"
)

// randomWindow is one with anything in it.
func randomWindow(r *rand.Rand, target uint16, index int32) attack.Window {
	n := func(most uint64) uint64 { return r.Uint64N(most) }
	w := attack.Window{Target: target, Index: index, Scheduled: n(100), Sent: n(100), Unsent: n(5), Retries: n(9), Dials: n(20), FailuresDropped: n(3)}
	for range 12 {
		c := attack.Cell{
			DueWindow: max(index-int32(n(3)), 0), Fault: attack.Fault(n(uint64(attack.Faults))), Phase: attack.Phase(n(uint64(attack.Phases))),
			Requests: n(9), WireResets: n(4), Reused: n(2) == 0,
		}
		c.Attempts = c.Requests + n(3)
		if c.Phase == attack.PhaseIdle {
			c.Attempts, c.Requests = 0, 0
		}
		w.Cells = append(w.Cells, c)
		if c.Fault == attack.None {
			for range c.Requests {
				w.FromDue = w.FromDue.Merge(attack.Histogram{{Value: int64(1 + n(1e6)), Count: 1}})
			}
		}
	}
	w.Statuses = []attack.StatusCount{{Status: 200, Count: n(50)}, {Status: 500 + uint16(n(9)), Count: n(9)}}
	return w
}

// TestTotalsAreTheReports lets two workers record anything, and holds the totals that are
// told against those that a report makes of the same windows.
func TestTotalsAreTheReports(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 9))
	names := []string{"orders", "carts"}
	m := meter.New(meter.Plan{Run: "f00d", Name: "peak", Targets: names, Interval: 250 * time.Millisecond, Started: time.Now()})
	log := &runlog.Log{Header: runlog.Header{RunID: "f00d", Interval: 250 * time.Millisecond, Targets: []runlog.Target{{Name: "orders"}, {Name: "carts"}}}, Windows: make([][]attack.Window, 2)}
	for i := range int32(40) {
		for target := range uint16(2) {
			a, b := randomWindow(r, target, i), randomWindow(r, target, i)
			m.Window("w-1", a)
			m.Window("w-2", b)
			log.Windows[target] = append(log.Windows[target], a.Merge(b))
		}
	}
	made, err := assemble.Build(log, assemble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := m.Snapshot()
	for i, target := range made.Targets {
		want := target.Totals
		check := func(n uint64, name string, pairs ...string) {
			t.Helper()
			if got := sum(s, name, append(pairs, "target", names[i])...); got != float64(n) {
				t.Errorf("%s of %s %v is %v, the report has %d", name, names[i], pairs, got, n)
			}
		}
		check(want.Attempts, "rampload_attempts_total")
		check(want.OK, "rampload_requests_total", "outcome", "ok")
		check(want.Failed, "rampload_requests_total", "outcome", "failed")
		check(want.Canceled, "rampload_requests_total", "outcome", "canceled")
		check(want.Unsent, "rampload_requests_unsent_total")
		check(want.WireResets, "rampload_wire_resets_total")
		check(want.VisibleResets, "rampload_visible_resets_total")
		told := 0
		for _, f := range s.Families {
			if f.Name == "rampload_faults_total" {
				for _, one := range f.Series {
					if label(one, "target") == names[i] && one.Value > 0 && label(one, "worker") == "w-1" {
						told++
					}
				}
			}
		}
		for fault, phases := range want.Faults {
			for phase, n := range phases {
				check(n, "rampload_faults_total", "fault", fault, "phase", phase)
			}
		}
		for status, n := range want.StatusCodes {
			check(n, "rampload_responses_total", "status", status)
		}
		if told == 0 {
			t.Error("no fault of one worker is told")
		}
		latencies := uint64(0)
		for _, f := range s.Families {
			for _, one := range f.Series {
				if f.Name == "rampload_request_duration_seconds" && label(one, "target") == names[i] {
					latencies += one.Histogram.Count
				}
			}
		}
		if latencies != want.OK {
			t.Errorf("%d latencies of %s, %d requests ended well", latencies, names[i], want.OK)
		}
	}
}

func label(s family.Series, name string) string {
	for _, l := range s.Labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// sum adds up the series of a family that have labels.
func sum(s family.Snapshot, name string, pairs ...string) (total float64) {
	for _, f := range s.Families {
		if f.Name != name {
			continue
		}
	series:
		for _, one := range f.Series {
			for i := 0; i < len(pairs); i += 2 {
				if label(one, pairs[i]) != pairs[i+1] {
					continue series
				}
			}
			total += one.Value
		}
	}
	return total
}

// TestBounds lets a thousand workers, targets, statuses, processes and senders come: what
// is told is bounded, all of it has the labels run and worker, no series is there twice,
// and no count is lost.
func TestBounds(t *testing.T) {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("t-%d", i))
	}
	m := meter.New(meter.Plan{Run: "f00d", Targets: names, Interval: time.Second, Gates: []string{"failures < 1%", "failures < 1%"}})
	for i := range 1000 {
		m.Window(fmt.Sprintf("w-%d", i), attack.Window{
			Target: uint16(i), Index: int32(i), Scheduled: 1,
			Statuses: []attack.StatusCount{{Status: 200, Count: 1}}, Cells: []attack.Cell{{Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: 1, Requests: 1, WireResets: 1}},
		})
		m.Window("w-0", attack.Window{Target: 0, Index: int32(i), Statuses: []attack.StatusCount{{Status: uint16(1 + i), Count: 1}}})
		m.Samples("w-0", []probe.Sample{{Reading: probe.Reading{Metric: probe.Metric{Host: "h", Process: strings.Repeat("p", 500) + "\n", PID: int32(i), Name: probe.OpenFiles}, Value: 1, Limit: 2}}})
		m.Samples("w-0", []probe.Sample{{Reading: probe.Reading{Metric: probe.Metric{Host: "h", Name: probe.OpenFiles, PID: 1, Instance: strings.Repeat("i", 300) + fmt.Sprint(i)}, Value: 1, Limit: 2}}})
		m.Event("w-0", probe.Event{Kind: probe.RSTSent, Host: "h", Comm: fmt.Sprintf("c\x1b[31m-%d", i)})
	}
	s := m.Snapshot()
	if got := sum(s, "rampload_wire_resets_total"); got != 1000 {
		t.Errorf("%v resets, want 1000", got)
	}
	if got := sum(s, "rampload_responses_total"); got != 2000 {
		t.Errorf("%v responses, want 2000", got)
	}
	if got := sum(s, "rampload_resets_sent_total"); got != 1000 {
		t.Errorf("%v resets were sent, want 1000", got)
	}
	all, seen := 0, map[string]bool{}
	for _, f := range s.Families {
		for _, one := range f.Series {
			all++
			key := keyOf(f.Name, one.Labels)
			if seen[key] || label(one, "run") != "f00d" || label(one, "worker") == "" {
				t.Fatalf("%s: twice %v", key, seen[key])
			}
			seen[key] = true
			for _, l := range one.Labels {
				if len(l.Value) > 200 || strings.ContainsAny(l.Value, "\n\x1b") {
					t.Fatalf("%s is %q", l.Name, l.Value)
				}
			}
		}
	}
	if all > 20_000 {
		t.Errorf("%d series", all)
	}
}

// BenchmarkRun is what a second of a run costs: four windows of two targets with all that
// they may have, and a fifth of a snapshot.
func BenchmarkRun(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 9))
	m := meter.New(meter.Plan{Run: "f00d", Targets: []string{"orders", "carts"}, Interval: 250 * time.Millisecond})
	var windows []attack.Window
	for i := range int32(4) {
		for target := range uint16(2) {
			windows = append(windows, randomWindow(r, target, i))
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for _, w := range windows {
			m.Window(meter.Local, w)
		}
		if i%5 == 0 {
			m.Snapshot()
		}
	}
}
