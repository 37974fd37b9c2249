package tally

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles/redaction"
)

// Load is what a [Collector] asks of the load that is sent.
type Load interface {
	// Now is the time since the start of the load.
	Now() time.Duration
	// Scheduled calls count with the target of every request due by the end of a window
	// that no earlier window has counted.
	Scheduled(window int32, count func(target uint16))
	// Stats returns the connections of each target, and how many are to be held at a time.
	Stats(at time.Duration) []attack.ClientStats
	// Following is how much a target that nobody schedules has in flight; false for a
	// target of the schedule.
	Following(target int) (inFlight int64, follows bool)
}

// Collector gathers the pages of each window when it is over and hands it to
// the sink. It runs off the hot path: two goroutines, so that a slow sink does
// not keep pages from being gathered either.
type Collector struct {
	agg    *Aggregator
	load   Load
	ended  func(attack.Attempt) // nil: nobody wants them
	next   int32                // window to be gathered next
	before []attack.ClientStats
	redact redaction.Redactor // of what targets answered
	flying []int64            // requests in flight, by target
	spare  []*page
	free   []*tally // empty ones: what the last window needed, for the pages to come
	sum    []totals // by target, empty between windows

	mu        sync.Mutex
	addresses []attack.Address
	queue     []batch
	more      chan struct{} // holds one when the queue has grown
}

// batch is what the sink gets for one window.
type batch struct {
	addresses []attack.Address
	failures  []attack.Failure
	sampled   []attack.Attempt
	windows   []attack.Window
}

// totals sums the tallies of one target over all shards.
type totals struct {
	window   attack.Window
	ended    uint64
	cells    map[cellKey]int
	requests []attack.RequestCount // by endpoint
	failures []attack.Failure
	sampled  []attack.Attempt
	histograms
}

// NewCollector returns a collector of what agg counts from a window on. Redact cleans what
// targets answered; ended, if any, gets the attempts that are kept whole.
func NewCollector(agg *Aggregator, load Load, first int32, redact redaction.Redactor, ended func(attack.Attempt)) *Collector {
	c := &Collector{
		agg: agg, load: load, ended: ended, next: first, redact: redact,
		before: make([]attack.ClientStats, agg.targets),
		flying: make([]int64, agg.targets),
		sum:    make([]totals, agg.targets),
		more:   make(chan struct{}, 1),
	}
	for i := range c.sum {
		c.sum[i].cells = make(map[cellKey]int)
	}
	return c
}

// Address takes a remote address; it reaches the sink before any window or
// failure that refers to it.
func (c *Collector) Address(a attack.Address) {
	c.mu.Lock()
	c.addresses = append(c.addresses, a)
	c.mu.Unlock()
}

// Gather collects windows as they end until finished is closed.
func (c *Collector) Gather(finished <-chan struct{}) {
	interval := c.agg.interval
	// Attempts that ended in a window may take a moment to be counted.
	grace := min(interval/4, 50*time.Millisecond)
	timer := time.NewTimer(0)
	defer timer.Stop()
	wait := func(until time.Duration) bool {
		timer.Reset(until - c.load.Now())
		select {
		case <-timer.C:
			return true
		case <-finished:
			return false
		}
	}
	for {
		end := time.Duration(c.next+1) * interval
		if !wait(end) {
			return
		}
		stats := c.load.Stats(end - 1)
		if !wait(end + grace) {
			return
		}
		c.collect(stats)
	}
}

// Finish collects all windows up to the last. Nothing counts any more, and the
// connections are as stats says.
func (c *Collector) Finish(stats []attack.ClientStats, last int32) {
	for c.next <= last {
		c.collect(stats)
	}
	c.mu.Lock()
	if len(c.addresses) > 0 {
		c.push(batch{})
	}
	c.mu.Unlock()
}

// collect makes the next window of every target and queues it for the sink.
func (c *Collector) collect(stats []attack.ClientStats) {
	w := c.next
	c.next++
	for i := range c.sum {
		c.sum[i].window = attack.Window{Target: uint16(i), Index: w}
		c.sum[i].ended = 0
	}
	c.load.Scheduled(w, func(target uint16) { c.sum[target].window.Scheduled++ })
	for i := range c.agg.shards {
		if p := c.take(&c.agg.shards[i], w); p != nil {
			for target, t := range p.tallies {
				if t == nil {
					continue
				}
				c.sum[target].add(t)
				t.clear()
				p.tallies[target] = nil
				c.free = append(c.free, t)
			}
			p.used = 0
			c.free = append(c.free, p.free...)
			clear(p.free)
			p.free = p.free[:0]
			c.spare = append(c.spare, p)
		}
	}
	b := batch{windows: make([]attack.Window, 0, len(c.sum))}
	for i := range c.sum {
		t := &c.sum[i]
		c.flying[i] += int64(t.window.Sent) - int64(t.ended)
		t.window.InFlight = c.flying[i]
		if n, follows := c.load.Following(i); follows {
			t.window.InFlight = n
		}
		t.window.Open = stats[i].Open
		t.window.Dials = stats[i].Dials - c.before[i].Dials
		t.window.Wanted, t.window.Undialled = stats[i].Wanted, stats[i].Undialled
		t.window.Unawaited = stats[i].Unawaited - c.before[i].Unawaited
		t.window.LookupFailures = stats[i].LookupFailures - c.before[i].LookupFailures
		t.window.IdleConnSeconds = max(stats[i].IdleConnSeconds-c.before[i].IdleConnSeconds, 0)
		failures := t.close(c.agg.failures)
		b.failures = append(b.failures, failures...)
		b.sampled = append(b.sampled, t.sampled...)
		t.sampled = t.sampled[:0]
		b.windows = append(b.windows, t.window)
	}
	c.before = stats
	c.mu.Lock()
	c.push(b)
	c.mu.Unlock()
}

// take removes a shard's page of a window and leaves it a clean one.
func (c *Collector) take(s *shard, w int32) *page {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.open[w&1]; p.index == w {
		fresh := c.clean(w+2, p.used)
		s.open[w&1] = fresh
		return p
	}
	for i, p := range s.full {
		if p.index == w {
			s.full = slices.Delete(s.full, i, i+1)
			return p
		}
	}
	return nil
}

// clean returns an empty page, with so many empty tallies if there are any.
func (c *Collector) clean(index int32, tallies int) *page {
	var p *page
	if n := len(c.spare); n > 0 {
		p, c.spare = c.spare[n-1], c.spare[:n-1]
		p.index = index
	} else {
		p = c.agg.newPage(index)
	}
	rest := max(len(c.free)-tallies, 0)
	p.free = append(p.free, c.free[rest:]...)
	clear(c.free[rest:])
	c.free = c.free[:rest]
	return p
}

// push queues a batch with the addresses known so far. The caller holds mu.
func (c *Collector) push(b batch) {
	b.addresses, c.addresses = c.addresses, nil
	c.queue = append(c.queue, b)
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// Deliver calls the sink until finished is closed and the queue is empty.
func (c *Collector) Deliver(sink attack.Sink, finished <-chan struct{}) {
	for {
		c.mu.Lock()
		queue := c.queue
		c.queue = nil
		c.mu.Unlock()
		for _, b := range queue {
			for _, a := range b.addresses {
				sink.Address(a)
			}
			for _, f := range b.failures {
				if f.Answer != nil {
					f.Answer = f.Answer.Clean(c.redact.Redact)
				}
				sink.Failure(f)
				if c.ended != nil {
					c.ended(f.Attempt)
				}
			}
			for _, a := range b.sampled { // there are none unless somebody wants them
				c.ended(a)
			}
			for _, w := range b.windows {
				sink.Window(w)
			}
		}
		if len(queue) > 0 {
			continue
		}
		select {
		case <-c.more:
		case <-finished:
			c.mu.Lock()
			empty := len(c.queue) == 0
			c.mu.Unlock()
			if empty {
				return
			}
		}
	}
}

func (t *totals) add(from *tally) {
	w := &t.window
	w.Scheduled += from.scheduled
	w.Sent += from.sent
	w.Unsent += from.unsent
	w.Retries += from.retries
	w.FailuresDropped += from.dropped
	t.ended += from.ended
	for _, cell := range from.cells {
		k := keyOfCell(&cell)
		i, ok := t.cells[k]
		if !ok {
			t.cells[k] = len(w.Cells)
			w.Cells = append(w.Cells, cell)
			continue
		}
		sum := &w.Cells[i]
		sum.Attempts += cell.Attempts
		sum.Requests += cell.Requests
		sum.WireResets += cell.WireResets
	}
	for _, st := range from.statuses {
		i := slices.IndexFunc(w.Statuses, func(s attack.StatusCount) bool { return s.Status == st.Status })
		if i < 0 {
			w.Statuses = append(w.Statuses, st)
			continue
		}
		w.Statuses[i].Count += st.Count
	}
	for _, r := range from.requests {
		for len(t.requests) <= int(r.Endpoint) {
			t.requests = append(t.requests, attack.RequestCount{Endpoint: uint32(len(t.requests))})
		}
		sum := &t.requests[r.Endpoint]
		sum.Attempts += r.Attempts
		sum.Failed += r.Failed
		sum.Sent += r.Sent
		sum.Received += r.Received
	}
	t.merge(&from.histograms)
	t.failures = append(t.failures, from.failures...)
	t.sampled = append(t.sampled, from.sampled...)
}

// close completes the window, empties the totals for the next one, and returns
// at most so many failures of the window, the earliest.
func (t *totals) close(most int) []attack.Failure {
	w := &t.window
	slices.SortFunc(w.Cells, attack.Cell.Compare)
	for _, r := range t.requests {
		if r.Attempts > 0 {
			w.Requests = append(w.Requests, r)
		}
	}
	t.requests = t.requests[:0]
	slices.SortFunc(w.Statuses, func(a, b attack.StatusCount) int { return cmp.Compare(a.Status, b.Status) })
	w.FromDue, w.FromSend, w.Lag = t.fromDue.sparse(), t.fromSend.sparse(), t.lag.sparse()
	w.IdleAge, w.Served = t.idleAge.sparse(), t.served.sparse()
	t.clear()
	clear(t.cells)

	slices.SortFunc(t.failures, func(a, b attack.Failure) int {
		return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Request, b.Request), cmp.Compare(a.Try, b.Try))
	})
	if extra := len(t.failures) - most; extra > 0 {
		w.FailuresDropped += uint64(extra)
		t.failures = t.failures[:most]
	}
	failures := t.failures
	t.failures = nil
	return failures
}
