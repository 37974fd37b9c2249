package ramp

import (
	"fmt"
	"time"
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
	close func()
}

func newPacer(r *run, engines int) (*pacer, error) {
	p := &pacer{run: r, share: 1 / float64(r.cfg.Slice.of()) / float64(engines), woken: -1 << 62, sleep: r.sleep, close: func() {}}
	if p.sleep == nil {
		a, err := newAlarm()
		if err != nil {
			return nil, fmt.Errorf("pace load: %w", err)
		}
		p.sleep, p.close = a.sleep, a.close
	}
	return p, nil
}

// until waits until t and returns false when the run is stopped first. A time
// in the past returns at once.
func (p *pacer) until(t time.Duration) bool {
	now := p.run.now()
	if now >= t {
		return !p.run.stopping()
	}
	if p.run.sched.Rate(t)*p.share > evenRate {
		t = max(t, p.woken+batchGap)
	}
	for left := t - now; left > 0; left = t - p.run.now() {
		if p.run.stopping() {
			return false
		}
		p.sleep(min(left, sleepSlice))
	}
	p.woken = p.run.now()
	return !p.run.stopping()
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
	run   *run
	slice Slice
	next  uint64   // request of the schedule
	max   []closed // closed loops to come
}

// closed is a closed-loop stage of the profile.
type closed struct {
	stage      int
	start, end time.Duration
}

func newPlan(r *run, slice Slice) *plan {
	p := &plan{run: r, slice: slice, next: slice.next(r.first())}
	if r.fixed == nil {
		return p // a growing schedule has no closed loops
	}
	for i := range r.cfg.Profile.Load {
		start, end := r.fixed.StageSpan(i)
		if _, on := r.fixed.MaxAt(start); on && end > r.cfg.From {
			p.max = append(p.max, closed{i, start, end})
		}
	}
	return p
}

// step goes on to the next request of the slice.
func (p *plan) step() { p.next += p.slice.of() }

// peek returns the next step and when it is due; for a closed loop, also its
// end. It waits for a schedule that grows, until the run is stopped.
func (p *plan) peek() (what step, at, end time.Duration) {
	due, ok := p.due()
	switch {
	case len(p.max) > 0 && (!ok || p.max[0].start <= due):
		return loopStep, p.max[0].start, p.max[0].end
	case ok:
		return openStep, due, 0
	}
	return lastStep, p.run.sched.End(), 0
}

// due returns when the next request is due, and false when there is none.
func (p *plan) due() (time.Duration, bool) {
	due, ok := p.run.sched.Due(p.next)
	for !ok && p.run.fixed == nil {
		growing := p.run.cfg.Schedule
		grown, final := growing.Grown(), growing.Final()
		if due, ok = growing.Due(p.next); ok || final {
			break
		}
		select {
		case <-grown:
		case <-p.run.stopped:
			return 0, false
		}
	}
	return due, ok
}
