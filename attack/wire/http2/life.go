package http2

import (
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// life looks after the time of a connection: the deadlines of its streams, pings, and
// signs of life. All but lastRead is guarded by the connection's lock.
type life struct {
	c        *Conn
	lastRead atomic.Int64 // when bytes last came

	timer   *time.Timer
	timerAt time.Duration
	pinged  time.Duration // a ping is out since then, Never: none
	suspect time.Duration // no stream is opened until a sign of life, Never: trusted; else when that is too late
	prove   bool          // the ping that is out is for a sign of life
}

func (l *life) init(c *Conn, now time.Duration) {
	l.c, l.timerAt, l.pinged, l.suspect = c, Never, Never, Never
	l.lastRead.Store(int64(now))
	l.timer = time.AfterFunc(time.Hour, l.tick)
	l.timer.Stop()
}

// tick does what is due: the streams' deadlines, and pings.
func (l *life) tick() {
	c := l.c
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	now := c.cfg.Clock()
	l.timerAt = Never
	for _, list := range []*streamList{&c.open, &c.waiting} {
		for s, after := list.head, (*Stream)(nil); s != nil; s = after {
			after = s.links[inOrder].next
			switch {
			case s.Deadline <= now:
				l.timedOut(s, now)
			case s.holdUntil <= now:
				c.unhold(s)
			}
		}
	}
	silent := l.suspect != Never && now >= l.suspect && !c.closing
	if silent {
		c.close()
	}
	dead := l.ping(now)
	c.pump()
	l.schedule(l.nextTime(now))
	changed := c.updateRoom() || silent
	c.mu.Unlock()
	if changed {
		c.changed()
	}
	if dead != nil {
		c.stop(dead, 0)
	}
}

// timedOut ends a stream at its deadline, and takes no new ones if the peer has
// been silent ever since it was opened.
func (l *life) timedOut(s *Stream, now time.Duration) {
	c := l.c
	opened, sent := s.opened, s.id != 0
	c.abandon(s, ErrTimeout, http2.ErrCodeCancel)
	if sent && l.suspect == Never && time.Duration(l.lastRead.Load()) <= opened {
		l.suspect = now + proofTime
		l.sendPing(now)
	}
}

// ping does what is due about pings; it returns why the connection is dead.
func (l *life) ping(now time.Duration) error {
	c := l.c
	last := time.Duration(l.lastRead.Load())
	every := c.cfg.PingEvery
	if every <= 0 || c.closing && c.open.n == 0 {
		return nil
	}
	if l.pinged != Never {
		if l.prove && last > l.pinged {
			l.pinged = Never
		} else if now >= l.pinged+c.cfg.PingTimeout {
			return ErrPing
		}
		return nil
	}
	if (c.open.n > 0 || c.cfg.PingIdle) && now >= last+every {
		l.sendPing(now)
		l.prove = false
	}
	return nil
}

func (l *life) sendPing(now time.Duration) {
	c := l.c
	if l.pinged != Never {
		return
	}
	l.pinged, l.prove = now, true
	_ = c.out.control.WritePing(false, [8]byte{'r', 'a', 'm', 'p', 'l', 'o', 'a', 'd'})
	c.out.kick()
}

// nextTime returns when tick has something to do.
func (l *life) nextTime(now time.Duration) time.Duration {
	c := l.c
	next := Never
	for _, list := range []*streamList{&c.open, &c.waiting} {
		for s := list.head; s != nil; s = s.links[inOrder].next {
			next = min(next, s.Deadline, s.holdUntil)
		}
	}
	if l.suspect != Never && !c.closing {
		next = min(next, l.suspect)
	}
	if every := c.cfg.PingEvery; every > 0 {
		switch {
		case l.pinged != Never:
			next = min(next, l.pinged+c.cfg.PingTimeout)
		case c.open.n > 0 || c.cfg.PingIdle:
			next = min(next, max(time.Duration(l.lastRead.Load())+every, now+time.Millisecond))
		}
	}
	return next
}

// schedule has tick called at a time, or earlier. The lock is held.
func (l *life) schedule(at time.Duration) {
	c := l.c
	if at < l.timerAt && !c.ended {
		l.timerAt = at
		l.timer.Reset(max(at-c.cfg.Clock(), 0))
	}
}
