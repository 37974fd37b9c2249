package wire

import (
	"errors"
	"io"
	"os"
	"sync/atomic"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
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

// unmet notes an end that came while the only attempt with a place on a connection was still
// to be sent: no attempt met it, so it is that of an idle connection.
func (streams *streams) unmet(h *muxed) {
	streams.mu.Lock()
	defer streams.mu.Unlock()
	if h.ended && h.place.Busy == 1 && !h.c.idleEOF && errors.Is(h.c.LastWord(), io.EOF) {
		h.c.idleEOF, h.c.finnedAt = true, streams.t.clock()
	}
}

// adopt takes over a new connection, with a place for the attempt that opened it
// if use is set.
func (streams *streams) adopt(h *muxed, use, counted bool) {
	streams.mu.Lock()
	if counted {
		streams.dialing--
	} else {
		streams.open++
	}
	h.taken, h.place.Of = true, h
	if use {
		h.place.Busy++
	}
	switch {
	case h.ended: // already
		streams.mu.Unlock()
		if !use {
			streams.finish(h)
		}
		return
	case streams.closeMode():
		h.over = true // for this attempt alone
	default:
		streams.conns.Add(&h.place)
	}
	if !use {
		streams.beginIdle(h)
	}
	streams.serve(h)
	streams.mu.Unlock()
}

// drop takes a connection out of those that take attempts. The lock is held.
func (streams *streams) drop(h *muxed) {
	h.over = true
	streams.conns.Remove(&h.place, streams.t.clock())
}

// changed gives the places that a connection has now to those who wait. One that
// takes no more attempts for good is shut as soon as it carries none.
func (streams *streams) changed(h *muxed) {
	streams.mu.Lock()
	if !h.taken || h.ended {
		streams.mu.Unlock()
		return
	}
	if !h.over && h.session.Closing() {
		streams.drop(h)
	}
	streams.conns.Changed(&h.place)
	if !h.over {
		streams.serve(h)
	}
	over := h.over && h.place.Busy == 0
	streams.mu.Unlock()
	if over {
		h.shut()
	}
}

// leave takes a connection out of use; it is shut when it carries no attempt.
func (streams *streams) leave(h *muxed) {
	streams.mu.Lock()
	if !h.taken || h.over || h.ended {
		streams.mu.Unlock()
		return
	}
	streams.drop(h)
	unused := h.place.Busy == 0
	h.c.unused = false
	streams.mu.Unlock()
	if unused {
		h.shut()
	}
}

// dead is told that the reader of a connection is done.
func (streams *streams) dead(h *muxed) {
	streams.mu.Lock()
	if h.ended {
		streams.mu.Unlock()
		return
	}
	h.ended = true
	if last := h.c.LastWord(); h.place.Idle() && last != nil {
		h.c.idleEOF, h.c.finnedAt = errors.Is(last, io.EOF), streams.t.clock()
	}
	streams.drop(h)
	last := h.taken && h.place.Busy == 0
	streams.mu.Unlock()
	if last {
		streams.finish(h)
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
func (streams *streams) finish(h *muxed) {
	how := HangUp
	if last := h.c.LastWord(); last != nil {
		how = Destroyed
		switch f := classify.Fault(last); {
		case errors.Is(last, os.ErrDeadlineExceeded): // our own interruption
			how = HangUp
		case f == attack.EOF:
			how = HalfShut
		case f == attack.Timeout && !streams.t.aborted.Load(), f == attack.Unreachable:
			h.c.gaveUp = true
			if h.c.unused {
				streams.t.bg.report(streams.t.idleReport(h.c, f))
			}
		}
	}
	if streams.t.aborted.Load() {
		how = Destroyed
	}
	streams.t.retire(h.c, how)
	streams.uncount()
}
