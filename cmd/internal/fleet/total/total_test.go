package total

import (
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/attack"
)

// watching is a sink that adds up what the live view shows.
type watching struct {
	scheduled, sent, unsent uint64
	windows                 int32
	each                    func(index int32)
}

func (w *watching) Address(attack.Address) {}
func (w *watching) Failure(attack.Failure) {}
func (w *watching) Window(v attack.Window) {
	w.scheduled, w.sent, w.unsent, w.windows = w.scheduled+v.Scheduled, w.sent+v.Sent, w.unsent+v.Unsent, v.Index+1
	if w.each != nil {
		w.each(v.Index)
	}
}

// However the windows of the slices come, and whichever worker is lost, the live view
// is their sum, in order, with each window once.
func TestMergedIsTheSum(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		slices, targets, windows := 1+r.IntN(5), 1+r.IntN(3), int32(1+r.IntN(20))
		m := New(slices, targets)
		got := &watching{}
		last := int32(-1)
		got.each = func(index int32) {
			if index != last && index != last+1 {
				t.Fatalf("window %d after %d", index, last)
			}
			last = index
		}
		if r.IntN(2) == 0 {
			m.Follow(got)
		}
		next := make([]int32, slices)
		lostAt := make([]int32, slices) // -1: not lost
		for i := range lostAt {
			lostAt[i] = -1
			if slices > 1 && i == 0 && r.IntN(2) == 0 {
				lostAt[i] = int32(r.IntN(int(windows)))
			}
		}
		var due, sent uint64
		window := func(slice int, index int32, target int) attack.Window {
			n := uint64(slice + 1 + target)
			return attack.Window{Target: uint16(target), Index: index, Scheduled: n, Sent: n, InFlight: 1}
		}
		for left := slices; left > 0; {
			i := r.IntN(slices)
			switch {
			case next[i] > windows:
				continue
			case next[i] == windows:
				m.Finish(i)
				left--
			case next[i] == lostAt[i]:
				// A part of the window came, then nothing: two windows are nobody's.
				for target := range r.IntN(targets) {
					m.Add(i, window(i, next[i], target))
				}
				from, _ := m.Cut(i)
				if from != next[i] {
					t.Fatalf("seed %d: cut at %d, want %d", seed, from, next[i])
				}
				to := min(from+2, windows)
				var missed [][]uint64
				for index := from; index < to; index++ {
					var row []uint64
					for target := range targets {
						n := window(i, index, target).Scheduled
						row, due = append(row, n), due+n
					}
					missed = append(missed, row)
				}
				m.Gap(i, from, missed, false)
				next[i] = to
				continue
			default:
				for target := range targets {
					w := window(i, next[i], target)
					due, sent = due+w.Scheduled, sent+w.Sent
					m.Add(i, w)
				}
			}
			next[i]++
		}
		m.Follow(got)
		select {
		case <-m.Over():
		default:
			t.Fatalf("seed %d: it is not over", seed)
		}
		// What was cut had been sent by a worker whose record of it did not come.
		if got.scheduled != due || got.sent != sent || got.sent+got.unsent != due || got.windows != windows {
			t.Fatalf("seed %d: %+v, want %d due and %d sent in %d windows", seed, got, due, sent, windows)
		}
	}
}

// The live view does not wait for ever for a slice that is slow, and takes it up again.
func TestSlowIsLeftBehind(t *testing.T) {
	m := New(2, 1)
	got := &watching{}
	m.Follow(got)
	for i := range int32(20) {
		m.Add(0, attack.Window{Index: i, Scheduled: 1, Sent: 1})
	}
	if left := m.LeaveBehind(12); len(left) != 1 || left[0] != 1 || got.windows != 20 {
		t.Errorf("left %v behind, %d windows", left, got.windows)
	}
	if left := m.LeaveBehind(12); len(left) != 0 {
		t.Errorf("left twice: %v", left)
	}
	for i := range int32(21) {
		m.Add(1, attack.Window{Index: i, Scheduled: 1, Sent: 1})
	}
	m.Add(0, attack.Window{Index: 20, Scheduled: 1, Sent: 1})
	if got.windows != 21 || got.scheduled != 22 {
		t.Errorf("%+v after it came back", got)
	}
}

// BenchmarkMerge adds up one window of 200 workers.
func BenchmarkMerge(b *testing.B) {
	const workers = 200
	w := attack.Window{Scheduled: 1000, Sent: 1000}
	for i := range 120 {
		w.FromDue = append(w.FromDue, attack.Bucket{Value: int64(100 * (i + 1)), Count: 8})
	}
	for i := range 6 {
		w.Cells = append(w.Cells, attack.Cell{Fault: attack.Fault(i), Attempts: 10, Requests: 10})
	}
	w.FromSend, w.Lag = w.FromDue, w.FromDue
	m := New(workers, 1)
	m.Follow(&watching{})
	for i := range b.N {
		for slice := range workers {
			one := w
			one.Index, one.Cells = int32(i), append([]attack.Cell(nil), w.Cells...)
			m.Add(slice, one)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/window")
}
