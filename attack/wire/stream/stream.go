// Package stream speaks scripts of bytes on the connection layer: a request is a few
// turns over a TCP or TLS connection, that send, expect what comes, and wait. It is
// enough for Redis, memcached, SMTP, brokers, and whatever else answers bytes with bytes.
// An answer that is not expected fails the request in the words of the server, where
// [Said] knows them. Memory is bounded, whatever the peer sends.
package stream

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/pad"
	"github.com/rampload/rampload/profiles"
)

// exchanger is scripts to one target.
type exchanger struct {
	target wire.Target
	begin  *Request // nil: connections begin with the first request
	kept   message.Answers
}

// New is a [wire.Protocol]. The error says what of on-connect cannot be sent.
func New(to wire.Target) (wire.Exchanger, error) {
	x := &exchanger{target: to}
	if len(to.Profile.OnConnect) > 0 {
		r, err := compile(to.Profile.OnConnect, false, fill.Scope{})
		if err != nil {
			return nil, fmt.Errorf("compile on-connect: %w", err)
		}
		x.begin = r
	}
	return x, nil
}

// Offer implements [wire.Exchanger]: no ALPN, and one request at a time.
func (x *exchanger) Offer() wire.Offer {
	return wire.Offer{Sessions: wire.Serial, Talks: x.begin != nil}
}

// Compile implements [wire.Exchanger]; the request is a [Request].
func (x *exchanger) Compile(r profiles.Request) (attack.Request, error) {
	out, err := compile(r.Script, r.Filled, fill.Scope{Tables: x.target.Data, Vars: x.target.Vars})
	if err != nil {
		return nil, fmt.Errorf("compile script: %w", err)
	}
	return out, nil
}

// Unasked implements [wire.Listener].
func (x *exchanger) Unasked(said []byte) attack.Detail { return Said(said) }

// Request is a compiled script. It is immutable.
type Request struct {
	turns []turn
	ends  bool // the last turn ends the connection
}

// Repeatable implements [attack.Request]: what a script does is not known.
func (r *Request) Repeatable() bool { return false }

// turn is one compiled turn.
type turn struct {
	of     profiles.Turn
	kind   profiles.TurnKind
	send   []byte
	fill   *fill.Template // nil: send is sent as it is
	expect matcher
	hold   time.Duration
}

func compile(script []profiles.Turn, filled bool, scope fill.Scope) (*Request, error) {
	r := &Request{}
	for i, t := range script {
		out := turn{of: t, kind: t.Kind, hold: t.For}
		var err error
		switch t.Kind {
		case profiles.TurnSend:
			if filled && t.By == profiles.ByText {
				out.fill, err = fill.Compile(t.Text, fill.Raw, scope)
			} else {
				out.send, err = t.Bytes()
			}
		case profiles.TurnExpect:
			out.expect, err = newMatcher(t)
		case profiles.TurnHold:
		case profiles.TurnClose, profiles.TurnReset:
			r.ends = true
		default:
			err = fmt.Errorf("%s is none of tcp", t.Kind)
		}
		if err != nil {
			return nil, fmt.Errorf("turn %d (%s): %w", i+1, t.Kind, err)
		}
		r.turns = append(r.turns, out)
	}
	return r, nil
}

// newMatcher compiles what is expected.
func newMatcher(t profiles.Turn) (matcher, error) {
	switch t.By {
	case profiles.ByText, profiles.ByBytes:
		b, err := t.Bytes()
		return exactly(b), err
	case profiles.ByLength:
		n, err := strconv.Atoi(t.Text)
		return length(n), err
	case profiles.ByAny:
		return anything{}, nil
	case profiles.ByLine:
		re, err := regexp.Compile(t.Text)
		return line{re}, err
	case profiles.ByRegexp:
		re, err := regexp.Compile(t.Text)
		return until{re}, err
	}
	return nil, fmt.Errorf("nothing is expected by %s", t.By)
}

// Start implements [wire.Exchanger]: it has the connection begin as on-connect says.
func (x *exchanger) Start(c *wire.Conn, _ string) (wire.Session, error) {
	s := &session{Conn: c, x: x}
	if x.begin == nil {
		return s, nil
	}
	p := pad.Get()
	defer p.Put()
	a := attack.Attempt{Reply: &attack.Reply{Limit: attack.MaxAnswerBody}}
	said, phase, err := s.play(x.begin, &a, p)
	why := ""
	switch {
	case err == nil && said.IsZero() && len(p.Rest()) > 0:
		// More than is expected at the begin: it would be taken for an answer.
		err = wire.Malformed(attack.UnexpectedAnswer)
		why = "on-connect ends, and more comes: " + message.Quoted(p.Rest())
		a.Reply.Turn(false, p.Rest())
	case err == nil && !said.IsZero():
		s.rest(p)
		if words := Said(p.Rest()); !words.IsZero() {
			said = words
		}
		words := p.Rest()[:min(len(p.Rest()), attack.MaxAnswerBody)]
		err = wire.Refusal{Detail: said, Words: string(words), Why: "on-connect, " + s.why(x.begin, p, nil)}
	case err != nil:
		if why = s.why(x.begin, p, err); why != "" {
			why = "on-connect, " + why
		}
	}
	if err != nil {
		return nil, wire.InPhase{Phase: phase, Err: err, Why: why, Said: a.Reply.Turns}
	}
	return s, nil
}

// session plays scripts on one connection.
type session struct {
	*wire.Conn
	x  *exchanger
	at int // the turn that the attempt has come to
}

// Close implements [wire.Session]: nothing is held between attempts.
func (s *session) Close() {}

// mostWindow bounds what is kept of an answer that does not match yet.
const mostWindow = 64 << 10

// Do implements [wire.Session].
func (s *session) Do(req attack.Request, a *attack.Attempt) wire.Outcome {
	r := req.(*Request)
	p := pad.Get()
	defer p.Put()
	a.Sent, a.Received, a.Answer = 0, 0, nil
	said, phase, err := s.play(r, a, p)
	switch {
	case err != nil:
		// What came before the end may say why.
		if words := Said(p.Rest()); !words.IsZero() {
			said = words
		}
		if said.IsZero() {
			if a.Reply != nil {
				if why := s.why(r, p, err); why != "" {
					a.Answer = &attack.Answer{Declared: -1, Why: why}
				}
			}
			return s.Fail(a, phase, err)
		}
		fault, _ := s.FaultOf(err)
		s.keep(a, p, "")
		if fault == attack.EOF {
			return s.Refuse(a, phase, said)
		}
		s.FailStream(a, phase, wire.Failed{Fault: fault, Detail: said})
		return wire.Destroyed
	case !said.IsZero():
		s.rest(p)
		if words := Said(p.Rest()); !words.IsZero() {
			said = words
		}
		s.keep(a, p, s.why(r, p, nil))
		return s.Refuse(a, phase, said)
	case len(p.Rest()) > 0:
		s.keep(a, p, "the script ends, and more comes: "+message.Quoted(p.Rest()))
		return s.Fail(a, phase, wire.Malformed(attack.UnexpectedAnswer))
	}
	a.Fault = attack.None
	s.Succeed(a)
	if r.ends {
		return wire.Destroyed
	}
	return wire.Keep
}

// play plays a script. It returns what the peer said where that was not expected, and
// how far it got.
func (s *session) play(r *Request, a *attack.Attempt, p *pad.Pad) (said attack.Detail, phase attack.Phase, err error) {
	phase = attack.PhaseWrite
	for i := range r.turns {
		t := &r.turns[i]
		s.at = i
		switch t.kind {
		case profiles.TurnSend:
			out := t.send
			if t.fill != nil {
				p.Out = t.fill.Append(p.Out[:0], s.RunID(), a, time.Now())
				out = p.Out
			}
			a.Sent += uint32(len(out))
			if a.Reply != nil {
				a.Reply.Turn(true, out)
			}
			answered := i+1 < len(r.turns) && r.turns[i+1].kind == profiles.TurnExpect
			if at, err := s.send(out, answered, a, p); err != nil {
				if at > attack.PhaseWrite { // it was read for the next turn already
					s.at = i + 1
				}
				return said, at, err
			}
			phase = attack.PhaseAwait
		case profiles.TurnExpect:
			if phase == attack.PhaseWrite {
				phase = attack.PhaseAwait
			}
			verdict, err := s.expect(t.expect, a, p)
			if a.Received > 0 {
				phase = attack.PhaseBody
			}
			if err != nil {
				return said, phase, err
			}
			if verdict == mismatch {
				return attack.Detail{Kind: attack.ServerDetail, Code: attack.UnexpectedReply}, phase, nil
			}
		case profiles.TurnHold:
			if phase == attack.PhaseWrite {
				phase = attack.PhaseAwait
			}
			if err := s.Rest(t.hold); err != nil {
				s.ended(a, p)
				return said, phase, err
			}
		case profiles.TurnReset:
			s.ResetOnClose()
		}
	}
	return said, phase, nil
}

// send writes what a turn sends. Where an answer is awaited next it reads what comes at
// once, in the same round through the poller.
func (s *session) send(out []byte, answered bool, a *attack.Attempt, p *pad.Pad) (phase attack.Phase, err error) {
	phase = attack.PhaseWrite
	if answered && len(p.Rest()) == 0 {
		phase, err = p.Exchange(s.Conn, out, a)
	} else {
		_, err = s.Write(out)
	}
	// A server that refuses a connection says so before it closes it.
	for err != nil && pad.Cut(s.Conn, err) && len(p.Rest()) < attack.MaxAnswerBody && p.Arrived(s.Conn, a) {
		continue
	}
	return phase, err
}

// expect reads until what comes matches, or cannot.
func (s *session) expect(m matcher, a *attack.Attempt, p *pad.Pad) (verdict, error) {
	if n, ok := m.(length); ok {
		return match, s.skip(int64(n), a, p)
	}
	for {
		rest := p.Rest()
		used, v := m.match(rest)
		if v == match {
			if a.Reply != nil {
				a.Reply.Turn(false, rest[:used])
			}
			p.Take(used)
			return match, nil
		}
		if v == mismatch || len(rest) >= mostWindow {
			if a.Reply != nil {
				a.Reply.Turn(false, rest)
			}
			return mismatch, nil
		}
		if err := p.More(s.Conn, a); err != nil {
			if a.Reply != nil && len(p.Rest()) > 0 {
				a.Reply.Turn(false, p.Rest())
			}
			return more, err
		}
	}
}

// skip reads so many bytes, whatever they are.
func (s *session) skip(n int64, a *attack.Attempt, p *pad.Pad) error {
	for {
		have := p.Rest()[:min(n, int64(len(p.Rest())))]
		if a.Reply != nil && len(have) > 0 {
			a.Reply.Turn(false, have)
		}
		p.Take(len(have))
		n -= int64(len(have))
		var err error
		switch {
		case n == 0:
			return nil
		case a.Reply != nil || n < pad.Size:
			err = p.More(s.Conn, a)
		default:
			var dropped int64
			dropped, err = p.Drop(s.Conn, n, a)
			n -= dropped
		}
		if err != nil {
			return err
		}
	}
}

// rest reads what has come of an answer that was not expected, to its end of line.
func (s *session) rest(p *pad.Pad) {
	var a attack.Attempt
	for len(p.Rest()) < attack.MaxAnswerBody && !slices.Contains(p.Rest(), '\n') && p.Arrived(s.Conn, &a) {
		continue
	}
}

// ended reads what has come on a connection that ended while it was held. The last words
// are kept.
func (s *session) ended(a *attack.Attempt, p *pad.Pad) {
	for {
		if len(p.Rest()) > pad.Size/2 { // what is old
			p.Keep(attack.MaxAnswerBody)
		}
		if p.More(s.Conn, a) != nil {
			return
		}
	}
}

// why says what the turn that failed expects, and what came: "" if it expects nothing. err
// is what ended it, nil for an answer that does not match.
func (s *session) why(r *Request, p *pad.Pad, err error) string {
	t := &r.turns[s.at]
	if t.kind != profiles.TurnExpect {
		return ""
	}
	then := ""
	if err != nil {
		then = message.Ended(s.FaultOf(err))
	}
	return message.Mismatch(s.at, t.of, p.Rest(), then)
}

// keep keeps what was answered to a failed attempt, of a sample of them.
func (s *session) keep(a *attack.Attempt, p *pad.Pad, why string) {
	body := p.Rest()
	if len(body) == 0 || !s.x.kept.Keep(s.Now(), 0) {
		return
	}
	a.Answer = &attack.Answer{Body: string(body[:min(len(body), attack.MaxAnswerBody)]), Declared: -1, Received: int64(a.Received), Why: why}
}
