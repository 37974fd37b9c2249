package wire

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/http2"
	"github.com/rampload/rampload/profiles"
)

// http2Session speaks HTTP/2 on one connection.
type http2Session struct {
	*http2.Conn
	c      *Conn
	expect profiles.StatusSet
	used   atomic.Bool // an attempt was made on it
}

// startHTTP2 begins to speak HTTP/2. The connection's room is what the peer allows,
// and at most so many streams; 0: no limit of ours.
func startHTTP2(c *Conn, expect profiles.StatusSet, most int) *http2Session {
	s := &http2Session{c: c, expect: expect}
	ready := make(chan struct{}) // the connection tells of changes at once
	s.Conn = http2.NewConn(c, http2.Config{
		Clock: c.Now, MaxStreams: most,
		OnChange: func(h *http2.Conn) {
			<-ready
			select {
			case <-h.Done():
				c.Ended(h.Err())
			default:
				c.RoomChanged()
			}
		},
	})
	close(ready)
	return s
}

// Close implements [Session].
func (s *http2Session) Close() {}

// exchange is one HTTP/2 attempt. Exchanges are used again.
type exchange struct {
	http2.Exchange
	id   attack.RunID
	r    *Request
	a    *attack.Attempt
	body []byte // a rendered template
}

var exchanges = sync.Pool{New: func() any {
	x := new(exchange)
	x.Init(x)
	return x
}}

// AppendHeaders implements [http2.Handler].
func (x *exchange) AppendHeaders(b []byte) []byte {
	at := len(b)
	b = append(b, x.r.block...)
	if tx := x.r.blockTx; tx > 0 {
		x.id.AppendTransactionID(b[at+tx:at+tx], x.a.Request)
	}
	if tr := x.r.blockTr; tr > 0 {
		x.id.AppendTraceParent(b[at+tr:at+tr], x.a.Request, x.a.Try)
	}
	if x.r.tmpl != nil && !x.r.chunks {
		b = http2.AppendLength(b, len(x.body))
	}
	return b
}

// Head implements [http2.Handler].
func (x *exchange) Head(int, []hpack.HeaderField) {}

// Do makes one attempt on a stream.
func (s *http2Session) Do(req attack.Request, a *attack.Attempt) Outcome {
	r := req.(*Request)
	if r.kept != nil {
		r = r.kept // the pool knows whether the connection is for this attempt alone
	}
	first := !s.used.Load() && !s.used.Swap(true)
	x := exchanges.Get().(*exchange)
	x.id, x.r, x.a = s.c.RunID(), r, a
	x.Deadline, x.NoBody, x.Hold = s.c.DeadlineOf(a), r.method == "HEAD", 0
	body := r.payload
	if r.tmpl != nil {
		x.body = r.tmpl.render(x.body[:0], x.id, a.Request, time.Now())
		body = x.body
	}
	if r.expect {
		x.Hold = expectTime
	}
	err := x.Do(s.Conn, body)
	phase := x.Phase
	a.Status = uint16(x.Status)
	x.r, x.a = nil, nil
	exchanges.Put(x)

	if errors.Is(err, http2.ErrNotSent) {
		why := s.refusal()
		if !first || why == nil {
			return NotSent // another connection may have room
		}
		err = why // this one was opened for the attempt
	}
	if err != nil {
		return s.c.FailStream(a, phase, failedHTTP2(err))
	}
	s.c.Succeed(a)
	if len(s.expect) > 0 && !s.expect.Contains(int(a.Status)) {
		a.Fault = attack.Status
	}
	if r.close {
		return HangUp
	}
	return Keep
}

// refusal returns why the connection takes no streams, nil if that may pass.
func (s *http2Session) refusal() error {
	if away := s.GoneAway(); away != nil {
		return away
	}
	select {
	case <-s.Done():
		if err := s.Err(); err != nil {
			return err
		}
		return http2.ErrCanceled
	default:
		return nil
	}
}

// FailStream is [Conn.Fail] for an attempt that is one of several on a connection.
// A RST of the connection outranks what the peer said before it: the connection is
// lost for all of them, and the detail keeps what was said.
func (c *Conn) FailStream(a *attack.Attempt, phase attack.Phase, err error) Outcome {
	fault, detail := c.FaultOf(err)
	if c.t.aborted.Load() {
		err = Failed{Fault: attack.Canceled}
	} else if fault != attack.Timeout && fault != attack.Canceled {
		if fault != attack.EOF && fault != attack.BrokenPipe {
			// Not where the connection ended with a FIN, behind which a RST may come.
			if what, _ := c.sock.fate(); what == reset {
				_ = c.note(syscall.ECONNRESET) // the look has taken it from the socket
			}
		}
		if last := c.LastWord(); last != nil && isReset(last) {
			err = Failed{Fault: attack.Reset, Detail: detail}
		}
	}
	_ = c.Fail(a, phase, err)
	return Keep // whether the connection goes on, its reader tells
}

// failedHTTP2 says in the connection layer's words how a stream ended.
func failedHTTP2(err error) error {
	switch {
	case errors.Is(err, http2.ErrTimeout):
		return os.ErrDeadlineExceeded
	case errors.Is(err, http2.ErrPing):
		return Failed{Fault: attack.Timeout}
	case errors.Is(err, http2.ErrCanceled), errors.Is(err, context.Canceled):
		return Failed{Fault: attack.Canceled}
	}
	if fault, ok := faultOfHTTP2(err); ok {
		return Failed{Fault: fault, Detail: DetailOf(err)}
	}
	return err
}

// faultOfHTTP2 returns the fault of what a peer said in HTTP/2.
func faultOfHTTP2(err error) (attack.Fault, bool) {
	var (
		stream *http2.ResetError
		goAway *http2.GoAwayError
		broken *http2.MalformedError
	)
	switch {
	case errors.As(err, &stream):
		return attack.HTTP2Reset, true
	case errors.As(err, &goAway):
		return attack.HTTP2GoAway, true
	case errors.As(err, &broken):
		return attack.Protocol, true
	case errors.Is(err, http2.ErrTimeout), errors.Is(err, http2.ErrPing):
		return attack.Timeout, true
	case errors.Is(err, http2.ErrCanceled):
		return attack.Canceled, true
	}
	return attack.None, false
}
