package wire

import (
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
)

// Lease is one connection slot of its own: attempts over it open its connection
// when there is none and keep it for the next. It is not counted against
// Client.Connections. One goroutine uses it at a time. Over a multiplexed protocol a lease shares
// the transport's connections.
type Lease struct {
	t *Transport
	c *Conn // nil: none; it may have been lost since

	since atomic.Int64 // when the connection became idle plus one, 0 while it is not
	total atomic.Int64 // idle time before, ns
}

// Lease returns a slot without a connection yet.
func (transport *Transport) Lease() *Lease {
	l := &Lease{t: transport}
	transport.mu.Lock()
	transport.leases[l] = struct{}{}
	transport.mu.Unlock()
	return l
}

// Slot implements [attack.Client].
func (transport *Transport) Slot() attack.Slot { return transport.Lease() }

// Do is [Transport.Do] over the slot's connection.
func (l *Lease) Do(r attack.Request, a *attack.Attempt) {
	t := l.t
	if t.multi.Load() {
		t.Do(r, a)
		return
	}
	deadline := t.begin(a)
	if t.aborted.Load() {
		a.Fault = attack.Canceled
		t.end(a)
		return
	}
	c := l.claim(a.Start)
	if c == nil {
		if c = t.dialer.dial(a, deadline, noMatter); c == nil {
			t.end(a)
			return
		}
		if c.mux.Load() != nil {
			t.streams.adopt(c.mux.Load(), true, false)
			t.streams.doOn(c.mux.Load(), r, a, deadline)
			return
		}
		if !t.pool.closeMode() {
			c.lease, l.c = l, c
			t.watch(c)
		}
	}
	how := c.serve(r, a, deadline)
	if how == Keep && c.lease != nil && !c.withdrawn.Load() {
		l.putBack(c, a.End)
		return
	}
	l.c = nil
	t.retire(c, how)
}

// claim takes the slot's connection if it may still serve.
func (l *Lease) claim(now time.Duration) *Conn {
	c := l.c
	if c == nil {
		return nil
	}
	if c.state.CompareAndSwap(stateIdle, stateBusy) {
		l.endIdle(now)
		switch {
		case c.stale(now):
			l.t.retire(c, Destroyed)
		case c.clean(now):
			return c
		default:
			l.t.lost(c)
		}
	}
	l.c = nil
	return nil
}

// putBack makes the connection idle.
func (l *Lease) putBack(c *Conn, now time.Duration) {
	c.idleSince = now
	l.since.Store(int64(c.idleSince) + 1)
	c.state.Store(stateIdle)
	l.t.recheck(c)
}

// endIdle ends an idle time.
func (l *Lease) endIdle(now time.Duration) {
	if since := l.since.Swap(0); since != 0 {
		l.total.Add(max(int64(now)+1-since, 0))
	}
}

func (l *Lease) idleStats(now time.Duration) (int64, time.Duration) {
	total := time.Duration(l.total.Load())
	if since := l.since.Load(); since != 0 {
		return 1, total + max(now+1-time.Duration(since), 0)
	}
	return 0, total
}

// Close closes the slot's connection. The lease must not be used any more.
func (l *Lease) Close() {
	t := l.t
	if c := l.c; c != nil && c.state.CompareAndSwap(stateIdle, stateLost) {
		l.endIdle(t.clock())
		t.retire(c, HangUp) // a RST may be on its way behind the last response
	}
	l.c = nil
	t.mu.Lock()
	if _, ok := t.leases[l]; ok {
		delete(t.leases, l)
		t.leased += time.Duration(l.total.Load())
	}
	t.mu.Unlock()
}
