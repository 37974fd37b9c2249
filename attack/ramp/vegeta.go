package ramp

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/rampload/rampload/attack"
)

// Vegeta drives load with vegeta's Attacker: one for the whole schedule, paced
// by a vegeta.Pacer over the schedule, with a RoundTripper over the wire
// transport. The Attacker's results are drained and thrown away: what happened is
// counted below it.
//
// The Attacker runs without a duration and ends when the pacer says so: a
// duration would drop what is due at its end, and its Stop does not interrupt a
// sleep. Its number of workers is not capped: at a cap it waits without a word.
// Instead the RoundTripper turns requests beyond Client.MaxInFlight away, as
// unsent.
type Vegeta struct{ run *run }

var _ attack.Loader = (*Vegeta)(nil)

// NewVegeta plans a load for vegeta's Attacker. The error says what of the
// profile cannot be carried out.
func NewVegeta(cfg Config) (*Vegeta, error) {
	r, err := newRun(cfg, 1)
	if err != nil {
		return nil, err
	}
	return &Vegeta{r}, nil
}

// Run sends the load; see [attack.Loader].
func (v *Vegeta) Run(ctx context.Context, sink attack.Sink) (attack.Summary, error) {
	return v.run.execute(ctx, sink, func(pacers []*pacer) {
		p := &hitPacer{
			run: v.run, pacer: pacers[0], plan: newPlan(v.run, v.run.cfg.Slice),
			answer: &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Body: http.NoBody},
		}
		attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: p}))
		for range attacker.Attack(nextTarget, p, 0, "") {
			// The workers wait for each result to be taken.
		}
		p.loops.Wait()
	})
}

// nextTarget gives every hit the same empty request: the RoundTripper knows by
// the hit's number what it stands for. "*" is the URL that takes the least to read.
func nextTarget(t *vegeta.Target) error {
	t.Method, t.URL = http.MethodGet, "*"
	return nil
}

// hitPacer is the pacer and the RoundTripper of one run. Pace is called by one
// goroutine, RoundTrip by many.
type hitPacer struct {
	run     *run
	pacer   *pacer
	plan    *plan
	loop    *hitLoop // the closed loop that is on
	loops   sync.WaitGroup
	stretch atomic.Pointer[[]stretch]
	spare   sync.Pool // of *attack.Attempt
	// answer is the response to every hit, failed ones too: nobody looks at it,
	// and an error would cost more. http.Client does not write to it.
	answer *http.Response
}

// stretch says what the hits from one sequence number on stand for.
type stretch struct {
	seq   uint64   // first hit
	first uint64   // the request of the schedule that it stands for
	loop  *hitLoop // or the closed loop that they belong to
}

var _ vegeta.Pacer = (*hitPacer)(nil)

// Rate returns the offered rate, as vegeta.Pacer wants it.
func (p *hitPacer) Rate(elapsed time.Duration) float64 {
	return p.run.sched.Rate(elapsed) / float64(p.run.cfg.Slice.of())
}

// Pace returns when the next hit is to be sent, having slept until then: vegeta
// would sleep in whole milliseconds, and not wake for a stop.
func (p *hitPacer) Pace(_ time.Duration, hits uint64) (time.Duration, bool) {
	for {
		if p.loop != nil {
			if p.loop.claim() {
				return 0, false
			}
			p.plan.looping(p.loop.closedLoop)
			p.loops.Go(p.loop.close)
			p.loop = nil
		}
		what, at, loop := p.plan.peek()
		woken := p.pacer.until(at, p.plan)
		if woken == wakeChanged {
			continue
		}
		if woken == wakeStopped || what == lastStep {
			p.run.halt([]uint64{p.plan.next})
			return 0, true
		}
		switch what {
		case openStep:
			p.begin(stretch{seq: hits, first: p.plan.next})
			p.plan.step()
			return 0, false
		case loopStep:
			p.loop = newHitLoop(p.run, loop)
			p.begin(stretch{seq: hits, loop: p.loop})
		}
	}
}

// begin notes what the next hit stands for, if it does not follow from the last
// stretch. It happens before the hit.
func (p *hitPacer) begin(s stretch) {
	var all []stretch
	if old := p.stretch.Load(); old != nil {
		all = *old
		last := all[len(all)-1]
		if s.loop == nil && last.loop == nil && s.first-last.first == (s.seq-last.seq)*p.plan.slice.of() {
			return
		}
	}
	all = append(all[:len(all):len(all)], s)
	p.stretch.Store(&all)
}

// RoundTrip sends the request that a hit stands for, with its retries.
func (p *hitPacer) RoundTrip(req *http.Request) (*http.Response, error) {
	seq, err := strconv.ParseUint(req.Header["X-Vegeta-Seq"][0], 10, 64)
	if err != nil {
		return nil, err
	}
	all := *p.stretch.Load()
	i := len(all) - 1
	for all[i].seq > seq {
		i--
	}
	if loop := all[i].loop; loop != nil {
		loop.hit()
		return p.answer, nil
	}
	n := all[i].first + (seq-all[i].seq)*p.plan.slice.of()
	r := p.run
	if !r.flights.take(0) {
		t, _ := r.mix.Pick(n)
		r.agg.Unsent(uint32(seq), t, r.now())
		return p.answer, nil
	}
	a, _ := p.spare.Get().(*attack.Attempt)
	if a == nil {
		a = new(attack.Attempt)
	}
	r.open(uint32(seq), n, a)
	p.spare.Put(a)
	r.flights.land(0)
	return p.answer, nil
}

// turnTime is how long a hit keeps a slot of a closed loop busy, at least. Nothing is
// paced there: a hit for each request would only cost what it takes to make one, which is
// more than a quick target's answer.
const turnTime = 5 * time.Millisecond

// hitLoop is a closed-loop stage: a fixed number of slots, each with a
// connection of its own. The pacer takes a free slot before each hit, which is a turn of
// the slot: one request after the other, until turnTime is over. Without
// that vegeta would start workers without bound.
type hitLoop struct {
	closedLoop            // as the pacer knows it
	begun      closedLoop // as it began, for the hits: the pacer changes its own copy meanwhile
	run        *run
	over       *time.Timer // at end
	free       chan *loopSlot
	claimed    chan *loopSlot // for the hits that have been paced
}

func newHitLoop(r *run, loop closedLoop) *hitLoop {
	slots := closedLoops{r}.loopSlots(loop.stage, 0, 1)
	l := &hitLoop{
		closedLoop: loop, begun: loop, run: r, over: time.NewTimer(loop.end - r.now()),
		free: make(chan *loopSlot, len(slots)), claimed: make(chan *loopSlot, len(slots)),
	}
	for _, s := range slots {
		l.free <- s
	}
	return l
}

// claim waits for a free slot for the next hit, and returns false when the stage
// is over or the run is stopped.
func (l *hitLoop) claim() bool {
	for {
		grown := l.run.grown()
		if end := (closedLoops{l.run}).loopEnd(l.closedLoop); end != l.end {
			l.end = end
			l.over.Reset(end - l.run.now())
		}
		if l.run.stopping() || l.run.now() >= l.end {
			return false
		}
		select {
		case s := <-l.free:
			if l.run.now() >= l.end { // both at once
				l.free <- s
				return false
			}
			l.claimed <- s
			return true
		case <-grown:
		case <-l.over.C:
		case <-l.run.stopped:
		}
	}
}

// hit sends requests over a slot that was claimed for it, for a turn.
func (l *hitLoop) hit() {
	s := <-l.claimed
	loops := closedLoops{l.run}
	now := loops.now()
	for end := now + turnTime; ; {
		loops.loop(s, now)
		if now = loops.now(); now >= end || !loops.inLoop(l.begun, now) || loops.stopping() {
			break
		}
	}
	l.free <- s
}

// close closes the slots as their last requests end.
func (l *hitLoop) close() {
	l.over.Stop()
	for range cap(l.free) {
		(<-l.free).via.Close()
	}
}
