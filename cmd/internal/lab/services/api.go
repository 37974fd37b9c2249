package services

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/cmd/internal/lab"
)

// policy is what the service "api" does to its callers. Each field is a flag of
// the service; the zero value is a quick and healthy server.
type policy struct {
	work      time.Duration // waiting time of a request
	cpu       time.Duration // processor time of a request
	workers   int           // requests worked on at once; 0: any number
	queue     int           // requests waiting for a worker beyond which connections are dropped with the body unread; 0: any number
	size      int           // bytes of a response
	close     bool          // one request a connection
	patient   bool          // never closes first, whatever the caller announces
	perConn   int           // requests after which a connection is closed, announced; 0: never
	silent    int           // requests after which a connection is closed, unannounced; 0: never
	idle      time.Duration // idle connections are closed after it; 0: never
	rate      float64       // requests per second beyond which connections are aborted; 0: none
	connRate  float64       // new connections per second beyond which they are aborted; 0: none
	idleLag   time.Duration // between the decision to close an idle connection and the close
	conns     int           // open connections beyond which new ones are closed at once; 0: any number
	early     int           // declared body size from which 413 is answered with the body unread; 0: none
	tls       bool          //
	tlsMax    int           // handshakes at once beyond which connections are dropped; 0: any number
	tlsCPU    time.Duration // extra processor time of a handshake
	tlsAbort  int           // every k-th handshake is aborted
	abortK    int           // every k-th request is aborted
	abortWait time.Duration // none before this long after the first request
	abortFor  time.Duration // and none after this much longer; 0: to the end
	retried   bool          // aborted requests are sent elsewhere in time: aborts are no harm
	crashAt   int           // requests in flight at which the process ends; 0: never
	crashEach int           // requests after which it ends (worker recycling); 0: never
	crashWait time.Duration // time after the first request after which it ends; 0: never
	deadlock  int           // requests in flight at which two locks are taken in opposite order; 0: never
	leak      int           // bytes that a request leaves allocated
	memory    int           // bytes that a request has allocated while it is worked on
	hoard     int           // requests that leave a descriptor open: 1 of that many; 0: none
	hoardMax  int           // descriptors left open at most
	acceptGap time.Duration // between two accepts
	dir       string        // each request writes a file there and waits until it is on disk; empty: none
	sendTime  time.Duration // a response not written by then is aborted; 0: patience
}

func (p *policy) flags(fs *flag.FlagSet) {
	fs.DurationVar(&p.work, "work", 0, "waiting time of a request")
	fs.DurationVar(&p.cpu, "cpu", 0, "processor time of a request")
	fs.IntVar(&p.workers, "workers", 0, "requests worked on at once")
	fs.IntVar(&p.queue, "queue", 0, "requests that may wait for a worker")
	fs.IntVar(&p.size, "size", 32, "bytes of a response")
	fs.BoolVar(&p.close, "close", false, "one request a connection")
	fs.BoolVar(&p.patient, "patient", false, "never close first")
	fs.IntVar(&p.perConn, "per-conn", 0, "requests a connection")
	fs.IntVar(&p.silent, "silent-per-conn", 0, "requests a connection, the last not announced")
	fs.DurationVar(&p.idle, "idle", 0, "idle timeout")
	fs.Float64Var(&p.rate, "rate", 0, "requests per second allowed")
	fs.Float64Var(&p.connRate, "conn-rate", 0, "new connections per second allowed")
	fs.DurationVar(&p.idleLag, "idle-lag", 0, "time that closing an idle connection takes")
	fs.IntVar(&p.conns, "conns", 0, "open connections allowed")
	fs.IntVar(&p.early, "early", 0, "body size from which 413 is answered early")
	fs.BoolVar(&p.tls, "tls", false, "speak TLS")
	fs.IntVar(&p.tlsMax, "tls-max", 0, "TLS handshakes at once")
	fs.DurationVar(&p.tlsCPU, "tls-cpu", 0, "extra processor time of a handshake")
	fs.IntVar(&p.tlsAbort, "tls-abort-every", 0, "abort every k-th handshake")
	fs.IntVar(&p.abortK, "abort-every", 0, "abort every k-th request")
	fs.DurationVar(&p.abortWait, "abort-after", 0, "time from the first request to the first abort")
	fs.DurationVar(&p.abortFor, "abort-for", 0, "length of the time with aborts")
	fs.BoolVar(&p.retried, "retried", false, "aborts are no harm")
	fs.IntVar(&p.crashAt, "crash-at", 0, "requests in flight at which the process ends")
	fs.IntVar(&p.crashEach, "crash-each", 0, "requests after which the process ends")
	fs.DurationVar(&p.crashWait, "crash-after", 0, "time after which the process ends")
	fs.IntVar(&p.deadlock, "deadlock-at", 0, "requests in flight from which locks are taken in the wrong order")
	fs.IntVar(&p.leak, "leak", 0, "bytes that a request leaks")
	fs.IntVar(&p.memory, "hold-memory", 0, "bytes that a request needs while it is worked on")
	fs.IntVar(&p.hoard, "hoard", 0, "one in that many requests leaks a descriptor")
	fs.IntVar(&p.hoardMax, "hoard-max", 1<<30, "descriptors leaked at most")
	fs.DurationVar(&p.acceptGap, "accept-gap", 0, "time between two accepts")
	fs.StringVar(&p.dir, "write-to", "", "folder of a file that each request writes and syncs")
	fs.DurationVar(&p.sendTime, "send-timeout", 0, "time for writing a response")
}

// apiServer is a running service "api".
type apiServer struct {
	policy
	*host
	ctx    context.Context
	config *tls.Config
	slots  *semaphore.Weighted // of workers
	body   string

	first      atomic.Int64 // time of the first request, Unix ns
	requests   atomic.Int64
	inFlight   atomic.Int64
	waiting    atomic.Int64
	open       atomic.Int64
	handshakes atomic.Int64
	hellos     atomic.Int64
	hoarded    atomic.Int64

	a, b *semaphore.Weighted // the two locks of deadlock, of one each

	perRequest, perConnection bucket

	mu     sync.Mutex
	leaked [][]byte
	files  []*os.File
}

func api(fs *flag.FlagSet) func(context.Context, *host) error {
	var p policy
	p.flags(fs)
	return func(ctx context.Context, h *host) error {
		s := &apiServer{policy: p, host: h, ctx: ctx, body: string(bytes.Repeat([]byte("x"), p.size))}
		s.a, s.b = semaphore.NewWeighted(1), semaphore.NewWeighted(1)
		if p.workers > 0 {
			s.slots = semaphore.NewWeighted(int64(p.workers))
		}
		ln, err := h.listen()
		if err != nil {
			return err
		}
		if p.tls {
			cert, err := fault.SelfSigned(ln.Addr().(*net.TCPAddr).IP)
			if err != nil {
				ln.Close()
				return err
			}
			s.config = &tls.Config{Certificates: []tls.Certificate{cert}}
		}
		h.ready(ln.Addr())
		a := &acceptor{ln: ln, tally: h.tally, serve: s.serve}
		if p.acceptGap > 0 {
			a.before = func() { lab.Wait(ctx, p.acceptGap) }
		}
		err = a.run(ctx)
		for _, f := range s.files {
			f.Close()
		}
		return err
	}
}

func (s *apiServer) serve(c *net.TCPConn) {
	s.tally.Count("connections")
	if n := s.open.Add(1); s.conns > 0 && n > int64(s.conns) {
		s.open.Add(-1)
		s.drop(c)
		return
	}
	defer s.open.Add(-1)
	if s.connRate > 0 && !s.perConnection.allow(s.connRate, time.Now()) {
		s.abort(c)
		return
	}
	var stream net.Conn = c
	if s.config != nil {
		n := s.handshakes.Add(1)
		if s.tlsMax > 0 && n > int64(s.tlsMax) {
			s.handshakes.Add(-1)
			awaitData(c, time.Second)
			s.drop(c)
			return
		}
		if n := s.hellos.Add(1); s.tlsAbort > 0 && n%int64(s.tlsAbort) == 0 {
			s.handshakes.Add(-1)
			awaitData(c, time.Second)
			s.abort(c)
			return
		}
		burnThread(s.tlsCPU)
		t := tls.Server(c, s.config)
		err := t.HandshakeContext(s.ctx)
		s.handshakes.Add(-1)
		if err != nil {
			return
		}
		stream = t
	}
	s.serveRequests(c, stream)
}

func (s *apiServer) serveRequests(c *net.TCPConn, stream net.Conn) {
	in := bufio.NewReaderSize(stream, 256)
	for served := 0; ; served++ {
		if s.idle > 0 && served > 0 {
			stream.SetReadDeadline(time.Now().Add(s.idle))
		}
		req, err := http.ReadRequest(in)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				// A request that comes now meets a server that has made up its mind.
				lab.Wait(s.ctx, s.idleLag)
				s.dropIdle(c)
			}
			return
		}
		stream.SetReadDeadline(time.Time{})
		now := time.Now()
		s.first.CompareAndSwap(0, now.UnixNano())
		s.tally.Count("requests")
		n := s.requests.Add(1)
		if s.perConn > 0 && served+1 >= s.perConn || s.close {
			req.Close = true
		}
		if s.patient {
			req.Close = false
		}
		inFlight := s.inFlight.Add(1)
		ok := s.handle(c, stream, req, n, inFlight, now)
		s.inFlight.Add(-1)
		if !ok || req.Close {
			return
		}
		if s.silent > 0 && served+1 >= s.silent {
			lab.Wait(s.ctx, s.idleLag)
			s.dropIdle(c)
			return
		}
	}
}

// handle answers one request or does what the policy says, and reports whether
// the connection goes on.
func (s *apiServer) handle(c *net.TCPConn, stream net.Conn, req *http.Request, n, inFlight int64, now time.Time) bool {
	since := now.Sub(time.Unix(0, s.first.Load()))
	switch {
	case s.crashAt > 0 && inFlight >= int64(s.crashAt),
		s.crashEach > 0 && n >= int64(s.crashEach),
		s.crashWait > 0 && since >= s.crashWait:
		// The process ends at once, with all its connections open.
		crash()
	case s.early > 0 && req.ContentLength >= int64(s.early):
		answer(stream, req, http.StatusRequestEntityTooLarge, `{"error":"too large"}`)
		s.drop(c)
		return false
	case s.rate > 0 && !s.perRequest.allow(s.rate, now),
		s.abortK > 0 && n%int64(s.abortK) == 0 && since >= s.abortWait && (s.abortFor == 0 || since < s.abortWait+s.abortFor):
		io.Copy(io.Discard, req.Body)
		if s.retried {
			fault.Reset(c)
			s.tally.Count("retried")
			return false
		}
		s.abort(c)
		return false
	}
	if s.slots != nil {
		waiting := s.waiting.Add(1)
		if s.queue > 0 && waiting > int64(s.queue) {
			s.waiting.Add(-1)
			s.drop(c)
			return false
		}
		err := s.slots.Acquire(s.ctx, 1)
		s.waiting.Add(-1)
		if err != nil {
			return false
		}
		defer s.slots.Release(1)
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return false
	}
	if s.deadlock > 0 {
		s.bookTwoAccounts(n, inFlight >= int64(s.deadlock))
	}
	if s.dir != "" && !s.writeDown(n, req) {
		return answer(stream, req, http.StatusInternalServerError, "not written")
	}
	burnThread(s.cpu)
	s.keep(n)
	needed := touched(s.memory)
	defer runtime.KeepAlive(needed)
	if !lab.Wait(s.ctx, s.work) {
		return false
	}
	if !fault.PeerOpen(c) {
		s.tally.Harm(lab.LateAnswers) // the caller did not wait
	}
	if s.sendTime > 0 {
		stream.SetWriteDeadline(time.Now().Add(s.sendTime))
	}
	if !answer(stream, req, http.StatusOK, s.body) {
		if s.sendTime > 0 {
			s.abort(c)
		}
		return false
	}
	s.tally.Count("responses")
	return true
}

// writeDown writes what a request brings to a file of its own and returns when that is on
// the disk, or cannot be.
func (s *apiServer) writeDown(n int64, req *http.Request) bool {
	f, err := os.CreateTemp(s.dir, "order-")
	if err != nil {
		s.tally.Harm("write-errors")
		return false
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err = fmt.Fprintf(f, "%s %s %d\n", req.Method, req.URL.Path, n); err == nil {
		err = f.Sync()
	}
	if err != nil {
		s.tally.Harm("write-errors")
	}
	return err == nil
}

// dropIdle closes a connection that has idled for too long. It is no harm unless
// a request has come in meanwhile: then the close is a RST.
func (s *apiServer) dropIdle(c *net.TCPConn) {
	if fault.Unread(c) > 0 {
		s.drop(c)
		return
	}
	c.Close()
	s.tally.Count(lab.IdleCloses)
}

// bookTwoAccounts locks two accounts. Under concurrency every other request
// takes them in the other order and holds the first for a moment: two such
// requests wait for each other for ever, and all later ones behind them.
func (s *apiServer) bookTwoAccounts(n int64, busy bool) {
	first, second := s.a, s.b
	if busy && n%2 == 1 {
		first, second = second, first
	}
	if first.Acquire(s.ctx, 1) != nil {
		return
	}
	defer first.Release(1)
	if busy {
		lab.Wait(s.ctx, time.Millisecond)
	}
	if !second.TryAcquire(1) {
		s.tally.Harm("lock-waits")
		if second.Acquire(s.ctx, 1) != nil {
			return
		}
	}
	defer second.Release(1)
}

// bucket is a token bucket that holds a tenth of a second's worth.
type bucket struct {
	mu     sync.Mutex
	tokens float64
	filled time.Time
}

func (b *bucket) allow(rate float64, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.filled.IsZero() {
		b.tokens = rate / 10
	} else {
		b.tokens = min(b.tokens+now.Sub(b.filled).Seconds()*rate, rate/10)
	}
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// keep leaks what the policy leaks.
func (s *apiServer) keep(n int64) {
	if s.leak > 0 {
		block := touched(s.leak)
		s.mu.Lock()
		s.leaked = append(s.leaked, block)
		s.mu.Unlock()
	}
	if s.hoard > 0 && n%int64(s.hoard) == 0 {
		if s.hoarded.Add(1) > int64(s.hoardMax) {
			return
		}
		f, err := os.Open(os.DevNull)
		if err != nil {
			s.tally.Count("hoard-failed")
			return
		}
		s.mu.Lock()
		s.files = append(s.files, f)
		s.mu.Unlock()
	}
}

// touched allocates bytes that are resident.
func touched(n int) []byte {
	block := make([]byte, n)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1 // or the page would not be there
	}
	return block
}

// burnThread uses processor time of one thread.
func burnThread(d time.Duration) {
	if d > 0 {
		runtime.LockOSThread()
		burn(d)
		runtime.UnlockOSThread()
	}
}

// injectorService is [Injector] as a service.
func injectorService(fs *flag.FlagSet) func(context.Context, *host) error {
	var opts fault.InjectorOptions
	place := fs.String("place", fault.Nowhere.String(), "place of the resets")
	fs.IntVar(&opts.Every, "every", 1, "act on every k-th opportunity")
	fs.IntVar(&opts.Limit, "limit", 0, "act at most this often")
	fs.DurationVar(&opts.Delay, "delay", 0, "see InjectorOptions.Delay")
	fs.DurationVar(&opts.Hold, "hold", 0, "time to answer")
	fs.IntVar(&opts.BodySize, "size", 0, "bytes of a response")
	fs.BoolVar(&opts.TLS, "tls", false, "speak TLS")
	fs.BoolVar(&opts.HTTP2, "http2", false, "speak HTTP/2")
	return func(ctx context.Context, h *host) error {
		for p := fault.Nowhere; p < fault.PlaceEnd; p++ {
			if p.String() == *place {
				opts.Place = p
			}
		}
		if opts.Place.String() != *place {
			return fmt.Errorf("no place %q", *place)
		}
		ln, err := h.listen()
		if err != nil {
			return err
		}
		opts.Listener = ln
		opts.Observe = func(i fault.Injected) {
			switch i.Place {
			case fault.StreamReset:
				h.tally.Harm("stream-resets")
			case fault.GoAway:
				h.tally.Harm("goaways")
			default:
				h.tally.Harm("resets")
			}
		}
		in, err := fault.NewInjector(opts)
		if err != nil {
			ln.Close()
			return err
		}
		h.ready(ln.Addr())
		<-ctx.Done()
		err = in.Close()
		c := in.Counts()
		h.tally.Set("connections", c.Connections)
		h.tally.Set("requests", c.Requests)
		h.tally.Set("responses", c.Responses)
		h.tally.Set("late-resets", c.PeerFirst)
		return err
	}
}
