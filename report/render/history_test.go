package render

import (
	"bytes"
	"testing"
	"time"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/history"
	"github.com/rampload/rampload/report/render/layout"
	"github.com/rampload/rampload/report/render/releases"
)

// releases are runs of one profile: the third release resets sooner.
func runsOfReleases(t *testing.T) []history.History {
	t.Helper()
	var entries []history.Entry
	for i, x := range []struct {
		label      string
		onset, p99 float64
	}{{"v1.2.0", 1510, 80}, {"v1.2.0", 1498, 82}, {"v1.3.0", 1505, 79}, {"v1.4.0", 990, 84}, {"v1.4.0", 1004, 81}, {"v1.5.0", 0, 83}} {
		r := fdExhaustion()
		r.Label, r.Environment.GitCommit = x.label, "0123456789abcdef"
		r.Started = time.Date(2026, 5, 1+i, 9, 30, 0, 0, time.UTC)
		r.Targets[0].LatencyMS.P99 = ptr(x.p99)
		r.Targets[0].Onset.LoadRPS, r.Targets[0].Onset.LoadLowRPS, r.Targets[0].Onset.LoadHighRPS = ptr(x.onset), ptr(x.onset-15), ptr(x.onset+15)
		if x.onset == 0 {
			r.Targets[0].Onset, r.Targets[0].Crossing = report.Onset{Status: report.OnsetNone}, &report.Crossing{Share: 0.001}
			r.Findings = []report.Finding{{Verdict: "healthy"}}
		}
		entries = append(entries, history.Entry{File: x.label + ".json", Report: r})
	}
	all, err := history.Of(entries)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestHistoryGolden(t *testing.T) {
	for file, x := range map[string]struct {
		format string
		opt    layout.Options
	}{
		"history.80.txt":  {"table", layout.Options{Width: 80}},
		"history.120.txt": {"table", layout.Options{Width: 120}},
		"history.md":      {"md", layout.Options{}},
		"history.json":    {"json", layout.Options{}},
		"history.html":    {"html", layout.Options{Assets: assets()}},
	} {
		var b bytes.Buffer
		if err := releases.Write(&b, x.format, runsOfReleases(t), x.opt); err != nil {
			t.Fatal(err)
		}
		golden(t, file, b.Bytes())
	}
	if err := releases.Write(&bytes.Buffer{}, "pdf", nil, layout.Options{}); err == nil {
		t.Error("an unknown format is taken")
	}
}
