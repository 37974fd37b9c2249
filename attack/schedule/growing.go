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

// Growing is a schedule that changes while it is carried out: stages are added, by
// whoever learns from its beginning how it has to go on, or what is still to come is
// changed by hand. What is due by the time of a change stays due, with its number
// and its time, so one driver can carry it out from the first stage to the last.
//
// The zero value is an empty schedule that grows by ramps and holds. It is safe for
// concurrent use.
type Growing struct {
	now   atomic.Pointer[Schedule]
	ended atomic.Bool

	seed          uint64
	perConnection float64

	mu    sync.Mutex // of Extend, Change and Finish
	grown chan struct{}
}

// NewChangeable returns a schedule of stages that is final, but can be changed by
// [Growing.Change]. Its arguments and its error are those of [New].
func NewChangeable(stages []profiles.Stage, seed uint64, perConnection float64) (*Growing, error) {
	s, err := New(stages, seed, perConnection)
	if err != nil {
		return nil, err
	}
	g := &Growing{seed: seed, perConnection: perConnection}
	g.now.Store(s)
	g.ended.Store(true)
	return g, nil
}

// ErrOver says that a change comes too late.
var ErrOver = errors.New("the load is over")

// Change replaces all that is due from at on by stages; without any the load ends
// at at. The caller keeps at ahead of the time at which the schedule is carried out:
// requests that were sent already stay sent. The error matches [ErrOver] when the
// schedule ends by at, or says which stage cannot be carried out; then nothing is
// changed.
func (g *Growing) Change(at time.Duration, stages ...profiles.Stage) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.schedule()
	if at <= 0 || at >= now.End() {
		return fmt.Errorf("change schedule: %w", ErrOver)
	}
	next, err := now.until(at).extend(stages, g.seed, g.perConnection)
	if err != nil {
		return fmt.Errorf("change schedule: %w", err)
	}
	g.now.Store(next)
	g.notify()
	return nil
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
		switch s.(type) {
		case profiles.Ramp, profiles.Hold:
		case nil:
			return fmt.Errorf("extend schedule: there is no stage")
		default:
			return fmt.Errorf("extend schedule: a %s is neither ramp nor hold", s.Kind())
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

// Grown returns a channel that is closed at the next Extend, Change or Finish.
func (g *Growing) Grown() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.grown == nil {
		g.grown = make(chan struct{})
	}
	return g.grown
}

// Final reports whether no stages follow, unless the schedule is changed.
func (g *Growing) Final() bool { return g.ended.Load() }

// Now returns the schedule as it is now. It is another one after each change.
func (g *Growing) Now() *Schedule { return g.schedule() }

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

// Conns returns how many connections are to be held at t; see [Schedule.Conns].
func (g *Growing) Conns(t time.Duration) (int, bool) { return g.schedule().Conns(t) }

// ConnsAfter returns when that changes next, as far as is known; see
// [Schedule.ConnsAfter].
func (g *Growing) ConnsAfter(t time.Duration) (time.Duration, bool) {
	return g.schedule().ConnsAfter(t)
}

// MaxAt reports whether a closed-loop stage is on at t; see [Schedule.MaxAt].
func (g *Growing) MaxAt(t time.Duration) (end time.Duration, on bool) { return g.schedule().MaxAt(t) }

// MaxAfter returns the first closed-loop stage that ends after t; see
// [Schedule.MaxAfter].
func (g *Growing) MaxAfter(t time.Duration) (index int, start, end time.Duration, ok bool) {
	return g.schedule().MaxAfter(t)
}
