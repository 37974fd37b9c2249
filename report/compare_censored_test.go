package report

import (
	"math/rand/v2"
	"testing"
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
	flagged := 0
	for s := range uint64(runs) {
		rng := rand.New(rand.NewPCG(s, 21))
		at := func() float64 { return 1500 * (1 + 0.03*rng.NormFloat64()) }
		got := onsetOutcome(t, []*Report{censoredReport("a", at(), 2000)}, []*Report{censoredReport("a", at(), 2000)})
		if got == IndicativeRegression || got == IndicativeChange {
			flagged++
		}
	}
	row(t, "two runs of one release told apart", "one run a side, 3 % between runs", flagged, runs, "≤ 5 %")
	if flagged > runs*5/100 {
		t.Errorf("told apart in %d of %d", flagged, runs)
	}
}
