package ramp

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles/redaction"
)

// collector gathers the pages of each window when it is over and hands it to
// the sink. It runs off the hot path: two goroutines, so that a slow sink does
// not keep pages from being gathered either.
type collector struct {
	run     *run
	next    int32  // window to be gathered next
	due     uint64 // requests of the schedule that a window has counted as scheduled
	counted int32  // windows whose requests due are settled; under run.mu
	before  []attack.ClientStats
	redact  redaction.Redactor // of what targets answered
	flying  []int64            // requests in flight, by target
	spare   []*page
	free    []*tally // empty ones: what the last window needed, for the pages to come
	sum     []totals // by target, empty between windows

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

func newCollector(r *run) *collector {
	c := &collector{
		run:    r,
		redact: redaction.Of(r.cfg.Profile),
		before: make([]attack.ClientStats, r.agg.targets),
		flying: make([]int64, r.agg.targets),
		sum:    make([]totals, r.agg.targets),
		more:   make(chan struct{}, 1),
	}
	for i := range c.sum {
		c.sum[i].cells = make(map[cellKey]int)
	}
	c.next, c.counted, c.due = int32(r.cfg.From/r.cfg.Window), int32(r.cfg.From/r.cfg.Window), r.first()
	return c
}

// address takes a remote address; it reaches the sink before any window or
// failure that refers to it.
func (c *collector) address(a attack.Address) {
	c.mu.Lock()
	c.addresses = append(c.addresses, a)
	c.mu.Unlock()
}

// gather collects windows as they end until finished is closed.
func (c *collector) gather(finished <-chan struct{}) {
	interval := c.run.agg.interval
	// Attempts that ended in a window may take a moment to be counted.
	grace := min(interval/4, 50*time.Millisecond)
	timer := time.NewTimer(0)
	defer timer.Stop()
	wait := func(until time.Duration) bool {
		timer.Reset(until - c.run.now())
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
		stats := c.stats(end - 1)
		if !wait(end + grace) {
			return
		}
		c.collect(stats)
	}
}

// finish collects all windows up to the last. Nothing counts any more, and the
// connections are as stats says.
func (c *collector) finish(stats []attack.ClientStats, last int32) {
	for c.next <= last {
		c.collect(stats)
	}
	c.mu.Lock()
	if len(c.addresses) > 0 {
		c.push(batch{})
	}
	c.mu.Unlock()
}

// stats returns the connections of each target, and how many are to be held at a time.
func (c *collector) stats(at time.Duration) []attack.ClientStats {
	sum := make([]attack.ClientStats, len(c.sum))
	for _, g := range c.run.groups {
		st := g.via.Stats()
		t := &sum[g.target]
		t.Dials += st.Dials
		t.Open += st.Open
		t.Idle += st.Idle
		t.IdleConnSeconds += st.IdleConnSeconds
		// What has not even been asked for is late too.
		wanted := int64(c.run.wanted(g, at))
		t.Wanted += wanted
		t.Undialled += min(st.Undialled+max(wanted-st.Wanted, 0), wanted)
		t.Unawaited += st.Unawaited
		t.LookupFailures += st.LookupFailures
	}
	return sum
}

// collect makes the next window of every target and queues it for the sink.
func (c *collector) collect(stats []attack.ClientStats) {
	w := c.next
	c.next++
	for i := range c.sum {
		c.sum[i].window = attack.Window{Target: uint16(i), Index: w}
		c.sum[i].ended = 0
	}
	c.run.scheduled(w, func(target uint16) { c.sum[target].window.Scheduled++ })
	for i := range c.run.agg.shards {
		if p := c.take(&c.run.agg.shards[i], w); p != nil {
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
		if t.window.InFlight = c.flying[i]; i >= len(c.run.cfg.Profile.Targets) { // nobody schedules these
			t.window.InFlight = c.run.following(i)
		}
		t.window.Open = stats[i].Open
		t.window.Dials = stats[i].Dials - c.before[i].Dials
		t.window.Wanted, t.window.Undialled = stats[i].Wanted, stats[i].Undialled
		t.window.Unawaited = stats[i].Unawaited - c.before[i].Unawaited
		t.window.LookupFailures = stats[i].LookupFailures - c.before[i].LookupFailures
		t.window.IdleConnSeconds = max(stats[i].IdleConnSeconds-c.before[i].IdleConnSeconds, 0)
		failures := t.close(c.run.agg.failures)
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
func (c *collector) take(s *shard, w int32) *page {
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
func (c *collector) clean(index int32, tallies int) *page {
	var p *page
	if n := len(c.spare); n > 0 {
		p, c.spare = c.spare[n-1], c.spare[:n-1]
		p.index = index
	} else {
		p = c.run.agg.newPage(index)
	}
	rest := max(len(c.free)-tallies, 0)
	p.free = append(p.free, c.free[rest:]...)
	clear(c.free[rest:])
	c.free = c.free[:rest]
	return p
}

// push queues a batch with the addresses known so far. The caller holds mu.
func (c *collector) push(b batch) {
	b.addresses, c.addresses = c.addresses, nil
	c.queue = append(c.queue, b)
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// deliver calls the sink until finished is closed and the queue is empty.
func (c *collector) deliver(sink attack.Sink, finished <-chan struct{}) {
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
				if c.run.cfg.Ended != nil {
					c.run.cfg.Ended(f.Attempt)
				}
			}
			for _, a := range b.sampled { // there are none unless somebody wants them
				c.run.cfg.Ended(a)
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
	slices.SortFunc(w.Cells, func(a, b attack.Cell) int {
		return cmp.Or(
			cmp.Compare(a.DueWindow, b.DueWindow), cmp.Compare(a.Remote, b.Remote),
			cmp.Compare(a.Fault, b.Fault),
			cmp.Compare(a.Detail.Kind, b.Detail.Kind), cmp.Compare(a.Detail.Code, b.Detail.Code), cmp.Compare(a.Phase, b.Phase), compareBool(a.Reused, b.Reused), compareBool(a.Held, b.Held))
	})
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

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
