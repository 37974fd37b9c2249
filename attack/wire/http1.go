package wire

import (
	"errors"
	"io"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// expectTime is how long a request that expects 100 Continue waits for it before
// it sends its body all the same (RFC 9110 §10.1.1).
const expectTime = time.Second

// readBufferSize is the size of an attempt's input buffer; it grows for longer
// header lines, up to maxHeadSize, and shrinks again.
const readBufferSize = 4 << 10

// http1 speaks HTTP/1.1 on one connection.
type http1 struct {
	*Conn
	expect profiles.StatusSet // the statuses that are no failure; empty: all
	*scratch
}

// Close implements [Session]: nothing is held between attempts.
func (c *http1) Close() {}

// Do makes one attempt.
func (c *http1) Do(req attack.Request, a *attack.Attempt) Outcome {
	c.scratch = getScratch()
	how := c.attempt(req, a)
	putScratch(c.scratch)
	c.scratch = nil
	return how
}

func (c *http1) attempt(req attack.Request, a *attack.Attempt) Outcome {
	r := req.(*Request)
	if r.kept != nil && c.Kept() {
		r = r.kept
	}
	c.r, c.w = 0, 0
	c.rx.reset(r.method == "HEAD")
	c.closes = r.close
	rest := r.encodeFor(c, a)
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
func (c *http1) answerBehind(a *attack.Attempt, phase attack.Phase, err error) Outcome {
	if phase == attack.PhaseWrite && (isReset(err) || Classify(err) == attack.BrokenPipe) && !c.Secure() {
		c.readStatus(a)
	}
	return c.Fail(a, phase, err)
}

// readStatus reads the status of an answer that has arrived, if there is one.
func (c *http1) readStatus(a *attack.Attempt) {
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
}

// receive reads and discards the response. sent, when not nil, tells whether the
// request's body is still being written.
func (c *http1) receive(a *attack.Attempt, sent *bodyWriter) Outcome {
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
func (c *http1) rxPhase(a *attack.Attempt, sent *bodyWriter) attack.Phase {
	switch {
	case c.rx.inBody():
		a.Status = uint16(c.rx.status)
		return attack.PhaseBody
	case sent != nil && !sent.finished():
		return attack.PhaseWrite
	}
	return attack.PhaseAwait
}

// complete ends an attempt with a complete response.
func (c *http1) complete(a *attack.Attempt, sent *bodyWriter) Outcome {
	a.Fault = attack.None
	a.Status = uint16(c.rx.status)
	if c.r < c.w { // more than its length says
		return c.Fail(a, attack.PhaseBody, malformed(attack.MalformedLength))
	}
	c.Succeed(a)
	if len(c.expect) > 0 && !c.expect.Contains(c.rx.status) {
		a.Fault = attack.Status
	}
	if sent != nil && !sent.finishing() {
		return HalfShut // an early answer: the rest of the body is not sent
	}
	if c.rx.closes || c.closes {
		return HangUp
	}
	return Keep
}

// fill reads more input behind what is not consumed.
func (c *http1) fill() error {
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
func (c *http1) discard(most int64) error {
	c.r, c.w = 0, 0
	n, err := c.Discard(most, c.buf)
	c.rx.skip(int64(n))
	return err
}
