package comparison

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-golden +got):\n%s", name, diff)
	}
}

func ptr(v float64) *float64 { return &v }

// resetting is a run whose target resets from 740 requests a second on.
func resetting() *report.Report {
	return &report.Report{Targets: []report.Target{{Name: "payments", Onset: report.Onset{Status: report.OnsetFound, LoadRPS: ptr(740)}}}}
}

func comparisons() map[string]report.Comparison {
	regressed := report.Comparison{
		Schema: 1, Name: "peak", Old: report.Side{Labels: []string{"v1.4.1"}, Runs: 6}, New: report.Side{Labels: []string{"v1.4.2"}, Runs: 6},
		Metrics: []report.MetricComparison{
			{Target: "payments", Metric: "onset load", Unit: "rps", Primary: true, HigherBetter: true, Relative: true, Old: ptr(1510), New: ptr(1320), OldRuns: 6, NewRuns: 6, Shift: ptr(-0.126), ShiftLow: ptr(-0.131), ShiftHigh: ptr(-0.119), P: ptr(0.0065), Outcome: report.Regression},
			{Target: "payments", Metric: "goodput", Unit: "rps", Primary: true, HigherBetter: true, Relative: true, Old: ptr(1850), New: ptr(1846), OldRuns: 6, NewRuns: 6, Shift: ptr(-0.002), ShiftLow: ptr(-0.011), ShiftHigh: ptr(0.008), P: ptr(0.82), Outcome: report.Equivalent},
			{Target: "payments", Metric: "p99", Unit: "ms", Primary: true, Relative: true, Old: ptr(21.4), New: ptr(22.6), OldRuns: 6, NewRuns: 6, Shift: ptr(0.056), ShiftLow: ptr(-0.02), ShiftHigh: ptr(0.13), P: ptr(0.18), Outcome: report.Inconclusive, NeedRuns: 14, Note: "geometric mean over the shared loads below 1,320/s"},
			{Target: "payments", Metric: "reset share", Unit: "ratio", Old: ptr(0.025), New: ptr(0.061), OldRuns: 6, NewRuns: 6, Shift: ptr(0.036), ShiftLow: ptr(0.031), ShiftHigh: ptr(0.04), P: ptr(0.0043), Outcome: report.Regression},
			{Metric: "headroom open-files", Unit: "ratio", HigherBetter: true, Old: ptr(0.2), New: ptr(0), OldRuns: 6, NewRuns: 6, Shift: ptr(-0.2), ShiftLow: ptr(-0.21), ShiftHigh: ptr(-0.19), P: ptr(0.0043), Outcome: report.Regression, Note: "on payments-1"},
			{Metric: "headroom cpu", Unit: "ratio", HigherBetter: true, Old: ptr(0.4), New: ptr(0.4), OldRuns: 6, NewRuns: 6, Shift: ptr(0), ShiftLow: ptr(-0.01), ShiftHigh: ptr(0.01), P: ptr(0.9), Outcome: report.Equivalent, Note: "on payments-1"},
		},
		OldFull:  []string{"none", "none", "none", "none", "none", "none"},
		NewFull:  []string{"open-files on payments-1 at 1,318/s", "open-files on payments-1 at 1,318/s", "none", "none", "none", "none"},
		OldCause: []string{"server-cpu-shedding", "server-cpu-shedding"}, NewCause: []string{"server-file-descriptors", "server-file-descriptors"},
		Summary: "regressed: payments onset load, payments reset share, headroom open-files", Warnings: []string{}, ExitCode: 1,
	}
	indicative := report.Comparison{
		Schema: 1, Name: "peak", Old: report.Side{Labels: []string{}, Runs: 1}, New: report.Side{Labels: []string{"v1.4.2"}, Runs: 1}, Indicative: true,
		Metrics: []report.MetricComparison{
			{Target: "payments", Metric: "onset load", Unit: "rps", Primary: true, HigherBetter: true, Relative: true, Old: ptr(1995), New: ptr(1320), OldAtLeast: true, OldRuns: 1, NewRuns: 1, Shift: ptr(-0.338), Outcome: report.IndicativeRegression},
			{Target: "payments", Metric: "p99", Unit: "ms", Primary: true, Relative: true, OldRuns: 1, Outcome: report.NotComparable},
		},
		OldFull: []string{"none"}, NewFull: []string{"none"}, OldCause: []string{"healthy"}, NewCause: []string{"unexplained"},
		Summary:  "indicative regression, not proven: payments onset load",
		Warnings: []string{"indicative only: 1 and 1 runs; a proof needs 5 of each release, taken in turns (old, new, new, old)"},
	}
	unchanged := regressed
	unchanged.Metrics = regressed.Metrics[1:2]
	unchanged.Summary, unchanged.ExitCode, unchanged.NewFull, unchanged.NewCause = "no regression", 0, regressed.OldFull, regressed.OldCause
	return map[string]report.Comparison{"regressed": regressed, "indicative": indicative, "unchanged": unchanged}
}

func TestCompareGolden(t *testing.T) {
	for name, c := range comparisons() {
		for _, f := range []struct {
			file, format string
			width        int
		}{{".80.txt", "table", 80}, {".120.txt", "table", 120}, {".md", "md", 0}, {".json", "json", 0}} {
			var b bytes.Buffer
			if err := Write(&b, f.format, c, Compared{}, layout.Options{Width: f.width}); err != nil {
				t.Fatal(err)
			}
			golden(t, name+f.file, b.Bytes())
			if f.format == "json" {
				var back report.Comparison
				if err := json.Unmarshal(b.Bytes(), &back); err != nil || back.Summary != c.Summary {
					t.Errorf("%s: JSON does not come back: %v", name, err)
				}
			}
		}
	}
}

// The page lays the runs of both sides over each other, and hostile names stay text.
func TestComparisonPage(t *testing.T) {
	v1, v2 := resetting(), resetting()
	v1.Label, v2.Label = "v1", `</script><b>v2`
	bins := func(failed uint64) []report.LoadBin {
		return []report.LoadBin{
			{LowRPS: 0, HighRPS: 500, Requests: 100, P99MS: ptr(9)},
			{LowRPS: 500, HighRPS: 1000, Requests: 100, Failed: failed, P99MS: ptr(12)},
		}
	}
	v1.Targets[0].ByLoad, v2.Targets[0].ByLoad = bins(0), bins(7)
	var b bytes.Buffer
	c := report.Comparison{Old: report.Side{Runs: 1, Labels: []string{"v1"}}, New: report.Side{Runs: 1, Labels: []string{v2.Label}}, Summary: "regressed: x"}
	assets := layout.Assets{UPlotJS: []byte("/* charts */"), UPlotCSS: []byte("/* style */")}
	if err := HTML(&b, c, Compared{Old: []*report.Report{v1}, New: []*report.Report{v2}}, assets); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"failed requests, %", "p99 of successes, ms", `"values":[0,7]`, `"values":[0,0]`, "/* charts */", `"onset":`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "</script><b>") {
		t.Error("a label ends the page's script")
	}
}
