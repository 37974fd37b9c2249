package ramp

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/rampload/rampload/attack"
)

// Direct drives load with engines of its own, one a processor: each paces its
// slice of the schedule, and each request in flight has a goroutine of its
// engine, which is used again. The engines share no lock and no counter while
// requests are sent. It carries whatever the client does, as [Vegeta] does.
type Direct struct{ run *run }

var _ attack.Loader = (*Direct)(nil)

// NewDirect plans a load for the direct engines. The error says what of the
// profile cannot be carried out.
func NewDirect(cfg Config) (*Direct, error) {
	r, err := newRun(cfg, cfg.engines())
	if err != nil {
		return nil, err
	}
	return &Direct{r}, nil
}

// Run sends the load; see [attack.Loader].
func (d *Direct) Run(ctx context.Context, sink attack.Sink) (attack.Summary, error) {
	return d.run.execute(ctx, sink, func(pacers []*pacer) {
		engines := make([]*engine, len(pacers))
		var wg sync.WaitGroup
		for i, p := range pacers {
			e := &engine{
				run: d.run, index: i, of: len(pacers), pacer: p,
				plan: newPlan(d.run, d.run.cfg.Slice.split(i, len(pacers))),
				work: make(chan uint64, d.run.maxInFlight),
			}
			engines[i] = e
			wg.Go(e.pace)
		}
		wg.Wait()
		next := make([]uint64, len(engines))
		for i, e := range engines {
			next[i] = e.plan.next
		}
		d.run.halt(next)
		for _, e := range engines {
			e.end()
		}
	})
}

// engine sends one slice of a load.
type engine struct {
	run     *run
	index   int
	of      int // engines
	pacer   *pacer
	plan    *plan
	wg      sync.WaitGroup
	work    chan uint64 // numbers of requests for workers that wait; never full
	waiting atomic.Int64
	workers int
}

// pace sends all requests when they are due, and returns when there are no more
// or the run is stopped.
func (e *engine) pace() {
	for {
		what, at, loop := e.plan.peek()
		switch e.pacer.until(at, e.plan) {
		case wakeStopped:
			return
		case wakeChanged:
			continue
		}
		switch what {
		case openStep:
			e.dispatch(e.plan.next)
			e.plan.step()
		case loopStep:
			e.plan.looping(e.closedLoop(loop))
		case lastStep:
			return
		}
	}
}

// end waits for the requests in flight.
func (e *engine) end() {
	close(e.work)
	e.wg.Wait()
}

// dispatch hands a request to a worker, or counts it as unsent. It never waits.
func (e *engine) dispatch(n uint64) {
	r := e.run
	if !r.flights.take(e.index) {
		t, _ := r.mix.Pick(n)
		r.agg.Unsent(uint32(e.index), t, r.now())
		return
	}
	if e.waiting.Load() > 0 { // only this goroutine takes from it
		e.waiting.Add(-1)
		e.work <- n
		return
	}
	id := uint32(e.workers*e.of + e.index)
	e.workers++
	e.wg.Go(func() { e.worker(id, n) })
}

// worker sends requests one after the other.
func (e *engine) worker(id uint32, n uint64) {
	a := new(attack.Attempt)
	hint := id
	for ok := true; ok; n, ok = <-e.work {
		hint = e.run.open(hint, n, a)
		e.run.flights.land(e.index)
		e.waiting.Add(1)
	}
}

// closedLoop keeps the engine's connections busy until the loop's end, which may
// change. It returns the loop as it was when no more requests begin; the last of them
// may still be in flight.
func (e *engine) closedLoop(l closedLoop) closedLoop {
	loops := closedLoops{e.run}
	begun := l // what changes below inLoop finds for itself
	for _, s := range loops.loopSlots(l.stage, e.index, e.of) {
		e.wg.Go(func() {
			defer s.via.Close()
			for now := loops.now(); loops.inLoop(begun, now) && !loops.stopping(); now = loops.now() {
				loops.loop(s, now)
			}
		})
	}
	for e.pacer.until(l.end, e.plan) == wakeChanged {
		e.plan.peek()
		l.end = loops.loopEnd(l)
	}
	return l
}
