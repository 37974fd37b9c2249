package report

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/report/stats/calibration"
)

// none is a release without an onset up to what was sent.
func censoredReport(label string, onset, sent float64) *Report {
	r := release{label: label, runs: 1, onset: onset, p99: 1, cv: 0, seed: 1}.reports()[0]
	r.Totals.AchievedRPSMax = sent
	r.Generator.Limited = onset == 0
	return r
}

func onsetOutcome(t *testing.T, old, new []*Report) string {
	t.Helper()
	c, err := Compare(old, new, CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Metrics {
		if m.Metric == "onset load" {
			return m.Outcome
		}
	}
	return ""
}

// No onset up to a load where the generator ended says nothing about onsets beyond it.
func TestCompareCensored(t *testing.T) {
	for _, runs := range []int{1, 5} {
		var found, low, high []*Report
		for i := range runs {
			d := float64(i) * 3
			found = append(found, censoredReport("a", 1900+d, 2000))
			low = append(low, censoredReport("b", 0, 1700+d))
			high = append(high, censoredReport("c", 0, 2600+d))
		}
		for _, tt := range []struct {
			name     string
			old, new []*Report
			want     []string
		}{
			{"ended below the onset", found, low, []string{NotComparable}},
			{"mirrored", low, found, []string{NotComparable}},
			{"none far above the onset", found, high, []string{Improvement, IndicativeChange}},
			{"none before", high, found, []string{Regression, IndicativeRegression}},
		} {
			got := onsetOutcome(t, tt.old, tt.new)
			if got != tt.want[0] && got != tt.want[len(tt.want)-1] {
				t.Errorf("%s, %d runs a side: %s, want one of %v", tt.name, runs, got, tt.want)
			}
		}
	}
}

// Two runs of one release, which differ by 3 % by themselves, are seldom told apart.
func TestCompareOneRunEach(t *testing.T) {
	runs := calibrationRuns(200, 2000)
	r, ok := cell(t, "two runs of one release told apart", "one run a side, 3 % between runs", "≤ 5 %", runs, func(r *calibration.Row) {
		for s := range uint64(runs) {
			rng := rand.New(rand.NewPCG(s, 21))
			at := func() float64 { return 1500 * (1 + 0.03*rng.NormFloat64()) }
			got := onsetOutcome(t, []*Report{censoredReport("a", at(), 2000)}, []*Report{censoredReport("a", at(), 2000)})
			r.N++
			if got == IndicativeRegression || got == IndicativeChange {
				r.K++
			}
		}
	})
	if ok && r.K > r.N*5/100 {
		t.Errorf("told apart in %d of %d", r.K, r.N)
	}
}

// So are two runs whose failures come in clusters.
func TestCompareOneRunEachInClusters(t *testing.T) {
	runs := calibrationRuns(60, 1000)
	for number, size := range []float64{1, 5, 20, 50} {
		r, ok := cell(t, "two runs of one release told apart", fmt.Sprintf("one run a side, 1 %% of 12,000 requests fail in clusters of %g", size), "≤ 5 %", runs, func(r *calibration.Row) {
			for s := range uint64(runs) {
				rng := rand.New(rand.NewPCG(s, uint64(60+number)))
				c, err := Compare([]*Report{clusteredReport(rng, size)}, []*Report{clusteredReport(rng, size)}, CompareOptions{})
				if err != nil {
					t.Fatal(err)
				}
				r.N++
				for _, m := range c.Metrics {
					if m.Metric == "failed share" && m.Outcome != NoDifference {
						r.K++
					}
				}
			}
		})
		if ok && beyond(r, 0.05) {
			t.Errorf("clusters of %g: told apart in %d of %d", size, r.K, r.N)
		}
	}
}

// clusteredReport is a run at 200/s for a minute of which 1 % fail in clusters.
func clusteredReport(rng *rand.Rand, size float64) *Report {
	r := censoredReport("a", 0, 200)
	n, k := clusteredHold(rng, 240, 50, 0.01, size)
	bin := LoadBin{LowRPS: 190, HighRPS: 210, Seconds: 60, AchievedRPS: 200}
	r.Windows = Windows{IntervalMS: 250, Columns: map[string][]*float64{}}
	for i := range n {
		failed, all := float64(k[i]), float64(n[i])
		r.Windows.Columns["orders/failures"] = append(r.Windows.Columns["orders/failures"], &failed)
		r.Windows.Columns["orders/requests"] = append(r.Windows.Columns["orders/requests"], &all)
		bin.Failed, bin.Requests, bin.Attempts = bin.Failed+uint64(k[i]), bin.Requests+uint64(n[i]), bin.Attempts+uint64(n[i])
	}
	r.Targets[0].ByLoad = []LoadBin{bin}
	return r
}
