// Package tally counts what a load does: attempts into windows (Aggregator), on the path
// of every request, and windows to a sink (Collector), off it. It knows no clients and no
// schedule.
package tally

import (
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
)

// Aggregator folds attempts into windows. Its methods are the hot path: they
// take a lock that is free (see lock), allocate nothing once a window's kinds of
// outcome have been seen, and never wait for whoever reads the windows. Memory
// depends on the number of targets, shards and kinds of outcome, not on the
// number of requests.
type Aggregator struct {
	interval time.Duration
	targets  int
	shards   []shard        // a power of two
	failures int            // kept whole for each target and window at most
	sampling attack.Tracing // of the good ones, those that are kept too; the zero value: none
	run      attack.RunID
}

// Config says what an [Aggregator] counts.
type Config struct {
	Targets  int
	Shards   int           // rounded up to a power of two; more than goroutines that count at once
	Failures int           // kept whole for each target and window at most
	Interval time.Duration // of a window
	First    int32         // window to count from
	Sampling attack.Tracing
	Run      attack.RunID // of the sampling
}

// shard is one of several equal places to count in. Each has a page for the
// window that is on and one for its neighbour: attempts of the window before
// still arrive when the new one has begun.
type shard struct {
	mu   sync.Mutex
	open [2]*page // the page of window w is at w&1
	full []*page  // pages for which the collector has not come in time
	last int32    // highest window counted in
	_    Apart
}

// maxSampled bounds the good attempts that a shard keeps of a target and window.
const maxSampled = 200

// Apart keeps what one processor writes out of the cache lines of what lies behind it:
// 64 bytes, and processors fetch them in pairs.
type Apart [128]byte

// The highest values of the histograms; what lies above counts as this.
const (
	maxLatency = 100_000_000 // µs: 100 s
	maxIdleAge = 3_600_000   // ms: an hour
	maxServed  = 10_000_000  // requests
)

// New returns an aggregator that has counted nothing.
func New(cfg Config) *Aggregator {
	n := 1
	for n < cfg.Shards {
		n *= 2
	}
	a := &Aggregator{
		interval: cfg.Interval, targets: cfg.Targets, shards: make([]shard, n), failures: cfg.Failures,
		sampling: cfg.Sampling, run: cfg.Run,
	}
	for i := range a.shards {
		a.shards[i].open[cfg.First&1], a.shards[i].open[(cfg.First+1)&1] = a.newPage(cfg.First), a.newPage(cfg.First+1)
	}
	return a
}

func (a *Aggregator) newPage(index int32) *page {
	return &page{index: index, tallies: make([]*tally, a.targets)}
}

// Window returns the index of the window that holds t.
func (a *Aggregator) Window(t time.Duration) int32 { return int32(max(t, 0) / a.interval) }

// lock locks a free shard, the one of the hint if it is, and returns the hint for the
// caller's next call: whoever finds its shard busy shares it with another processor,
// and leaves it for good, lest both wait for its memory with every request. With
// more shards than processors lock waits only when a holder was preempted and all
// others are busy.
func (a *Aggregator) lock(hint uint32) (*shard, uint32) {
	mask := uint32(len(a.shards) - 1)
	for i := range uint32(len(a.shards)) {
		s := &a.shards[(hint+i)&mask]
		if s.mu.TryLock() {
			return s, hint + i
		}
	}
	s := &a.shards[hint&mask]
	s.mu.Lock()
	return s, hint
}

// page returns the page of a window. The caller holds the lock.
func (a *Aggregator) page(s *shard, w int32) *page {
	p := s.open[w&1]
	s.last = max(s.last, w)
	switch {
	case p.index == w:
		return p
	case p.index < w:
		// The collector is late: leave it the page and go on.
		s.full = append(s.full, p)
		p = a.newPage(w)
		s.open[w&1] = p
		return p
	}
	for _, f := range s.full {
		if f.index == w {
			return f
		}
	}
	// The window is collected: whoever brings this was held up for longer than
	// the collector's grace. It counts in the oldest window that is still open.
	if other := s.open[(w+1)&1]; other.index < p.index {
		return other
	}
	return p
}

// Begin counts a request handed to the wire at now. Requests of closed-loop
// stages are due when they are sent, and have no lag. It returns the hint for the
// next call; see lock.
func (a *Aggregator) Begin(hint uint32, target uint16, due, now time.Duration, closed bool) uint32 {
	s, hint := a.lock(hint)
	t := a.page(s, a.Window(now)).tally(target)
	t.sent++
	if closed {
		t.scheduled++
	} else {
		t.record(&t.lag, micros(now-due), maxLatency)
	}
	s.mu.Unlock()
	return hint
}

// Unsent counts a request that was due and will not be sent.
func (a *Aggregator) Unsent(hint uint32, target uint16, now time.Duration) {
	s, _ := a.lock(hint)
	a.page(s, a.Window(now)).tally(target).unsent++
	s.mu.Unlock()
}

// Retry counts a further try that begins now.
func (a *Aggregator) Retry(hint uint32, target uint16, now time.Duration) {
	s, _ := a.lock(hint)
	a.page(s, a.Window(now)).tally(target).retries++
	s.mu.Unlock()
}

// End counts an attempt that has ended. It returns the hint for the next call.
func (a *Aggregator) End(hint uint32, at *attack.Attempt) uint32 {
	s, hint := a.lock(hint)
	p := a.page(s, a.Window(at.End))
	t := p.tally(at.Target)
	c := t.cell(keyOf(a.Window(at.Due), at))
	c.Attempts++
	if at.Last {
		c.Requests++
		t.ended++
	}
	if at.WireReset {
		c.WireResets++
	}
	if at.Phase == attack.PhaseDone && at.Status != 0 {
		t.status(at.Status)
	}
	if at.Fault == attack.None || at.Fault.Failure() {
		t.request(at)
	}
	if at.Fault == attack.None {
		t.record(&t.fromDue, micros(at.End-at.Due), maxLatency)
		t.record(&t.fromSend, micros(at.End-at.Start), maxLatency)
		if a.sampling.Samples(a.run, at.Request) && len(t.sampled) < maxSampled {
			t.sampled = append(t.sampled, *at)
		}
		if at.Conn.Reused {
			t.record(&t.idleAge, at.Conn.Idle.Milliseconds(), maxIdleAge)
			t.record(&t.served, int64(at.Conn.Served), maxServed)
		}
	}
	if at.WireReset || at.Fault != attack.None && at.Fault != attack.Canceled {
		t.keep(at, a.failures)
	}
	s.mu.Unlock()
	return hint
}

// Abandon ends a request whose retry was due when the run was stopped: it ends
// as its last attempt, already counted, did.
func (a *Aggregator) Abandon(hint uint32, at *attack.Attempt, now time.Duration) {
	s, _ := a.lock(hint)
	t := a.page(s, a.Window(now)).tally(at.Target)
	t.cell(keyOf(a.Window(at.Due), at)).Requests++
	t.ended++
	s.mu.Unlock()
}

// Dial counts the lag of a connection to hold that begins to be opened.
func (a *Aggregator) Dial(target uint16, due, now time.Duration) {
	s, _ := a.lock(uint32(target))
	t := a.page(s, a.Window(now)).tally(target)
	t.record(&t.lag, micros(now-due), maxLatency)
	s.mu.Unlock()
}

// Idle takes what happened to a connection without an attempt in flight: resets,
// and held connections that came to nothing, in a phase before idle. A user of
// such a connection would have had none, so each is a request that failed, beside
// those of the schedule (see [attack.Window]), due when its dial began or, once
// it was open, when it ended. In a phase before idle and not held it is an address
// that refused while the request went on to another: an attempt, and no request. A
// peer that properly closes an idle connection that
// was used is none of our business.
func (a *Aggregator) Idle(at *attack.Attempt) {
	if !at.WireReset && at.Phase == attack.PhaseIdle {
		return
	}
	s, _ := a.lock(uint32(at.Conn.ID))
	p := a.page(s, a.Window(at.End))
	t := p.tally(at.Target)
	due := p.index
	if at.Phase != attack.PhaseIdle {
		at.Last = at.Held
		due = min(due, a.Window(at.Due))
	}
	c := t.cell(keyOf(due, at))
	if at.WireReset {
		c.WireResets++
	}
	if at.Phase != attack.PhaseIdle {
		c.Attempts++
	}
	if at.Held {
		c.Requests++
	}
	t.keep(at, a.failures)
	s.mu.Unlock()
}

// Latest returns the highest window that something was counted in.
func (a *Aggregator) Latest() int32 {
	last := int32(0)
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.Lock()
		last = max(last, s.last)
		s.mu.Unlock()
	}
	return last
}

// micros rounds up: a latency is never understated.
func micros(d time.Duration) int64 { return int64((d + time.Microsecond - 1) / time.Microsecond) }
