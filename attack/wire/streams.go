package wire

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/queue"
	"github.com/rampload/rampload/attack/wire/roster"
)

// streams holds the multiplexed connections of a transport. An attempt takes the one
// with the fewest attempts among those that have room. A new connection is opened
// when none has, and as long as not every address of the target has one.
type streams struct {
	t     *Transport
	limit int
	held  atomic.Int64

	mu      sync.Mutex
	conns   roster.Roster[*muxed] // that take attempts
	open    int                   // conns, and those being opened or ending
	dialing int
	waiting queue.Line[*muxed]
}

// assumedStreams is how many streams a connection is taken to carry before it
// has said so.
const assumedStreams = 100

func (streams *streams) init(t *Transport, limit int) { streams.t, streams.limit = t, limit }

// closeMode reports whether every attempt gets a connection of its own.
func (streams *streams) closeMode() bool { return streams.limit == 0 && streams.held.Load() == 0 }

func (streams *streams) allowed() int {
	if held := int(streams.held.Load()); held > 0 {
		return held
	}
	return streams.limit
}

// do makes an attempt on a connection that has room.
func (streams *streams) do(r attack.Request, a *attack.Attempt, deadline time.Duration) {
	t := streams.t
	if t.aborted.Load() {
		a.Fault = attack.Canceled
		t.end(a)
		return
	}
	h, counted, fault := streams.take(t.clock(), deadline)
	if fault != attack.None {
		a.Fault = fault
		t.end(a)
		return
	}
	if h == nil {
		c := t.dialer.dial(a, deadline, noMatter)
		if c == nil || c.mux.Load() == nil {
			if counted {
				streams.gone()
			}
			if c == nil {
				t.end(a)
				return
			}
			t.retire(c, c.serve(r, a, deadline)) // one instance of many that is not multiplexed
			return
		}
		h = c.mux.Load()
		streams.adopt(h, true, counted)
	}
	streams.doOn(h, r, a, deadline)
}

// doOn makes an attempt on a connection on which it has a place; on another if
// that one takes no more.
func (streams *streams) doOn(h *muxed, r attack.Request, a *attack.Attempt, deadline time.Duration) {
	how := h.session.Do(r, a)
	if how == NotSent {
		streams.unmet(h)
	}
	streams.release(h, how != Keep && how != NotSent || streams.closeMode())
	if how == NotSent {
		streams.do(r, a, deadline)
	}
}

// take returns a connection with a place for an attempt; or none and no fault
// when the caller is to open one, which counted says is counted.
func (streams *streams) take(now, deadline time.Duration) (h *muxed, counted bool, fault attack.Fault) {
	if streams.closeMode() {
		return nil, false, attack.None
	}
	streams.mu.Lock()
	h = streams.find()
	if h != nil && (h.place.Busy == 0 || !streams.spreads()) {
		streams.reserve(h, now)
		streams.mu.Unlock()
		return h, true, attack.None
	}
	if h != nil || streams.mayDial() {
		streams.open++
		streams.dialing++
		streams.mu.Unlock()
		return nil, true, attack.None
	}
	w := streams.waiting.Push()
	streams.mu.Unlock()
	h, fault = w.Wait(streams.t.left(deadline), streams.t.quit, streams.t.drain)
	if fault == attack.None {
		streams.waiting.Free(w)
		return h, true, attack.None
	}
	streams.mu.Lock()
	queued := streams.waiting.Remove(w)
	streams.mu.Unlock()
	if !queued {
		if h := w.Served(); h != nil {
			streams.release(h, false)
		} else {
			streams.gone()
		}
	}
	streams.waiting.Free(w)
	return nil, true, fault
}

// mayDial reports whether one more connection is allowed and of use.
func (streams *streams) mayDial() bool {
	each := assumedStreams
	if most := streams.t.cfg.Client.StreamsPerConn; most > 0 {
		each = min(each, most)
	}
	if room := streams.t.ex.Offer().Room; room > 0 {
		each = min(each, room)
	}
	// Each that is being opened is for the attempt that opens it, too.
	return streams.closeMode() || streams.open < streams.allowed() && streams.waiting.Len() >= streams.dialing*(each-1)
}

// spreads reports whether a connection is to be opened although there is room on
// those that are: one to each address, so that every instance behind a name is
// loaded.
func (streams *streams) spreads() bool {
	return streams.open < streams.allowed() && streams.dialing == 0 && streams.open < streams.t.dialer.resolver.Spread()
}

// find returns the connection that is to take an attempt, nil if none has room. Held
// connections take their turns, so that all are used. The lock is held.
func (streams *streams) find() *muxed {
	m := streams.conns.Find(streams.held.Load() > 0, func(h *muxed) int { return h.session.Room() })
	if m == nil {
		return nil
	}
	return m.Of
}

// reserve takes a place on a connection. The lock is held.
func (streams *streams) reserve(h *muxed, now time.Duration) {
	streams.conns.Wake(&h.place, now)
	h.place.Busy++
	h.c.unused = false
}

// reserveOn takes a place on a connection if it has one. The lock is held.
func (streams *streams) reserveOn(h *muxed, now time.Duration) bool {
	if h.over || h.place.Busy >= h.session.Room() {
		return false
	}
	streams.reserve(h, now)
	return true
}

func (streams *streams) beginIdle(h *muxed) {
	h.c.idleSince = streams.t.clock()
	streams.conns.Rest(&h.place, h.c.idleSince)
}

// serve gives places on a connection to those who wait. The lock is held.
func (streams *streams) serve(h *muxed) {
	for streams.waiting.Len() > 0 && streams.reserveOn(h, streams.t.clock()) {
		streams.waiting.Pop().Serve(h)
	}
}

// release ends an attempt on a connection.
func (streams *streams) release(h *muxed, hangUp bool) {
	streams.mu.Lock()
	h.place.Busy--
	streams.conns.Changed(&h.place)
	if !h.over && (hangUp || h.session.Closing()) {
		streams.drop(h) // after a GOAWAY it serves out what it has
	}
	over := h.over
	if !over {
		if h.place.Busy == 0 {
			streams.beginIdle(h)
		}
		streams.serve(h)
	}
	last, ended := h.place.Busy == 0, h.ended
	streams.mu.Unlock()
	switch {
	case last && ended:
		streams.finish(h)
	case last && over:
		h.shut()
	}
}

// gone notes that a connection could not be opened.
func (streams *streams) gone() {
	streams.mu.Lock()
	streams.dialing--
	streams.mu.Unlock()
	streams.uncount()
}

// uncount uncounts a connection: whoever waits first may open another.
func (streams *streams) uncount() {
	streams.mu.Lock()
	streams.open--
	var w *queue.Waiter[*muxed]
	if streams.waiting.Len() > 0 && streams.mayDial() {
		w = streams.waiting.Pop()
		streams.open++
		streams.dialing++
	}
	held := streams.held.Load() > 0
	streams.mu.Unlock()
	if w != nil {
		w.Serve(nil)
	}
	if held {
		streams.t.bg.poke()
	}
}

// wake has those who wait open connections: see pool.wake.
func (streams *streams) wake() {
	streams.mu.Lock()
	defer streams.mu.Unlock()
	for streams.waiting.Len() > 0 && streams.mayDial() {
		streams.open++
		streams.dialing++
		streams.waiting.Pop().Serve(nil)
	}
}

// admit counts a connection that is about to be opened to be held.
func (streams *streams) admit() {
	streams.mu.Lock()
	streams.open++
	streams.dialing++
	streams.mu.Unlock()
}

// count returns how many connections are open, being opened or ending.
func (streams *streams) count() int {
	streams.mu.Lock()
	defer streams.mu.Unlock()
	return streams.open
}

// expire closes connections that are idle since before a time.
func (streams *streams) expire(before time.Duration) {
	streams.shutIdle(func(since time.Duration) bool { return since < before })
}

// trim closes idle connections beyond n, those that are so the longest.
func (streams *streams) trim(n int) {
	over := streams.count() - n
	streams.shutIdle(func(time.Duration) bool {
		over--
		return over >= 0
	})
}

// shutIdle closes the connections that are idle the longest, as long as they are meant.
func (streams *streams) shutIdle(meant func(since time.Duration) bool) {
	var out []*muxed
	streams.mu.Lock()
	for m, since := streams.conns.Oldest(); m != nil && meant(since); m, since = streams.conns.Oldest() {
		streams.drop(m.Of)
		m.Of.c.unused = false // it did not come to nothing
		out = append(out, m.Of)
	}
	streams.mu.Unlock()
	for _, h := range out {
		h.shut()
	}
}

// oldest returns since when the longest idle connection is idle.
func (streams *streams) oldest() (time.Duration, bool) {
	streams.mu.Lock()
	defer streams.mu.Unlock()
	m, since := streams.conns.Oldest()
	return since, m != nil
}

func (streams *streams) idleStats(now time.Duration) (int64, time.Duration) {
	streams.mu.Lock()
	defer streams.mu.Unlock()
	return streams.conns.Stats(now)
}
