package wire

import (
	"errors"
	"io"
	"time"

	"github.com/rampload/rampload/attack"
)

// expectTime is how long a request that expects 100 Continue waits for it before
// it sends its body all the same (RFC 9110 §10.1.1).
const expectTime = time.Second

// roundTrip makes one HTTP/1.1 attempt over the connection.
func (c *conn) roundTrip(r *Request, a *attack.Attempt, deadline time.Duration) outcome {
	c.begin(deadline)
	c.unused = false
	if c.buf == nil {
		c.buf = getBuffer()
	}
	c.r, c.w = 0, 0
	c.rx.reset(r.method == "HEAD")
	c.closes = r.close
	rest := r.encodeFor(c, a)
	if phase, err := c.sendHead(rest == nil); err != nil {
		return c.answerBehind(a, phase, err)
	}
	if rest != nil {
		return c.sendBody(r, rest, a)
	}
	return c.receive(a, nil)
}

// sendHead writes the output. When that is the whole request it also waits, over
// plain TCP, for the first bytes of the answer (see socket.exchange).
func (c *conn) sendHead(whole bool) (attack.Phase, error) {
	if c.tls != nil {
		_, err := c.tls.Write(c.out)
		return attack.PhaseWrite, err
	}
	if !whole {
		_, err := c.Write(c.out)
		return attack.PhaseWrite, err
	}
	for {
		rest, n, err := c.sock.exchange(c.out, c.buf)
		c.w = n
		if err == nil && len(rest) > 0 {
			_, err = c.Write(rest)
			return attack.PhaseWrite, err
		}
		if err == nil {
			return attack.PhaseAwait, nil
		}
		if len(rest) == len(c.out) && c.again(err) {
			continue // the deadline was an earlier attempt's: nothing is sent
		}
		switch {
		case len(rest) > 0:
			return attack.PhaseWrite, err
		case errors.Is(err, io.EOF):
			return attack.PhaseAwait, err
		case c.again(err):
			return attack.PhaseAwait, nil // receive goes on
		}
		return attack.PhaseAwait, err
	}
}

// answerBehind ends an attempt whose request could not be written, or that met
// the end of the connection: an answer that came before it is still there.
func (c *conn) answerBehind(a *attack.Attempt, phase attack.Phase, err error) outcome {
	if phase == attack.PhaseWrite && (isReset(err) || Classify(err) == attack.BrokenPipe) && c.tls == nil {
		c.readStatus(a)
	}
	return c.fail(a, phase, err)
}

// readStatus reads the status of an answer that has arrived, if there is one.
func (c *conn) readStatus(a *attack.Attempt) {
	for !c.rx.inBody() && c.rx.state != rxDone {
		if waiting, err := c.sock.peek(); !waiting || err != nil {
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
func (c *conn) receive(a *attack.Attempt, sent *bodyWriter) outcome {
	for {
		n, err := c.rx.feed(c.buf[c.r:c.w])
		c.r += n
		if err != nil {
			return c.fail(a, c.rxPhase(a, sent), err)
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
			return c.fail(a, c.rxPhase(a, sent), err)
		}
	}
}

// rxPhase returns how far the attempt is.
func (c *conn) rxPhase(a *attack.Attempt, sent *bodyWriter) attack.Phase {
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
func (c *conn) complete(a *attack.Attempt, sent *bodyWriter) outcome {
	a.End = c.t.clock()
	a.Phase, a.Fault = attack.PhaseDone, attack.None
	a.Status = uint16(c.rx.status)
	c.describe(a, a.End)
	if expect := c.t.cfg.Profile.Expect; len(expect) > 0 && !expect.Contains(c.rx.status) {
		a.Fault = attack.Status
	}
	if c.r < c.w { // more than its length says
		return c.fail(a, attack.PhaseBody, malformed(attack.MalformedLength))
	}
	c.served++
	if len(c.buf) > readBufferSize {
		c.buf = getBuffer()
	}
	if sent != nil && !sent.finishing() {
		return halfShut // an early answer: the rest of the body is not sent
	}
	if c.rx.closes || c.closes {
		return hangUp
	}
	return keep
}

// fill reads more input behind what is not consumed.
func (c *conn) fill() error {
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if c.w == len(c.buf) {
		// A line longer than the buffer; the parser limits it.
		grown := make([]byte, 2*len(c.buf))
		copy(grown, c.buf)
		putBuffer(c.buf)
		c.buf = grown
	}
	n, err := c.recv(c.buf[c.w:])
	c.w += n
	return err
}

// discard reads at most max bytes of body and throws them away.
func (c *conn) discard(most int64) error {
	c.r, c.w = 0, 0
	var n int
	var err error
	if c.tls != nil {
		n, err = c.tls.Read(c.buf[:min(int64(len(c.buf)), most)])
	} else {
		for {
			n, err = c.sock.discard(int(min(most, 1<<20)), c.buf)
			if err == nil || !c.again(err) {
				break
			}
		}
	}
	c.rx.skip(int64(n))
	if n > 0 && errors.Is(err, io.EOF) {
		return nil // it comes again
	}
	return err
}

// recv reads what there is.
func (c *conn) recv(p []byte) (int, error) {
	if c.tls != nil {
		n, err := c.tls.Read(p)
		if n > 0 && errors.Is(err, io.EOF) {
			err = nil
		}
		return n, err
	}
	for {
		n, err := c.sock.Read(p)
		if err == nil || !c.again(err) {
			return n, err
		}
	}
}
