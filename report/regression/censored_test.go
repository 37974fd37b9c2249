package regression

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/report/compare"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/stats/calibration"
)

// none is a release without an onset up to what was sent.
func censoredReport(label string, onset, sent float64) *report.Report {
	r := release{label: label, runs: 1, onset: onset, p99: 1, cv: 0, seed: 1}.reports()[0]
	r.Totals.AchievedRPSMax = sent
	r.Generator.Limited = onset == 0
	return r
}

func onsetOutcome(t *testing.T, old, new []*report.Report) string {
	t.Helper()
	c, err := Compare(old, new, Options{})
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
		var found, low, high []*report.Report
		for i := range runs {
			d := float64(i) * 3
			found = append(found, censoredReport("a", 1900+d, 2000))
			low = append(low, censoredReport("b", 0, 1700+d))
			high = append(high, censoredReport("c", 0, 2600+d))
		}
		for _, tt := range []struct {
			name     string
			old, new []*report.Report
			want     []string
		}{
			{"ended below the onset", found, low, []string{compare.NotComparable}},
			{"mirrored", low, found, []string{compare.NotComparable}},
			{"none far above the onset", found, high, []string{compare.Improvement, compare.IndicativeChange}},
			{"none before", high, found, []string{compare.Regression, compare.IndicativeRegression}},
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
	runs := grid.Runs(200, 2000)
	r, ok := grid.Cell(t, "two runs of one release told apart", "one run a side, 3 % between runs", "≤ 5 %", runs, func(r *calibration.Row) {
		for s := range uint64(runs) {
			rng := rand.New(rand.NewPCG(s, 21))
			at := func() float64 { return 1500 * (1 + 0.03*rng.NormFloat64()) }
			got := onsetOutcome(t, []*report.Report{censoredReport("a", at(), 2000)}, []*report.Report{censoredReport("a", at(), 2000)})
			r.N++
			if got == compare.IndicativeRegression || got == compare.IndicativeChange {
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
	runs := grid.Runs(60, 1000)
	for number, size := range []float64{1, 5, 20, 50} {
		r, ok := grid.Cell(t, "two runs of one release told apart", fmt.Sprintf("one run a side, 1 %% of 12,000 requests fail in clusters of %g", size), "≤ 5 %", runs, func(r *calibration.Row) {
			for s := range uint64(runs) {
				rng := rand.New(rand.NewPCG(s, uint64(60+number)))
				c, err := Compare([]*report.Report{clusteredReport(rng, size)}, []*report.Report{clusteredReport(rng, size)}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				r.N++
				for _, m := range c.Metrics {
					if m.Metric == "failed share" && m.Outcome != compare.NoDifference {
						r.K++
					}
				}
			}
		})
		if ok && r.Beyond(0.05) {
			t.Errorf("clusters of %g: told apart in %d of %d", size, r.K, r.N)
		}
	}
}

// clusteredReport is a run at 200/s for a minute of which 1 % fail in clusters.
func clusteredReport(rng *rand.Rand, size float64) *report.Report {
	r := censoredReport("a", 0, 200)
	n, k := calibration.ClusteredHold(rng, 240, 50, 0.01, size)
	bin := report.LoadBin{LowRPS: 190, HighRPS: 210, Seconds: 60, AchievedRPS: 200}
	r.Windows = report.Windows{IntervalMS: 250, Columns: map[string][]*float64{}}
	for i := range n {
		failed, all := float64(k[i]), float64(n[i])
		r.Windows.Columns["orders/failures"] = append(r.Windows.Columns["orders/failures"], &failed)
		r.Windows.Columns["orders/requests"] = append(r.Windows.Columns["orders/requests"], &all)
		bin.Failed, bin.Requests, bin.Attempts = bin.Failed+uint64(k[i]), bin.Requests+uint64(n[i]), bin.Attempts+uint64(n[i])
	}
	r.Targets[0].ByLoad = []report.LoadBin{bin}
	return r
}
