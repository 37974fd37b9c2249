package report

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/expression"
	"github.com/rampload/rampload/report/stats"
)

var (
	heldOut = flag.Bool("heldout", false, "run the whole calibration")
	table   = flag.String("table", "", "append the calibration's rows in Markdown to this file")
)

func calibrationRuns(quick, full int) int {
	if *heldOut {
		return full
	}
	return quick
}

// row is one line of the calibration table.
func row(t *testing.T, what, series string, k, n int, wanted string) {
	t.Helper()
	low, high := stats.Wilson(float64(k), float64(n), 0.95)
	t.Logf("%s; %s: %.3f (%.3f-%.3f), wanted %s", what, series, float64(k)/float64(n), low, high, wanted)
	if *table == "" || !*heldOut {
		return
	}
	f, err := os.OpenFile(*table, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "| %s | %s | %.1f %% (%.1f-%.1f of %d) | %s |\n", what, series, 100*float64(k)/float64(n), 100*low, 100*high, n, wanted)
}

// seriesOfCounts is a run of one target with n[i] requests in window i, of which
// k[i] are reset; offered is the load, nil for as many as are sent.
func seriesOfCounts(n, k []int) *Series {
	s := NewSeries(interval, []string{"orders"})
	for i := range n {
		all, bad := uint64(n[i]), uint64(min(n[i], k[i]))
		s.Add(attack.Window{Index: int32(i), Scheduled: all, Sent: all, Cells: []attack.Cell{
			{DueWindow: int32(i), Phase: attack.PhaseDone, Attempts: all - bad, Requests: all - bad},
			{DueWindow: int32(i), Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: bad, Requests: bad, WireResets: bad},
		}})
	}
	return s
}

// clusteredHold draws a constant load whose failures come in clusters of a mean
// size, each within a second.
func clusteredHold(rng *rand.Rand, windows, each int, share, size float64) (n, k []int) {
	n, k = make([]int, windows), make([]int, windows)
	begins := share / size
	for i := range n {
		n[i] = each
	}
	for i := range n {
		for range each {
			if rng.Float64() >= begins {
				continue
			}
			for {
				at := min(windows-1, i+rng.IntN(4))
				k[at] = min(n[at], k[at]+1)
				if rng.Float64() < 1/size {
					break
				}
			}
		}
	}
	return n, k
}

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
		g, err := expression.Parse(tt.gate)
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for s := range uint64(runs) {
			n, k := clusteredHold(rand.New(rand.NewPCG(s, uint64(number))), tt.windows, tt.each, tt.share, tt.size)
			if Judge([]profiles.Gate{g}, Judged{Series: seriesOfCounts(n, k)})[0].Result == tt.wrong {
				wrong++
			}
		}
		name := fmt.Sprintf("%s, true share %g %% in clusters of %g, %d requests", tt.gate, 100*tt.share, tt.size, tt.windows*tt.each)
		row(t, "wrongly "+tt.wrong, name, wrong, runs, "≤ 5 %")
		if low, _ := stats.Wilson(float64(wrong), float64(runs), 0.99); low > 0.05 {
			t.Errorf("%s: %s in %d of %d runs", name, tt.wrong, wrong, runs)
		}
	}
}

// A percentile holds for latencies that depend on each other: slow seconds, in which a part
// of the requests is slow.
func TestCalibratePercentiles(t *testing.T) {
	runs := calibrationRuns(60, 1000)
	for number, tt := range []struct {
		gate          string
		seconds, each int
		slow, part    float64 // share of slow seconds, and of requests that are slow in them
		wrong         string
	}{
		{"p99 < 100ms", 120, 50, 1, .01, GatePassed},
		{"p99 < 100ms", 120, 50, 1, .01, GateFailed},
		{"p99 < 100ms", 120, 50, .1, .1, GatePassed},
		{"p99 < 100ms", 120, 50, .1, .1, GateFailed},
		{"p99 < 100ms", 300, 50, .05, .2, GatePassed},
		{"p99 < 100ms", 300, 50, .05, .2, GateFailed},
		{"p95 < 100ms", 120, 50, .25, .2, GatePassed},
		{"p95 < 100ms", 120, 50, .25, .2, GateFailed},
	} {
		g, err := expression.Parse(tt.gate)
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for seed := range uint64(runs) {
			rng := rand.New(rand.NewPCG(seed, uint64(40+number)))
			s := NewSeries(interval, []string{"orders"})
			for i := range int32(4 * tt.seconds) {
				slowSecond := rand.New(rand.NewPCG(seed, uint64(1000*number)+uint64(i/4))).Float64() < tt.slow
				n, late := uint64(tt.each), uint64(0)
				for range n {
					if slowSecond && rng.Float64() < tt.part {
						late++
					}
				}
				s.Add(attack.Window{
					Index: i, Scheduled: n, Sent: n, FromDue: attack.Histogram{{Value: 5000, Count: n - late}, {Value: 200_000, Count: late}},
					Cells: []attack.Cell{{DueWindow: i, Phase: attack.PhaseDone, Attempts: n, Requests: n}},
				})
			}
			if Judge([]profiles.Gate{g}, Judged{Series: s})[0].Result == tt.wrong {
				wrong++
			}
		}
		name := fmt.Sprintf("%s at the limit, %g %% of seconds in which %g %% are slow, %d s at %d/s", tt.gate, 100*tt.slow, 100*tt.part, tt.seconds, 4*tt.each)
		row(t, "wrongly "+tt.wrong, name, wrong, runs, "≤ 5 %")
		if low, _ := stats.Wilson(float64(wrong), float64(runs), 0.99); low > 0.05 {
			t.Errorf("%s: %s in %d of %d runs", name, tt.wrong, wrong, runs)
		}
	}
}

// What fails near the load that a gate names is not averaged away by lower loads.
func TestUpToJudgesTheTop(t *testing.T) {
	for _, top := range []struct{ from, share float64 }{{1450, .10}, {1400, .10}, {1300, .05}, {1485, 1}} {
		g, _ := expression.Parse("failures < 1% up to 1500/s")
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
	g, _ := expression.Parse("onset > 19/s")
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
	g, _ = expression.Parse("onset > 1900/s")
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
		g, err := expression.Parse(tt.gate)
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
		if need := int(Enough(g)); (tt.n >= need) != (got.Result == GatePassed) {
			t.Errorf("%s: %d are enough, and %d are %s", tt.gate, need, tt.n, got.Result)
		}
	}
}
