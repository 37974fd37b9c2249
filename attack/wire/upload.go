package wire

import (
	"errors"
	"os"
	"time"

	"github.com/rampload/rampload/attack"
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
func (c *http1) sendBody(r *Request, body []byte, a *attack.Attempt) Outcome {
	if r.expect {
		whole := time.Duration(c.deadline.Load())
		c.begin(min(whole, c.t.clock()+expectTime))
		err := c.awaitContinue()
		c.deadline.Store(int64(whole))
		_ = c.arm()
		switch {
		case err != nil && errors.Is(err, os.ErrDeadlineExceeded) && !c.t.aborted.Load() && c.t.clock() < whole:
			// No word: the body goes all the same.
		case err != nil:
			return c.Fail(a, attack.PhaseAwait, err)
		case !c.rx.continued:
			// The final answer: the body is not sent, so the connection cannot
			// serve again.
			how := c.receive(a, nil)
			if how == Keep {
				how = HangUp
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

// awaitContinue waits for 100 Continue or the head of a final response.
func (c *http1) awaitContinue() error {
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
func (c *http1) settleUpload(a *attack.Attempt, sent *bodyWriter, how Outcome) Outcome {
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
	return Destroyed
}
