package runlog_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

var (
	openFiles = probe.Metric{Host: "local", Process: "payments", PID: 7, Name: probe.OpenFiles}
	load1     = probe.Metric{Host: "local", Name: probe.Load1}
	addr      = netip.MustParseAddrPort("127.0.0.1:8080")
)

func header() runlog.Header {
	return runlog.Header{
		RunID: "00112233aabbccdd", Name: "peak", Started: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Interval: 250 * time.Millisecond,
		Targets:  []runlog.Target{{Name: "orders", URL: "http://127.0.0.1:8080", Share: 1, ListenPort: 8080}},
	}
}

// write records a small run and returns its bytes and the length before the
// last window.
func write(t *testing.T, trailer bool) (log []byte, beforeLast int) {
	t.Helper()
	var buf bytes.Buffer
	w, err := runlog.NewWriter(&buf, header())
	if err != nil {
		t.Fatal(err)
	}
	w.Address(attack.Address{Target: 0, Index: 1, Addr: addr})
	w.Samples([]probe.Sample{
		{At: -time.Second, Reading: probe.Reading{Metric: openFiles, Value: 12, Limit: 64}},
		{At: -time.Second, Reading: probe.Reading{Metric: load1, Value: 0.5, Limit: math.NaN()}},
	})
	w.Window(attack.Window{Index: 0, Scheduled: 10, Sent: 10})
	w.Event(probe.Event{Kind: probe.ProcessExit, At: 300 * time.Millisecond, Host: "local"})
	w.Event(probe.Event{Kind: probe.RSTSent, At: 200 * time.Millisecond, Host: "local", Reason: "TCP_STATE"})
	w.Failure(attack.Failure{Attempt: attack.Attempt{Request: 3, End: 310 * time.Millisecond, Fault: attack.Reset}})
	w.Samples([]probe.Sample{{At: time.Second, Reading: probe.Reading{Metric: openFiles, Value: 64, Limit: 64}}})
	beforeLast = buf.Len()
	w.Window(attack.Window{
		Index: 1, Scheduled: 12, Sent: 11, Unsent: 1,
		Cells: []attack.Cell{{DueWindow: 1, Remote: 1, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: 1, Requests: 1, WireResets: 1}},
	})
	if trailer {
		if err := w.Close(runlog.Trailer{Ended: time.Second, Sources: []probe.Status{
			{Source: probe.Source{Host: "local", Name: "host"}, State: probe.Measured, Reads: 2},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Err(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), beforeLast
}

func read(t *testing.T, data []byte) *runlog.Log {
	t.Helper()
	log, err := runlog.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func TestRoundTrip(t *testing.T) {
	data, _ := write(t, true)
	log := read(t, data)
	want := header()
	want.Schema = runlog.Schema
	if diff := cmp.Diff(want, log.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if log.Trailer == nil || log.Trailer.Ended != time.Second || log.Truncated {
		t.Errorf("trailer %+v, truncated %v", log.Trailer, log.Truncated)
	}
	if n := len(log.Windows[0]); n != 2 {
		t.Fatalf("%d windows, want 2", n)
	}
	if got := log.Windows[0][1].Cells[0]; got.WireResets != 1 || got.Fault != attack.Reset {
		t.Errorf("cell %+v", got)
	}
	if len(log.Failures) != 1 || log.Failures[0].Request != 3 {
		t.Errorf("failures %+v", log.Failures)
	}
	wantSeries := []runlog.Series{
		{Metric: openFiles, At: []time.Duration{-time.Second, time.Second}, Value: []float64{12, 64}, Limit: []float64{64, 64}},
		{Metric: load1, At: []time.Duration{-time.Second}, Value: []float64{0.5}, Limit: []float64{math.NaN()}},
	}
	if diff := cmp.Diff(wantSeries, log.Series, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	if len(log.Events) != 2 || log.Events[0].Kind != probe.RSTSent {
		t.Errorf("events are not in order of time: %+v", log.Events)
	}
	if got := log.Addresses; len(got) != 1 || got[0].Addr != addr {
		t.Errorf("addresses %+v", got)
	}
}

// A step is written when it begins and when it is over; a crash between leaves the
// beginning.
func TestStepsAndIdleSweeps(t *testing.T) {
	var buf bytes.Buffer
	w, err := runlog.NewWriter(&buf, header())
	if err != nil {
		t.Fatal(err)
	}
	first := attack.Step{Number: 1, Load: 100.5, Start: 0, Hold: time.Second, End: 11 * time.Second, Drained: 12 * time.Second}
	begun := first
	begun.End, begun.Drained = 0, 0
	second := attack.Step{Number: 2, Load: 201, Start: 20 * time.Second, Hold: 21 * time.Second}
	idle := attack.IdleSweep{
		From: time.Second, To: time.Minute, End: "closed", Alive: 4 * time.Second, Gone: 5 * time.Second,
		Tries: []attack.IdleTry{{Planned: 8 * time.Second, Lasted: 5 * time.Second, End: "closed"}},
	}
	w.Step(begun)
	w.Window(attack.Window{Index: 0})
	w.Step(first)
	w.Step(second)
	w.IdleSweep(idle)
	log := read(t, buf.Bytes())
	if diff := cmp.Diff([]attack.Step{first, second}, log.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]attack.IdleSweep{idle}, log.Idle); diff != "" {
		t.Errorf("idle sweeps (-want +got):\n%s", diff)
	}
	w.IdleSweep(attack.IdleSweep{Target: 1}) // there is one target
	if log := read(t, buf.Bytes()); !log.Truncated || len(log.Idle) != 1 {
		t.Errorf("a sweep of no target was read: %+v", log.Idle)
	}
}

func TestHandsAreKept(t *testing.T) {
	var buf bytes.Buffer
	w, err := runlog.NewWriter(&buf, header())
	if err != nil {
		t.Fatal(err)
	}
	hands := []runlog.Hand{
		{At: time.Second, Action: "hold", By: "terminal", Stages: []runlog.Stage{{Kind: "hold", Start: time.Second, End: time.Hour, From: 40, To: 40}}},
		{At: 2 * time.Second, Action: "scale", Factor: 1.5, By: "terminal", Stages: []runlog.Stage{}},
	}
	for _, h := range hands {
		w.Hand(h)
	}
	log := read(t, buf.Bytes())
	if diff := cmp.Diff(hands, log.Hands); diff != "" {
		t.Errorf("hands (-want +got):\n%s", diff)
	}
}

func TestReadCompressed(t *testing.T) {
	data, _ := write(t, true)
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if !runlog.IsRunLog(buf.Bytes()) || !runlog.IsRunLog(data) || runlog.IsRunLog([]byte(`{"schema": 1}`)) {
		t.Error("IsRunLog is wrong")
	}
	if log := read(t, buf.Bytes()); len(log.Windows[0]) != 2 || log.Trailer == nil {
		t.Errorf("compressed log lost records: %+v", log)
	}
}

// A crash may cut the log at any byte: what stood before the cut survives.
func TestCutAnywhere(t *testing.T) {
	data, beforeLast := write(t, false)
	whole := read(t, data)
	if whole.Trailer != nil || whole.Truncated {
		t.Errorf("a log without an end: trailer %v, truncated %v", whole.Trailer, whole.Truncated)
	}
	for cut := range data {
		log, err := runlog.Read(bytes.NewReader(data[:cut]))
		if err != nil {
			if !errors.Is(err, runlog.ErrNotRunLog) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		if cut >= beforeLast && len(log.Windows[0]) != 1 {
			t.Fatalf("cut at %d lost more than the last window", cut)
		}
	}
}

func TestDamage(t *testing.T) {
	data, beforeLast := write(t, true)
	for _, at := range []int{beforeLast, beforeLast + 1, beforeLast + 5, len(data) - 1} {
		damaged := bytes.Clone(data)
		damaged[at] ^= 0x40
		log := read(t, damaged)
		if !log.Truncated || len(log.Windows[0]) == 0 {
			t.Errorf("damage at %d: truncated %v, %d windows", at, log.Truncated, len(log.Windows[0]))
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, data := range []string{"", "{}", "rampload-runlog 9\n", "rampload-runlog 1\n", "rampload-runlog 1\nX"} {
		if _, err := runlog.Read(strings.NewReader(data)); !errors.Is(err, runlog.ErrNotRunLog) {
			t.Errorf("%q: %v, want ErrNotRunLog", data, err)
		}
	}
	data, _ := write(t, true)
	newer := bytes.Replace(data, []byte(`{"schema":1,`), []byte(`{"schema":2,`), 1)
	if _, err := runlog.Read(bytes.NewReader(newer)); !errors.Is(err, runlog.ErrNotRunLog) {
		t.Errorf("a damaged header: %v", err)
	}
}

type fullDisk struct{ left int }

var errFull = errors.New("no space left")

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.left {
		return 0, errFull
	}
	d.left -= len(p)
	return len(p), nil
}

func TestFullDisk(t *testing.T) {
	w, err := runlog.NewWriter(&fullDisk{left: 2000}, header())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		w.Window(attack.Window{Index: int32(i)})
	}
	if err := w.Close(runlog.Trailer{}); !errors.Is(err, errFull) {
		t.Errorf("close: %v, want the disk's error", err)
	}
}

func FuzzRead(f *testing.F) {
	var t testing.T
	data, _ := write(&t, true)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := runlog.Read(bytes.NewReader(data))
		if (log == nil) == (err == nil) {
			t.Errorf("log %v, error %v", log, err)
		}
	})
}
