// Package postgres speaks the protocol of PostgreSQL, version 3.0
// (https://www.postgresql.org/docs/current/protocol.html), on the connection layer: it
// starts up and logs in on each new connection, and sends one simple query at a time,
// whose rows are read and thrown away. An error of the server fails the request, in the
// server's own words and with its SQLSTATE. No client library is used, for those retry
// and hide.
package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/xdg-go/scram"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/pad"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// exchanger is PostgreSQL at one target.
type exchanger struct {
	target             wire.Target
	user, password, db string
	scram              *scram.Client // keeps the keys that it derives, which takes milliseconds
	kept               message.Answers
}

// New is a [wire.Protocol]. The URL has the user, the password and the database.
func New(to wire.Target) (wire.Exchanger, error) {
	u, err := url.Parse(to.Profile.URL)
	if err != nil {
		return nil, fmt.Errorf("parse target URL: %w", err)
	}
	x := &exchanger{target: to, user: u.User.Username(), db: strings.Trim(u.Path, "/")}
	if x.user == "" {
		scheme, _ := profiles.FindScheme("postgres")
		return nil, fmt.Errorf("log in: the target's URL names no user: write one, as in %s", scheme.Example)
	}
	x.password, _ = u.User.Password()
	if x.db == "" {
		x.db = x.user
	}
	// The server takes the name from the start-up, and none from here.
	if x.scram, err = scram.SHA256.NewClient("", x.password, ""); err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	if strings.ContainsRune(x.user+x.db, 0) {
		return nil, errors.New("log in: a name has a zero byte")
	}
	return x, nil
}

// Offer implements [wire.Exchanger].
func (x *exchanger) Offer() wire.Offer { return wire.Offer{Sessions: wire.Serial, Talks: true} }

// Request is a compiled query. It is immutable.
type Request struct {
	whole []byte // as it is sent; nil: the text is filled in
	fill  *fill.Template
	text  string // as it is shown
}

// Repeatable implements [attack.Request]: what only reads may be sent twice.
func (r *Request) Repeatable() bool {
	words := strings.Fields(r.text)
	return len(words) > 0 && slices.Contains([]string{"SELECT", "SHOW", "VALUES", "TABLE"}, strings.ToUpper(words[0]))
}

// Compile implements [wire.Exchanger]; the request is a [Request].
func (x *exchanger) Compile(r profiles.Request) (attack.Request, error) {
	if strings.TrimSpace(r.Command) == "" || strings.ContainsRune(r.Command, 0) {
		return nil, fmt.Errorf("compile query %s: it has no text, or a zero byte", spelling.Quote(r.Command))
	}
	out := &Request{text: r.Command}
	if !r.Filled {
		out.whole = append([]byte(nil), query(nil, []byte(r.Command))...)
		return out, nil
	}
	t, err := fill.Compile(r.Command, fill.Raw, fill.Scope{Tables: x.target.Data, Vars: x.target.Vars})
	if err != nil {
		return nil, fmt.Errorf("compile query %s: %w", spelling.Quote(r.Command), err)
	}
	out.fill = t
	return out, nil
}

// Unasked implements [wire.Listener]: a server that shuts down says so on idle
// connections.
func (x *exchanger) Unasked(said []byte) attack.Detail {
	var m message1
	if rest, ok := m.parse(said); ok && m.kind == 'E' && len(rest) == 0 {
		return parseError(m.body).detail()
	}
	return attack.Detail{}
}

// session is one connection that has logged in.
type session struct {
	*wire.Conn
	x *exchanger
}

// Close implements [wire.Session]: nothing is held between attempts.
func (s *session) Close() {}

// Do implements [wire.Session].
func (s *session) Do(req attack.Request, a *attack.Attempt) wire.Outcome {
	r := req.(*Request)
	p := pad.Get()
	defer p.Put()
	out := r.whole
	if out == nil {
		p.Word = r.fill.Append(p.Word[:0], s.RunID(), a, time.Now())
		p.Out = query(p.Out[:0], p.Word)
		out = p.Out
	}
	a.Sent, a.Received, a.Answer = uint32(len(out)), 0, nil
	if a.Reply != nil {
		a.Reply.Turn(true, out[headSize:len(out)-1])
	}
	told, phase, err := s.ask(out, a, p)
	if told != nil {
		if s.x.kept.Keep(s.Now(), int(told.detail().Code)) {
			a.Answer = &attack.Answer{Body: told.String(), Declared: -1, Received: int64(a.Received)}
		}
		if a.Reply != nil {
			a.Reply.Turn(false, []byte(told.String()))
		}
	}
	switch {
	case err != nil && told == nil:
		return s.Fail(a, phase, err)
	case err != nil:
		fault, _ := s.FaultOf(err)
		if fault == attack.EOF {
			return s.Refuse(a, phase, told.detail()) // it said why, and closed
		}
		s.FailStream(a, phase, wire.Failed{Fault: fault, Detail: told.detail()})
		return wire.Destroyed
	case len(p.Rest()) > 0:
		return s.Fail(a, phase, wire.Malformed(attack.UnexpectedAnswer))
	}
	a.Fault = attack.None
	s.Succeed(a)
	if told != nil {
		a.Fault, a.Detail = attack.Status, told.detail()
	}
	return wire.Keep
}

// ask sends a query and reads what comes of it, to the end of it. It returns the first
// error that the server told.
func (s *session) ask(out []byte, a *attack.Attempt, p *pad.Pad) (told *serverError, phase attack.Phase, err error) {
	phase, err = p.Exchange(s.Conn, out, a)
	if err != nil {
		if pad.Cut(s.Conn, err) {
			told = s.late(a, p)
		}
		return told, phase, err
	}
	for {
		m, err := s.next(a, p)
		if err != nil {
			if a.Received > 0 {
				phase = attack.PhaseBody
			}
			return told, phase, err
		}
		switch m.kind {
		case 'E':
			if told == nil {
				told = parseError(m.body)
			}
		case 'D':
			if a.Reply != nil {
				a.Reply.Turn(false, row(m.body))
			}
		case 'C':
			if a.Reply != nil {
				a.Reply.Turn(false, append(text(m.body), '\n'))
			}
		case 'Z':
			return told, attack.PhaseBody, nil
		case 'T', 'I', 'N', 'A', 'S':
		default: // G and H of COPY, and what belongs to other states
			return told, attack.PhaseBody, wire.Malformed(attack.MalformedFrame)
		}
	}
}

// late reads an error that came before the connection ended, where a write met the end.
func (s *session) late(a *attack.Attempt, p *pad.Pad) *serverError {
	for {
		if waiting, err := s.Waiting(); !waiting || err != nil {
			return nil
		}
		m, err := s.next(a, p)
		if err != nil {
			return nil
		}
		if m.kind == 'E' {
			return parseError(m.body)
		}
	}
}

// next reads one message. Bodies of no interest are dropped; the others stand until the
// next call.
func (s *session) next(a *attack.Attempt, p *pad.Pad) (message1, error) {
	for {
		var m message1
		rest, ok := m.parse(p.Rest())
		if ok {
			p.Take(len(p.Rest()) - len(rest))
			return m, nil
		}
		switch {
		case !m.head:
		case !known(m.kind):
			return m, wire.Malformed(attack.MalformedFrame)
		case m.size < 0:
			return m, wire.Malformed(attack.MalformedLength)
		case m.size > pad.Size/2:
			return s.long(m, a, p)
		}
		if err := p.More(s.Conn, a); err != nil {
			return m, err
		}
	}
}

// long drops the body of a long message: only rows and the like are so long.
func (s *session) long(m message1, a *attack.Attempt, p *pad.Pad) (message1, error) {
	if m.kind == 'E' || m.kind == 'R' || m.size > mostBody {
		return m, wire.Malformed(attack.OversizedHeader)
	}
	have := min(len(p.Rest()), headSize+m.size)
	p.Take(have)
	for left := int64(headSize + m.size - have); left > 0; {
		n, err := p.Drop(s.Conn, left, a)
		if left -= n; err != nil {
			return m, err
		}
	}
	m.body = nil
	return m, nil
}
