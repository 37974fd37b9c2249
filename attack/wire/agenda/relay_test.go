package agenda

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestRelay has some of many things wait: those behind them are done meanwhile, in order, by as
// few goroutines as there are that wait, and one.
func TestRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := make(chan struct{})
		var busy, most, done atomic.Int64
		var begun []int // one after the other
		r := NewRelay(func(what int, waits func()) {
			begun = append(begun, what)
			most.Store(max(most.Load(), busy.Add(1)))
			if what%4 == 3 {
				waits()
				waits()
				<-peer
			}
			busy.Add(-1)
			done.Add(1)
		})
		r.Add()
		r.Add(0, 1, 2, 3, 4, 5)
		r.Add(6, 7, 8, 9)
		synctest.Wait()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(begun, want) || done.Load() != 8 || most.Load() != 3 {
			t.Errorf("begun %v, %d of 10 done, %d at once", begun, done.Load(), most.Load())
		}
		r.Add(10)
		close(peer)
		r.Wait()
		if done.Load() != 11 {
			t.Errorf("%d of 11 done", done.Load())
		}
	})
}
