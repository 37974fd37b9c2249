package runlog

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// A log with more than is kept is folded, and nothing of what it counted is lost.
func TestLongLogsAreFolded(t *testing.T) {
	const windows, targets = 1000, 2
	var file bytes.Buffer
	w, err := NewWriter(&file, Header{Schema: Schema, RunID: "1", Interval: 250 * time.Millisecond, Targets: []Target{{Name: "a"}, {Name: "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	metric := probe.Metric{Host: "local", Name: probe.OpenFiles}
	for i := range windows {
		for target := range targets {
			cells := []attack.Cell{{DueWindow: int32(i), Phase: attack.PhaseDone, Attempts: 9, Requests: 9}}
			if i%7 == 0 {
				cells = append(cells, attack.Cell{DueWindow: int32(max(0, i-1)), Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: 1, Requests: 1, WireResets: 1})
			}
			w.Window(attack.Window{
				Target: uint16(target), Index: int32(i), Scheduled: 10, Sent: 10, Open: int64(i), Cells: cells,
				FromDue:  attack.Histogram{{Value: 5000, Count: 5}, {Value: int64(6000 + i%3), Count: 4}},
				Statuses: []attack.StatusCount{{Status: 200, Count: 9}},
			})
		}
		value := float64(i % 50)
		if i == 777 {
			value = 1024 // the limit, once
		}
		w.Samples([]probe.Sample{{At: time.Duration(i) * 250 * time.Millisecond, Reading: probe.Reading{Metric: metric, Value: value, Limit: 1024}}})
	}
	if err := w.Close(Trailer{Ended: windows * 250 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	log, err := readFolded(bytes.NewReader(file.Bytes()), &fold{mostBytes: 64 << 10, mostSamples: 300})
	if err != nil {
		t.Fatal(err)
	}
	log.sort()
	folds := log.Header.Interval / (250 * time.Millisecond)
	if !log.Folded || folds < 2 || folds&(folds-1) != 0 {
		t.Fatalf("folded %v to %v", log.Folded, log.Header.Interval)
	}
	for target, list := range log.Windows {
		if want := (windows + int(folds) - 1) / int(folds); len(list) != want {
			t.Errorf("%d windows, want %d", len(list), want)
		}
		var sent, requests, resets, statuses, due uint64
		for i, w := range list {
			if int(w.Index) != i || int(w.Target) != target {
				t.Fatalf("window %d of target %d stands at %d of %d", w.Index, w.Target, i, target)
			}
			sent += w.Sent
			due += w.FromDue.Total()
			for k, b := range w.FromDue {
				if k > 0 && b.Value <= w.FromDue[k-1].Value {
					t.Fatalf("latencies out of order: %v", w.FromDue)
				}
			}
			for _, s := range w.Statuses {
				statuses += s.Count
			}
			for _, c := range w.Cells {
				requests, resets = requests+c.Requests, resets+c.WireResets
				if c.DueWindow > w.Index || c.DueWindow < w.Index-1 {
					t.Errorf("due in %d, ended in %d", c.DueWindow, w.Index)
				}
			}
		}
		if failed := uint64((windows + 6) / 7); sent != 10*windows || requests != 9*windows+failed || resets != failed || statuses != 9*windows || due != 9*windows {
			t.Errorf("target %d: sent %d, requests %d, resets %d, statuses %d, latencies %d", target, sent, requests, resets, statuses, due)
		}
		if last := list[len(list)-1]; last.Open != windows-1 {
			t.Errorf("%d open at the end", last.Open)
		}
	}
	s := log.Series[0]
	most, ascending := 0.0, true
	for i := range s.At {
		most = math.Max(most, s.Value[i])
		ascending = ascending && (i == 0 || s.At[i] > s.At[i-1])
	}
	if n := len(s.At); n > 300 || n < 50 || most != 1024 || !ascending || s.At[n-1] != (windows-1)*250*time.Millisecond {
		t.Errorf("%d samples up to %v, the last at %v, ascending %v", n, most, s.At[n-1], ascending)
	}
}

// A histogram is added to another in place, with the values that it lacks.
func TestAddHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	draw := func() attack.Histogram {
		var h attack.Histogram
		for v := range int64(12) {
			if rng.IntN(3) == 0 {
				h = append(h, attack.Bucket{Value: v, Count: 1 + rng.Uint64N(5)})
			}
		}
		return h
	}
	for range 2000 {
		a, b := draw(), draw()
		want := slices.Clone(a).Merge(b)
		if got := addHistogram(slices.Clone(a), b); !slices.Equal(got, want) {
			t.Fatalf("%v and %v: %v, want %v", a, b, got, want)
		}
	}
}
