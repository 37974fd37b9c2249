// Package websocket speaks WebSocket (RFC 6455) on the connection layer: a request is a
// message and its answer, or a few turns of them, over a connection that stays. A reader
// of each connection answers pings while nothing is asked. Memory is bounded, whatever
// the peer sends.
package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/wire"
	msg "github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/profiles"
)

// exchanger is WebSocket at one target.
type exchanger struct {
	target wire.Target
	head   []byte // request of the opening handshake
	keyAt  int    // of its key
	begin  *Request
	kept   msg.Answers
}

// New is a [wire.Protocol]. The error says what of the handshake or of on-connect cannot
// be sent.
func New(to wire.Target) (wire.Exchanger, error) {
	x := &exchanger{target: to}
	var err error
	if x.head, x.keyAt, err = opening(to); err != nil {
		return nil, fmt.Errorf("make handshake: %w", err)
	}
	if len(to.Profile.OnConnect) > 0 {
		if x.begin, err = compile(to.Profile.OnConnect, false, fill.Scope{}); err != nil {
			return nil, fmt.Errorf("compile on-connect: %w", err)
		}
	}
	return x, nil
}

// Offer implements [wire.Exchanger]: HTTP/1.1, and one request at a time on a connection.
func (x *exchanger) Offer() wire.Offer {
	return wire.Offer{Protocols: []string{"http/1.1"}, Sessions: wire.Shared, Room: 1, Talks: true}
}

// Compile implements [wire.Exchanger]; the request is a [Request]. A command is the text
// of a message that any message answers.
func (x *exchanger) Compile(r profiles.Request) (attack.Request, error) {
	script := r.Script
	if len(script) == 0 {
		script = []profiles.Turn{
			{Kind: profiles.TurnSend, By: profiles.ByText, Text: r.Command},
			{Kind: profiles.TurnExpect, By: profiles.ByAny},
		}
	}
	out, err := compile(script, r.Filled, fill.Scope{Tables: x.target.Data, Vars: x.target.Vars})
	if err != nil {
		return nil, fmt.Errorf("compile message: %w", err)
	}
	return out, nil
}

// Request is a compiled script. It is immutable.
type Request struct {
	turns  []turn
	ends   bool // the last turn ends the connection
	strict bool // every message that comes has to be expected
}

// Repeatable implements [attack.Request]: what a message does is not known.
func (r *Request) Repeatable() bool { return false }

// turn is one compiled turn.
type turn struct {
	at    int // in the script
	of    profiles.Turn
	kind  profiles.TurnKind
	op    byte
	send  []byte
	fill  *fill.Template // nil: send is sent as it is
	match func(m message) bool
	skip  bool // messages that do not match are passed over
	hold  time.Duration
}

func compile(script []profiles.Turn, filled bool, scope fill.Scope) (*Request, error) {
	r := &Request{}
	for i, t := range script {
		out := turn{at: i, of: t, kind: t.Kind, hold: t.For, op: opText}
		var err error
		switch t.Kind {
		case profiles.TurnSend:
			if t.By == profiles.ByBytes {
				out.op = opBinary
			}
			if filled && t.By == profiles.ByText {
				out.fill, err = fill.Compile(t.Text, fill.Raw, scope)
			} else {
				out.send, err = t.Bytes()
			}
		case profiles.TurnExpect:
			out.match, err = matcher(t)
			out.skip = t.By == profiles.ByRegexp
			r.strict = r.strict || !out.skip
		case profiles.TurnClose, profiles.TurnReset:
			r.ends = true
		case profiles.TurnHold, profiles.TurnPing:
		default:
			err = fmt.Errorf("%s is no turn of WebSocket", t.Kind)
		}
		if err != nil {
			return nil, fmt.Errorf("turn %d (%s): %w", i+1, t.Kind, err)
		}
		r.turns = append(r.turns, out)
	}
	return r, nil
}

// matcher judges a whole message. One longer than what is kept of it matches a regular
// expression by its beginning, and no text.
func matcher(t profiles.Turn) (func(message) bool, error) {
	switch t.By {
	case profiles.ByText, profiles.ByBytes:
		want, err := t.Bytes()
		return func(m message) bool { return m.size == int64(len(want)) && bytes.Equal(m.data, want) }, err
	case profiles.ByLength:
		n, err := strconv.ParseInt(t.Text, 10, 64)
		return func(m message) bool { return m.size == n }, err
	case profiles.ByAny:
		return func(message) bool { return true }, nil
	case profiles.ByLine, profiles.ByRegexp:
		re, err := regexp.Compile(t.Text)
		return func(m message) bool { return re.Match(m.data) }, err
	}
	return nil, fmt.Errorf("nothing is expected by %s", t.By)
}

// Start implements [wire.Exchanger]: it makes the handshake, and what on-connect says.
func (x *exchanger) Start(c *wire.Conn, _ string) (wire.Session, error) {
	rest, err := x.open(c)
	if err != nil {
		return nil, err
	}
	s := newSession(c, x)
	s.busy.Store(x.begin != nil)
	if err := s.take(rest); err != nil {
		return nil, wire.InPhase{Phase: attack.PhaseBody, Err: err}
	}
	if s.signs != nil {
		s.signs.begin()
	}
	go s.read()
	if x.begin == nil {
		return s, nil
	}
	a := attack.Attempt{Reply: &attack.Reply{Limit: attack.MaxAnswerBody}}
	phase, err := s.play(x.begin, &a)
	s.busy.Store(false)
	if err != nil {
		s.mu.Lock()
		s.abrupt = true
		s.mu.Unlock()
		s.Shut()
		<-s.over
		in := wire.InPhase{Phase: phase, Err: err, Said: a.Reply.Turns}
		var failed wire.Failed
		if a.Answer != nil {
			in.Why = "on-connect, " + a.Answer.Why
			if errors.As(err, &failed) && failed.Fault == attack.Status {
				in.Err = wire.Refusal{Detail: failed.Detail, Words: a.Answer.Body, Why: in.Why}
			}
		}
		return nil, in
	}
	s.finish(false)
	return s, nil
}
