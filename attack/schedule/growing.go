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
func (growing *Growing) Change(at time.Duration, stages ...profiles.Stage) error {
	growing.mu.Lock()
	defer growing.mu.Unlock()
	now := growing.schedule()
	if at <= 0 || at >= now.End() {
		return fmt.Errorf("change schedule: %w", ErrOver)
	}
	next, err := now.until(at).extend(stages, growing.seed, growing.perConnection)
	if err != nil {
		return fmt.Errorf("change schedule: %w", err)
	}
	growing.now.Store(next)
	growing.notify()
	return nil
}

// Extend adds stages at the end. The caller adds them before their time comes:
// what is added late is due in the past. The error matches [ErrEnded] after
// Finish, or says which stage cannot be carried out; then nothing is added.
func (growing *Growing) Extend(stages ...profiles.Stage) error {
	growing.mu.Lock()
	defer growing.mu.Unlock()
	if growing.ended.Load() {
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
	next, err := growing.schedule().extend(stages, 0, 0)
	if err != nil {
		return err
	}
	growing.now.Store(next)
	growing.notify()
	return nil
}

// Finish says that no stages follow: the load ends with the last.
func (growing *Growing) Finish() {
	growing.mu.Lock()
	defer growing.mu.Unlock()
	if growing.ended.CompareAndSwap(false, true) {
		growing.notify()
	}
}

func (growing *Growing) notify() {
	if growing.grown != nil {
		close(growing.grown)
		growing.grown = nil
	}
}

// Grown returns a channel that is closed at the next Extend, Change or Finish.
func (growing *Growing) Grown() <-chan struct{} {
	growing.mu.Lock()
	defer growing.mu.Unlock()
	if growing.grown == nil {
		growing.grown = make(chan struct{})
	}
	return growing.grown
}

// Final reports whether no stages follow, unless the schedule is changed.
func (growing *Growing) Final() bool { return growing.ended.Load() }

// Now returns the schedule as it is now. It is another one after each change.
func (growing *Growing) Now() *Schedule { return growing.schedule() }

func (growing *Growing) schedule() *Schedule {
	if s := growing.now.Load(); s != nil {
		return s
	}
	return new(Schedule)
}

// Count returns how many requests are due in [0, t], as far as is known; see
// [Schedule.Count].
func (growing *Growing) Count(t time.Duration) uint64 { return growing.schedule().Count(t) }

// Total returns how many requests there are so far.
func (growing *Growing) Total() uint64 { return growing.schedule().Total() }

// Due returns when request n is due, and false when the schedule has no such
// request so far; see [Schedule.Due].
func (growing *Growing) Due(n uint64) (time.Duration, bool) { return growing.schedule().Due(n) }

// Rate returns the offered rate at t; see [Schedule.Rate].
func (growing *Growing) Rate(t time.Duration) float64 { return growing.schedule().Rate(t) }

// End returns the length of the schedule so far.
func (growing *Growing) End() time.Duration { return growing.schedule().End() }

// Conns returns how many connections are to be held at t; see [Schedule.Conns].
func (growing *Growing) Conns(t time.Duration) (int, bool) { return growing.schedule().Conns(t) }

// ConnsAfter returns when that changes next, as far as is known; see
// [Schedule.ConnsAfter].
func (growing *Growing) ConnsAfter(t time.Duration) (time.Duration, bool) {
	return growing.schedule().ConnsAfter(t)
}

// MaxAt reports whether a closed-loop stage is on at t; see [Schedule.MaxAt].
func (growing *Growing) MaxAt(t time.Duration) (end time.Duration, on bool) {
	return growing.schedule().MaxAt(t)
}

// MaxAfter returns the first closed-loop stage that ends after t; see
// [Schedule.MaxAfter].
func (growing *Growing) MaxAfter(t time.Duration) (index int, start, end time.Duration, ok bool) {
	return growing.schedule().MaxAfter(t)
}
