package wire

import (
	"math"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/socket"
)

// lingering is why a connection of which nobody has any use is still open.
type lingering uint8

const (
	lingerBriefly lingering = iota // its response said that the peer closes it
	lingerClose                    // the peer has not closed it at once
	lingerReset                    // the peer sent a FIN or wants no more; a RST may follow
	lingerEnd
)

// lingerTime is how long connections linger. The peer that closes first keeps
// the port in TIME_WAIT, so leaving that to a server that announced it saves our
// ports; most have closed at the first look, and only the others are watched. A
// RST behind a FIN answers our data or comes when the peer's process closes the
// socket: a few round trips.
var lingerTime = [lingerEnd]time.Duration{5 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond}

// lingerMin is how many connections of a kind may linger at least; see
// [background.lingerMax].
const lingerMin = 1024

// sweepTime is how often idle connections are looked at where they cannot be
// watched.
const sweepTime = 500 * time.Millisecond

// holdRetry is how long Hold waits after a connection that could not be opened.
const holdRetry = 100 * time.Millisecond

// holdDials is how many connections Hold opens at a time.
const holdDials = 64

// background closes, reports, sweeps and holds connections beside the attempts,
// in one goroutine.
type background struct {
	t    *Transport
	wake chan struct{}
	quit chan struct{}
	done chan struct{}

	mu       sync.Mutex
	reports  []attack.Attempt
	lingers  [lingerEnd]connList
	lingered [lingerEnd]int
	// lingerMax is how many connections of a kind linger: half of the descriptors
	// that the process may have. Beyond it the first is closed, and counted in cut.
	lingerMax int
	cut       uint64
	flushed   bool // nothing lingers any more
	holds     bool // Hold was called
	held      int
	dialing   int
	retryAt   time.Duration // Hold waits until then
	sweepAt   time.Duration
	dialers   sync.WaitGroup
}

func newBackground(t *Transport) *background {
	return &background{
		t: t, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		retryAt: notYet, sweepAt: notYet, lingerMax: max(lingerMin, socket.Descriptors()/2),
	}
}

// poke has the goroutine look whether there is anything to do.
func (b *background) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// report has OnIdle called.
func (b *background) report(a attack.Attempt) {
	if b.t.cfg.OnIdle == nil {
		return
	}
	b.mu.Lock()
	b.reports = append(b.reports, a)
	b.mu.Unlock()
	b.poke()
}

// linger takes over a connection until it is closed.
func (b *background) linger(c *Conn, why lingering) {
	b.mu.Lock()
	if b.flushed {
		b.mu.Unlock()
		b.t.bury(c)
		return
	}
	first := b.lingers[why].head == nil
	b.push(c, why)
	var over *Conn
	if b.lingered[why] > b.lingerMax {
		b.cut++
		over = b.lingers[why].head
		b.remove(over)
	}
	b.mu.Unlock()
	if over != nil {
		b.t.bury(over)
	}
	if first {
		b.poke()
	}
	if c.hup.Load() { // it was told before it was listed
		b.settle(c)
	}
}

// push lists a connection. The lock is held, also for remove.
func (b *background) push(c *Conn, why lingering) {
	c.lingering = why
	c.until = b.t.clock() + lingerTime[why]
	b.lingers[why].push(c)
	b.lingered[why]++
}

func (b *background) remove(c *Conn) {
	b.lingers[c.lingering].remove(c)
	b.lingered[c.lingering]--
}

// settle closes a lingering connection if what it lingers for has happened.
func (b *background) settle(c *Conn) {
	b.mu.Lock()
	if !c.listed || c.state.Load() != stateLinger {
		b.mu.Unlock()
		return
	}
	what, _ := c.sock.Fate()
	over := what == socket.Reset || what == socket.Failed || what == socket.Finned && c.lingering != lingerReset
	if over {
		b.remove(c)
	}
	b.mu.Unlock()
	if over {
		b.t.bury(c)
	}
}

// flush waits until nothing lingers; from then on nothing does.
func (b *background) flush() {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		b.mu.Lock()
		b.flushed = b.lingered == [lingerEnd]int{}
		done := b.flushed
		b.mu.Unlock()
		if done {
			return
		}
		<-tick.C
	}
}

// expire closes what has lingered until now.
func (b *background) expire(now time.Duration) {
	var over []*Conn
	b.mu.Lock()
	for i := range b.lingers {
		for c := b.lingers[i].head; c != nil && c.until <= now; c = b.lingers[i].head {
			b.remove(c)
			if what, _ := c.sock.Fate(); what == socket.Alive && c.lingering == lingerBriefly {
				b.t.watch(c) // what it tells waits for the lock
				b.push(c, lingerClose)
				continue
			}
			over = append(over, c)
		}
	}
	b.mu.Unlock()
	for _, c := range over {
		b.t.bury(c)
	}
}

// run works until stop.
func (b *background) run() {
	defer close(b.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := b.t.clock()
		b.expire(now)
		b.expireIdle(now)
		b.sweep(now)
		b.keepHeld(now)
		b.deliver()
		if next := b.next(); next == never {
			timer.Stop()
		} else {
			timer.Reset(max(next-now, 2*time.Millisecond))
		}
		select {
		case <-b.wake:
		case <-timer.C:
		case <-b.quit:
			b.dialers.Wait()
			b.deliver()
			return
		}
	}
}

// stop ends run after everything has been reported.
func (b *background) stop() {
	close(b.quit)
	<-b.done
}

// deliver reports what there is to report.
func (b *background) deliver() {
	b.mu.Lock()
	reports := b.reports
	b.reports = nil
	b.mu.Unlock()
	for _, a := range reports {
		b.t.cfg.OnIdle(a)
	}
}

// next returns when there is something to do again, or never.
func (b *background) next() time.Duration {
	next := never
	if limit := b.t.cfg.Client.IdleTimeout; limit > 0 {
		if since, ok := b.t.pool.oldest(); ok {
			next = since + limit
		} else {
			next = b.t.clock() + limit // whatever becomes idle from now on
		}
	}
	if b.t.sweeping.Load() {
		next = min(next, b.sweepAt)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.lingers {
		if c := b.lingers[i].head; c != nil {
			next = min(next, c.until)
		}
	}
	if b.holds && b.retryAt != notYet {
		next = min(next, b.retryAt)
	}
	return next
}

// expireIdle closes connections that were idle for too long.
func (b *background) expireIdle(now time.Duration) {
	limit := b.t.cfg.Client.IdleTimeout
	if limit <= 0 {
		return
	}
	for c := b.t.pool.expired(math.MaxInt, now-limit); c != nil; c = b.t.pool.expired(math.MaxInt, now-limit) {
		b.t.retire(c, Destroyed)
	}
	b.t.streams.expire(now - limit)
}

func (b *background) sweep(now time.Duration) {
	if !b.t.sweeping.Load() || now < b.sweepAt {
		return
	}
	b.sweepAt = now + sweepTime
	for _, c := range b.t.pool.sweep() {
		b.t.lost(c)
	}
}

// hold sets how many connections are kept open.
func (b *background) hold(n int) {
	b.mu.Lock()
	b.held, b.holds = n, true
	b.mu.Unlock()
	b.t.pool.held.Store(int64(n))
	b.t.streams.held.Store(int64(n))
	b.t.pool.wake()
	b.t.streams.wake()
	b.poke()
}

// keepHeld opens connections up to the number to hold, and closes those above.
func (b *background) keepHeld(now time.Duration) {
	b.mu.Lock()
	if !b.holds || b.t.aborted.Load() {
		b.mu.Unlock()
		return
	}
	dials := holdDials
	if !b.t.agreed.Load() {
		dials = 1 // which pool it goes to is not known yet
	}
	if now >= b.retryAt {
		b.retryAt = notYet
		for b.dialing < dials {
			multi := b.t.multi.Load()
			if multi && !b.t.streams.admit(b.held) || !multi && !b.t.pool.admit(b.held) {
				break
			}
			b.dialing++
			b.dialers.Go(func() { b.dialHeld(multi) })
		}
	}
	keep := b.held
	if keep == 0 {
		keep = b.t.cfg.Client.Connections
	}
	b.mu.Unlock()
	for c := b.t.pool.expired(keep, notYet); c != nil; c = b.t.pool.expired(keep, notYet) {
		b.t.retire(c, Destroyed)
	}
	b.t.streams.trim(keep)
}

// unwelcome has Hold wait: the peer closed a connection that it was given to
// hold, and would close the next one too.
func (b *background) unwelcome() {
	b.mu.Lock()
	b.retryAt = b.t.clock() + holdRetry
	b.mu.Unlock()
}

// dialHeld opens one connection to hold.
func (b *background) dialHeld(multi bool) {
	t := b.t
	var a attack.Attempt
	a.Target = t.cfg.Target
	deadline := t.begin(&a)
	a.Due = a.Start
	c := t.dialer.dial(&a, deadline)
	if c == nil {
		a.End = t.clock()
		if a.Fault != attack.Canceled {
			b.report(a)
		}
		b.mu.Lock()
		b.retryAt = a.End + holdRetry
		b.mu.Unlock()
	}
	switch {
	case multi && c == nil:
		t.streams.gone()
	case multi && c.mux == nil: // one instance of many that does not speak it
		t.streams.gone()
		t.retire(c, Destroyed)
	case multi:
		c.unused = true
		t.streams.adopt(c.mux, false, true)
	case c == nil:
		t.pool.gone()
	case c.mux != nil: // the first connection: the target's protocol is multiplexed
		t.pool.gone()
		c.unused = true
		t.streams.adopt(c.mux, false, false)
	default:
		c.pooled, c.unused = true, true
		t.watch(c)
		t.pool.put(c)
	}
	b.mu.Lock()
	b.dialing--
	b.mu.Unlock()
	b.poke()
}
