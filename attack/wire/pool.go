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

func (pool *pool) init(t *Transport, limit int) { pool.t, pool.limit = t, limit }

// closeMode reports whether every attempt gets a connection of its own.
func (pool *pool) closeMode() bool { return pool.limit == 0 && pool.held.Load() == 0 }

// allowed is how many connections may be open.
func (pool *pool) allowed() int {
	if held := int(pool.held.Load()); held > 0 {
		return held
	}
	return pool.limit
}

// mayOpen reports whether one more connection is allowed.
func (pool *pool) mayOpen() bool { return pool.closeMode() || pool.open < pool.allowed() }

// take returns an idle connection, now busy; or nil and no fault when the caller
// is to open one.
func (pool *pool) take(now, deadline time.Duration) (*Conn, attack.Fault) {
	if pool.t.aborted.Load() {
		return nil, attack.Canceled
	}
	pool.mu.Lock()
	for {
		// The last used is warm, and lets the others meet idle timeouts as with
		// any client; held connections are all to be used.
		c := pool.idle.tail
		if pool.held.Load() > 0 {
			c = pool.idle.head
		}
		if c == nil {
			break
		}
		pool.remove(c, now)
		if c.state.CompareAndSwap(stateIdle, stateBusy) {
			pool.mu.Unlock()
			return c, attack.None
		}
	}
	if pool.mayOpen() {
		pool.open++
		pool.mu.Unlock()
		return nil, attack.None
	}
	w := pool.waiting.Push()
	pool.mu.Unlock()

	c, fault := w.Wait(pool.t.left(deadline), pool.t.quit, pool.t.drain)
	if fault == attack.None {
		pool.waiting.Free(w)
		return c, attack.None
	}
	pool.mu.Lock()
	queued := pool.waiting.Remove(w)
	pool.mu.Unlock()
	if !queued { // served at the last moment
		if c := w.Served(); c != nil {
			pool.put(c, pool.t.clock())
		} else {
			pool.gone()
		}
	}
	pool.waiting.Free(w)
	return nil, fault
}

// remove takes a connection off the idle list.
func (pool *pool) remove(c *Conn, now time.Duration) {
	pool.idle.remove(c)
	pool.idleNow--
	pool.idleStart -= c.idleSince
	pool.idleTotal += max(now-c.idleSince, 0)
}

// put gives a connection that may serve again to whoever waits, or makes it idle.
func (pool *pool) put(c *Conn, now time.Duration) {
	c.idleSince = now
	pool.mu.Lock()
	if pool.open > pool.allowed() || pool.t.aborted.Load() { // Hold was lowered
		pool.mu.Unlock()
		pool.t.retire(c, Destroyed)
		return
	}
	if w := pool.waiting.Pop(); w != nil {
		pool.mu.Unlock()
		w.Serve(c)
		return
	}
	pool.idle.push(c)
	pool.idleNow++
	pool.idleStart += now
	c.state.Store(stateIdle)
	pool.mu.Unlock()
	pool.t.recheck(c)
}

// wake has those who wait open connections, as far as more are allowed since the
// number to hold has changed: no connection that ends would tell them. When none
// is kept any more each gets one for itself.
func (pool *pool) wake() {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	for pool.waiting.Len() > 0 && pool.mayOpen() {
		pool.open++
		pool.waiting.Pop().Serve(nil)
	}
}

// unlink takes a claimed connection off the idle list, if it is on it.
func (pool *pool) unlink(c *Conn) {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if c.listed {
		pool.remove(c, pool.t.clock())
	}
}

// gone notes that a connection ended or could not be opened: whoever waits first
// may open another.
func (pool *pool) gone() {
	pool.mu.Lock()
	pool.open--
	var w *queue.Waiter[*Conn]
	if pool.mayOpen() {
		if w = pool.waiting.Pop(); w != nil {
			pool.open++
		}
	}
	held := pool.held.Load() > 0
	pool.mu.Unlock()
	if w != nil {
		w.Serve(nil)
	}
	if held {
		pool.t.bg.poke()
	}
}

// admit counts a connection that is about to be opened to be held.
func (pool *pool) admit() {
	pool.mu.Lock()
	pool.open++
	pool.mu.Unlock()
}

// count returns how many connections are in use, idle or being opened.
func (pool *pool) count() int {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	return pool.open
}

// expired claims the connection that was idle the longest, if it is one too many
// for n, or idle since before the given time.
func (pool *pool) expired(n int, before time.Duration) *Conn {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	for c := pool.idle.head; c != nil; c = c.next {
		if pool.open <= n && c.idleSince >= before {
			return nil
		}
		if c.state.CompareAndSwap(stateIdle, stateLost) {
			pool.remove(c, pool.t.clock())
			return c
		}
	}
	return nil
}

// oldest returns since when the longest idle connection is idle.
func (pool *pool) oldest() (time.Duration, bool) {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if pool.idle.head == nil {
		return 0, false
	}
	return pool.idle.head.idleSince, true
}

// sweep looks at the idle connections that are not watched, and returns those,
// claimed, that something happened to.
func (pool *pool) sweep() (lost []*Conn) {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	for c := pool.idle.head; c != nil; c = c.next {
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

func (pool *pool) idleStats(now time.Duration) (int64, time.Duration) {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	return pool.idleNow, pool.idleTotal + time.Duration(pool.idleNow)*now - pool.idleStart
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
