package ramp

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
)

// Direct drives load with a loop of its own: one goroutine paces, and each
// request in flight has a goroutine, which is used again. It carries whatever the
// client does, as [Vegeta] does.
type Direct struct{ run *run }

var _ attack.Loader = (*Direct)(nil)

// NewDirect plans a load for the direct loop. The error says what of the profile
// cannot be carried out.
func NewDirect(cfg Config) (*Direct, error) {
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	return &Direct{r}, nil
}

// Run sends the load; see [attack.Loader].
func (d *Direct) Run(ctx context.Context, sink attack.Sink) (attack.Summary, error) {
	return d.run.execute(ctx, sink, func(p *pacer) {
		l := &directLoop{run: d.run, pacer: p, work: make(chan uint64, d.run.maxInFlight)}
		l.drive()
	})
}

// directLoop is the sending of one run.
type directLoop struct {
	run     *run
	pacer   *pacer
	wg      sync.WaitGroup
	work    chan uint64 // numbers of requests for workers that wait; never full
	waiting atomic.Int64
	workers uint32
}

func (l *directLoop) drive() {
	plan := newPlan(l.run)
	for {
		what, at, end := plan.peek()
		if !l.pacer.until(at) || what == lastStep {
			break
		}
		switch what {
		case openStep:
			l.dispatch(plan.next)
			plan.next++
		case loopStep:
			l.closedLoop(end)
			plan.max = plan.max[1:]
		}
	}
	l.run.halt(plan.next)
	close(l.work)
	l.wg.Wait()
}

// dispatch hands a request to a worker, or counts it as unsent. It never waits.
func (l *directLoop) dispatch(n uint64) {
	r := l.run
	if r.inFlight.Load() >= r.maxInFlight { // only this goroutine adds to it
		t, _ := r.mix.Pick(n)
		r.agg.unsent(uint32(n), t, r.now())
		return
	}
	r.inFlight.Add(1)
	if l.waiting.Load() > 0 { // only this goroutine takes from it
		l.waiting.Add(-1)
		l.work <- n
		return
	}
	id := l.workers
	l.workers++
	l.wg.Go(func() { l.worker(id, n) })
}

// worker sends requests one after the other.
func (l *directLoop) worker(id uint32, n uint64) {
	a := new(attack.Attempt)
	for ok := true; ok; n, ok = <-l.work {
		l.run.open(id, n, a)
		l.run.inFlight.Add(-1)
		l.waiting.Add(1)
	}
}

// closedLoop keeps every connection busy until end. It returns when no more
// requests begin; the last of them may still be in flight.
func (l *directLoop) closedLoop(end time.Duration) {
	r := l.run
	for _, g := range r.groups {
		for range r.loopSlots(g) {
			id := l.workers
			l.workers++
			l.wg.Go(func() {
				via := g.via.Slot()
				defer via.Close()
				a := new(attack.Attempt)
				for now := r.now(); now < end && !r.stopping(); now = r.now() {
					r.loop(id, g, via, a, now)
				}
			})
		}
	}
	l.pacer.until(end)
}

// loopSlots returns how many requests of a group a closed loop keeps in flight.
func (r *run) loopSlots(g *group) int {
	n := r.cfg.Profile.Client.Connections
	if n <= 0 {
		n = unboundedLoop
	}
	several := 0
	for _, o := range r.groups {
		if o.target == g.target {
			several++
		}
	}
	return max(min(n, int(r.maxInFlight))/several, 1)
}
