package websocket

import (
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	msg "github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/profiles"
)

// Do implements [wire.Session].
func (session *session) Do(req attack.Request, a *attack.Attempt) wire.Outcome {
	r := req.(*Request)
	first := !session.used.Swap(true)
	a.Sent, a.Received, a.Answer = 0, 0, nil
	if why := session.reason(); why != nil {
		if !first {
			return wire.NotSent
		}
		session.FailStream(a, attack.PhaseWrite, why)
		return wire.Destroyed
	}
	before := session.begin(session.DeadlineOf(a))
	phase, err := session.play(r, a)
	rest, received := session.finish(err == nil && !r.ends)
	a.Received = received - before
	if err == nil && r.strict && rest > 0 {
		err = wire.Malformed(attack.UnexpectedAnswer)
	}
	if err != nil {
		session.FailStream(a, phase, err)
		return wire.Destroyed
	}
	a.Fault = attack.None
	session.Succeed(a)
	if r.ends {
		return wire.HangUp
	}
	return wire.Keep
}

// begin has messages kept from now on. It returns the bytes that have come before.
func (session *session) begin(deadline time.Duration) uint64 {
	session.mu.Lock()
	defer session.mu.Unlock()
	session.inbox, session.ponged = session.inbox[:0], false
	session.busy.Store(true)
	if !session.closed && !session.shut && !session.deaf {
		session.Begin(deadline)
	}
	return session.received
}

// finish ends what begin began. It returns how many messages are left, and the bytes that
// have ever come.
func (session *session) finish(keep bool) (int, uint64) {
	session.mu.Lock()
	defer session.mu.Unlock()
	n := len(session.inbox)
	clear(session.inbox)
	session.inbox = session.inbox[:0]
	session.busy.Store(false)
	session.room.Broadcast()
	if keep && !session.closed && !session.shut && !session.deaf {
		session.Begin(wire.Never)
	}
	return n, session.received
}

// play plays a script. It returns how far it got.
func (session *session) play(r *Request, a *attack.Attempt) (phase attack.Phase, err error) {
	phase = attack.PhaseWrite
	for i := range r.turns {
		t := &r.turns[i]
		if phase == attack.PhaseWrite && t.kind != profiles.TurnSend && t.kind != profiles.TurnPing {
			phase = attack.PhaseAwait
		}
		switch t.kind {
		case profiles.TurnSend:
			out := t.send
			if t.fill != nil {
				out = t.fill.Append(nil, session.RunID(), a, time.Now())
			}
			if a.Reply != nil {
				a.Reply.Turn(true, out)
			}
			err = session.say(t.op, out, a)
		case profiles.TurnPing:
			session.mu.Lock()
			session.pings++
			session.ponged = false
			payload := strconv.AppendUint(nil, session.pings, 10)
			session.mu.Unlock()
			if err = session.say(opPing, payload, a); err == nil {
				phase = attack.PhaseAwait
				err = session.wait(func() bool { return session.ponged })
			}
		case profiles.TurnExpect:
			phase, err = session.expect(t, a, phase)
		case profiles.TurnHold:
			err = session.hold(t.hold)
		case profiles.TurnClose:
			err = session.bye(a)
		case profiles.TurnReset:
			session.mu.Lock()
			session.abrupt = true
			session.mu.Unlock()
			session.ResetOnClose()
		}
		if err != nil {
			return phase, err
		}
		if phase == attack.PhaseWrite {
			phase = attack.PhaseAwait
		}
	}
	return phase, nil
}

// say writes a frame. Where that fails, what came before the end says why.
func (session *session) say(op byte, payload []byte, a *attack.Attempt) error {
	n, err := session.send(op, payload)
	a.Sent += uint32(n)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	session.Interrupt(brokenTime)
	<-session.over
	if why := session.reason(); why != nil && !errors.Is(why, os.ErrDeadlineExceeded) {
		return why
	}
	return err
}

// expect takes the next message, or the next that matches.
func (session *session) expect(t *turn, a *attack.Attempt, phase attack.Phase) (attack.Phase, error) {
	var passed []byte // the last message that did not match
	for {
		var m message
		err := session.wait(func() bool {
			if len(session.inbox) == 0 {
				return false
			}
			m = session.inbox[0]
			session.inbox = append(session.inbox[:0], session.inbox[1:]...)
			session.room.Broadcast()
			return true
		})
		if err != nil {
			if a.Reply != nil {
				a.Answer = &attack.Answer{Declared: -1, Why: msg.Mismatch(t.at, t.of, passed, msg.Ended(session.FaultOf(err)))}
			}
			return phase, err
		}
		phase = attack.PhaseBody
		if a.Reply != nil {
			a.Reply.Turn(false, m.data)
		}
		if t.match(m) {
			return phase, nil
		}
		passed = m.data
		if !t.skip {
			if a.Answer == nil && session.x.kept.Keep(session.Now(), 0) {
				a.Answer = &attack.Answer{Body: string(m.data[:min(len(m.data), attack.MaxAnswerBody)]), Declared: -1, Received: m.size, Why: msg.Mismatch(t.at, t.of, m.data, "")}
			}
			return phase, wire.Failed{Fault: attack.Status, Detail: attack.Detail{Kind: attack.ServerDetail, Code: attack.UnexpectedReply}}
		}
	}
}

// hold waits for a time. The error is the end of the connection, if it comes before.
func (session *session) hold(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	passed := false
	for {
		select {
		case <-timer.C:
			passed = true
		case <-session.news:
			// What came waits in the inbox.
		case <-session.over:
		}
		if err := session.reason(); err != nil {
			return err
		}
		if passed {
			return nil
		}
	}
}

// bye makes the closing handshake (RFC 6455 §7.1.2).
func (session *session) bye(a *attack.Attempt) error {
	session.mu.Lock()
	said := session.goneBye
	session.goneBye = true
	session.mu.Unlock()
	if !said {
		if err := session.say(opClose, normalClosure(), a); err != nil {
			return err
		}
	}
	if err := session.wait(func() bool { return session.closed }); err != nil {
		return err
	}
	<-session.over // the peer ends the connection first
	return nil
}
