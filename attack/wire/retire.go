package wire

import (
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
	"github.com/rampload/rampload/attack/wire/socket"
)

// release gives a connection back after an attempt.
func (t *Transport) release(c *Conn, how Outcome) {
	if how == Keep && c.pooled && !c.withdrawn.Load() {
		t.pool.put(c)
		return
	}
	t.retire(c, how)
}

// hup is told by the watcher that something happened to a connection.
func (t *Transport) hup(id uint64) {
	t.mu.Lock()
	c := t.conns[id]
	t.mu.Unlock()
	if c == nil {
		return
	}
	c.SetHup(true)
	if c.state.CompareAndSwap(stateIdle, stateLost) {
		t.lost(c)
		return
	}
	switch c.state.Load() {
	case stateLinger:
		t.bg.settle(c)
	case stateBusy:
		// An attempt that begins at this moment waits for what the poller has told
		// already: it is to look again. See Conn.Exchange.
		c.Break()
	}
}

// leave ends the use of connections to addresses that the name has no more: of idle
// ones at once, of the others when they are.
func (t *Transport) leave(gone []netip.Addr) {
	var all []*Conn
	t.mu.Lock()
	for _, c := range t.conns {
		if slices.Contains(gone, c.Remote().Addr()) {
			c.withdrawn.Store(true)
			all = append(all, c)
		}
	}
	t.mu.Unlock()
	for _, c := range all {
		if c.mux.Load() != nil {
			t.streams.leave(c.mux.Load())
		} else if c.state.CompareAndSwap(stateIdle, stateLost) {
			t.unlink(c)
			c.unused = false // it did not come to nothing
			t.retire(c, Destroyed)
		}
	}
}

// recheck ends a connection that has just become idle, if something happened to
// it while it was busy, or if it came back after Abort: whoever made that happen
// may have passed by before it was idle.
func (t *Transport) recheck(c *Conn) {
	switch {
	case t.aborted.Load():
		if c.state.CompareAndSwap(stateIdle, stateLost) {
			t.unlink(c)
			t.retire(c, Destroyed)
		}
	case c.Hup():
		if c.state.CompareAndSwap(stateIdle, stateLost) {
			t.lost(c)
		}
	}
}

// watch has the watcher look at an idle connection; where that fails the sweep
// and the look before reuse remain.
func (t *Transport) watch(c *Conn) {
	if c.watched {
		return
	}
	if c.watched = t.watcher.Add(c.Socket(), c.id) == nil; !c.watched {
		t.sweeping.Store(true)
	}
}

// lost ends an idle connection that the caller has claimed, if something
// happened to it; a false alarm puts it back.
func (t *Transport) lost(c *Conn) {
	t.unlink(c)
	c.SetHup(false)
	what, err := c.Socket().Fate()
	if what == socket.Alive && !c.spoiled && c.pooled {
		t.pool.put(c)
		return
	}
	switch {
	case c.spoiled:
		a := t.idleReport(c, attack.Protocol)
		a.Detail = attack.Detail{Kind: attack.MalformedDetail, Code: attack.AnsweredBeforeAsked}
		t.bg.report(a)
		t.retire(c, Destroyed)
	case what == socket.Finned:
		c.idleEOF, c.finnedAt = true, t.clock()
		t.retire(c, HalfShut)
	case what == socket.Failed:
		c.gaveUp = true
		t.bg.report(t.idleReport(c, classify.Fault(err)))
		t.retire(c, Destroyed)
	default:
		t.retire(c, Destroyed)
	}
}

// unlink takes a connection that went idle out of its pool or lease.
func (t *Transport) unlink(c *Conn) {
	if c.lease != nil {
		c.lease.endIdle()
	} else if c.pooled {
		t.pool.unlink(c)
	}
}

// retire ends the use of a connection. The caller owns it: no attempt is in
// flight and it is not idle.
func (t *Transport) retire(c *Conn, how Outcome) {
	c.state.Store(stateLinger)
	t.open.Add(-1)
	if c.unused { // it came to nothing
		t.holder.retry(c.tries)
	}
	if c.pooled {
		t.pool.gone()
	}
	switch how {
	case HangUp:
		if t.cfg.Client.CloseFirst {
			break
		}
		what, _ := c.Socket().Fate()
		if what == socket.Alive {
			t.bg.linger(c, lingerBriefly)
		} else {
			t.buryAs(c, what)
		}
		return
	case HalfShut:
		t.watch(c)
		t.bg.linger(c, lingerReset)
		return
	}
	t.bury(c)
}

// bury closes a connection, after a last look for a RST.
func (t *Transport) bury(c *Conn) {
	what := socket.Alive
	if !c.gaveUp {
		what, _ = c.Socket().Fate()
	}
	t.buryAs(c, what)
}

// buryAs closes a connection whose fate was looked at.
func (t *Transport) buryAs(c *Conn, what socket.Fate) {
	if !c.gaveUp {
		switch {
		case what == socket.Reset && c.ClaimReset():
			a := t.idleReport(c, attack.Reset)
			a.WireReset = true
			t.bg.report(a)
		case c.idleEOF, c.unused && what == socket.Finned:
			t.bg.report(t.idleReport(c, attack.EOF))
		case what == socket.Alive && c.TLS() != nil:
			c.Goodbye()
		}
	}
	t.forget(c)
	c.close()
}

// forget ends the record of a connection.
func (t *Transport) forget(c *Conn) {
	t.mu.Lock()
	delete(t.conns, c.id)
	if len(t.conns) == 0 {
		t.empty.Broadcast()
	}
	t.mu.Unlock()
}

// lastWords returns what the peer said unasked before it ended an idle connection, as far
// as the exchanger knows it.
func (t *Transport) lastWords(c *Conn) (attack.Detail, *attack.Answer) {
	if c.mux.Load() != nil {
		if p, ok := c.mux.Load().session.(Parting); ok {
			return p.Said(), nil
		}
	}
	listener, ok := t.ex.(Listener)
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
func (t *Transport) idleReport(c *Conn, fault attack.Fault) attack.Attempt {
	now := t.clock()
	if fault == attack.EOF && c.idleEOF {
		now = c.finnedAt // not when the wait for a RST behind it was over
	}
	a := attack.Attempt{Target: t.cfg.Target, Due: now, Start: now, End: now, Fault: fault, Phase: attack.PhaseIdle}
	if c.unused { // once: a RST may follow
		a.Phase, a.Held, c.unused = attack.PhaseDial, true, false
	}
	c.describe(&a, now)
	if c.idleSince != notYet {
		a.Conn.Idle = now - c.idleSince
	}
	a.Info = c.Socket().Info()
	if fault == attack.EOF || fault == attack.Reset {
		a.Detail, a.Answer = t.lastWords(c)
	}
	return a
}
