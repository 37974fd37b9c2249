package wire

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
	"github.com/rampload/rampload/attack/wire/socket"
)

// release gives a connection back after an attempt, which has just ended.
func (transport *Transport) release(c *Conn, how Outcome, now time.Duration) {
	if how == Keep && c.pooled && !c.withdrawn.Load() {
		transport.pool.put(c, now)
		return
	}
	transport.retire(c, how)
}

// hup is told by the watcher that something happened to a connection.
func (transport *Transport) hup(id uint64) {
	transport.mu.Lock()
	c := transport.told[id]
	transport.mu.Unlock()
	if c == nil {
		return
	}
	c.SetHup(true)
	if c.state.CompareAndSwap(stateIdle, stateLost) {
		transport.lost(c)
		return
	}
	switch c.state.Load() {
	case stateLinger:
		transport.bg.settle(c)
	case stateBusy:
		// An attempt that begins at this moment waits for what the poller has told
		// already: it is to look again. See Conn.Exchange.
		c.Break()
	}
}

// leave ends the use of connections to addresses that the name has no more: of idle
// ones at once, of the others when they are.
func (transport *Transport) leave(gone []netip.Addr) {
	var all []*Conn
	transport.mu.Lock()
	for c := range transport.all() {
		if slices.Contains(gone, c.Remote().Addr()) {
			c.withdrawn.Store(true)
			all = append(all, c)
		}
	}
	transport.mu.Unlock()
	for _, c := range all {
		if c.mux.Load() != nil {
			transport.streams.leave(c.mux.Load())
		} else if c.state.CompareAndSwap(stateIdle, stateLost) {
			transport.unlink(c)
			c.unused = false // it did not come to nothing
			transport.retire(c, Destroyed)
		}
	}
}

// recheck ends a connection that has just become idle, if something happened to
// it while it was busy, or if it came back after Abort: whoever made that happen
// may have passed by before it was idle.
func (transport *Transport) recheck(c *Conn) {
	switch {
	case transport.aborted.Load():
		if c.state.CompareAndSwap(stateIdle, stateLost) {
			transport.unlink(c)
			transport.retire(c, Destroyed)
		}
	case c.Hup():
		if c.state.CompareAndSwap(stateIdle, stateLost) {
			transport.lost(c)
		}
	}
}

// watch has the watcher look at an idle connection; where that fails the sweep
// and the look before reuse remain.
func (transport *Transport) watch(c *Conn) {
	if c.watched {
		return
	}
	transport.mu.Lock()
	transport.told[c.id] = c // the watcher may tell at once
	transport.mu.Unlock()
	if c.watched = transport.watcher.Add(c.Socket(), c.id) == nil; !c.watched {
		transport.sweeping.Store(true)
	}
}

// lost ends an idle connection that the caller has claimed, if something
// happened to it; a false alarm puts it back.
func (transport *Transport) lost(c *Conn) {
	transport.unlink(c)
	c.SetHup(false)
	what, err := c.Socket().Fate()
	if what == socket.Alive && !c.spoiled && c.pooled {
		transport.pool.put(c, transport.clock())
		return
	}
	switch {
	case c.spoiled:
		a := transport.idleReport(c, attack.Protocol)
		a.Detail = attack.Detail{Kind: attack.MalformedDetail, Code: attack.AnsweredBeforeAsked}
		transport.bg.report(a)
		transport.retire(c, Destroyed)
	case what == socket.Finned:
		c.idleEOF, c.finnedAt = true, transport.clock()
		transport.retire(c, HalfShut)
	case what == socket.Failed:
		c.gaveUp = true
		transport.bg.report(transport.idleReport(c, classify.Fault(err)))
		transport.retire(c, Destroyed)
	default:
		transport.retire(c, Destroyed)
	}
}

// unlink takes a connection that went idle out of its pool or lease.
func (transport *Transport) unlink(c *Conn) {
	if c.lease != nil {
		c.lease.endIdle(transport.clock())
	} else if c.pooled {
		transport.pool.unlink(c)
	}
}

// retire ends the use of a connection. The caller owns it: no attempt is in
// flight and it is not idle.
func (transport *Transport) retire(c *Conn, how Outcome) {
	c.state.Store(stateLinger)
	transport.open.Add(-1)
	if c.unused { // it came to nothing
		transport.holder.retry(c.tries)
	}
	if c.pooled {
		transport.pool.gone()
	}
	switch how {
	case HangUp:
		if transport.cfg.Client.CloseFirst {
			break
		}
		what, _ := c.Socket().Fate()
		if what == socket.Alive {
			transport.bg.linger(c, lingerBriefly)
		} else {
			transport.buryAs(c, what)
		}
		return
	case HalfShut:
		transport.watch(c)
		transport.bg.linger(c, lingerReset)
		return
	}
	transport.bury(c)
}

// bury closes a connection, after a last look for a RST.
func (transport *Transport) bury(c *Conn) {
	what := socket.Alive
	if !c.gaveUp {
		what, _ = c.Socket().Fate()
	}
	transport.buryAs(c, what)
}

// buryAs closes a connection whose fate was looked at. Of one that lived a RST may come
// meanwhile.
func (transport *Transport) buryAs(c *Conn, what socket.Fate) {
	if !c.gaveUp {
		if what == socket.Alive {
			if c.TLS() != nil {
				c.Goodbye()
			}
			what, _ = c.Socket().End()
		}
		switch {
		case what == socket.Reset && c.ClaimReset():
			a := transport.idleReport(c, attack.Reset)
			a.WireReset = true
			transport.bg.report(a)
		case c.idleEOF, c.unused && what == socket.Finned:
			transport.bg.report(transport.idleReport(c, attack.EOF))
		}
	}
	transport.forget(c)
	c.close()
}

// enter records a connection that is being opened. It returns false once the transport
// is closed.
func (transport *Transport) enter(c *Conn) bool {
	transport.mu.Lock()
	defer transport.mu.Unlock()
	if transport.closed {
		return false
	}
	transport.lastID++
	c.id = transport.lastID
	if c.after = transport.conns; c.after != nil {
		c.after.before = c
	}
	transport.conns = c
	return true
}

// forget ends the record of a connection.
func (transport *Transport) forget(c *Conn) {
	transport.mu.Lock()
	defer transport.mu.Unlock()
	delete(transport.told, c.id)
	if c.after != nil {
		c.after.before = c.before
	}
	if c.before != nil {
		c.before.after = c.after
	} else {
		transport.conns = c.after
	}
	c.before, c.after = nil, nil
	if transport.conns == nil {
		transport.empty.Broadcast()
	}
}

// all returns the connections that are open. The caller holds the lock.
func (transport *Transport) all() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for c := transport.conns; c != nil && yield(c); c = c.after {
		}
	}
}

// lastWords returns what the peer said unasked before it ended an idle connection, as far
// as the exchanger knows it.
func (transport *Transport) lastWords(c *Conn) (attack.Detail, *attack.Answer) {
	if c.mux.Load() != nil {
		if p, ok := c.mux.Load().session.(Parting); ok {
			return p.Said(), nil
		}
	}
	listener, ok := transport.ex.(Listener)
	if !ok || c.mux.Load() != nil {
		return attack.Detail{}, nil
	}
	b := make([]byte, attack.MaxAnswerBody)
	if waiting, _ := c.Waiting(); !waiting {
		return attack.Detail{}, nil
	}
	// It has come already, under TLS perhaps not whole; also at the end of a run.
	if c.Socket().SetDeadline(time.Now().Add(100*time.Millisecond)) != nil {
		return attack.Detail{}, nil
	}
	n, err := c.Read(b)
	if n == 0 || err != nil {
		return attack.Detail{}, nil
	}
	return listener.Unasked(b[:n]), &attack.Answer{Body: string(b[:n]), Declared: -1, Received: int64(n)}
}

// idleReport is an event on a connection without an attempt.
func (transport *Transport) idleReport(c *Conn, fault attack.Fault) attack.Attempt {
	now := transport.clock()
	if fault == attack.EOF && c.idleEOF {
		now = c.finnedAt // not when the wait for a RST behind it was over
	}
	a := attack.Attempt{Target: transport.cfg.Target, Due: now, Start: now, End: now, Fault: fault, Phase: attack.PhaseIdle}
	if c.unused { // once: a RST may follow
		a.Phase, a.Held, c.unused = attack.PhaseDial, true, false
	}
	c.describe(&a, now)
	if c.idleSince != notYet {
		a.Conn.Idle = now - c.idleSince
	}
	a.Info = c.Socket().Info()
	if fault == attack.EOF || fault == attack.Reset {
		a.Detail, a.Answer = transport.lastWords(c)
	}
	return a
}
