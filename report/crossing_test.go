package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
)

// climb is a ramp in steps of a second with a share of failures for each load.
func climb(from, to float64, seconds int, failed func(rps float64) float64) []load {
	var out []load
	for i := range seconds {
		rps := from + (to-from)*(float64(i)+0.5)/float64(seconds)
		out = append(out, load{rps: rps, seconds: 1, failed: failed(rps)})
	}
	return out
}

func grows(rps float64) float64 { return min(1, 0.001*math.Exp((rps-1500)/100)) }

func TestSeriesCrossing(t *testing.T) {
	down := climb(2000, 100, 60, grows)
	for _, c := range []struct {
		name string
		run  []load
		at   float64 // s; NaN: none
		load float64
	}{
		{"a ramp", climb(100, 2000, 120, grows), 88.5, 1500},
		{"up and down again", append(climb(100, 2000, 120, grows), down...), 88.5, 1500},
		{"with time", []load{{rps: 1000, seconds: 60}, {rps: 1000, seconds: 60, failed: 0.01}}, 60, 1000},
		{"from the start", []load{{rps: 1000, seconds: 60, failed: 0.05}}, 0, 1000},
		{"never", []load{{rps: 1000, seconds: 60}}, math.NaN(), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := run(c.run...)
			got := s.Crossing(0, s.Len(), 0.001)
			if math.IsNaN(c.at) {
				if got.AtS != nil || got.LoadRPS != nil || *got.LoadLowRPS < 990 {
					t.Errorf("%+v", got)
				}
				return
			}
			if math.Abs(*got.AtS-c.at) > 4 || math.Abs(*got.LoadRPS-c.load) > 0.05*c.load {
				t.Errorf("%v/s at %v s, want %v at %v", *got.LoadRPS, *got.AtS, c.load, c.at)
			}
			if *got.LowS > *got.AtS || *got.AtS > *got.HighS || *got.LoadLowRPS > *got.LoadRPS || *got.LoadRPS > *got.LoadHighRPS {
				t.Errorf("the interval does not hold the place: %v %v %v, %v %v %v",
					*got.LowS, *got.AtS, *got.HighS, *got.LoadLowRPS, *got.LoadRPS, *got.LoadHighRPS)
			}
		})
	}
	if got := run().Crossing(0, 10, 0.001); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestJudgeCrossing(t *testing.T) {
	ramp := run(climb(100, 2000, 120, grows)...)
	clean := run(append(climb(100, 1500, 60, func(float64) float64 { return 0 }), load{rps: 1500, seconds: 20})...)
	for _, c := range []struct {
		name, gate string
		in         Judged
		want       string
		reason     string // part of it
	}{
		{"far below", "crosses(0.1%) > 1000/s", Judged{Series: ramp}, GatePassed, "failures of orders pass 0.1% at 1,5"},
		{"far above", "crosses(0.1%) > 1900/s", Judged{Series: ramp}, GateFailed, "pass 0.1% at 1,"},
		{"inside the interval", "crosses(0.1%, orders) > 1500/s", Judged{Series: ramp}, GateUndecided, "the interval holds 1,500/s: send more"},
		{"another share", "crosses(5%) > 1700/s", Judged{Series: ramp}, GatePassed, "pass 5% at 1,8"},
		{"never, held", "crosses(0.1%) > 1500/s", Judged{Series: clean}, GatePassed, "failures stay below 0.1% up to 1,500/s"},
		{"never, not reached", "crosses(0.1%) > 1700/s", Judged{Series: clean}, GateUndecided, "1,700/s was not reached"},
		{"never, too few", "crosses(0.1%) > 50/s", Judged{Series: run(climb(1, 50, 20, func(float64) float64 { return 0 })...)}, GateUndecided, "hold 50/s for longer"},
		{"passed before this machine was the limit", "crosses(0.1%) > 1000/s", Judged{Series: ramp, LimitedAt: at(115 * time.Second)}, GatePassed, ""},
		{"nothing proven after it", "crosses(0.1%) > 1000/s", Judged{Series: ramp, LimitedAt: at(40 * time.Second), LimitedReason: "no ports"}, GateUndecided, "no ports"},
		{"unknown target", "crosses(0.1%, pay) > 1000/s", Judged{Series: ramp}, GateUndecided, `no target is named "pay"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := profiles.ParseGate(c.gate)
			if err != nil {
				t.Fatal(err)
			}
			got := Judge([]profiles.Gate{g}, c.in)[0]
			if got.Result != c.want || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("%s: %s", got.Result, got.Reason)
			}
		})
	}
}

func TestCrossingShareOf(t *testing.T) {
	for want, texts := range map[float64][]string{
		0.001: {"wire-resets == 0", "failures == 0", "crosses(5%, pay) > 10/s", "failures(pay) < 2%"},
		0.01:  {"failures < 1% up to 100/s", "failures < 2%"},
		0.05:  {"failures < 1%", "crosses(5%) > 10/s"},
	} {
		var gates []profiles.Gate
		for _, text := range texts {
			g, err := profiles.ParseGate(text)
			if err != nil {
				t.Fatal(err)
			}
			gates = append(gates, g)
		}
		if got := CrossingShareOf(gates, "orders"); got != want {
			t.Errorf("%v: %v, want %v", texts, got, want)
		}
	}
}
