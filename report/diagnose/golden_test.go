package diagnose_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

var update = flag.Bool("update", false, "rewrite the golden verdicts of recorded runs")

// verdict is what a recorded run must go on to show.
type verdict struct {
	Verdict  diagnose.Verdict `json:"verdict"`
	Cause    string           `json:"cause"`
	Host     string           `json:"host,omitempty"`
	Process  string           `json:"process,omitempty"`
	Resource string           `json:"resource,omitempty"`
	Onset    string           `json:"onset"`
	Fault    string           `json:"fault"`
	AtS      string           `json:"at_s,omitempty"`
	LoadRPS  string           `json:"load_rps,omitempty"`
	Limited  bool             `json:"generator_limited"`
}

// Recorded runs of real services are judged as they were: testdata/runs holds
// run logs (*.runlog or *.runlog.gz), and beside each the verdict.
func TestRecordedRuns(t *testing.T) {
	logs, err := filepath.Glob("testdata/runs/*.runlog*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range logs {
		if strings.HasSuffix(path, ".golden.json") {
			continue
		}
		n++
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".runlog")
		t.Run(name, func(t *testing.T) { recorded(t, path, filepath.Join("testdata/runs", name+".golden.json")) })
	}
	if n == 0 {
		t.Skip("no recorded runs in testdata/runs")
	}
}

func recorded(t *testing.T, path, golden string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log, err := runlog.Read(f)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	r := diagnose.Analyze(log)
	top := r.Findings[0]
	v := verdict{Verdict: top.Verdict, Cause: top.Cause, Host: top.Host, Process: top.Process, Resource: top.Resource, Limited: r.Generator.Limited}
	for _, target := range r.Targets {
		if target.Name == top.Target || v.Onset == "" {
			o := target.Onsets[0]
			v.Onset, v.Fault = string(o.Status), o.Fault.String()
			if o.Status == diagnose.Found {
				v.AtS, v.LoadRPS = fmt.Sprintf("%.2f", o.At.Value), fmt.Sprintf("%.0f", o.Load.Value)
			}
		}
	}
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v (make it with -update, and check it)", err)
	}
	if string(got) != string(want) {
		t.Errorf("verdict of %s changed\n got %s\nwant %s\n%s", path, got, want, top.Summary)
	}
}

// long is ten minutes of load with sixty series.
func long() *runlog.Log {
	w := newWorld(rand.New(rand.NewPCG(1, 1)))
	w.length, w.from, w.to = 600, 100, 400
	w.fail = func(r *request) {
		if w.rng.Float64() < excess(r.load, 300) {
			reset(r, attack.PhaseAwait)
		}
	}
	w.background()
	w.play()
	w.log.Failures = w.log.Failures[:min(len(w.log.Failures), 10000)]
	w.traced(serverHost, "TCP_ABORT_ON_CLOSE", "TCP_ESTABLISHED")
	w.series(serverHost, serverName, probe.OpenFiles, 256, func(t float64) float64 { return min(256, math.Round(256*w.loadAt(min(max(t, 0), 599))/300)) })
	w.complete()
	for i := range 60 - len(w.log.Series) {
		w.seriesOf(probe.Metric{Host: serverHost, Name: probe.CPUCore, Instance: fmt.Sprint("cpu", i)}, math.NaN(), func(t float64) float64 {
			return min(1, 0.5*w.loadAt(min(max(t, 0), 599))/400+0.1*w.rng.Float64())
		})
	}
	return w.log
}

func TestLongRunIsFast(t *testing.T) {
	log := long()
	best := time.Hour
	for range 3 {
		start := time.Now()
		r := diagnose.Analyze(log)
		best = min(best, time.Since(start))
		if f := r.Findings[0]; f.Cause != "server-file-descriptors" {
			t.Fatalf("%s %s", f.Verdict, f.Cause)
		}
	}
	t.Logf("ten minutes, %d series: %v", len(log.Series), best)
	if best > 2*time.Second {
		t.Errorf("analysis of ten minutes took %v, want well under a second", best)
	}
}

func BenchmarkAnalyze(b *testing.B) {
	log := long()
	for b.Loop() {
		diagnose.Analyze(log)
	}
}
