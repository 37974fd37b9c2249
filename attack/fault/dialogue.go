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
func (injector *Injector) serveDialogue(s *session) {
	d := injector.opts.Dialogue()
	greeting := io.Writer(s.stream)
	if injector.take(InGreeting) {
		greeting = &cut{in: injector, s: s}
	}
	if d.Greet(s.in, greeting) != nil {
		return
	}
	if c, ok := greeting.(*cut); ok && !c.done { // nothing was said: in front of the first request
		injector.reset(s, InGreeting)
		return
	}
	for served := 0; ; served++ {
		if !injector.awaitRequest(s, served > 0) || d.Request(s.in) != nil {
			return
		}
		injector.requests.Add(1)
		if !pause(injector.ctx, injector.opts.Hold) {
			return
		}
		answer := d.Answer()
		if done := injector.respond(s, served > 0, answer[:1], answer[1:]); done {
			return
		}
		if _, err := s.stream.Write(answer); err != nil {
			return
		}
		injector.responses.Add(1)
		if injector.take(AfterResponse) {
			injector.reset(s, AfterResponse)
			return
		}
	}
}

// respond resets the connection at one of the places before the end of an answer:
// InHeaders is inside its head, InBody inside its body. It reports whether it did, or the
// connection is over.
func (injector *Injector) respond(s *session, reused bool, head, body []byte) (done bool) {
	before := BeforeResponseFresh
	if reused {
		before = BeforeResponseReused
	}
	part, place := head[:(len(head)+1)/2], InHeaders
	switch {
	case injector.take(before):
		part, place = nil, before
	case injector.take(AfterFIN):
		if s.tcp.CloseWrite() != nil {
			return true
		}
		pause(injector.ctx, injector.opts.Delay)
		part, place = nil, AfterFIN
	case injector.take(InHeaders):
	case len(body) > 0 && injector.take(InBody):
		part, place = append(head[:len(head):len(head)], body[:len(body)/2]...), InBody
	default:
		return false
	}
	if len(part) > 0 {
		if _, err := s.stream.Write(part); err != nil {
			return true
		}
	}
	injector.reset(s, place)
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
