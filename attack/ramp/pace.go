package ramp

import (
	"fmt"
	"runtime"
	"time"

	"github.com/rampload/rampload/attack/schedule"
)

const (
	// sleepSlice bounds one sleep, so that a stop is noticed in time.
	sleepSlice = 50 * time.Millisecond
	// evenRate is the rate up to which every request has a wake-up of its own.
	// Above, the pacer wakes every batchGap and sends what has become due.
	evenRate = 10_000
	batchGap = 500 * time.Microsecond
)

// pacer waits for due times. It belongs to one goroutine.
type pacer struct {
	run   *run
	share float64       // of the offered rate
	woken time.Duration // last wake-up
	sleep func(time.Duration)
	lead  *lead // nil: sleep is exact
	close func()
}

func newPacer(r *run, engines int) (*pacer, error) {
	p := &pacer{run: r, share: 1 / float64(r.cfg.Slice.of()) / float64(engines), woken: -1 << 62, sleep: r.sleep, close: func() {}}
	if p.sleep == nil {
		a, err := newAlarm()
		if err != nil {
			return nil, fmt.Errorf("pace load: %w", err)
		}
		p.sleep, p.close, p.lead = a.sleep, a.close, new(lead)
	}
	return p, nil
}

// wake is why a pacer goes on.
type wake uint8

const (
	wakeDue     wake = iota
	wakeChanged      // the schedule is another one than when the time was looked up
	wakeStopped
)

// until waits until t, the time of a step of plan. A time in the past returns at
// once.
func (p *pacer) until(t time.Duration, plan *plan) wake {
	now := p.run.now()
	if now < t {
		if p.run.sched.Rate(t)*p.share > evenRate {
			t = max(t, p.woken+batchGap)
		}
		for left := t - now; left > 0; left = t - p.run.now() {
			if p.run.stopping() {
				return wakeStopped
			}
			if plan.outdated() {
				return wakeChanged
			}
			if left > sleepSlice || p.lead == nil {
				p.sleep(min(left, sleepSlice))
			} else {
				p.wake(t, left)
			}
		}
		p.woken = p.run.now()
	}
	switch {
	case p.run.stopping():
		return wakeStopped
	case plan.outdated():
		return wakeChanged
	}
	return wakeDue
}

// wake sleeps until shortly before t, which is so far away, and spins for the rest.
func (p *pacer) wake(t, left time.Duration) {
	if left <= spinAtOnce {
		runtime.Gosched() // to what was dispatched before
	} else {
		ahead := p.lead.of(left)
		p.sleep(left - ahead)
		p.lead.learn(p.run.now() - (t - ahead))
	}
	for p.run.now() < t {
	}
}

// step is what a schedule wants next.
type step uint8

const (
	openStep step = iota // the next request of the schedule
	loopStep             // a closed loop
	lastStep             // nothing more
)

// plan walks through a schedule.
type plan struct {
	run    *run
	slice  Slice
	next   uint64             // request of the schedule
	looped time.Duration      // closed loops that end by then are done
	seen   *schedule.Schedule // what the last step was looked up in; nil: one that does not change
}

func newPlan(r *run, slice Slice) *plan {
	return &plan{run: r, slice: slice, next: slice.next(r.first()), looped: r.cfg.From}
}

// outdated reports whether the schedule has changed since the last look.
func (p *plan) outdated() bool {
	return p.seen != nil && p.run.growing.Now() != p.seen
}

// closedLoop is a closed-loop stage.
type closedLoop struct {
	stage      int
	start, end time.Duration
}

// step goes on to the next request of the slice.
func (p *plan) step() { p.next += p.slice.of() }

// looping goes on to what follows a closed loop.
func (p *plan) looping(l closedLoop) { p.looped = l.end }

// peek returns the next step and when it is due; for a closed loop, also which. It
// waits for a schedule that grows, until the run is stopped.
func (p *plan) peek() (what step, at time.Duration, loop closedLoop) {
	due, ok := p.due()
	if stage, start, end, on := p.run.sched.MaxAfter(p.looped); on && (!ok || start <= due) {
		return loopStep, start, closedLoop{stage, start, end}
	}
	if ok {
		return openStep, due, loop
	}
	return lastStep, p.run.sched.End(), loop
}

// due returns when the next request is due, and false when there is none.
func (p *plan) due() (time.Duration, bool) {
	growing := p.run.growing
	if growing == nil {
		return p.run.sched.Due(p.next)
	}
	for {
		grown, final := growing.Grown(), growing.Final()
		p.seen = growing.Now()
		if due, ok := p.seen.Due(p.next); ok || final {
			return due, ok
		}
		select {
		case <-grown:
		case <-p.run.stopped:
			return 0, false
		}
	}
}
