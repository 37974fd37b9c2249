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

// lingerTimes returns how long connections linger. The peer that closes first keeps
// the port in TIME_WAIT, so leaving that to a server that announced it saves our
// ports; most have closed at the first look, and only the others are watched. A
// RST behind a FIN answers our data or comes when the peer's process closes the
// socket: a few round trips.
func lingerTimes() [lingerEnd]time.Duration {
	return [lingerEnd]time.Duration{5 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond}
}

// lingerMin is how many connections of a kind may linger at least; see
// [background.lingerMax].
const lingerMin = 1024

// sweepTime is how often idle connections are looked at where they cannot be
// watched.
const sweepTime = 500 * time.Millisecond

// background closes, reports, sweeps and holds connections beside the attempts,
// in one goroutine.
type background struct {
	t    *Transport
	wake chan struct{}
	quit chan struct{}
	done chan struct{}

	mu         sync.Mutex
	reports    []attack.Attempt
	lingers    [lingerEnd]connList
	lingered   [lingerEnd]int
	lingerTime [lingerEnd]time.Duration
	// lingerMax is how many connections of a kind linger: half of the descriptors
	// that the process may have. Beyond it the first is closed, and counted in cut.
	lingerMax int
	cut       uint64
	flushed   bool // nothing lingers any more
	sweepAt   time.Duration
}

func newBackground(t *Transport) *background {
	return &background{
		t: t, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		sweepAt: notYet, lingerMax: max(lingerMin, socket.Descriptors()/2), lingerTime: lingerTimes(),
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
	if c.Hup() { // it was told before it was listed
		b.settle(c)
	}
}

// push lists a connection. The lock is held, also for remove.
func (b *background) push(c *Conn, why lingering) {
	c.lingering = why
	c.until = b.t.clock() + b.lingerTime[why]
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
	what, _ := c.Socket().Fate()
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
			if what, _ := c.Socket().Fate(); what == socket.Alive && c.lingering == lingerBriefly {
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
		b.t.dialer.resolver.Refresh()
		b.t.holder.keep(now)
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
			b.t.holder.dialers.Wait()
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
		next = b.t.clock() + limit // whatever becomes idle from now on
		if since, ok := b.t.pool.oldest(); ok {
			next = min(next, since+limit)
		}
		if since, ok := b.t.streams.oldest(); ok {
			next = min(next, since+limit)
		}
	}
	if b.t.sweeping.Load() {
		next = min(next, b.sweepAt)
	}
	next = min(next, b.t.holder.next(), b.t.dialer.resolver.Next())
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.lingers {
		if c := b.lingers[i].head; c != nil {
			next = min(next, c.until)
		}
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
