package wire

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
	"github.com/rampload/rampload/attack/wire/queue"
	"github.com/rampload/rampload/attack/wire/roster"
)

// muxed is a connection with a multiplexed session.
type muxed struct {
	c       *Conn
	s       *streams
	session Multiplexed // set before it is ready and adopted
	ready   atomic.Bool // its session is known

	// Guarded by streams.mu.
	place roster.Member[*muxed]
	taken bool // adopted
	over  bool // takes no new attempts
	ended bool // its reader is done
}

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

func (s *streams) init(t *Transport, limit int) { s.t, s.limit = t, limit }

// closeMode reports whether every attempt gets a connection of its own.
func (s *streams) closeMode() bool { return s.limit == 0 && s.held.Load() == 0 }

func (s *streams) allowed() int {
	if held := int(s.held.Load()); held > 0 {
		return held
	}
	return s.limit
}

// do makes an attempt on a connection that has room.
func (s *streams) do(r attack.Request, a *attack.Attempt, deadline time.Duration) {
	t := s.t
	if t.aborted.Load() {
		a.Fault = attack.Canceled
		t.end(a)
		return
	}
	h, counted, fault := s.take(t.clock(), deadline)
	if fault != attack.None {
		a.Fault = fault
		t.end(a)
		return
	}
	if h == nil {
		c := t.dialer.dial(a, deadline, noMatter)
		if c == nil || c.mux.Load() == nil {
			if counted {
				s.gone()
			}
			if c == nil {
				t.end(a)
				return
			}
			t.retire(c, c.serve(r, a, deadline)) // one instance of many that is not multiplexed
			return
		}
		h = c.mux.Load()
		s.adopt(h, true, counted)
	}
	s.doOn(h, r, a, deadline)
}

// doOn makes an attempt on a connection on which it has a place; on another if
// that one takes no more.
func (s *streams) doOn(h *muxed, r attack.Request, a *attack.Attempt, deadline time.Duration) {
	how := h.session.Do(r, a)
	if how == NotSent {
		s.unmet(h)
	}
	s.release(h, how != Keep && how != NotSent || s.closeMode())
	if how == NotSent {
		s.do(r, a, deadline)
	}
}

// unmet notes an end that came while the only attempt with a place on a connection was still
// to be sent: no attempt met it, so it is that of an idle connection.
func (s *streams) unmet(h *muxed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.ended && h.place.Busy == 1 && !h.c.idleEOF && errors.Is(h.c.LastWord(), io.EOF) {
		h.c.idleEOF, h.c.finnedAt = true, s.t.clock()
	}
}

// take returns a connection with a place for an attempt; or none and no fault
// when the caller is to open one, which counted says is counted.
func (s *streams) take(now, deadline time.Duration) (h *muxed, counted bool, fault attack.Fault) {
	if s.closeMode() {
		return nil, false, attack.None
	}
	s.mu.Lock()
	h = s.find()
	if h != nil && (h.place.Busy == 0 || !s.spreads()) {
		s.reserve(h, now)
		s.mu.Unlock()
		return h, true, attack.None
	}
	if h != nil || s.mayDial() {
		s.open++
		s.dialing++
		s.mu.Unlock()
		return nil, true, attack.None
	}
	w := s.waiting.Push()
	s.mu.Unlock()
	h, fault = w.Wait(s.t.left(deadline), s.t.quit, s.t.drain)
	if fault == attack.None {
		s.waiting.Free(w)
		return h, true, attack.None
	}
	s.mu.Lock()
	queued := s.waiting.Remove(w)
	s.mu.Unlock()
	if !queued {
		if h := w.Served(); h != nil {
			s.release(h, false)
		} else {
			s.gone()
		}
	}
	s.waiting.Free(w)
	return nil, true, fault
}

// mayDial reports whether one more connection is allowed and of use.
func (s *streams) mayDial() bool {
	each := assumedStreams
	if most := s.t.cfg.Client.StreamsPerConn; most > 0 {
		each = min(each, most)
	}
	if room := s.t.ex.Offer().Room; room > 0 {
		each = min(each, room)
	}
	// Each that is being opened is for the attempt that opens it, too.
	return s.closeMode() || s.open < s.allowed() && s.waiting.Len() >= s.dialing*(each-1)
}

// spreads reports whether a connection is to be opened although there is room on
// those that are: one to each address, so that every instance behind a name is
// loaded.
func (s *streams) spreads() bool {
	return s.open < s.allowed() && s.dialing == 0 && s.open < s.t.dialer.resolver.Spread()
}

// find returns the connection that is to take an attempt, nil if none has room. Held
// connections take their turns, so that all are used. The lock is held.
func (s *streams) find() *muxed {
	m := s.conns.Find(s.held.Load() > 0, func(h *muxed) int { return h.session.Room() })
	if m == nil {
		return nil
	}
	return m.Of
}

// reserve takes a place on a connection. The lock is held.
func (s *streams) reserve(h *muxed, now time.Duration) {
	s.conns.Wake(&h.place, now)
	h.place.Busy++
	h.c.unused = false
}

// reserveOn takes a place on a connection if it has one. The lock is held.
func (s *streams) reserveOn(h *muxed, now time.Duration) bool {
	if h.over || h.place.Busy >= h.session.Room() {
		return false
	}
	s.reserve(h, now)
	return true
}

func (s *streams) beginIdle(h *muxed) {
	h.c.idleSince = s.t.clock()
	s.conns.Rest(&h.place, h.c.idleSince)
}

// adopt takes over a new connection, with a place for the attempt that opened it
// if use is set.
func (s *streams) adopt(h *muxed, use, counted bool) {
	s.mu.Lock()
	if counted {
		s.dialing--
	} else {
		s.open++
	}
	h.taken, h.place.Of = true, h
	if use {
		h.place.Busy++
	}
	switch {
	case h.ended: // already
		s.mu.Unlock()
		if !use {
			s.finish(h)
		}
		return
	case s.closeMode():
		h.over = true // for this attempt alone
	default:
		s.conns.Add(&h.place)
	}
	if !use {
		s.beginIdle(h)
	}
	s.serve(h)
	s.mu.Unlock()
}

// serve gives places on a connection to those who wait. The lock is held.
func (s *streams) serve(h *muxed) {
	for s.waiting.Len() > 0 && s.reserveOn(h, s.t.clock()) {
		s.waiting.Pop().Serve(h)
	}
}

// release ends an attempt on a connection.
func (s *streams) release(h *muxed, hangUp bool) {
	s.mu.Lock()
	h.place.Busy--
	s.conns.Changed(&h.place)
	if !h.over && (hangUp || h.session.Closing()) {
		s.drop(h) // after a GOAWAY it serves out what it has
	}
	over := h.over
	if !over {
		if h.place.Busy == 0 {
			s.beginIdle(h)
		}
		s.serve(h)
	}
	last, ended := h.place.Busy == 0, h.ended
	s.mu.Unlock()
	switch {
	case last && ended:
		s.finish(h)
	case last && over:
		h.shut()
	}
}

// drop takes a connection out of those that take attempts. The lock is held.
func (s *streams) drop(h *muxed) {
	h.over = true
	s.conns.Remove(&h.place, s.t.clock())
}

// changed gives the places that a connection has now to those who wait. One that
// takes no more attempts for good is shut as soon as it carries none.
func (s *streams) changed(h *muxed) {
	s.mu.Lock()
	if !h.taken || h.ended {
		s.mu.Unlock()
		return
	}
	if !h.over && h.session.Closing() {
		s.drop(h)
	}
	s.conns.Changed(&h.place)
	if !h.over {
		s.serve(h)
	}
	over := h.over && h.place.Busy == 0
	s.mu.Unlock()
	if over {
		h.shut()
	}
}

// leave takes a connection out of use; it is shut when it carries no attempt.
func (s *streams) leave(h *muxed) {
	s.mu.Lock()
	if !h.taken || h.over || h.ended {
		s.mu.Unlock()
		return
	}
	s.drop(h)
	unused := h.place.Busy == 0
	h.c.unused = false
	s.mu.Unlock()
	if unused {
		h.shut()
	}
}

// dead is told that the reader of a connection is done.
func (s *streams) dead(h *muxed) {
	s.mu.Lock()
	if h.ended {
		s.mu.Unlock()
		return
	}
	h.ended = true
	if last := h.c.LastWord(); h.place.Idle() && last != nil {
		h.c.idleEOF, h.c.finnedAt = errors.Is(last, io.EOF), s.t.clock()
	}
	s.drop(h)
	last := h.taken && h.place.Busy == 0
	s.mu.Unlock()
	if last {
		s.finish(h)
	}
}

// shut closes a connection.
func (h *muxed) shut() { h.session.Shut() }

// close is shut for Close, which may come in the middle of a handshake: that ends by
// itself, and shuts its session.
func (h *muxed) close() {
	if h.ready.Load() {
		h.shut()
	}
}

// finish ends a connection whose reader is done and that no attempt uses.
func (s *streams) finish(h *muxed) {
	how := HangUp
	if last := h.c.LastWord(); last != nil {
		how = Destroyed
		switch f := classify.Fault(last); {
		case errors.Is(last, os.ErrDeadlineExceeded): // our own interruption
			how = HangUp
		case f == attack.EOF:
			how = HalfShut
		case f == attack.Timeout && !s.t.aborted.Load(), f == attack.Unreachable:
			h.c.gaveUp = true
			if h.c.unused {
				s.t.bg.report(s.t.idleReport(h.c, f))
			}
		}
	}
	if s.t.aborted.Load() {
		how = Destroyed
	}
	s.t.retire(h.c, how)
	s.uncount()
}

// gone notes that a connection could not be opened.
func (s *streams) gone() {
	s.mu.Lock()
	s.dialing--
	s.mu.Unlock()
	s.uncount()
}

// uncount uncounts a connection: whoever waits first may open another.
func (s *streams) uncount() {
	s.mu.Lock()
	s.open--
	var w *queue.Waiter[*muxed]
	if s.waiting.Len() > 0 && s.mayDial() {
		w = s.waiting.Pop()
		s.open++
		s.dialing++
	}
	held := s.held.Load() > 0
	s.mu.Unlock()
	if w != nil {
		w.Serve(nil)
	}
	if held {
		s.t.bg.poke()
	}
}

// wake has those who wait open connections: see pool.wake.
func (s *streams) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.waiting.Len() > 0 && s.mayDial() {
		s.open++
		s.dialing++
		s.waiting.Pop().Serve(nil)
	}
}

// admit counts a connection that is about to be opened to be held.
func (s *streams) admit() {
	s.mu.Lock()
	s.open++
	s.dialing++
	s.mu.Unlock()
}

// count returns how many connections are open, being opened or ending.
func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// expire closes connections that are idle since before a time.
func (s *streams) expire(before time.Duration) {
	s.shutIdle(func(since time.Duration) bool { return since < before })
}

// trim closes idle connections beyond n, those that are so the longest.
func (s *streams) trim(n int) {
	over := s.count() - n
	s.shutIdle(func(time.Duration) bool {
		over--
		return over >= 0
	})
}

// shutIdle closes the connections that are idle the longest, as long as they are meant.
func (s *streams) shutIdle(meant func(since time.Duration) bool) {
	var out []*muxed
	s.mu.Lock()
	for m, since := s.conns.Oldest(); m != nil && meant(since); m, since = s.conns.Oldest() {
		s.drop(m.Of)
		m.Of.c.unused = false // it did not come to nothing
		out = append(out, m.Of)
	}
	s.mu.Unlock()
	for _, h := range out {
		h.shut()
	}
}

// oldest returns since when the longest idle connection is idle.
func (s *streams) oldest() (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, since := s.conns.Oldest()
	return since, m != nil
}

func (s *streams) idleStats(now time.Duration) (int64, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns.Stats(now)
}
