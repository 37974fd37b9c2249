package fault

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Place is where in the life of a connection an [Injector] resets it.
type Place uint8

// The places. A place that a request does not reach is no opportunity: a
// response to HEAD has no body to be reset in, and a connection whose last
// response carried "Connection: close" is never idle.
const (
	Nowhere              Place = iota // never
	OnAccept                          // accepted, nothing read; with TLS before the handshake
	BeforeResponseFresh               // first request of a connection read whole, nothing answered
	BeforeResponseReused              // later request of a connection read whole, nothing answered
	InHeaders                         // some bytes of the status line and headers sent
	InBody                            // headers and half of the body sent
	Idle                              // no request in flight for Delay after a complete response
	AfterFIN                          // request read whole, FIN instead of a response, RST behind it
	AfterResponse                     // RST immediately behind a complete response
	StreamReset                       // HTTP/2 only: RST_STREAM instead of a response, no TCP reset
	GoAway                            // HTTP/2 only: GOAWAY that disowns the request, then FIN, no TCP reset
	InGreeting                        // with a Dialogue only: inside what is said before the first request, else before it is read
	PlaceEnd
)

// Places is the number of places: arrays are indexed by Place.
const Places = int(PlaceEnd)

var placeNames = [Places]string{
	"nowhere", "on-accept", "before-response-fresh", "before-response-reused", "in-headers",
	"in-body", "idle", "after-fin", "after-response", "stream-reset", "goaway", "in-greeting",
}

// String returns the place's name.
func (p Place) String() string {
	if int(p) < Places {
		return placeNames[p]
	}
	return "invalid"
}

// InjectorOptions says what an [Injector] serves and what it does wrong. The
// zero value answers every request properly with a short body.
type InjectorOptions struct {
	Addr     string       // listen address; empty: a free port of 127.0.0.1
	Listener net.Listener // served instead of Addr, if set; its connections must be *net.TCPConn
	TLS      bool         // with a self-signed certificate, see [Injector.Certificate]
	HTTP2    bool         // HTTP/2: by ALPN with TLS, else with prior knowledge (h2c)
	GRPC     bool         // with HTTP2: answers are gRPC messages with status OK behind them
	// Dialogue makes what is spoken on a connection instead of HTTP; nil: HTTP.
	Dialogue func() Dialogue
	Status   int           // of proper responses; 0: 200
	BodySize int           // bytes of proper responses; 0: 64, negative: none
	Chunked  bool          // send bodies with chunked transfer encoding (HTTP/1.1)
	Hold     time.Duration // time between reading a request and answering it

	Place Place         // where connections are reset
	Every int           // act on every k-th opportunity; 0 or 1: on each
	Limit int           // act at most this often; 0: without limit
	Delay time.Duration // Idle: how long the connection rests; AfterFIN: between FIN and RST; slow modes: between bytes

	Malformed Malformed // instead of a proper response, on every k-th request up to Limit

	// Observe, if set, is called right after each counted RST, RST_STREAM or
	// GOAWAY, from a goroutine of the connection.
	Observe func(Injected)
}

// Injected is one RST, or RST_STREAM or GOAWAY, that an [Injector] sent.
type Injected struct {
	At            time.Time
	Place         Place
	Local, Remote netip.AddrPort
}

// Counts is what an [Injector] saw and did. After [Injector.Close] it is final.
type Counts struct {
	Connections uint64 // accepted
	Requests    uint64 // read whole, with their bodies
	Responses   uint64 // written whole and properly
	Resets      uint64 // RSTs sent while the peer's side was open
	PeerFirst   uint64 // resets that came too late: the peer had closed or reset first; not in Resets
	Streams     uint64 // RST_STREAM frames sent by StreamReset
	GoAways     uint64 // GOAWAY frames sent by GoAway
	Malformed   uint64 // malformed responses begun
}

// Injector is a server of HTTP, or of a [Dialogue], on raw TCP that resets exactly counted
// connections. Its methods may be called from several goroutines.
//
// A RST is counted only if the peer's side was still open when it was sent: the
// injector reads TCP_INFO (on Linux) after setting SO_LINGER to 0 and
// immediately before close(2), and a connection in a state that a FIN or RST of
// the peer brought about goes to PeerFirst. Between the two system calls the
// peer can still close; against a client that does not close connections on its
// own while they are in use, or that sees the RST before it closes, the count is
// exact. Outside Linux every reset counts.
type Injector struct {
	opts  InjectorOptions
	ln    net.Listener
	tls   *tls.Config
	cert  *x509.Certificate
	close context.CancelFunc
	ctx   context.Context
	wg    sync.WaitGroup

	connections, requests, responses, resets, peerFirst, streams, goAways, malformed atomic.Uint64

	turns   atomic.Uint64 // opportunities so far
	acted   atomic.Int64  // of them taken, for Limit
	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	closing bool
}

// NewInjector starts an injector. The caller closes it.
func NewInjector(opts InjectorOptions) (*Injector, error) {
	if !opts.HTTP2 && (opts.Place == StreamReset || opts.Place == GoAway) {
		return nil, fmt.Errorf("start injector: place %v needs HTTP2", opts.Place)
	}
	if opts.Place == InGreeting && opts.Dialogue == nil || opts.Dialogue != nil && (opts.HTTP2 || opts.Malformed != WellFormed) {
		return nil, errors.New("start injector: a dialogue and place in-greeting go together, without HTTP2 and malformed responses")
	}
	if opts.GRPC && !opts.HTTP2 {
		return nil, errors.New("start injector: gRPC goes over HTTP2")
	}
	if opts.Place == InHeaders && opts.HTTP2 {
		return nil, errors.New("start injector: place in-headers is for HTTP/1.1; use before-response-* or in-body with HTTP2")
	}
	if opts.Malformed != WellFormed && opts.HTTP2 {
		return nil, errors.New("start injector: malformed responses are for HTTP/1.1")
	}
	if opts.Malformed != WellFormed && opts.Place != Nowhere {
		return nil, errors.New("start injector: choose either a place or a malformed response")
	}
	if opts.Place >= PlaceEnd || opts.Malformed >= malformedEnd {
		return nil, errors.New("start injector: unknown place or malformed response")
	}
	if opts.Every <= 0 {
		opts.Every = 1
	}
	if opts.Status == 0 {
		opts.Status = 200
	}
	switch {
	case opts.BodySize == 0:
		opts.BodySize = 64
	case opts.BodySize < 0:
		opts.BodySize = 0
	}
	in := &Injector{opts: opts, conns: make(map[net.Conn]struct{})}
	if opts.TLS {
		cert, err := SelfSigned()
		if err != nil {
			return nil, fmt.Errorf("start injector: %w", err)
		}
		in.cert = cert.Leaf
		in.tls = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
		if opts.HTTP2 {
			in.tls.NextProtos = []string{"h2"}
		}
	}
	in.ln = opts.Listener
	if in.ln == nil {
		addr := opts.Addr
		if addr == "" {
			addr = "127.0.0.1:0"
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("start injector: %w", err)
		}
		in.ln = ln
	}
	in.ctx, in.close = context.WithCancel(context.Background())
	in.wg.Go(in.accept)
	return in, nil
}

// Addr returns the address that the injector listens on.
func (injector *Injector) Addr() netip.AddrPort {
	return injector.ln.Addr().(*net.TCPAddr).AddrPort()
}

// URL returns the base URL of the injector, without a trailing slash.
func (injector *Injector) URL() string {
	if injector.opts.TLS {
		return "https://" + injector.Addr().String()
	}
	return "http://" + injector.Addr().String()
}

// Certificate returns the self-signed certificate that a client has to trust,
// nil without TLS. It is valid for localhost, 127.0.0.1 and ::1.
func (injector *Injector) Certificate() *x509.Certificate { return injector.cert }

// Counts returns the counts so far.
func (injector *Injector) Counts() Counts {
	return Counts{
		Connections: injector.connections.Load(),
		Requests:    injector.requests.Load(),
		Responses:   injector.responses.Load(),
		Resets:      injector.resets.Load(),
		PeerFirst:   injector.peerFirst.Load(),
		Streams:     injector.streams.Load(),
		GoAways:     injector.goAways.Load(),
		Malformed:   injector.malformed.Load(),
	}
}

// Close stops the listener, closes all connections with a FIN and waits for
// their goroutines. It is called when the client is done: a client that is still
// sending would be reset by its kernel's unread data, uncounted.
func (injector *Injector) Close() error {
	injector.close()
	err := injector.ln.Close()
	injector.mu.Lock()
	injector.closing = true
	for c := range injector.conns {
		c.Close()
	}
	injector.mu.Unlock()
	injector.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (injector *Injector) accept() {
	for {
		nc, err := injector.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || injector.ctx.Err() != nil {
				return
			}
			// EMFILE and the like pass; ECONNABORTED is the peer's.
			if !pause(injector.ctx, 5*time.Millisecond) {
				return
			}
			continue
		}
		tc := nc.(*net.TCPConn)
		injector.connections.Add(1)
		injector.mu.Lock()
		if injector.closing {
			injector.mu.Unlock()
			tc.Close()
			return
		}
		injector.conns[tc] = struct{}{}
		injector.mu.Unlock()
		injector.wg.Go(func() {
			defer func() {
				tc.Close()
				injector.mu.Lock()
				delete(injector.conns, tc)
				injector.mu.Unlock()
			}()
			injector.serve(tc)
		})
	}
}

// session is one connection: the socket, and the stream on it that requests are
// read from and responses written to (TLS or the socket itself).
type session struct {
	tcp    *net.TCPConn
	stream net.Conn
	in     *bufio.Reader
}

func (injector *Injector) serve(tc *net.TCPConn) {
	s := &session{tcp: tc, stream: tc}
	if injector.take(OnAccept) {
		injector.reset(s, OnAccept)
		return
	}
	if injector.tls != nil {
		t := tls.Server(tc, injector.tls)
		if err := t.HandshakeContext(injector.ctx); err != nil {
			return
		}
		s.stream = t
	}
	s.in = bufio.NewReader(s.stream)
	switch {
	case injector.opts.Dialogue != nil:
		injector.serveDialogue(s)
	case injector.opts.HTTP2:
		injector.serveHTTP2(s)
	default:
		injector.serveHTTP1(s)
	}
}

// take reports whether the opportunity at a place is to be used: it is the k-th,
// and the limit is not reached. A reset that then turns out to be too late gives
// its turn back.
func (injector *Injector) take(p Place) bool {
	return p == injector.opts.Place && p != Nowhere && injector.turn()
}

func (injector *Injector) turn() bool {
	if injector.turns.Add(1)%uint64(injector.opts.Every) != 0 {
		return false
	}
	if n := injector.acted.Add(1); injector.opts.Limit > 0 && n > int64(injector.opts.Limit) {
		injector.acted.Add(-1)
		return false
	}
	return true
}

// reset sends the RST and counts it.
func (injector *Injector) reset(s *session, p Place) {
	if !Reset(s.tcp) {
		injector.peerFirst.Add(1)
		injector.acted.Add(-1)
		return
	}
	injector.resets.Add(1)
	injector.observe(s, p)
}

func (injector *Injector) observe(s *session, p Place) {
	if injector.opts.Observe != nil {
		injector.opts.Observe(Injected{
			At: time.Now(), Place: p,
			Local:  s.tcp.LocalAddr().(*net.TCPAddr).AddrPort(),
			Remote: s.tcp.RemoteAddr().(*net.TCPAddr).AddrPort(),
		})
	}
}

// awaitRequest waits for the first byte of the next request. It reports false
// when the connection ended, or was reset because it rested for Delay.
func (injector *Injector) awaitRequest(s *session, served bool) bool {
	if !served || injector.opts.Place != Idle || s.in.Buffered() > 0 {
		_, err := s.in.Peek(1)
		return err == nil
	}
	s.stream.SetReadDeadline(time.Now().Add(injector.opts.Delay))
	_, err := s.in.Peek(1)
	s.stream.SetReadDeadline(time.Time{})
	if err == nil {
		return true
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		return false
	}
	// The request may have come in just now: then the connection is not idle.
	if Unread(s.tcp) == 0 && injector.take(Idle) {
		injector.reset(s, Idle)
		return false
	}
	_, err = s.in.Peek(1)
	return err == nil
}

// pause waits, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Reset closes the connection with a RST (SO_LINGER with a time of 0, see
// socket(7)) and reports whether the peer's side was open at that moment.
func Reset(c *net.TCPConn) bool {
	if err := c.SetLinger(0); err != nil {
		c.Close()
		return false
	}
	open := PeerOpen(c)
	c.Close()
	return open
}
