package http1

import (
	"bytes"
	"errors"
	"io"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
)

// readBufferSize is the size of an attempt's input buffer; it grows for longer
// header lines, up to maxHeadSize, and shrinks again.
const readBufferSize = 4 << 10

// session speaks HTTP/1.1 on one connection.
type session struct {
	*wire.Conn
	x *Exchanger
	*scratch
}

// sendable is a request that a session can send: a [Request], or what embeds one.
type sendable interface{ HTTP1() *Request }

// Close implements [wire.Session]: nothing is held between attempts.
func (c *session) Close() {}

// Do makes one attempt.
func (c *session) Do(req attack.Request, a *attack.Attempt) wire.Outcome {
	c.scratch = getScratch()
	how := c.attempt(req, a)
	putScratch(c.scratch)
	c.scratch = nil
	return how
}

func (c *session) attempt(req attack.Request, a *attack.Attempt) wire.Outcome {
	r := req.(sendable).HTTP1()
	if r.kept != nil && c.Kept() {
		r = r.kept
	}
	c.r, c.w = 0, 0
	c.rx.reset(r.Method == "HEAD")
	c.rx.reply = a.Reply
	c.rx.keep(c.x.expect, &c.draft)
	c.closes = r.Close
	rest := r.encodeFor(c.scratch, c.RunID(), a)
	a.Sent, a.Received, a.Answer = uint32(len(c.out)+len(rest)), 0, nil
	if a.Reply != nil {
		a.Reply.Ask(c.out)
		a.Reply.Ask(rest)
	}
	if rest == nil {
		n, phase, err := c.Exchange(c.out, c.buf)
		c.w = n
		if err != nil {
			return c.answerBehind(a, phase, err)
		}
		return c.receive(a, nil)
	}
	if _, err := c.Write(c.out); err != nil {
		return c.answerBehind(a, attack.PhaseWrite, err)
	}
	return c.sendBody(r, rest, a)
}

// answerBehind ends an attempt whose request could not be written, or that met
// the end of the connection: an answer that came before it is still there.
func (c *session) answerBehind(a *attack.Attempt, phase attack.Phase, err error) wire.Outcome {
	if phase == attack.PhaseWrite && !c.Secure() {
		if f, _ := c.FaultOf(err); f == attack.Reset || f == attack.BrokenPipe {
			c.readStatus(a)
		}
	}
	return c.Fail(a, phase, err)
}

// readStatus reads the status of an answer that has arrived, if there is one.
func (c *session) readStatus(a *attack.Attempt) {
	for !c.rx.inBody() && c.rx.state != rxDone {
		if waiting, err := c.Waiting(); !waiting || err != nil {
			return
		}
		if c.fill() != nil {
			return
		}
		n, err := c.rx.feed(c.buf[c.r:c.w])
		c.r += n
		if err != nil {
			return
		}
	}
	a.Status = uint16(c.rx.status)
	if c.rx.odd {
		c.keepAnswer(a)
	}
}

// keepAnswer keeps what was answered to a failed attempt, of a sample of them.
func (c *session) keepAnswer(a *attack.Attempt) {
	a.Received = uint64(c.rx.received())
	if !c.x.kept.Keep(c.Now(), c.rx.status) {
		return
	}
	if !c.rx.odd {
		c.draft.Reset()
	}
	a.Answer = c.draft.Answer(c.rx.declared(), c.rx.received())
}

// receive reads and discards the response. sent, when not nil, tells whether the
// request's body is still being written.
func (c *session) receive(a *attack.Attempt, sent *bodyWriter) wire.Outcome {
	for {
		n, err := c.rx.feed(c.buf[c.r:c.w])
		c.r += n
		if err != nil {
			return c.Fail(a, c.rxPhase(a, sent), err)
		}
		if c.rx.state == rxDone {
			return c.complete(a, sent)
		}
		if skip := c.rx.skippable(); skip >= readBufferSize {
			err = c.discard(skip)
		} else {
			err = c.fill()
		}
		if errors.Is(err, io.EOF) && c.rx.ended() {
			return c.complete(a, sent)
		}
		if err != nil {
			return c.Fail(a, c.rxPhase(a, sent), err)
		}
	}
}

// rxPhase returns how far the attempt is.
func (c *session) rxPhase(a *attack.Attempt, sent *bodyWriter) attack.Phase {
	switch {
	case c.rx.inBody():
		a.Status = uint16(c.rx.status)
		c.keepAnswer(a)
		return attack.PhaseBody
	case sent != nil && !sent.finished():
		return attack.PhaseWrite
	}
	return attack.PhaseAwait
}

// complete ends an attempt with a complete response.
func (c *session) complete(a *attack.Attempt, sent *bodyWriter) wire.Outcome {
	a.Fault = attack.None
	a.Status, a.RetryAfter = uint16(c.rx.status), c.rx.retry
	if c.r < c.w { // more than its length says
		part := attack.MalformedLength
		if bytes.HasPrefix(c.buf[c.r:c.w], []byte("HTTP/1.")) {
			part = attack.AnsweredBeforeAsked // the answer to a request that nobody has made
		}
		return c.Fail(a, attack.PhaseBody, wire.Malformed(part))
	}
	c.Succeed(a)
	a.Received = uint64(c.rx.received())
	if c.rx.odd {
		a.Fault = attack.Status
		c.keepAnswer(a)
	}
	if sent != nil && !sent.finishing() {
		return wire.HalfShut // an early answer: the rest of the body is not sent
	}
	if c.rx.closes || c.closes {
		return wire.HangUp
	}
	return wire.Keep
}

// fill reads more input behind what is not consumed.
func (c *session) fill() error {
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if c.w == len(c.buf) {
		// A line longer than the buffer; the parser limits it.
		grown := make([]byte, 2*len(c.buf))
		copy(grown, c.buf)
		c.buf = grown
	}
	n, err := c.Read(c.buf[c.w:])
	c.w += n
	return err
}

// discard reads at most that many bytes of body and throws them away.
func (c *session) discard(most int64) error {
	c.r, c.w = 0, 0
	n, err := c.Discard(most, c.buf)
	c.rx.skip(int64(n))
	return err
}
