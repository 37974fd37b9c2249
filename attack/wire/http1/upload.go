package http1

import (
	"errors"
	"os"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
)

// bodyWriter writes a request body beside the reading of the response.
type bodyWriter struct {
	done chan struct{}
	err  error // valid when done
}

// finished reports whether the body was sent whole.
func (b *bodyWriter) finished() bool {
	select {
	case <-b.done:
		return b.err == nil
	default:
		return false
	}
}

// finishing is finished after a moment: the target may answer before the writer
// has noticed that it is done.
func (b *bodyWriter) finishing() bool {
	timer := time.NewTimer(5 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-b.done:
		return b.err == nil
	case <-timer.C:
		return false
	}
}

// sendBody sends what of a request follows its head, and receives the response,
// which may come first.
func (c *session) sendBody(r *Request, body []byte, a *attack.Attempt) wire.Outcome {
	if r.Expect {
		whole := c.Deadline()
		c.SetDeadline(min(whole, c.Now()+message.ContinueWait))
		err := c.awaitContinue()
		c.SetDeadline(whole)
		switch {
		case c.waitedEnough(err, whole):
			// No word: the body goes all the same.
		case err != nil:
			return c.Fail(a, attack.PhaseAwait, err)
		case !c.rx.continued:
			// The final answer: the body is not sent, so the connection cannot
			// serve again.
			how := c.receive(a, nil)
			if how == wire.Keep {
				how = wire.HangUp
			}
			return how
		}
	}
	sent := &bodyWriter{done: make(chan struct{})}
	go func() {
		defer close(sent.done)
		_, sent.err = c.Write(body)
	}()
	how := c.receive(a, sent)
	if !sent.finished() {
		c.Interrupt(0) // the writer has no more time
		<-sent.done
		how = c.settleUpload(a, sent, how)
	}
	return how
}

// waitedEnough reports whether an error says only that no 100 Continue came in its
// time, and the attempt has time left.
func (c *session) waitedEnough(err error, whole time.Duration) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || c.Now() >= whole {
		return false
	}
	fault, _ := c.FaultOf(err)
	return fault != attack.Canceled
}

// awaitContinue waits for 100 Continue or the head of a final response.
func (c *session) awaitContinue() error {
	for {
		n, err := c.rx.feed(c.buf[c.r:c.w])
		c.r += n
		if err != nil || c.rx.continued || c.rx.inBody() {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// settleUpload judges an attempt whose body was not sent whole. What the writer
// met is the cause when the reader saw only the end that came of it.
func (c *session) settleUpload(a *attack.Attempt, sent *bodyWriter, how wire.Outcome) wire.Outcome {
	if sent.err == nil || errors.Is(sent.err, os.ErrDeadlineExceeded) {
		return how // interrupted by us, after the attempt had ended
	}
	fault, detail := c.FaultOf(sent.err)
	if a.Phase == attack.PhaseDone && a.Fault == attack.None || a.Fault == attack.EOF || a.Fault == attack.Status {
		a.Fault, a.Detail, a.Phase = fault, detail, attack.PhaseWrite
		a.Info = c.Info()
	}
	if fault == attack.Reset || fault == attack.BrokenPipe {
		c.TakeReset(a, sent.err)
	}
	return wire.Destroyed
}
