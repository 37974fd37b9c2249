package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/series"
)

const interval = 250 * time.Millisecond

// load describes one stretch of a run for tests.
type load struct {
	rps      float64
	seconds  int
	failed   float64 // share of requests that are reset
	sent     float64 // share of the load that was sent; 0 is all of it
	slowMS   int64   // latency of one in fifty
	idle     uint64  // idle resets in each window
	canceled uint64
	local    uint64
}

// run makes the series of a run of one target out of stretches. Failures are
// rounded so that a stretch has exactly its share.
func run(stretches ...load) *Series {
	s := NewSeries(interval, []string{"orders"})
	var index int32
	var due, fail float64
	for _, l := range stretches {
		sent := l.sent
		if sent == 0 {
			sent = 1
		}
		for range l.seconds * 4 {
			due += l.rps / 4
			n := uint64(due + 1e-9)
			due -= float64(n)
			w := attack.Window{Index: index, Scheduled: n, Sent: uint64(float64(n) * sent)}
			fail += float64(w.Sent) * l.failed
			k := uint64(fail + 1e-9)
			fail -= float64(k)
			ok := w.Sent - k
			w.Cells = []attack.Cell{
				{DueWindow: index, Phase: attack.PhaseDone, Attempts: ok, Requests: ok},
				{DueWindow: index, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: k, Requests: k, WireResets: k},
				{DueWindow: index, Fault: attack.Reset, Phase: attack.PhaseIdle, WireResets: l.idle},
				{DueWindow: index, Fault: attack.Canceled, Phase: attack.PhaseAwait, Attempts: l.canceled, Requests: l.canceled},
				{DueWindow: index, Fault: attack.PortsExhausted, Phase: attack.PhaseDial, Attempts: l.local, Requests: l.local},
			}
			if l.slowMS > 0 && ok >= 50 {
				w.FromDue = attack.Histogram{{Value: 5000, Count: ok - ok/50}, {Value: l.slowMS * 1000, Count: ok / 50}}
			} else if ok > 0 {
				w.FromDue = attack.Histogram{{Value: 5000, Count: ok}}
			}
			s.Add(w)
			index++
		}
	}
	return s
}

func at(d time.Duration) *time.Duration { return &d }

func TestJudge(t *testing.T) {
	clean := run(load{rps: 500, seconds: 20}, load{rps: 1500, seconds: 20})
	// 0.5 % above 1,500/s, nothing below.
	above := run(load{rps: 500, seconds: 20}, load{rps: 1500, seconds: 20}, load{rps: 2000, seconds: 10, failed: 0.005})
	onset := func(o ...Onset) map[string][]Onset { return map[string][]Onset{"orders": o} }
	none := onset(Onset{Status: "none"})
	found := onset(Onset{Status: "onset", Fault: "reset", AtS: number(30), LoadRPS: number(1510), LoadLowRPS: number(1490), LoadHighRPS: number(1525)})
	watched := func(free ...float64) []Headroom {
		h := Headroom{Name: "open-files", Host: "orders-1", Process: "orders"}
		for i := range 160 {
			h.At = append(h.At, time.Duration(i)*interval)
			h.Free = append(h.Free, free[i*len(free)/160])
		}
		return []Headroom{h}
	}
	tests := []struct {
		name   string
		gate   string
		in     Judged
		want   string
		value  float64 // NaN: null
		reason string  // part of it
	}{
		{"no reset", "wire-resets == 0", Judged{Series: clean}, GatePassed, 0, "0 of 40,000 (at most 0.0075%)"},
		{"one idle reset fails a zero count", "wire-resets == 0", Judged{Series: run(load{rps: 100, seconds: 10}, load{rps: 4, seconds: 1, idle: 1})}, GateFailed, 4, "4 of 1,00"},
		{"idle resets are not visible", "visible-resets == 0", Judged{Series: run(load{rps: 100, seconds: 10, idle: 1})}, GatePassed, 0, ""},
		{"zero percent is a count", "failures <= 0%", Judged{Series: above}, GateFailed, 100.0 / 60000, "100 of 60,000"},
		{"share proven", "failures < 2%", Judged{Series: clean}, GatePassed, 0, "0 of 40,000 (0%), at most 0.0075%, if up to 50 fail together 0.38%"},
		{"clean, and too few where many fail together", "failures < 0.1%", Judged{Series: clean}, GateUndecided, 0, "0 of 40,000 (0%): too few to tell where up to 50 fail together, 109,712 more without one would do"},
		{"the same in a search", "failures < 0.1%", Judged{Series: clean, Alone: true}, GatePassed, 0, "0 of 40,000 (0%), at most 0.0075%"},
		{"share disproven", "failures < 0.1%", Judged{Series: above}, GateFailed, 100.0 / 60000, "100 of 60,000 (0.167%)"},
		{"too few", "failures < 0.1%", Judged{Series: run(load{rps: 100, seconds: 10})}, GateUndecided, 0, "too few to tell, 149,712 without one would do"},
		{"too close", "failures < 0.1%", Judged{Series: run(load{rps: 1000, seconds: 10, failed: 0.001})}, GateUndecided, 0.001, "too close to tell, between 0.054% and"},
		{"estimate below the limit is not enough", "failures < 0.1%", Judged{Series: run(load{rps: 1000, seconds: 10, failed: 0.0008})}, GateUndecided, 0.0008, "too close"},
		{"up to leaves out the rest", "failures < 2% up to 1500/s", Judged{Series: above}, GatePassed, 0, "0 of 40,000"},
		{"up to not reached", "failures < 2% up to 1700/s", Judged{Series: clean}, GateUndecided, 0, "1,700/s was not reached: at most 1,500/s was sent; so far 0 of 40,000"},
		{"up to not sent", "failures < 2% up to 1500/s", Judged{Series: run(load{rps: 1500, seconds: 20, sent: 0.9})}, GateUndecided, 0, "at most 1,348/s was sent"},
		{"violation below a load that was not reached", "failures < 0.1% up to 1700/s", Judged{Series: run(load{rps: 1000, seconds: 10, failed: 0.01})}, GateFailed, 0.01, "100 of 10,000"},
		{"local faults and canceled requests are no failures", "failures == 0", Judged{Series: run(load{rps: 1000, seconds: 10, local: 50, canceled: 9})}, GatePassed, 0, "0 of 10,000"},
		{"limited before anything", "failures < 0.1%", Judged{Series: clean, LimitedAt: at(0), LimitedReason: "no ports"}, GateUndecided, math.NaN(), "no request ended"},
		{"limited later, clean before", "failures < 2%", Judged{Series: clean, LimitedAt: at(30 * time.Second), LimitedReason: "no ports"}, GateUndecided, 0, "this machine was the limit from 30 s on (no ports); so far 0 of 25,000"},
		{"limited later, but not up to this load", "failures < 2% up to 500/s", Judged{Series: clean, LimitedAt: at(30 * time.Second)}, GatePassed, 0, "0 of 10,000"},
		{"violated before the limit", "failures < 0.1%", Judged{Series: run(load{rps: 1000, seconds: 10, failed: 0.02}, load{rps: 1000, seconds: 10}), LimitedAt: at(10 * time.Second)}, GateFailed, 0.02, "200 of 10,000"},
		{"violated only after the limit", "failures < 2%", Judged{Series: run(load{rps: 1000, seconds: 10}, load{rps: 1000, seconds: 10, failed: 0.5}), LimitedAt: at(10 * time.Second)}, GateUndecided, 0, "this machine was the limit"},
		{"cut short", "failures < 2%", Judged{Series: clean, CutShort: "the run was interrupted"}, GateUndecided, 0, "the run was interrupted; so far"},
		{"cut short after the load was reached", "failures < 2% up to 1500/s", Judged{Series: clean, CutShort: "the run was interrupted"}, GatePassed, 0, ""},

		{"span", "failures within 5s < 1%", Judged{Series: clean}, GatePassed, 0, "0 of 40,000 (0%), at most 0.0075%"},
		// 0.9 % of the run, but all of it in five seconds.
		{"span finds what the mean hides", "failures within 5s < 1%", Judged{Series: run(load{rps: 1000, seconds: 100}, load{rps: 1000, seconds: 5, failed: 0.05}, load{rps: 1000, seconds: 95})}, GateFailed, 0.05, "250 of 5,000 (5%) in the 5 s from 1m40s"},
		{"one failure in a thin span proves nothing", "failures within 5s < 1%", Judged{Series: run(load{rps: 4, seconds: 5, failed: 0.06}, load{rps: 1000, seconds: 60})}, GateUndecided, 0.05, "1 of 20 (5%) in the 5 s from 0 s: too few in that span to tell"},
		{"count in a span", "wire-resets within 1s <= 3", Judged{Series: run(load{rps: 1000, seconds: 10, failed: 0.003})}, GatePassed, 3, "3 of 1,000"},
		{"count in a span, exceeded", "wire-resets within 1s <= 3", Judged{Series: run(load{rps: 1000, seconds: 10}, load{rps: 1000, seconds: 1, failed: 0.02})}, GateFailed, 20, "20 of 1,000 (2%) in the 1 s from 10 s"},
		{"a span longer than the run is the run", "failures within 90s < 1%", Judged{Series: clean}, GatePassed, 0, "0 of 40,000 (0%), at most 0.0075%"},

		{"percentile", "p99 < 250ms", Judged{Series: clean}, GatePassed, 0.005, "5 ms; 0 of 40,000 took longer"},
		{"percentile broken", "p99 < 250ms", Judged{Series: run(load{rps: 1000, seconds: 10, slowMS: 400})}, GateFailed, 0.4, "200 of 10,000 took longer"},
		{"percentile within", "p99 < 500ms", Judged{Series: run(load{rps: 1000, seconds: 10, slowMS: 400})}, GatePassed, 0.4, "0 of 10,000 took longer"},
		{"percentile that 2% do not reach", "p95 < 250ms", Judged{Series: run(load{rps: 1000, seconds: 10, slowMS: 400})}, GatePassed, 0.005, ""},
		{"percentile of too few", "p99 < 250ms", Judged{Series: run(load{rps: 20, seconds: 5})}, GateUndecided, 0.005, "too few to tell"},
		{"percentile of none", "p99 < 250ms", Judged{Series: run(load{rps: 100, seconds: 5, failed: 1})}, GateUndecided, math.NaN(), "no request succeeded"},
		{"percentile in a span", "p99 within 5s < 250ms", Judged{Series: run(load{rps: 1000, seconds: 60}, load{rps: 1000, seconds: 5, slowMS: 400}, load{rps: 1000, seconds: 60})}, GateFailed, 0.4, "in the 5 s from 1m0s"},

		{"onset above", "onset > 1400/s", Judged{Series: above, Onsets: found}, GatePassed, 1490, "orders: reset from 1,510/s (1,490 to 1,525)"},
		{"onset within the interval", "onset > 1500/s", Judged{Series: above, Onsets: found}, GateFailed, 1490, ""},
		{"no onset", "onset > 1500/s", Judged{Series: clean, Onsets: none}, GatePassed, math.NaN(), "no onset up to 1,500/s"},
		{"no onset, load not reached", "onset > 1800/s", Judged{Series: clean, Onsets: none}, GateUndecided, math.NaN(), "1,800/s was not reached"},
		{"onset after this machine's limit is not the target's", "onset > 1500/s", Judged{Series: clean, Onsets: found, LimitedAt: at(25 * time.Second)}, GatePassed, math.NaN(), "no onset"},
		{"onset before the limit is", "onset > 1500/s", Judged{Series: above, Onsets: found, LimitedAt: at(40 * time.Second)}, GateFailed, 1490, ""},
		{"from the start", "onset > 1500/s", Judged{Series: above, Onsets: onset(Onset{Status: "left-censored", Fault: "eof"})}, GateFailed, 0, "from the start"},
		{"an earlier one that passed", "onset > 1400/s", Judged{Series: above, Onsets: onset(
			found["orders"][0],
			Onset{Status: "transient", Fault: "timeout", AtS: number(12), LoadRPS: number(1040), LoadLowRPS: number(1010), LoadHighRPS: number(1070)},
			Onset{Status: "none", Fault: "eof"},
		)}, GateFailed, 1010, "orders: timeout (passing) from 1,040/s (1,010 to 1,070)"},
		{"an earlier periodic one", "onset > 1400/s", Judged{Series: above, Onsets: onset(
			found["orders"][0], Onset{Status: "periodic", Fault: "eof", AtS: number(2), LoadRPS: number(300)},
		)}, GateFailed, 300, "orders: eof (in bursts) from 300/s"},
		{"an episode after this machine's limit is not the target's", "onset > 1400/s", Judged{Series: above, LimitedAt: at(45 * time.Second), Onsets: onset(
			found["orders"][0], Onset{Status: "transient", Fault: "eof", AtS: number(46), LoadRPS: number(900)},
		)}, GatePassed, 1490, "reset"},
		{"not scanned", "onset > 1500/s", Judged{Series: clean}, GateUndecided, math.NaN(), "not scanned"},

		{"headroom", "headroom(open-files) > 20%", Judged{Series: clean, Headrooms: watched(0.9, 0.5, 0.4)}, GatePassed, 0.4, "40% left of open-files of orders on orders-1"},
		{"headroom gone", "headroom(open-files) > 20%", Judged{Series: clean, Headrooms: watched(0.9, 0.1)}, GateFailed, 0.1, "10% left"},
		{"headroom gone above the load", "headroom(open-files) > 20% up to 500/s", Judged{Series: clean, Headrooms: watched(0.9, 0.1)}, GatePassed, 0.9, ""},
		{"not measured", "headroom(conntrack) > 20%", Judged{Series: clean, Headrooms: watched(0.9)}, GateUndecided, math.NaN(), "conntrack was not measured"},
		{"evidence lost", "headroom(open-files) > 20%", Judged{Series: clean, Headrooms: []Headroom{{Name: "open-files", Host: "orders-1", At: []time.Duration{0, time.Second}, Free: []float64{0.9, 0.9}}}}, GateUndecided, 0.9, "not seen on orders-1"},
		{"no run", "failures < 1%", Judged{}, GateUndecided, math.NaN(), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := profiles.ParseGate(tt.gate)
			if err != nil {
				t.Fatal(err)
			}
			got := Judge([]profiles.Gate{g}, tt.in)[0]
			if got.Result != tt.want || !strings.Contains(got.Reason, tt.reason) || got.Expr != tt.gate {
				t.Errorf("Judge(%q) = %s %q, want %s %q", got.Expr, got.Result, got.Reason, tt.want, tt.reason)
			}
			if (got.Value == nil) != math.IsNaN(tt.value) || got.Value != nil && math.Abs(*got.Value-tt.value) > 1e-9 {
				t.Errorf("value = %v, want %v", show(got.Value), tt.value)
			}
		})
	}
}

func show(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

func TestJudgeUnknownTarget(t *testing.T) {
	g, err := profiles.ParseGate("failures(carts) < 1%")
	if err != nil {
		t.Fatal(err)
	}
	got := Judge([]profiles.Gate{g}, Judged{Series: run(load{rps: 100, seconds: 10})})[0]
	if got.Result != GateUndecided || got.Reason != `no target is named "carts"` {
		t.Errorf("got %+v", got)
	}
}

func TestStruck(t *testing.T) {
	tests := []struct {
		name string
		gate string
		run  *Series
		want bool
	}{
		{"clean", "failures within 5s > 20%", run(load{rps: 100, seconds: 20}), false},
		{"half fails", "failures within 5s > 20%", run(load{rps: 100, seconds: 20}, load{rps: 100, seconds: 3, failed: 0.5}), true},
		{"not for long enough", "failures within 5s > 20%", run(load{rps: 100, seconds: 20}, load{rps: 100, seconds: 1, failed: 0.5}), false},
		{"a full span is needed", "failures within 5s > 20%", run(load{rps: 100, seconds: 4, failed: 1}), false},
		{"tiny counts never strike", "failures within 5s > 20%", run(load{rps: 3, seconds: 10, failed: 1}), false},
		{"20 requests do", "failures within 5s > 20%", run(load{rps: 4, seconds: 10, failed: 1}), true},
		{"only above the load", "failures within 5s > 20% up to 50/s", run(load{rps: 50, seconds: 10}, load{rps: 100, seconds: 10, failed: 1}), false},
		{"count", "wire-resets within 5s > 3", run(load{rps: 2, seconds: 10}, load{rps: 2, seconds: 1, idle: 1}), true},
		{"count not reached", "wire-resets within 5s > 4", run(load{rps: 2, seconds: 10}, load{rps: 2, seconds: 1, idle: 1}), false},
		{"percentile", "p99 within 5s > 300ms", run(load{rps: 1000, seconds: 10, slowMS: 400}), true},
		{"percentile below", "p99 within 5s > 500ms", run(load{rps: 1000, seconds: 10, slowMS: 400}), false},
		{"percentile of too few", "p99 within 5s > 1ms", run(load{rps: 10, seconds: 10}), false},
		{"whole run without a span", "failures > 5%", run(load{rps: 100, seconds: 10}, load{rps: 100, seconds: 5, failed: 0.5}), true},
		{"local faults are this machine's", "failures within 5s > 20%", run(load{rps: 100, seconds: 20, local: 20}), false},
		{"headroom is judged at the end", "headroom(open-files) > 20%", run(load{rps: 100, seconds: 20}), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := profiles.ParseGate(tt.gate)
			if err != nil {
				t.Fatal(err)
			}
			if hit, got := series.NewAbort([]profiles.Gate{g}, tt.run).Struck(); got != tt.want || got && hit.Text != tt.gate {
				t.Errorf("Struck(%q) = %q, %v; want %v", tt.gate, hit.Text, got, tt.want)
			}
		})
	}
}

// A slow target whose answers are still on their way must not be taken for one
// that fails, and one whose requests all time out must strike in the end.
func TestStruckWhileInFlight(t *testing.T) {
	g, err := profiles.ParseGate("failures within 5s > 20%")
	if err != nil {
		t.Fatal(err)
	}
	gates := []profiles.Gate{g}
	slow := NewSeries(interval, []string{"orders"})
	for i := range int32(80) { // 100/s; 2 in 100 are reset at once, nothing else has ended
		slow.Add(attack.Window{Index: i, Scheduled: 25, Sent: 25, Cells: []attack.Cell{
			{DueWindow: i, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: 1, Requests: 1, WireResets: 1},
		}})
	}
	if _, ok := series.NewAbort(gates, slow).Struck(); ok {
		t.Error("a slow target was taken for a failing one")
	}
	late := NewSeries(interval, []string{"orders"})
	struckAt := int32(-1)
	for i := range int32(80) {
		w := attack.Window{Index: i, Scheduled: 25, Sent: 25}
		if i >= 40 { // every request times out after 10 s: long after its span
			w.Cells = []attack.Cell{{DueWindow: i - 40, Fault: attack.Timeout, Phase: attack.PhaseAwait, Attempts: 25, Requests: 25}}
		}
		late.Add(w)
		if _, ok := series.NewAbort(gates, late).Struck(); ok && struckAt < 0 {
			struckAt = i
		}
	}
	// 20 % of the 500 requests of a span: the fourth window of time-outs, and one
	// more because the limit has to be exceeded.
	if struckAt != 44 {
		t.Errorf("struck at window %d, want 44", struckAt)
	}
}

func TestSeries(t *testing.T) {
	s := NewSeries(interval, []string{"a", "b"})
	s.Add(attack.Window{Target: 0, Index: 0, Scheduled: 10, Sent: 10})
	s.Add(attack.Window{Target: 1, Index: 0, Scheduled: 5, Sent: 4})
	s.Add(attack.Window{Target: 0, Index: 8, Scheduled: 20, Sent: 20, Lag: attack.Histogram{{Value: 900, Count: 20}}, Cells: []attack.Cell{
		{DueWindow: 0, Fault: attack.Timeout, Phase: attack.PhaseAwait, Attempts: 3, Requests: 2},
		{DueWindow: 8, Fault: attack.Reset, Phase: attack.PhaseIdle, WireResets: 4},
		{DueWindow: -3, Phase: attack.PhaseDone, Attempts: 1, Requests: 1},
		{DueWindow: 99, Phase: attack.PhaseDone, Attempts: 1, Requests: 1},
	}})
	s.Add(attack.Window{Target: 2, Index: 0, Scheduled: 1000})
	s.Add(attack.Window{Target: 0, Index: -1, Scheduled: 1000})
	s.Add(attack.Window{Target: 0, Index: math.MaxInt32, Scheduled: 1000})
	if s.Len() != 9 || len(s.Points[1]) != 9 {
		t.Fatalf("lengths %d and %d, want 9", len(s.Points[0]), len(s.Points[1]))
	}
	first, last := s.Points[0][0], s.Points[0][8]
	if first.Offered != 60 || s.Points[1][0].Offered != 60 {
		t.Errorf("offered = %v and %v, want 60 (15 requests in 250 ms over both targets)", first.Offered, s.Points[1][0].Offered)
	}
	if first.Failures != 2 || first.Attempts != 4 || first.Requests != 3 {
		t.Errorf("the late timeouts are not where they were due: %+v", first)
	}
	if last.WireResets != 4 || last.Requests != 1 || last.LagP99 != 900 {
		t.Errorf("last window: %+v", last)
	}
}
