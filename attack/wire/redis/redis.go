// Package redis speaks the protocol of Redis (RESP2, which every version and Valkey
// speak) on the connection layer: one command at a time on a connection, its reply read
// and thrown away. An error reply fails the request, in the words of the server. No
// client library is used, for those retry and hide.
package redis

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/pad"
	"github.com/rampload/rampload/attack/wire/stream"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/command"
	"github.com/rampload/rampload/profiles/spelling"
)

// exchanger is Redis at one target.
type exchanger struct {
	target wire.Target
	logIn  []*Request // what each connection begins with
	kept   message.Answers
}

// New is a [wire.Protocol]. User and password of the URL are sent as AUTH, its path as
// SELECT.
func New(to wire.Target) (wire.Exchanger, error) {
	u, err := url.Parse(to.Profile.URL)
	if err != nil {
		return nil, fmt.Errorf("parse target URL: %w", err)
	}
	x := &exchanger{target: to}
	if password, ok := u.User.Password(); ok || u.User.Username() != "" {
		auth := []string{"AUTH"}
		switch user := u.User.Username(); {
		case !ok:
			auth = append(auth, user) // redis://password@host
		case user == "":
			auth = append(auth, password)
		default:
			auth = append(auth, user, password)
		}
		x.logIn = append(x.logIn, &Request{whole: encode(auth)})
	}
	if db := strings.Trim(u.Path, "/"); db != "" && db != "0" {
		x.logIn = append(x.logIn, &Request{whole: encode([]string{"SELECT", db})})
	}
	return x, nil
}

// Offer implements [wire.Exchanger].
func (x *exchanger) Offer() wire.Offer {
	return wire.Offer{Sessions: wire.Serial, Talks: len(x.logIn) > 0}
}

// Request is a compiled command. It is immutable.
type Request struct {
	whole      []byte // as it is sent; nil: words are filled in
	words      []*fill.Template
	text       string // as it is shown
	repeatable bool
}

// Repeatable implements [attack.Request].
func (r *Request) Repeatable() bool { return r.repeatable }

// repeats are commands that may be sent twice: they read, or set to a value.
func repeats() []string {
	return []string{
		"PING", "ECHO", "GET", "MGET", "EXISTS", "TTL", "PTTL", "TYPE", "STRLEN", "SET", "DEL", "UNLINK", "HGET",
		"HGETALL", "HMGET", "HSET", "LRANGE", "LLEN", "SMEMBERS", "SISMEMBER", "SCARD", "ZRANGE", "ZSCORE", "ZCARD",
		"INFO", "DBSIZE", "TIME", "KEYS", "SCAN",
	}
}

// Compile implements [wire.Exchanger]; the request is a [Request].
func (x *exchanger) Compile(r profiles.Request) (attack.Request, error) {
	words, err := command.Words(r.Command)
	if err != nil || len(words) == 0 {
		return nil, fmt.Errorf("compile command %s: %w", spelling.Quote(r.Command), errors.Join(err, errEmpty))
	}
	out := &Request{text: r.Command, repeatable: slices.Contains(repeats(), strings.ToUpper(words[0]))}
	if !r.Filled {
		out.whole = encode(words)
		return out, nil
	}
	scope := fill.Scope{Tables: x.target.Data, Vars: x.target.Vars}
	for _, w := range words {
		t, err := fill.Compile(w, fill.Raw, scope)
		if err != nil {
			return nil, fmt.Errorf("compile command %s: %w", spelling.Quote(r.Command), err)
		}
		out.words = append(out.words, t)
	}
	return out, nil
}

var errEmpty = errors.New("it has no words")

// encode writes a command as an array of bulk strings.
func encode(words []string) []byte {
	b := appendCount(nil, '*', len(words))
	for _, w := range words {
		b = appendCount(b, '$', len(w))
		b = append(append(b, w...), "\r\n"...)
	}
	return b
}

func appendCount(b []byte, kind byte, n int) []byte {
	return append(strconv.AppendInt(append(b, kind), int64(n), 10), "\r\n"...)
}

// Start implements [wire.Exchanger]: it logs in.
func (x *exchanger) Start(c *wire.Conn, _ string) (wire.Session, error) {
	s := &session{Conn: c, x: x}
	for _, r := range x.logIn {
		p := pad.Get()
		var a attack.Attempt
		phase, err := s.ask(r, &a, p)
		if err == nil && s.reply.failed {
			err = wire.Refusal{Detail: detailOf(s.reply.words), Words: string(s.reply.words)}
		}
		p.Put()
		if err != nil {
			return nil, wire.InPhase{Phase: phase, Err: err}
		}
	}
	return s, nil
}

// session is one connection.
type session struct {
	*wire.Conn
	x     *exchanger
	reply reply // of the attempt
}

// Close implements [wire.Session]: nothing is held between attempts.
func (s *session) Close() {}

// Do implements [wire.Session].
func (s *session) Do(req attack.Request, a *attack.Attempt) wire.Outcome {
	r := req.(*Request)
	p := pad.Get()
	defer p.Put()
	phase, err := s.ask(r, a, p)
	said := attack.Detail{}
	if s.reply.failed {
		said = detailOf(s.reply.words)
		if s.x.kept.Keep(s.Now(), int(said.Code)) {
			a.Answer = &attack.Answer{Body: string(s.reply.words), Declared: -1, Received: int64(a.Received)}
		}
	}
	if a.Reply != nil {
		a.Reply.Turn(true, s.shown(r, a))
	}
	if err != nil {
		if said.IsZero() {
			return s.Fail(a, phase, err)
		}
		fault, _ := s.FaultOf(err)
		if fault == attack.EOF {
			return s.Refuse(a, phase, said)
		}
		s.FailStream(a, phase, wire.Failed{Fault: fault, Detail: said})
		return wire.Destroyed
	}
	if a.Reply != nil {
		a.Reply.Turn(false, []byte(s.reply.String()))
	}
	switch {
	case len(p.Rest()) > 0:
		return s.Fail(a, phase, wire.Malformed(attack.UnexpectedAnswer))
	case said.Code == attack.ServerTooManyClients && s.reply.failed:
		return s.Refuse(a, phase, said) // and closes the connection
	}
	a.Fault = attack.None
	s.Succeed(a)
	if s.reply.failed {
		a.Fault, a.Detail = attack.Status, said
	}
	return wire.Keep
}

// ask sends a command and reads its reply.
func (s *session) ask(r *Request, a *attack.Attempt, p *pad.Pad) (attack.Phase, error) {
	out := r.whole
	if out == nil {
		now := time.Now()
		p.Out = appendCount(p.Out[:0], '*', len(r.words))
		for _, w := range r.words {
			p.Word = w.Append(p.Word[:0], s.RunID(), a, now)
			p.Out = appendCount(p.Out, '$', len(p.Word))
			p.Out = append(append(p.Out, p.Word...), "\r\n"...)
		}
		out = p.Out
	}
	a.Sent, a.Received, a.Answer = uint32(len(out)), 0, nil
	s.reply.reset(a.Reply != nil)
	phase, err := p.Exchange(s.Conn, out, a)
	if err != nil {
		// A server that takes no more clients says so before it closes the connection.
		for pad.Cut(s.Conn, err) && !s.reply.done() && p.Arrived(s.Conn, a) && s.feed(p) == nil {
			continue
		}
		return phase, err
	}
	for {
		if err := s.feed(p); err != nil || s.reply.done() {
			return phaseOf(a), err
		}
		if skip := s.reply.skippable(); skip >= pad.Size && len(p.Rest()) == 0 {
			var n int64
			n, err = p.Drop(s.Conn, skip, a)
			s.reply.skip(n)
		} else {
			err = p.More(s.Conn, a)
		}
		if err != nil {
			return phaseOf(a), err
		}
	}
}

// feed has the reply consume what has come.
func (s *session) feed(p *pad.Pad) error {
	used, err := s.reply.feed(p.Rest())
	p.Take(used)
	return err
}

// shown is a command as it was sent, for whoever looks at it.
func (s *session) shown(r *Request, a *attack.Attempt) []byte {
	if r.whole != nil {
		return []byte(r.text)
	}
	var out []byte
	for i, w := range r.words {
		if i > 0 {
			out = append(out, ' ')
		}
		out = w.Append(out, s.RunID(), a, time.Now())
	}
	return out
}

func phaseOf(a *attack.Attempt) attack.Phase {
	if a.Received > 0 {
		return attack.PhaseBody
	}
	return attack.PhaseAwait
}

// Unasked implements [wire.Listener].
func (x *exchanger) Unasked(b []byte) attack.Detail {
	if len(b) == 0 || b[0] != '-' {
		return attack.Detail{}
	}
	return detailOf(b[1:])
}

// detailOf returns what an error reply says.
func detailOf(words []byte) attack.Detail {
	if d := stream.Said(words); !d.IsZero() {
		return d
	}
	code := attack.ServerError
	switch kind, _, _ := strings.Cut(string(words), " "); kind {
	case "NOAUTH", "WRONGPASS", "NOPERM":
		code = attack.ServerAuthentication
	case "LOADING", "MASTERDOWN", "CLUSTERDOWN":
		code = attack.ServerStartingUp
	case "OOM":
		code = attack.ServerOutOfMemory
	case "READONLY":
		code = attack.ServerReadOnly
	}
	return attack.Detail{Kind: attack.ServerDetail, Code: code}
}
