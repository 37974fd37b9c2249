package wire

import (
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/agenda"
)

// mostDials bounds the connections that are opened at once where the profile does not
// say how much may be in flight.
const mostDials = 10_000

// opening is a connection that is to be opened now.
type opening struct {
	agenda.Opening
	multi bool // counted as one of a multiplexed protocol
}

// holder keeps connections open that a stage wants held. Connections have due times,
// as requests have: one that is due is opened at once, however long the others take,
// unless client.max-in-flight of them are being opened.
type holder struct {
	t    *Transport
	most int // connections that are opened at once

	mu      sync.Mutex
	on      bool // Hold was called
	want    int
	dialing int // begun, or about to be
	plan    agenda.Agenda
	dialers *agenda.Relay[opening]
}

func newHolder(t *Transport) *holder {
	h := &holder{t: t, most: t.cfg.Client.MaxInFlight}
	if h.most <= 0 {
		h.most = mostDials
	}
	h.dialers = agenda.NewRelay(h.dial)
	return h
}

// set sets how many connections are kept open, the new ones due at a time.
func (h *holder) set(n int, due time.Duration) {
	h.mu.Lock()
	h.plan.Add(max(n-h.want, 0), due)
	h.want, h.on = n, true
	h.mu.Unlock()
	h.t.pool.held.Store(int64(n))
	h.t.streams.held.Store(int64(n))
	h.t.pool.wake()
	h.t.streams.wake()
	h.t.bg.poke()
}

// missing is how many connections are neither open nor being opened. The lock is held.
func (h *holder) missing() int {
	return max(h.want-h.t.pool.count()-h.t.streams.count(), 0)
}

// stats returns how many connections are wanted, and how many of them are due and not
// even being opened.
func (h *holder) stats() (want, undialled int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.on {
		return 0, 0
	}
	return int64(h.want), int64(max(h.missing()-h.plan.Waiting(), 0))
}

// next returns when there is something to do again, or never.
func (h *holder) next() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if next, ok := h.plan.Next(); ok {
		return next
	}
	return never
}

// retry has a connection that came to nothing opened again later. It is told before
// the connection is uncounted.
func (h *holder) retry(tries uint8) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on {
		h.plan.Retry(h.t.clock(), tries)
	}
}

// keep opens connections up to the number to hold, and closes those above.
func (h *holder) keep(now time.Duration) {
	h.mu.Lock()
	if !h.on || h.t.aborted.Load() {
		h.mu.Unlock()
		return
	}
	h.plan.Ripen(now)
	missing := h.missing()
	h.plan.Trim(missing)
	var starts []opening
	for missing -= h.plan.Waiting(); missing > 0 && h.dialing < h.most; missing-- {
		what := opening{h.plan.Take(now), h.t.multi.Load()}
		if what.multi {
			h.t.streams.admit()
		} else {
			h.t.pool.admit()
		}
		h.dialing++
		starts = append(starts, what)
	}
	h.dialers.Add(starts...)
	keep := h.want
	if keep == 0 {
		keep = h.t.cfg.Client.Connections
	}
	h.mu.Unlock()
	for c := h.t.pool.expired(keep, notYet); c != nil; c = h.t.pool.expired(keep, notYet) {
		h.t.retire(c, Destroyed)
	}
	h.t.streams.trim(keep)
}

// dial opens one connection. It tells once it has to wait.
func (h *holder) dial(what opening, waits func()) {
	t, multi := h.t, what.multi
	var a attack.Attempt
	a.Target = t.cfg.Target
	deadline := t.begin(&a)
	a.Due, a.Held = min(what.At, a.Start), true
	if told := t.cfg.OnHold; told != nil {
		told(a.Due, a.Start)
	}
	c := t.dialer.dial(&a, deadline, waits)
	if c == nil {
		a.End = t.clock()
		if a.Fault != attack.Canceled {
			t.bg.report(a)
		}
		h.retry(what.Tries)
	} else {
		c.unused, c.tries = true, what.Tries
	}
	switch {
	case multi && c == nil:
		t.streams.gone()
	case multi && c.mux.Load() == nil: // one instance of many that does not speak it
		c.unused = false
		t.streams.gone()
		t.retire(c, Destroyed)
	case multi:
		t.streams.adopt(c.mux.Load(), false, true)
	case c == nil:
		t.pool.gone()
	case c.mux.Load() != nil: // opened before it was known that the protocol is multiplexed
		t.streams.adopt(c.mux.Load(), false, false)
		t.pool.gone()
	default:
		c.pooled = true
		t.watch(c)
		t.pool.put(c, t.clock())
	}
	h.mu.Lock()
	h.dialing--
	h.mu.Unlock()
	t.bg.poke()
}
