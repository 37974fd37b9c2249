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
func (s *session) Do(req attack.Request, a *attack.Attempt) wire.Outcome {
	r := req.(*Request)
	first := !s.used.Swap(true)
	a.Sent, a.Received, a.Answer = 0, 0, nil
	if why := s.reason(); why != nil {
		if !first {
			return wire.NotSent
		}
		s.FailStream(a, attack.PhaseWrite, why)
		return wire.Destroyed
	}
	before := s.begin(s.DeadlineOf(a))
	phase, err := s.play(r, a)
	rest, received := s.finish(err == nil && !r.ends)
	a.Received = received - before
	if err == nil && r.strict && rest > 0 {
		err = wire.Malformed(attack.UnexpectedAnswer)
	}
	if err != nil {
		s.FailStream(a, phase, err)
		return wire.Destroyed
	}
	a.Fault = attack.None
	s.Succeed(a)
	if r.ends {
		return wire.HangUp
	}
	return wire.Keep
}

// begin has messages kept from now on. It returns the bytes that have come before.
func (s *session) begin(deadline time.Duration) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbox, s.ponged = s.inbox[:0], false
	s.busy.Store(true)
	if !s.closed && !s.shut && !s.deaf {
		s.Begin(deadline)
	}
	return s.received
}

// finish ends what begin began. It returns how many messages are left, and the bytes that
// have ever come.
func (s *session) finish(keep bool) (int, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.inbox)
	clear(s.inbox)
	s.inbox = s.inbox[:0]
	s.busy.Store(false)
	s.room.Broadcast()
	if keep && !s.closed && !s.shut && !s.deaf {
		s.Begin(wire.Never)
	}
	return n, s.received
}

// play plays a script. It returns how far it got.
func (s *session) play(r *Request, a *attack.Attempt) (phase attack.Phase, err error) {
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
				out = t.fill.Append(nil, s.RunID(), a, time.Now())
			}
			if a.Reply != nil {
				a.Reply.Turn(true, out)
			}
			err = s.say(t.op, out, a)
		case profiles.TurnPing:
			s.mu.Lock()
			s.pings++
			s.ponged = false
			payload := strconv.AppendUint(nil, s.pings, 10)
			s.mu.Unlock()
			if err = s.say(opPing, payload, a); err == nil {
				phase = attack.PhaseAwait
				err = s.wait(func() bool { return s.ponged })
			}
		case profiles.TurnExpect:
			phase, err = s.expect(t, a, phase)
		case profiles.TurnHold:
			err = s.hold(t.hold)
		case profiles.TurnClose:
			err = s.bye(a)
		case profiles.TurnReset:
			s.mu.Lock()
			s.abrupt = true
			s.mu.Unlock()
			s.ResetOnClose()
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
func (s *session) say(op byte, payload []byte, a *attack.Attempt) error {
	n, err := s.send(op, payload)
	a.Sent += uint32(n)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	s.Interrupt(brokenTime)
	<-s.over
	if why := s.reason(); why != nil && !errors.Is(why, os.ErrDeadlineExceeded) {
		return why
	}
	return err
}

// expect takes the next message, or the next that matches.
func (s *session) expect(t *turn, a *attack.Attempt, phase attack.Phase) (attack.Phase, error) {
	var passed []byte // the last message that did not match
	for {
		var m message
		err := s.wait(func() bool {
			if len(s.inbox) == 0 {
				return false
			}
			m = s.inbox[0]
			s.inbox = append(s.inbox[:0], s.inbox[1:]...)
			s.room.Broadcast()
			return true
		})
		if err != nil {
			if a.Reply != nil {
				a.Answer = &attack.Answer{Declared: -1, Why: msg.Mismatch(t.at, t.of, passed, msg.Ended(s.FaultOf(err)))}
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
			if a.Answer == nil && s.x.kept.Keep(s.Now(), 0) {
				a.Answer = &attack.Answer{Body: string(m.data[:min(len(m.data), attack.MaxAnswerBody)]), Declared: -1, Received: m.size, Why: msg.Mismatch(t.at, t.of, m.data, "")}
			}
			return phase, wire.Failed{Fault: attack.Status, Detail: attack.Detail{Kind: attack.ServerDetail, Code: attack.UnexpectedReply}}
		}
	}
}

// hold waits for a time. The error is the end of the connection, if it comes before.
func (s *session) hold(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	passed := false
	for {
		select {
		case <-timer.C:
			passed = true
		case <-s.news:
			// What came waits in the inbox.
		case <-s.over:
		}
		if err := s.reason(); err != nil {
			return err
		}
		if passed {
			return nil
		}
	}
}

// bye makes the closing handshake (RFC 6455 §7.1.2).
func (s *session) bye(a *attack.Attempt) error {
	s.mu.Lock()
	said := s.goneBye
	s.goneBye = true
	s.mu.Unlock()
	if !said {
		if err := s.say(opClose, normalClosure(), a); err != nil {
			return err
		}
	}
	if err := s.wait(func() bool { return s.closed }); err != nil {
		return err
	}
	<-s.over // the peer ends the connection first
	return nil
}
