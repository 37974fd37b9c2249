package schedule

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/profiles"
)

// ErrEnded says that a schedule takes no more stages.
var ErrEnded = errors.New("the schedule has ended")

// Growing is a schedule to which stages are added while it is carried out, by
// whoever learns from its beginning how it has to go on. It only ever grows:
// a request that was due stays due at that time, so one driver can carry it out
// from the first stage to the last. It takes ramps and holds.
//
// The zero value is an empty schedule. It is safe for concurrent use.
type Growing struct {
	now   atomic.Pointer[Schedule]
	ended atomic.Bool

	mu    sync.Mutex // of Extend and Finish
	grown chan struct{}
}

// Extend adds stages at the end. The caller adds them before their time comes:
// what is added late is due in the past. The error matches [ErrEnded] after
// Finish, or says which stage cannot be carried out; then nothing is added.
func (g *Growing) Extend(stages ...profiles.Stage) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended.Load() {
		return fmt.Errorf("extend schedule: %w", ErrEnded)
	}
	for _, s := range stages {
		if s.Kind != profiles.Ramp && s.Kind != profiles.Hold {
			return fmt.Errorf("extend schedule: a %s is neither ramp nor hold", s.Kind)
		}
	}
	next, err := g.schedule().extend(stages, 0, 0)
	if err != nil {
		return err
	}
	g.now.Store(next)
	g.notify()
	return nil
}

// Finish says that no stages follow: the load ends with the last.
func (g *Growing) Finish() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended.CompareAndSwap(false, true) {
		g.notify()
	}
}

func (g *Growing) notify() {
	if g.grown != nil {
		close(g.grown)
		g.grown = nil
	}
}

// Grown returns a channel that is closed at the next Extend or Finish.
func (g *Growing) Grown() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.grown == nil {
		g.grown = make(chan struct{})
	}
	return g.grown
}

// Final reports whether no stages follow.
func (g *Growing) Final() bool { return g.ended.Load() }

func (g *Growing) schedule() *Schedule {
	if s := g.now.Load(); s != nil {
		return s
	}
	return new(Schedule)
}

// Count returns how many requests are due in [0, t], as far as is known; see
// [Schedule.Count].
func (g *Growing) Count(t time.Duration) uint64 { return g.schedule().Count(t) }

// Total returns how many requests there are so far.
func (g *Growing) Total() uint64 { return g.schedule().Total() }

// Due returns when request n is due, and false when the schedule has no such
// request so far; see [Schedule.Due].
func (g *Growing) Due(n uint64) (time.Duration, bool) { return g.schedule().Due(n) }

// Rate returns the offered rate at t; see [Schedule.Rate].
func (g *Growing) Rate(t time.Duration) float64 { return g.schedule().Rate(t) }

// End returns the length of the schedule so far.
func (g *Growing) End() time.Duration { return g.schedule().End() }

// Conns returns false: a growing schedule holds no connections.
func (g *Growing) Conns(time.Duration) (int, bool) { return 0, false }
