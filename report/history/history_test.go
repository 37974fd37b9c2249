package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/report"
)

// run is a report of one run with an onset at a load; 0: none up to 2,000/s.
func run(i int, label string, onset float64) Entry {
	r := &report.Report{
		Name: "peak", Label: label, Started: time.Date(2026, 5, 1, 9, i, 0, 0, time.UTC), Complete: true,
		Profile: report.Profile{Fingerprint: "f", Engine: "direct"},
		Totals:  report.Totals{OfferedRPSMax: 2000},
		Targets: []report.Target{{
			Name: "orders", Totals: report.Totals{Requests: 1000, Failed: 10, WireResets: 10}, LatencyMS: report.Latency{P99: new(80.0)},
			Onset: report.Onset{Status: report.OnsetNone},
		}},
		Findings:  []report.Finding{{Verdict: "healthy"}},
		Resources: []report.Resource{{Host: "db", Name: "cpu", Kind: "utilisation", Utilisation: new(0.6)}, {Host: "local", Name: "cpu", Kind: "utilisation", Utilisation: new(0.9)}},
	}
	if onset > 0 {
		r.Targets[0].Onset = report.Onset{Status: report.OnsetFound, Fault: "reset", LoadRPS: new(onset), LoadLowRPS: new(onset - 10), LoadHighRPS: new(onset + 10)}
		r.Findings = []report.Finding{{Verdict: "explains", Cause: "server-threads"}}
	}
	return Entry{File: fmt.Sprintf("r%d.json", i), Report: r}
}

func TestChangeIsFoundWithItsRelease(t *testing.T) {
	var entries []Entry
	for i, x := range []struct {
		label string
		onset float64
	}{{"v1", 1500}, {"v1", 1510}, {"v1", 1490}, {"v2", 1505}, {"v3", 1000}, {"v3", 1010}, {"v4", 1002}} {
		entries = append(entries, run(i, x.label, x.onset))
	}
	entries[2], entries[5] = entries[5], entries[2] // any order
	all, err := Of(entries)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || len(all[0].Runs) != 7 {
		t.Fatalf("%+v", all)
	}
	h := all[0]
	if len(h.Changes) != 1 {
		t.Fatalf("changes: %+v", h.Changes)
	}
	if c := h.Changes[0]; c.At != 4 || c.Label != "v3" || c.Metric != "onset load" || !c.Worse || *c.Old < 1490 || *c.New > 1010 {
		t.Errorf("change: %+v", c)
	}
	if r := h.Runs[0]; r.Nearest != "db/cpu" || *r.Headroom < 0.39 || r.Cause != "server-threads" || *r.Targets[0].Onset.RPS != 1500 {
		t.Errorf("run: %+v", r)
	}
}

func TestNoOnsetIsABound(t *testing.T) {
	all, err := Of([]Entry{run(0, "", 0), run(1, "", 0)})
	if err != nil {
		t.Fatal(err)
	}
	if l := all[0].Runs[0].Targets[0].Onset; !l.AtLeast || *l.RPS != 2000 {
		t.Errorf("onset: %+v", l)
	}
	if len(all[0].Changes) != 0 {
		t.Errorf("changes of nothing: %+v", all[0].Changes)
	}
}

func TestProfilesAreKeptApart(t *testing.T) {
	other := run(5, "", 0)
	other.Report.Profile.Fingerprint = "g"
	engine := run(3, "", 0)
	engine.Report.Profile.Engine = "vegeta"
	all, err := Of([]Entry{run(0, "", 0), other, engine})
	if err != nil || len(all) != 3 || all[0].Fingerprint != "g" {
		t.Errorf("%v: %+v", err, all)
	}
}

func TestMost(t *testing.T) {
	if got := most([]string{"a", "b", "b"}) + most(nil) + most([]string{"a", "b"}); !strings.HasPrefix(got, "bnone") {
		t.Error(got)
	}
}
