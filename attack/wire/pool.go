package wire

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/queue"
	"github.com/rampload/rampload/attack/wire/socket"
)

// pool hands out the HTTP/1 connections of a transport. Attempts that find none
// free, and as many open as allowed, wait in order of arrival.
type pool struct {
	t     *Transport
	limit int // Client.Connections
	held  atomic.Int64

	mu      sync.Mutex
	open    int // connections in use, idle or being opened
	idle    connList
	waiting queue.Line[*Conn]

	idleNow   int64
	idleStart time.Duration // sum of the times at which those idle now became so
	idleTotal time.Duration // of those that are not idle any more
}

func (p *pool) init(t *Transport, limit int) { p.t, p.limit = t, limit }

// closeMode reports whether every attempt gets a connection of its own.
func (p *pool) closeMode() bool { return p.limit == 0 && p.held.Load() == 0 }

// allowed is how many connections may be open.
func (p *pool) allowed() int {
	if held := int(p.held.Load()); held > 0 {
		return held
	}
	return p.limit
}

// mayOpen reports whether one more connection is allowed.
func (p *pool) mayOpen() bool { return p.closeMode() || p.open < p.allowed() }

// take returns an idle connection, now busy; or nil and no fault when the caller
// is to open one.
func (p *pool) take(now, deadline time.Duration) (*Conn, attack.Fault) {
	if p.t.aborted.Load() {
		return nil, attack.Canceled
	}
	p.mu.Lock()
	for {
		// The last used is warm, and lets the others meet idle timeouts as with
		// any client; held connections are all to be used.
		c := p.idle.tail
		if p.held.Load() > 0 {
			c = p.idle.head
		}
		if c == nil {
			break
		}
		p.remove(c, now)
		if c.state.CompareAndSwap(stateIdle, stateBusy) {
			p.mu.Unlock()
			return c, attack.None
		}
	}
	if p.mayOpen() {
		p.open++
		p.mu.Unlock()
		return nil, attack.None
	}
	w := p.waiting.Push()
	p.mu.Unlock()

	c, fault := w.Wait(p.t.left(deadline), p.t.quit, p.t.drain)
	if fault == attack.None {
		p.waiting.Free(w)
		return c, attack.None
	}
	p.mu.Lock()
	queued := p.waiting.Remove(w)
	p.mu.Unlock()
	if !queued { // served at the last moment
		if c := w.Served(); c != nil {
			p.put(c)
		} else {
			p.gone()
		}
	}
	p.waiting.Free(w)
	return nil, fault
}

// remove takes a connection off the idle list.
func (p *pool) remove(c *Conn, now time.Duration) {
	p.idle.remove(c)
	p.idleNow--
	p.idleStart -= c.idleSince
	p.idleTotal += max(now-c.idleSince, 0)
}

// put gives a connection that may serve again to whoever waits, or makes it idle.
func (p *pool) put(c *Conn) {
	now := p.t.clock()
	c.idleSince = now
	p.mu.Lock()
	if p.open > p.allowed() || p.t.aborted.Load() { // Hold was lowered
		p.mu.Unlock()
		p.t.retire(c, Destroyed)
		return
	}
	if w := p.waiting.Pop(); w != nil {
		p.mu.Unlock()
		w.Serve(c)
		return
	}
	p.idle.push(c)
	p.idleNow++
	p.idleStart += now
	c.state.Store(stateIdle)
	p.mu.Unlock()
	p.t.recheck(c)
}

// wake has those who wait open connections, as far as more are allowed since the
// number to hold has changed: no connection that ends would tell them. When none
// is kept any more each gets one for itself.
func (p *pool) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.waiting.Len() > 0 && p.mayOpen() {
		p.open++
		p.waiting.Pop().Serve(nil)
	}
}

// unlink takes a claimed connection off the idle list, if it is on it.
func (p *pool) unlink(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.listed {
		p.remove(c, p.t.clock())
	}
}

// gone notes that a connection ended or could not be opened: whoever waits first
// may open another.
func (p *pool) gone() {
	p.mu.Lock()
	p.open--
	var w *queue.Waiter[*Conn]
	if p.mayOpen() {
		if w = p.waiting.Pop(); w != nil {
			p.open++
		}
	}
	held := p.held.Load() > 0
	p.mu.Unlock()
	if w != nil {
		w.Serve(nil)
	}
	if held {
		p.t.bg.poke()
	}
}

// admit counts a connection that is about to be opened to be held.
func (p *pool) admit() {
	p.mu.Lock()
	p.open++
	p.mu.Unlock()
}

// count returns how many connections are in use, idle or being opened.
func (p *pool) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

// expired claims the connection that was idle the longest, if it is one too many
// for n, or idle since before the given time.
func (p *pool) expired(n int, before time.Duration) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := p.idle.head; c != nil; c = c.next {
		if p.open <= n && c.idleSince >= before {
			return nil
		}
		if c.state.CompareAndSwap(stateIdle, stateLost) {
			p.remove(c, p.t.clock())
			return c
		}
	}
	return nil
}

// oldest returns since when the longest idle connection is idle.
func (p *pool) oldest() (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle.head == nil {
		return 0, false
	}
	return p.idle.head.idleSince, true
}

// sweep looks at the idle connections that are not watched, and returns those,
// claimed, that something happened to.
func (p *pool) sweep() (lost []*Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := p.idle.head; c != nil; c = c.next {
		if c.watched || !c.state.CompareAndSwap(stateIdle, stateLost) {
			continue
		}
		if what, _ := c.Socket().Fate(); what == socket.Alive {
			c.state.Store(stateIdle) // nobody takes it meanwhile: we have the lock
		} else {
			lost = append(lost, c)
		}
	}
	return lost
}

func (p *pool) idleStats(now time.Duration) (int64, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.idleNow, p.idleTotal + time.Duration(p.idleNow)*now - p.idleStart
}

// connList is a list of idle connections, the longest idle first.
type connList struct{ head, tail *Conn }

func (l *connList) push(c *Conn) {
	c.prev, c.next, c.listed = l.tail, nil, true
	if l.tail != nil {
		l.tail.next = c
	} else {
		l.head = c
	}
	l.tail = c
}

func (l *connList) remove(c *Conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.tail = c.prev
	}
	c.prev, c.next, c.listed = nil, nil, false
}
