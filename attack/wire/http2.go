package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/rampload/rampload/attack"
)

// doStream makes one HTTP/2 attempt.
func (t *Transport) doStream(r *Request, a *attack.Attempt, deadline time.Duration) {
	s := &t.streams
	if t.aborted.Load() {
		a.Fault = attack.Canceled
		t.end(a)
		return
	}
	h, counted, fault := s.take(a.Start, deadline)
	if fault != attack.None {
		a.Fault = fault
		t.end(a)
		return
	}
	if h == nil {
		c := t.dialer.dial(a, deadline)
		if c == nil || c.h2 == nil {
			if counted {
				s.gone()
			}
			if c == nil {
				t.end(a)
				return
			}
			t.retire(c, c.roundTrip(r, a, deadline)) // one instance of many without HTTP/2
			return
		}
		h = c.h2
		s.adopt(h, true, counted)
	}
	t.doStreamOn(h, r, a, deadline)
}

// doStreamOn makes an attempt on a connection on which it has a place.
func (t *Transport) doStreamOn(h *h2conn, r *Request, a *attack.Attempt, deadline time.Duration) {
	phase, err := h.roundTrip(r, a, deadline)
	a.End = t.clock()
	a.Phase = phase
	s := &t.streams
	s.mu.Lock()
	h.c.describe(a, a.End)
	if err == nil {
		h.c.served++
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		h.fail(a, err)
	default:
		if expect := t.cfg.Profile.Expect; len(expect) > 0 && !expect.Contains(int(a.Status)) {
			a.Fault = attack.Status
		}
	}
	s.release(h, r.close || s.closeMode())
}

// roundTrip sends a request on a stream and reads the response away.
func (h *h2conn) roundTrip(r *Request, a *attack.Attempt, deadline time.Duration) (attack.Phase, error) {
	t := h.c.t
	ctx, cancel := t.ctx, context.CancelFunc(func() {})
	if deadline != never {
		ctx, cancel = context.WithTimeout(ctx, deadline-t.clock())
	}
	defer cancel()
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote.Store(true) },
	})
	resp, err := h.cc.RoundTrip(r.stream(ctx, t.cfg.RunID, a))
	if err != nil {
		if wrote.Load() {
			return attack.PhaseAwait, err
		}
		return attack.PhaseWrite, err
	}
	a.Status = uint16(resp.StatusCode)
	buf := bodyBuffers.Get().(*[bodyBufferSize]byte)
	defer bodyBuffers.Put(buf)
	defer resp.Body.Close()
	for {
		if _, err := resp.Body.Read(buf[:]); errors.Is(err, io.EOF) {
			return attack.PhaseDone, nil
		} else if err != nil {
			return attack.PhaseBody, err
		}
	}
}

const bodyBufferSize = 16 << 10

var bodyBuffers = sync.Pool{New: func() any { return new([bodyBufferSize]byte) }}

// stream returns the request of an attempt for the library.
func (r *Request) stream(ctx context.Context, id attack.RunID, a *attack.Attempt) *http.Request {
	req := &http.Request{
		Method: r.method, URL: r.url, Host: r.host,
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: make(http.Header, len(r.header)+1),
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.txAt > 0 {
		req.Header[transactionHeader] = []string{string(id.AppendTransactionID(nil, a.Request))}
	}
	if r.trAt > 0 {
		req.Header[http.CanonicalHeaderKey(traceHeader)] = []string{string(id.AppendTraceParent(nil, a.Request, a.Try))}
	}
	if r.hasBody() {
		body := r.payloadOf(id, a.Request)
		req.Body = io.NopCloser(body)
		req.ContentLength = int64(body.Len())
		if r.chunks {
			req.ContentLength = -1
		}
		if r.expect {
			req.Header["Expect"] = []string{"100-continue"}
		}
	}
	return req.WithContext(ctx)
}

// fail classifies the error of a stream.
func (h *h2conn) fail(a *attack.Attempt, err error) {
	c, t := h.c, h.c.t
	a.Info = c.sock.info()
	var (
		stream http2.StreamError
		goAway http2.GoAwayError
		broken http2.ConnectionError
	)
	sockErr := c.sockErr.Load()
	switch {
	case t.aborted.Load():
		a.Fault = attack.Canceled
		return
	case errors.Is(err, context.DeadlineExceeded):
		a.Fault = attack.Timeout
		return
	case errors.As(err, &goAway):
		a.Fault = attack.HTTP2GoAway
	case errors.As(err, &stream):
		// The library also has stream errors for what it takes offence at.
		if a.Fault = attack.Protocol; h.resets.meet(stream.Code) {
			a.Fault = attack.HTTP2Reset
		}
	case errors.As(err, &broken):
		a.Fault = attack.Protocol
	default:
		if a.Fault = Classify(err); a.Fault != attack.Protocol && a.Fault != attack.Canceled {
			break
		}
		// The library's own errors: for a stream that a GOAWAY left out, and for
		// a connection that ended.
		if h.cc.State().Closing {
			a.Fault = attack.HTTP2GoAway
		} else if sockErr != nil {
			a.Fault = Classify(*sockErr)
		}
	}
	if sockErr != nil && Classify(*sockErr) != attack.Timeout {
		c.takeReset(a, *sockErr)
	}
}

// peerResets are the RST_STREAM frames that no attempt has met yet, by code. The
// library's stream errors do not say whose they are, and its hook for what it counts
// not of which stream; but each frame ends one attempt, just after the hook.
type peerResets struct {
	mu   sync.Mutex
	open map[string]int
}

const resetKind = "recv_rststream_" // of the library's hook; the code's name follows

func (p *peerResets) count(kind string) {
	code, ok := strings.CutPrefix(kind, resetKind)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = map[string]int{}
	}
	p.open[code]++
}

// meet takes a frame of the code away, if there is one.
func (p *peerResets) meet(code http2.ErrCode) bool {
	name := code.String()
	if code > http2.ErrCodeHTTP11Required { // the library's hook names those otherwise
		name = fmt.Sprintf("ERR_UNKNOWN_%d", uint32(code))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[name] == 0 {
		return false
	}
	p.open[name]--
	return true
}
