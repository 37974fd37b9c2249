package main_test

import (
	"math/rand/v2"
	"os"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rogpeppe/go-internal/testscript"
)

// leak FILE writes the run log of half an hour at 500/s in which the open files of the
// serving process, and the share of requests that are reset, climb from beginning to end.
func leak(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: leak FILE")
	}
	const lasts, interval = 30 * time.Minute, 250 * time.Millisecond
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer file.Close()
	w, err := runlog.NewWriter(file, runlog.Header{
		Name: "soak", Profile: "targets: [{name: orders, url: 'http://orders-1:8080', hosts: [orders-1]}]\nhosts: [{name: orders-1}]\nload: [{at: 500/s, for: 30m}]\n", Interval: interval, Started: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Targets: []runlog.Target{{Name: "orders", URL: "http://orders-1:8080", Hosts: []string{"orders-1"}, Share: 1}},
		Hosts:   []runlog.Host{{Name: "local"}, {Name: "orders-1"}},
		Stages:  []runlog.Stage{{Text: "500/s", Kind: "hold", End: lasts, From: 500, To: 500}},
	})
	ts.Check(err)
	files := probe.Metric{Host: "orders-1", Process: "orders", PID: 7, Name: probe.OpenFiles}
	memory := probe.Metric{Host: "orders-1", Process: "orders", PID: 7, Name: probe.RSS}
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range int32(lasts / interval) {
		at := time.Duration(i) * interval
		done := at.Seconds() / lasts.Seconds()
		failed := uint64(0)
		for range 125 {
			if rng.Float64() < 0.01*done {
				failed++
			}
		}
		w.Window(attack.Window{Index: i, Scheduled: 125, Sent: 125, Cells: []attack.Cell{
			{DueWindow: i, Phase: attack.PhaseDone, Reused: true, Attempts: 125 - failed, Requests: 125 - failed},
			{DueWindow: i, Fault: attack.Reset, Phase: attack.PhaseAwait, Reused: true, Attempts: failed, Requests: failed, WireResets: failed},
		}})
		w.Samples([]probe.Sample{
			{At: at, Reading: probe.Reading{Metric: files, Value: 100 + 700*done + 20*rng.Float64(), Limit: 1024}},
			{At: at, Reading: probe.Reading{Metric: memory, Value: 200e6 + 1e6*rng.Float64(), Limit: 1e9}},
		})
	}
	ts.Check(w.Close(runlog.Trailer{Ended: lasts}))
}
