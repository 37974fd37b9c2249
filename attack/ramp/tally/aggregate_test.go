package tally

import (
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles/redaction"
)

const window = 250 * time.Millisecond

func success(end time.Duration) *attack.Attempt {
	return &attack.Attempt{
		Last: true, Due: end - time.Millisecond, Start: end - 900*time.Microsecond, End: end,
		Status: 200, Phase: attack.PhaseDone,
		Conn: attack.Conn{ID: 1, Reused: true, Served: 3, Idle: time.Second, RemoteIndex: 1},
	}
}

func TestAggregatorAllocatesNothing(t *testing.T) {
	a := New(Config{Targets: 2, Shards: 4, Failures: 10, Interval: window})
	ok, failed := success(time.Second), success(time.Second)
	failed.Fault, failed.Phase = attack.Reset, attack.PhaseAwait
	request := func() {
		a.Begin(1, 0, ok.Due, ok.Start, false)
		a.End(1, ok)
		a.Begin(1, 0, ok.Due, ok.Start, true)
		a.End(1, failed)
		a.Unsent(1, 0, ok.End)
		a.Retry(1, 0, ok.End)
	}
	for range 20 { // the kinds of outcome, and the failures that are kept
		request()
	}
	if n := testing.AllocsPerRun(1000, request); n != 0 {
		t.Errorf("%v allocations for a request", n)
	}
}

// still is a load that sends nothing by a schedule.
type still struct{}

func (still) Now() time.Duration                       { return 0 }
func (still) Scheduled(int32, func(uint16))            {}
func (still) Stats(time.Duration) []attack.ClientStats { return noStats() }
func (still) Following(int) (int64, bool)              { return 0, false }

func noStats() []attack.ClientStats { return make([]attack.ClientStats, 1) }

type record struct {
	windows  []attack.Window
	failures []attack.Failure
}

func (r *record) Address(attack.Address)   {}
func (r *record) Window(w attack.Window)   { r.windows = append(r.windows, w) }
func (r *record) Failure(f attack.Failure) { r.failures = append(r.failures, f) }

// newTestCollector returns a collector that is called by hand.
func newTestCollector(shards, failures int) (*Aggregator, *Collector, *record) {
	a := New(Config{Targets: 1, Shards: shards, Failures: failures, Interval: window})
	return a, NewCollector(a, still{}, 0, redaction.Redactor{}, nil), &record{}
}

func (c *Collector) flush(rec *record) {
	done := make(chan struct{})
	close(done)
	c.Deliver(rec, done)
}

// The windows that are not collected in time keep what is theirs.
func TestLateCollector(t *testing.T) {
	a, c, rec := newTestCollector(1, 10)
	for w := range 9 {
		for range w + 1 {
			a.End(0, success(time.Duration(w)*window+time.Millisecond))
		}
	}
	a.End(0, success(2*window)) // late as well
	c.Finish(noStats(), a.Latest())
	c.flush(rec)
	if len(rec.windows) != 9 {
		t.Fatalf("%d windows, want 9", len(rec.windows))
	}
	for w, win := range rec.windows {
		want := uint64(w + 1)
		if w == 2 {
			want++
		}
		if got := win.FromDue.Total(); got != want {
			t.Errorf("window %d has %d attempts, want %d", w, got, want)
		}
	}
}

// What arrives after its window was collected counts in the next.
func TestLateAttempt(t *testing.T) {
	a, c, rec := newTestCollector(2, 10)
	a.End(0, success(time.Millisecond))
	c.collect(noStats())
	a.End(0, success(2*time.Millisecond))
	a.End(0, success(window))
	c.Finish(noStats(), a.Latest())
	c.flush(rec)
	if len(rec.windows) != 2 || rec.windows[0].FromDue.Total() != 1 || rec.windows[1].FromDue.Total() != 2 {
		t.Errorf("windows %+v", rec.windows)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	a, c, rec := newTestCollector(4, 10)
	for i := range 50 {
		f := success(time.Duration(50-i) * time.Millisecond)
		f.Fault, f.Request = attack.Reset, uint64(i)
		a.End(uint32(i), f)
	}
	c.Finish(noStats(), a.Latest())
	c.flush(rec)
	w := rec.windows[0]
	if len(rec.failures) != 10 || w.FailuresDropped != 40 || w.Cells[0].Attempts != 50 {
		t.Errorf("%d failures, %d dropped, %d counted", len(rec.failures), w.FailuresDropped, w.Cells[0].Attempts)
	}
	for i := 1; i < len(rec.failures); i++ {
		if rec.failures[i].End < rec.failures[i-1].End {
			t.Error("failures are not in order of time")
		}
	}
}

// The buckets are those that the library itself tells, only without the empty
// ones.
func TestSparseHistogram(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	for _, highest := range []int64{maxLatency, maxIdleAge, maxServed} {
		h := hdrhistogram.New(1, highest, 2)
		var own histograms
		record := func(v int64) {
			if err := h.RecordValue(v); err != nil {
				t.Fatal(err)
			}
			own.record(&own.fromDue, v, highest)
		}
		for _, v := range []int64{0, 1, 127, 128, 255, 256, 257, 511, 512, highest} {
			record(v)
		}
		for range 1000 {
			record(int64(math.Exp(random.Float64() * math.Log(float64(highest)))))
		}
		var want attack.Histogram
		for _, bar := range h.Distribution() {
			if bar.Count > 0 {
				want = append(want, attack.Bucket{Value: bar.To, Count: uint64(bar.Count)})
			}
		}
		if got := own.fromDue.sparse(); !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		var sum histograms
		sum.merge(&own)
		sum.merge(&own)
		for i := range want {
			want[i].Count *= 2
		}
		if got := sum.fromDue.sparse(); !slices.Equal(got, want) {
			t.Errorf("merged twice: got  %v\nwant %v", got, want)
		}
		if sum.clear(); sum.fromDue.sparse() != nil {
			t.Error("not emptied")
		}
	}
}

// Cells are found again whether they are few or many.
func TestManyKindsOfOutcome(t *testing.T) {
	var tl tally
	for range 2 {
		for range 3 {
			for remote := range uint16(5 * fewCells) {
				tl.cell(cellKey{remote: remote}).Attempts++
			}
		}
		if len(tl.cells) != 5*fewCells {
			t.Fatalf("%d cells", len(tl.cells))
		}
		for _, c := range tl.cells {
			if c.Attempts != 3 {
				t.Errorf("remote %d: %d attempts", c.Remote, c.Attempts)
			}
		}
		tl.clear()
	}
}

// Many goroutines count while windows are collected: nothing is lost or counted
// twice. Run with -race.
func TestConcurrentCounting(t *testing.T) {
	const each = 20_000
	a, c, rec := newTestCollector(4, 10)
	start := time.Now()
	var wg sync.WaitGroup
	writers := 2 * runtime.GOMAXPROCS(0)
	for id := range uint32(writers) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(id), 0))
			for range each {
				now := time.Since(start) * 100 // windows of 2.5 ms
				at := success(now)
				at.Fault = attack.Fault(random.IntN(3))
				a.Begin(id, 0, now, now, false)
				a.End(id, at)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			if time.Since(start)*100 > time.Duration(c.next+1)*window {
				c.collect(noStats())
			}
			runtime.Gosched()
		}
	}
	c.Finish(noStats(), a.Latest())
	c.flush(rec)
	var sent, ended, lags, latencies, ok uint64
	for _, w := range rec.windows {
		sent += w.Sent
		lags += w.Lag.Total()
		latencies += w.FromDue.Total()
		for _, cell := range w.Cells {
			ended += cell.Attempts
			if cell.Fault == attack.None {
				ok += cell.Attempts
			}
		}
	}
	want := uint64(writers * each)
	if sent != want || ended != want || lags != want || latencies != ok {
		t.Errorf("%d sent, %d ended, %d lags, %d latencies of %d; want %d", sent, ended, lags, latencies, ok, want)
	}
}

func BenchmarkAggregator(b *testing.B) {
	a := New(Config{Targets: 1, Shards: 2 * runtime.GOMAXPROCS(0), Failures: 1000, Interval: window})
	at := success(time.Second)
	b.ReportAllocs()
	for b.Loop() {
		a.Begin(1, 0, at.Due, at.Start, false)
		a.End(1, at)
	}
}

func BenchmarkCollector(b *testing.B) {
	a, c, rec := newTestCollector(4, 1000)
	random := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		for i := range uint32(1000) {
			at := success(time.Duration(c.next)*window + 50*time.Millisecond)
			at.End = at.Start + time.Duration(random.ExpFloat64()*float64(time.Millisecond))
			a.End(i, at)
		}
		c.collect(noStats())
		c.flush(rec)
		*rec = record{}
	}
}

// A held connection that came to nothing is a request that failed, held against
// the window in which its dial began; what ends at rest otherwise is none, nor is
// a connection that was closed properly.
func TestUnwelcomeConnectionsAreFailures(t *testing.T) {
	a, c, rec := newTestCollector(1, 10)
	end := a.interval + time.Millisecond
	for _, at := range []attack.Attempt{
		{Due: end, End: end, Fault: attack.EOF, Phase: attack.PhaseDial, Held: true, Conn: attack.Conn{ID: 1}},
		{Due: end, End: end, Fault: attack.EOF, Phase: attack.PhaseIdle, Conn: attack.Conn{ID: 2, Reused: true, Served: 4}},
		{Due: end, End: end, Fault: attack.Refused, Phase: attack.PhaseDial, Held: true},
		{Due: time.Millisecond, End: end, Fault: attack.Timeout, Phase: attack.PhaseDial, Held: true},
		{Due: end, End: end, Fault: attack.Reset, Phase: attack.PhaseDial, Held: true, WireReset: true, Conn: attack.Conn{ID: 3}},
		{Due: end, End: end, Fault: attack.Reset, Phase: attack.PhaseIdle, WireReset: true, Conn: attack.Conn{ID: 4}},
	} {
		a.Idle(&at)
	}
	c.Finish(noStats(), a.Latest())
	c.flush(rec)
	got := map[attack.Cell]bool{}
	for _, cell := range rec.windows[1].Cells {
		got[cell] = true
	}
	want := map[attack.Cell]bool{
		{DueWindow: 1, Fault: attack.EOF, Phase: attack.PhaseDial, Held: true, Attempts: 1, Requests: 1}:                  true,
		{DueWindow: 1, Fault: attack.Refused, Phase: attack.PhaseDial, Held: true, Attempts: 1, Requests: 1}:              true,
		{DueWindow: 0, Fault: attack.Timeout, Phase: attack.PhaseDial, Held: true, Attempts: 1, Requests: 1}:              true,
		{DueWindow: 1, Fault: attack.Reset, Phase: attack.PhaseDial, Held: true, Attempts: 1, Requests: 1, WireResets: 1}: true,
		{DueWindow: 1, Fault: attack.Reset, Phase: attack.PhaseIdle, WireResets: 1}:                                       true,
	}
	if !maps.Equal(got, want) {
		t.Errorf("cells %+v, want %+v", got, want)
	}
	if w := rec.windows[1]; w.Sent != 0 || w.Scheduled != 0 || w.InFlight != 0 {
		t.Errorf("%d sent, %d scheduled, %d in flight; nothing was", w.Sent, w.Scheduled, w.InFlight)
	}
	if len(rec.failures) != 5 || !rec.failures[0].Held {
		t.Errorf("%d failures kept, want 5: %+v", len(rec.failures), rec.failures)
	}
}

// An address that refused while its request went on to another is an attempt, and no
// request.
func TestAggregatorCountsAddressesTried(t *testing.T) {
	a := New(Config{Targets: 1, Shards: 1, Failures: 10, Interval: window})
	a.Idle(&attack.Attempt{Fault: attack.Refused, Phase: attack.PhaseDial, Conn: attack.Conn{RemoteIndex: 1}})
	a.Idle(&attack.Attempt{Fault: attack.Refused, Phase: attack.PhaseDial, Held: true, Conn: attack.Conn{RemoteIndex: 1}})
	var attempts, requests uint64
	for _, p := range a.shards[0].open {
		if p.tallies[0] == nil {
			continue
		}
		for _, c := range p.tallies[0].cells {
			attempts += c.Attempts
			requests += c.Requests
		}
	}
	if attempts != 2 || requests != 1 {
		t.Errorf("%d attempts, %d requests, want 2 and 1", attempts, requests)
	}
}
