package diagnose_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

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

func TestLongRun(t *testing.T) {
	if f := diagnose.Analyze(long()).Findings[0]; f.Cause != "server-file-descriptors" {
		t.Errorf("%s %s", f.Verdict, f.Cause)
	}
}

func BenchmarkAnalyze(b *testing.B) {
	log := long()
	for b.Loop() {
		diagnose.Analyze(log)
	}
}
