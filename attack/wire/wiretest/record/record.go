// Package record collects what a client of a target reports, for tests.
package record

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
)

// Patience is how long a test waits for what has to come, on any machine.
const Patience = 20 * time.Second

// Recorder collects what a client reports, as a driver would. It is safe for concurrent
// use.
type Recorder struct {
	mu       sync.Mutex
	attempts []attack.Attempt
	idle     []attack.Attempt
	byConn   map[uint64]int
	resets   int
	changed  chan struct{}
}

// New returns an empty one.
func New() *Recorder {
	return &Recorder{byConn: make(map[uint64]int), changed: make(chan struct{}, 1)}
}

// OnIdle takes a report of a connection without an attempt.
func (r *Recorder) OnIdle(a attack.Attempt) { r.add(&r.idle, a) }

// Attempt takes an attempt that ended.
func (r *Recorder) Attempt(a attack.Attempt) { r.add(&r.attempts, a) }

func (r *Recorder) add(list *[]attack.Attempt, a attack.Attempt) {
	r.mu.Lock()
	*list = append(*list, a)
	if a.WireReset {
		r.resets++
		if a.Conn.ID != 0 {
			r.byConn[a.Conn.ID]++
		}
	}
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Idle returns the reports of connections without an attempt.
func (r *Recorder) Idle() []attack.Attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.idle)
}

// Attempts returns the attempts.
func (r *Recorder) Attempts() []attack.Attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.attempts)
}

// Resets returns how many RSTs were reported.
func (r *Recorder) Resets() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.resets
}

// Twice returns the connections of which more than one RST was reported.
func (r *Recorder) Twice() (ids []uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, n := range r.byConn {
		if n > 1 {
			ids = append(ids, id)
		}
	}
	return ids
}

// Changed returns a channel that tells of reports that have come.
func (r *Recorder) Changed() <-chan struct{} { return r.changed }

// Wait returns when there are n resets, or when patience ends.
func (r *Recorder) Wait(n func() int) {
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for r.Resets() != n() {
		select {
		case <-r.changed:
		case <-tick.C:
		case <-limit.C:
			return
		}
	}
}

// Faults counts attempts by fault and phase.
func Faults(of []attack.Attempt) map[string]int {
	out := make(map[string]int)
	for _, a := range of {
		out[fmt.Sprintf("%v/%v", a.Fault, a.Phase)]++
	}
	return out
}
