package runlog

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// longRun writes a run of so many windows that is folded from a time on, and returns the
// log up to its end or, torn, without it.
func longRun(tb testing.TB, from time.Duration, windows int, torn bool) []byte {
	tb.Helper()
	const interval = 250 * time.Millisecond
	var file bytes.Buffer
	w, err := NewWriter(&file, Header{RunID: "1", Interval: interval, Targets: []Target{{Name: "a"}, {Name: "b"}}})
	if err != nil {
		tb.Fatal(err)
	}
	w.spans.from = from
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range windows {
		for target := range 2 {
			if target == 1 && i%40 > 30 {
				continue // it rests
			}
			w.Window(attack.Window{
				Target: uint16(target), Index: int32(i), Scheduled: 10, Sent: 10, Unsent: uint64(rng.IntN(2)), Open: int64(i), Dials: uint64(rng.IntN(3)),
				IdleConnSeconds: float64(rng.IntN(8)) / 4, Wanted: int64(i % 9), Undialled: int64(i % 5), Unawaited: uint64(rng.IntN(2)), LookupFailures: uint64(rng.IntN(2)),
				FailuresDropped: uint64(rng.IntN(2)),
				Cells: []attack.Cell{
					{DueWindow: int32(i), Remote: 1, Phase: attack.PhaseDone, Attempts: 9, Requests: 9},
					{DueWindow: int32(max(0, i-rng.IntN(3))), Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: 1, Requests: 1, WireResets: uint64(rng.IntN(2))},
				},
				Statuses: []attack.StatusCount{{Status: 200, Count: 8}, {Status: uint16(500 + rng.IntN(4)), Count: 1}},
				Requests: []attack.RequestCount{{Endpoint: uint32(rng.IntN(3)), Attempts: 5, Failed: 1, Sent: 50, Received: 60}, {Endpoint: 4, Attempts: 5}},
				FromDue:  attack.Histogram{{Value: 5000, Count: 5}, {Value: int64(6000 + rng.IntN(99)), Count: 4}},
				Served:   attack.Histogram{{Value: int64(rng.IntN(300)), Count: 4}},
			})
		}
		at := time.Duration(i) * interval
		samples := make([]probe.Sample, 5)
		for k := range samples {
			samples[k] = probe.Sample{At: at, Reading: probe.Reading{Metric: probe.Metric{Host: "local", Name: probe.OpenFiles, Instance: fmt.Sprint(k)}, Value: float64(rng.IntN(40)), Limit: 1024}}
		}
		w.Samples(samples[:2+rng.IntN(4)])
	}
	if torn {
		w.Flush()
		return file.Bytes()[:file.Len()-3]
	}
	if err := w.Close(Trailer{Ended: time.Duration(windows) * interval}); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

// readBounded reads a log of which little is kept.
func readBounded(tb testing.TB, file []byte, bytesKept int64, samplesKept int) *Log {
	tb.Helper()
	log, err := readFolded(bytes.NewReader(file), &fold{mostBytes: bytesKept, mostSamples: samplesKept})
	if err != nil {
		tb.Fatal(err)
	}
	log.sort()
	return log
}

// A log that was folded while it was written reads as if every window and every reading of
// it had been decoded, whether it has its end or not and whatever is kept of it.
func TestSpansStandForWhatTheyAddUp(t *testing.T) {
	const never = time.Duration(1 << 62)
	for _, torn := range []bool{false, true} {
		for _, tt := range []struct {
			from    time.Duration
			windows int
			bytes   int64
			samples int
		}{
			{0, 5000, 64 << 10, 800},
			{0, 5000, 1 << 20, 1 << 20},
			{0, 5000, 16 << 20, 800}, // windows stay whole
			{0, 5000, 2 << 20, 4000},
			{111 * time.Second, 5000, 64 << 10, 800},
			{1100 * time.Second, 5000, 64 << 10, 800},
		} {
			plain := longRun(t, never, tt.windows, torn)
			spanned := longRun(t, tt.from, tt.windows, torn)
			want, got := readBounded(t, plain, tt.bytes, tt.samples), readBounded(t, spanned, tt.bytes, tt.samples)
			if len(spanned) < len(plain)+len(plain)/50 && tt.from < time.Second {
				t.Errorf("%+v: nothing was folded", tt)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, torn %v: another log", tt, torn)
				for target := range want.Windows {
					if !reflect.DeepEqual(got.Windows[target], want.Windows[target]) {
						t.Errorf("%d windows of %d, want %d", len(got.Windows[target]), target, len(want.Windows[target]))
					}
				}
			}
		}
	}
}

// What a folded record stands for is not looked at, which is what makes reading cheap.
func TestSpansSpareTheRest(t *testing.T) {
	want := readBounded(t, longRun(t, 1<<62, 5000, false), 64<<10, 800)
	var file bytes.Buffer
	records, err := NewReader(bytes.NewReader(longRun(t, 0, 5000, false)))
	if err != nil {
		t.Fatal(err)
	}
	file.WriteString(magic)
	for seen := 0; ; {
		r, err := records.Next()
		if err != nil {
			break
		}
		if r.kind() == frameWindow || r.kind() == frameSamples {
			if seen++; seen > 8000 && seen < 11_000 {
				r = r[:3] // of no use but for its target
			}
		}
		file.Write(appendFrame(nil, r.kind(), r[1:]))
	}
	if got := readBounded(t, file.Bytes(), 64<<10, 800); !reflect.DeepEqual(got, want) {
		t.Errorf("truncated %v: another log", got.Truncated)
	}
}

// Folded records that do not add up what stands before them are not used: the windows are.
func TestSpansOfOthersAreNotUsed(t *testing.T) {
	spanned := longRun(t, 0, 3000, false)
	// A window of each span, and readings, that nobody added up: the log was put together anew.
	var file bytes.Buffer
	records, err := NewReader(bytes.NewReader(spanned))
	if err != nil {
		t.Fatal(err)
	}
	file.WriteString(magic)
	windows, before := 0, 0
	for {
		r, err := records.Next()
		if err != nil {
			break
		}
		if r.kind() == frameWindow {
			if windows++; windows%20 == 0 {
				continue
			}
			before++
		}
		file.Write(appendFrame(nil, r.kind(), r[1:]))
	}
	got := readBounded(t, file.Bytes(), 64<<10, 800)
	sent := 0
	for _, list := range got.Windows {
		for _, w := range list {
			sent += int(w.Sent)
		}
	}
	if sent != 10*before {
		t.Errorf("%d requests, want those of the %d windows that are there", sent/10, before)
	}
}

// BenchmarkWriter shows what folding adds to writing a window and 10 readings.
func BenchmarkWriter(b *testing.B) {
	for _, from := range []time.Duration{0, 1 << 62} {
		name := "folded"
		if from > 0 {
			name = "plain"
		}
		b.Run(name, func(b *testing.B) {
			w, err := NewWriter(io.Discard, Header{RunID: "1", Interval: 250 * time.Millisecond, Targets: []Target{{Name: "a"}}})
			if err != nil {
				b.Fatal(err)
			}
			w.spans.from = from
			var h attack.Histogram
			for v := range int64(40) {
				h = append(h, attack.Bucket{Value: 5000 + 100*v, Count: 3})
			}
			samples := make([]probe.Sample, 10)
			for k := range samples {
				samples[k].Reading = probe.Reading{Metric: probe.Metric{Host: "local", Name: probe.OpenFiles, Instance: fmt.Sprint(k)}, Value: float64(k), Limit: 1024}
			}
			i := int32(0)
			b.ReportAllocs()
			for b.Loop() {
				i++
				w.Window(attack.Window{
					Index: i, Scheduled: 120, Sent: 120, FromDue: h, FromSend: h, IdleAge: h[:10], Served: h[:20],
					Lag: h[:5], Statuses: []attack.StatusCount{{Status: 200, Count: 120}}, Cells: []attack.Cell{{DueWindow: i, Phase: attack.PhaseDone, Attempts: 120, Requests: 120}},
				})
				for k := range samples {
					samples[k].At = time.Duration(i) * 250 * time.Millisecond
				}
				w.Samples(samples)
			}
		})
	}
}
