package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/judge"
	"github.com/rampload/rampload/report/stats/calibration"
)

// Clusters must not decide a gate wrongly more often than independent failures may.
func TestCalibrateGates(t *testing.T) {
	runs := calibrationRuns(100, 1000)
	for number, tt := range []struct {
		gate          string
		windows, each int
		share, size   float64
		wrong         string
	}{
		{"failures < 1%", 240, 50, .01, 1, GatePassed},
		{"failures < 1%", 240, 50, .01, 5, GatePassed},
		{"failures < 1%", 240, 50, .01, 20, GatePassed},
		{"failures < 1%", 240, 50, .01, 50, GatePassed},
		{"failures < 1%", 240, 50, .015, 20, GatePassed},
		{"failures < 1%", 240, 50, .015, 50, GatePassed},
		{"failures < 1%", 480, 250, .01, 50, GatePassed},
		{"failures < 1%", 240, 13, .01, 50, GatePassed},
		{"failures < 1%", 240, 65, .01, 50, GatePassed},
		{"failures < 0.1%", 480, 250, .001, 50, GatePassed},
		{"failures < 0.1%", 480, 250, .002, 50, GatePassed},
		{"failures < 0.1%", 480, 250, .001, 1, GatePassed},
		{"failures < 0.1%", 480, 250, .001, 5, GatePassed},
		{"failures < 0.1%", 480, 250, .001, 20, GatePassed},
		{"failures < 1%", 240, 50, .01, 1, GateFailed},
		{"failures < 1%", 240, 50, .01, 20, GateFailed},
		{"failures < 1%", 240, 50, .01, 50, GateFailed},
		{"failures < 1%", 240, 50, .007, 50, GateFailed},
		{"failures < 1%", 480, 250, .01, 50, GateFailed},
	} {
		g, err := profiles.ParseGate(tt.gate)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s, true share %.4g %% in clusters of %g, %d requests", tt.gate, 100*tt.share, tt.size, tt.windows*tt.each)
		r, ok := cell(t, "wrongly "+tt.wrong, name, "≤ 5 %", runs, func(r *calibration.Row) {
			for s := range uint64(runs) {
				n, k := clusteredHold(rand.New(rand.NewPCG(s, uint64(number))), tt.windows, tt.each, tt.share, tt.size)
				r.N++
				if Judge([]profiles.Gate{g}, Judged{Series: seriesOfCounts(n, k)})[0].Result == tt.wrong {
					r.K++
				}
			}
		})
		if ok && beyond(r, 0.05) {
			t.Errorf("%s: %s in %d of %d runs", name, tt.wrong, r.K, r.N)
		}
	}
}

// What fails near the load that a gate names is not averaged away by lower loads.
func TestUpToJudgesTheTop(t *testing.T) {
	for _, top := range []struct{ from, share float64 }{{1450, .10}, {1400, .10}, {1300, .05}, {1485, 1}} {
		g, _ := profiles.ParseGate("failures < 1% up to 1500/s")
		for seed := range uint64(20) {
			rng := rand.New(rand.NewPCG(seed, 3))
			n, k := make([]int, 480), make([]int, 480)
			rest := 0.0
			for i := range n {
				load := 50 + 1450*(float64(i)+0.5)/480
				rest += load / 4
				n[i] = int(math.Floor(rest))
				rest -= float64(n[i])
				for range n[i] {
					if load >= top.from && rng.Float64() < top.share {
						k[i]++
					}
				}
			}
			if got := Judge([]profiles.Gate{g}, Judged{Series: seriesOfCounts(n, k)})[0]; got.Result == GatePassed {
				t.Errorf("%g %% fail from %g/s on, seed %d: passed, %s", 100*top.share, top.from, seed, got.Reason)
			}
		}
	}
}

// "onset > 19/s" passes only if an onset below 19/s would have been found.
func TestOnsetGateWithoutPower(t *testing.T) {
	g, _ := profiles.ParseGate("onset > 19/s")
	n, k := make([]int, 480), make([]int, 480)
	rest := 0.0
	for i := range n {
		rest += 20 * float64(1+i/80) / 6 / 4
		n[i] = int(rest)
		rest -= float64(n[i])
	}
	none := map[string][]Onset{"orders": {{Status: OnsetNone}}}
	got := Judge([]profiles.Gate{g}, Judged{Series: seriesOfCounts(n, k), Onsets: none})[0]
	if got.Result != GateUndecided {
		t.Errorf("%s: %s", got.Result, got.Reason)
	}
	t.Log(got.Reason)
	g, _ = profiles.ParseGate("onset > 1900/s")
	for i := range n {
		n[i] *= 100
	}
	if got := Judge([]profiles.Gate{g}, Judged{Series: seriesOfCounts(n, k), Onsets: none})[0]; got.Result != GatePassed {
		t.Errorf("at a hundred times the load: %s: %s", got.Result, got.Reason)
	} else {
		t.Log(got.Reason)
	}
}

// A short run without a failure proves what it can: a spell of failures is a small part of
// a run, however short that is.
func TestShortRunsPass(t *testing.T) {
	for _, tt := range []struct {
		gate string
		n    int
		want string
	}{
		{"failures < 5%", 59, GatePassed},
		{"failures < 5%", 40, GateUndecided},
		{"failures < 5%", 90, GatePassed},
		{"failures < 2%", 3000, GatePassed},
		{"failures < 1%", 3000, GateUndecided},
		{"failures < 1%", 14_904, GatePassed},
	} {
		g, err := profiles.ParseGate(tt.gate)
		if err != nil {
			t.Fatal(err)
		}
		n := make([]int, 10)
		for i := range n {
			n[i] = tt.n / 10
		}
		n[0] += tt.n % 10
		got := Judge([]profiles.Gate{g}, Judged{Series: seriesOfCounts(n, make([]int, 10))})[0]
		if got.Result != tt.want {
			t.Errorf("%s, 0 of %d: %s, %s", tt.gate, tt.n, got.Result, got.Reason)
		}
		if need := int(judge.Enough(g)); (tt.n >= need) != (got.Result == GatePassed) {
			t.Errorf("%s: %d are enough, and %d are %s", tt.gate, need, tt.n, got.Result)
		}
	}
}
