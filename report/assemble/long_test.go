package assemble_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/assemble"
	"github.com/rampload/rampload/report/runlog"
)

// soak is a long run at a constant load: the share of failures of the first target steps
// up at two thirds of it.
type soak struct {
	hours           float64
	targets, series int
	perWindow       uint64 // requests of a target
}

// write writes the run log of a soak.
func (s soak) write(w io.Writer) error {
	const interval = 250 * time.Millisecond
	length := time.Duration(s.hours * float64(time.Hour))
	load := float64(s.perWindow) * float64(s.targets) / interval.Seconds()
	h := runlog.Header{
		Schema: runlog.Schema, RunID: "0123456789abcdef", Name: "soak", Started: time.Unix(1e9, 0).UTC(), Interval: interval, CPUs: 4,
		Fingerprint: "v1:0",
		Stages:      []runlog.Stage{{Kind: "hold", End: length, From: load, To: load}},
		Generator:   runlog.Generator{Engine: "vegeta", Connections: 256, MaxInFlight: 10_000, Timeout: 5 * time.Second},
		Hosts:       []runlog.Host{{Name: "local"}, {Name: "orders-1"}},
	}
	profile := fmt.Sprintf("name: soak\nload: [{at: %g/s, for: %s}]\ntargets:\n", load, length)
	for t := range s.targets {
		profile += fmt.Sprintf("  - {name: orders-%d, url: http://127.0.0.1:1}\n", t)
	}
	h.Profile = profile
	for t := range s.targets {
		h.Targets = append(h.Targets, runlog.Target{Name: fmt.Sprint("orders-", t), URL: "http://127.0.0.1:1", Hosts: []string{"orders-1"}, Share: 1 / float64(s.targets)})
	}
	log, err := runlog.NewWriter(w, h)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	windows := int(length / interval)
	// Latencies of some windows, which come again and again.
	var latencies [16]attack.Histogram
	for i := range latencies {
		counts := map[int64]uint64{}
		for range s.perWindow {
			v := int64(5000 * math.Exp(0.3*rng.NormFloat64()))
			counts[v-v%100]++
		}
		for v := int64(0); v < 30_000; v += 100 {
			if counts[v] > 0 {
				latencies[i] = append(latencies[i], attack.Bucket{Value: v, Count: counts[v]})
			}
		}
	}
	samples := make([]probe.Sample, s.series)
	for i := range samples {
		m := probe.Metric{Host: "orders-1", Name: probe.CPUCore, Instance: fmt.Sprint("cpu", i)}
		if i%4 == 0 {
			m = probe.Metric{Host: "orders-1", Process: fmt.Sprint("worker-", i), PID: int32(100 + i), Name: probe.OpenFiles}
		}
		samples[i].Metric, samples[i].Limit = m, 1
		if i%4 == 0 {
			samples[i].Limit = 1024
		}
	}
	for i := range windows {
		index := int32(i)
		for t := range s.targets {
			var failed uint64
			share := 1e-5
			if t == 0 && i >= windows*2/3 {
				share = 0.01
			}
			for range s.perWindow {
				if rng.Float64() < share {
					failed++
				}
			}
			l := latencies[(i+t)%len(latencies)]
			win := attack.Window{
				Target: uint16(t), Index: index, Scheduled: s.perWindow, Sent: s.perWindow, Open: 40, InFlight: 2, FromDue: l, FromSend: l,
				Lag:      attack.Histogram{{Value: 50, Count: s.perWindow}},
				IdleAge:  attack.Histogram{{Value: 100, Count: s.perWindow - failed}},
				Served:   attack.Histogram{{Value: int64(i%90 + 1), Count: s.perWindow - failed}},
				Statuses: []attack.StatusCount{{Status: 200, Count: s.perWindow - failed}},
				Cells: []attack.Cell{
					{DueWindow: index, Remote: 1, Phase: attack.PhaseDone, Reused: true, Attempts: s.perWindow - failed, Requests: s.perWindow - failed},
				},
			}
			if failed > 0 {
				win.Cells = append(win.Cells, attack.Cell{DueWindow: index, Remote: 1, Fault: attack.Reset, Phase: attack.PhaseAwait, Reused: true, Attempts: failed, Requests: failed, WireResets: failed})
			}
			log.Window(win)
		}
		at := time.Duration(i+1) * interval
		for k := range samples {
			samples[k].At = at
			if k%4 == 0 {
				samples[k].Value = float64(200 + rng.IntN(40))
			} else {
				samples[k].Value = float64(rng.IntN(60)) / 100
			}
		}
		log.Samples(samples)
	}
	return log.Close(runlog.Trailer{Ended: length})
}

// peak runs f and returns the most memory that the process had from the system meanwhile,
// less what it gave back.
func peak(f func()) uint64 {
	names := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	read := func() uint64 {
		metrics.Read(names)
		return names[0].Value.Uint64() - names[1].Value.Uint64()
	}
	runtime.GC()
	most, over := read(), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				most = max(most, read())
			}
		}
	})
	f()
	close(over)
	wg.Wait()
	return most
}

func reportOf(tb testing.TB, path string) *report.Report {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	log, err := runlog.Read(f)
	if err != nil {
		tb.Fatal(err)
	}
	gate, err := profiles.ParseGate("failures < 1%")
	if err != nil {
		tb.Fatal(err)
	}
	r, err := assemble.Build(log, assemble.Options{Gates: []profiles.Gate{gate}})
	if err != nil {
		tb.Fatal(err)
	}
	if err := r.Write(io.Discard); err != nil {
		tb.Fatal(err)
	}
	return r
}

func (s soak) file(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "soak.runlog")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	if err := s.write(out); err != nil {
		tb.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// A run that is too long to be kept as it was recorded is folded while it is read, and
// nothing of what it counted is lost.
func TestLongRunIsFolded(t *testing.T) {
	if os.Getenv("RAMPLOAD_BENCH_LONG") == "" {
		t.Skip("takes seconds of a core: make bench-report runs it")
	}
	s := soak{hours: 0.75, targets: 14, series: 12, perWindow: 12}
	path := s.file(t)
	var r *report.Report
	most := peak(func() { r = reportOf(t, path) })
	requests := uint64(s.hours*3600*4) * s.perWindow * uint64(s.targets)
	if r.Totals.Requests != requests || r.Totals.Attempts != requests {
		t.Errorf("%d requests, want %d", r.Totals.Requests, requests)
	}
	o := r.Targets[0].Onset
	if o.Status != report.OnsetFound || o.AtS == nil || math.Abs(*o.AtS-1800) > 10 {
		t.Errorf("the step at half an hour: %+v", o)
	}
	for _, target := range r.Targets[1:] {
		if target.Onset.Status == report.OnsetFound {
			t.Errorf("%s: %+v", target.Name, target.Onset)
		}
	}
	if !strings.Contains(strings.Join(r.Warnings, " "), "windows of") {
		t.Errorf("nothing says that the log was folded: %v", r.Warnings)
	}
	if most > 500<<20 {
		t.Errorf("%d MB", most>>20)
	}
}

// The whole report of a log with 20 targets and 200 series, at 4 windows a second: at most
// 10 s of a core and 500 MB for 24 hours. RAMPLOAD_BENCH_LONG=1 adds 24 hours, whose log
// is of more than 1 GB.
func BenchmarkReport(b *testing.B) {
	hours := []float64{1, 4}
	if os.Getenv("RAMPLOAD_BENCH_LONG") != "" {
		hours = append(hours, 24)
	}
	for _, h := range hours {
		b.Run(fmt.Sprintf("%gh", h), func(b *testing.B) {
			path := soak{hours: h, targets: 20, series: 200, perWindow: 12}.file(b)
			if info, err := os.Stat(path); err == nil {
				b.ReportMetric(float64(info.Size())/1e6, "MB-of-log")
			}
			defer debug.SetGCPercent(debug.SetGCPercent(30)) // as rampload report does
			b.ResetTimer()
			var most uint64
			before := processorTime()
			for b.Loop() {
				most = max(most, peak(func() { reportOf(b, path) }))
			}
			b.ReportMetric((processorTime()-before).Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(most)/1e6, "MB-peak")
		})
	}
}
