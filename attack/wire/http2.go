package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// http2Session speaks HTTP/2 on one connection, through the library.
type http2Session struct {
	c      *Conn
	expect profiles.StatusSet
	cc     *http2.ClientConn
	resets peerResets
}

// http2Link is the connection as the library sees it: closing it ends the
// connection's use, not yet the socket.
type http2Link struct {
	net.Conn
	c *Conn
}

func (l *http2Link) Close() error {
	l.c.Ended(nil)
	return nil
}

// startHTTP2 begins to speak HTTP/2.
func startHTTP2(c *Conn, expect profiles.StatusSet) (*http2Session, error) {
	s := &http2Session{c: c, expect: expect}
	tr := &http2.Transport{
		DisableCompression: true,
		MaxHeaderListSize:  maxHeadSize,
		CountError:         s.resets.count,
	}
	var err error
	s.cc, err = tr.NewClientConn(&http2Link{Conn: tlsOver(c), c: c})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Room implements [Multiplexed].
func (s *http2Session) Room() int {
	if !s.cc.CanTakeNewRequest() {
		return 0
	}
	if most := int(s.cc.State().MaxConcurrentStreams); most != 0 {
		return most
	}
	return assumedStreams
}

// Closing implements [Multiplexed].
func (s *http2Session) Closing() bool { return s.cc.State().Closing }

// Shut implements [Multiplexed].
func (s *http2Session) Shut() { s.cc.Close() }

// Close implements [Session].
func (s *http2Session) Close() {}

// Do makes one attempt on a stream.
func (s *http2Session) Do(req attack.Request, a *attack.Attempt) Outcome {
	r := req.(*Request)
	if r.kept != nil {
		r = r.kept // the pool knows whether the connection is for this attempt alone
	}
	phase, err := s.roundTrip(r, a)
	if err != nil {
		s.fail(a, phase, err)
	} else {
		s.c.Succeed(a)
		if len(s.expect) > 0 && !s.expect.Contains(int(a.Status)) {
			a.Fault = attack.Status
		}
	}
	if r.close {
		return HangUp
	}
	return Keep
}

// roundTrip sends a request on a stream and reads the response away.
func (s *http2Session) roundTrip(r *Request, a *attack.Attempt) (attack.Phase, error) {
	t := s.c.t
	ctx, cancel := t.ctx, context.CancelFunc(func() {})
	if deadline := s.c.DeadlineOf(a); deadline != Never {
		ctx, cancel = context.WithTimeout(ctx, deadline-t.clock())
	}
	defer cancel()
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote.Store(true) },
	})
	resp, err := s.cc.RoundTrip(r.stream(ctx, t.cfg.RunID, a))
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

// fail ends an attempt with the error of a stream.
func (s *http2Session) fail(a *attack.Attempt, phase attack.Phase, err error) {
	c, t := s.c, s.c.t
	a.Phase = phase
	a.End = t.clock()
	c.describeServed(a, false)
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
		if a.Fault = attack.Protocol; s.resets.meet(stream.Code) {
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
		if s.cc.State().Closing {
			a.Fault = attack.HTTP2GoAway
		} else if sockErr != nil {
			a.Fault = Classify(*sockErr)
		}
	}
	if a.Fault == attack.HTTP2Reset || a.Fault == attack.HTTP2GoAway || a.Fault == attack.Protocol {
		a.Detail = DetailOf(err)
	}
	if sockErr != nil && Classify(*sockErr) != attack.Timeout {
		c.TakeReset(a, *sockErr)
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
