package fault

import (
	"bufio"
	"io"
)

// Dialogue is the server's part of a protocol with one request at a time on a
// connection, for an [Injector] that speaks another one than HTTP. One serves one
// connection, from one goroutine.
type Dialogue interface {
	// Greet says and hears what comes before the first request: a banner, a log-in.
	Greet(in *bufio.Reader, out io.Writer) error
	// Request reads one request whole. The error ends the connection.
	Request(in *bufio.Reader) error
	// Answer returns a proper answer to the request that was read, not empty.
	Answer() []byte
}

// serveDialogue serves a connection of another protocol than HTTP. InHeaders is behind
// the first byte of an answer, InBody behind the half of it.
func (in *Injector) serveDialogue(s *session) {
	d := in.opts.Dialogue()
	greeting := io.Writer(s.stream)
	if in.take(InGreeting) {
		greeting = &cut{in: in, s: s}
	}
	if d.Greet(s.in, greeting) != nil {
		return
	}
	if c, ok := greeting.(*cut); ok && !c.done { // nothing was said: in front of the first request
		in.reset(s, InGreeting)
		return
	}
	for served := 0; ; served++ {
		if !in.awaitRequest(s, served > 0) || d.Request(s.in) != nil {
			return
		}
		in.requests.Add(1)
		if !pause(in.ctx, in.opts.Hold) {
			return
		}
		answer := d.Answer()
		if done := in.respond(s, served > 0, answer[:1], answer[1:]); done {
			return
		}
		if _, err := s.stream.Write(answer); err != nil {
			return
		}
		in.responses.Add(1)
		if in.take(AfterResponse) {
			in.reset(s, AfterResponse)
			return
		}
	}
}

// respond resets the connection at one of the places before the end of an answer:
// InHeaders is inside its head, InBody inside its body. It reports whether it did, or the
// connection is over.
func (in *Injector) respond(s *session, reused bool, head, body []byte) (done bool) {
	before := BeforeResponseFresh
	if reused {
		before = BeforeResponseReused
	}
	part, place := head[:(len(head)+1)/2], InHeaders
	switch {
	case in.take(before):
		part, place = nil, before
	case in.take(AfterFIN):
		if s.tcp.CloseWrite() != nil {
			return true
		}
		pause(in.ctx, in.opts.Delay)
		part, place = nil, AfterFIN
	case in.take(InHeaders):
	case len(body) > 0 && in.take(InBody):
		part, place = append(head[:len(head):len(head)], body[:len(body)/2]...), InBody
	default:
		return false
	}
	if len(part) > 0 {
		if _, err := s.stream.Write(part); err != nil {
			return true
		}
	}
	in.reset(s, place)
	return true
}

// cut resets a connection behind the first half of what is said first on it.
type cut struct {
	in   *Injector
	s    *session
	done bool
}

func (c *cut) Write(p []byte) (int, error) {
	if c.done {
		return 0, io.ErrClosedPipe
	}
	c.done = true
	if n, err := c.s.stream.Write(p[:len(p)/2]); err != nil {
		return n, err
	}
	c.in.reset(c.s, InGreeting)
	return 0, io.ErrClosedPipe
}
