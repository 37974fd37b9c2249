package wire

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
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
	waiting waiterList

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
	w := newWaiter()
	p.waiting.push(w)
	p.mu.Unlock()

	fault := w.wait(p.t, deadline)
	if fault == attack.None {
		c := w.conn
		w.free()
		return c, attack.None
	}
	p.mu.Lock()
	queued := p.waiting.remove(w)
	p.mu.Unlock()
	if !queued { // served at the last moment
		<-w.ready
		if w.conn != nil {
			p.put(w.conn)
		} else {
			p.gone()
		}
	}
	w.free()
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
	if w := p.waiting.pop(); w != nil {
		p.mu.Unlock()
		w.serve(c)
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
	for p.waiting.head != nil && p.mayOpen() {
		p.open++
		p.waiting.pop().serve(nil)
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
	var w *waiter
	if p.mayOpen() {
		if w = p.waiting.pop(); w != nil {
			p.open++
		}
	}
	held := p.held.Load() > 0
	p.mu.Unlock()
	if w != nil {
		w.serve(nil)
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
		if what, _ := c.sock.Fate(); what == socket.Alive {
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

// waiter is an attempt that waits for a connection.
type waiter struct {
	conn       *Conn // set before ready; nil: open one
	stream     *muxed
	ready      chan struct{}
	timer      *time.Timer
	prev, next *waiter
	queued     bool
}

var waiters = sync.Pool{New: func() any {
	w := &waiter{ready: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}}

func newWaiter() *waiter { return waiters.Get().(*waiter) }

func (w *waiter) free() {
	w.conn, w.stream = nil, nil
	waiters.Put(w)
}

func (w *waiter) serve(c *Conn) {
	w.conn = c
	w.ready <- struct{}{}
}

// wait returns None when the waiter was served.
func (w *waiter) wait(t *Transport, deadline time.Duration) attack.Fault {
	if deadline != never {
		w.timer.Reset(deadline - t.clock())
		defer w.timer.Stop()
	}
	select {
	case <-w.ready:
		return attack.None
	case <-t.quit:
		return attack.Canceled
	case <-t.drain:
		return attack.Canceled
	case <-w.timer.C:
		return attack.Timeout
	}
}

// waiterList is a queue of waiters.
type waiterList struct {
	head, tail *waiter
	n          int
}

func (l *waiterList) push(w *waiter) {
	w.prev, w.next, w.queued = l.tail, nil, true
	if l.tail != nil {
		l.tail.next = w
	} else {
		l.head = w
	}
	l.tail = w
	l.n++
}

func (l *waiterList) pop() *waiter {
	w := l.head
	if w != nil {
		l.remove(w)
	}
	return w
}

// remove reports whether the waiter was still queued.
func (l *waiterList) remove(w *waiter) bool {
	if !w.queued {
		return false
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.tail = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	l.n--
	return true
}
