package services

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sync/semaphore"

	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/cmd/internal/lab"
)

// habits are what the service "web" does to its callers. It stands on net/http,
// as most services in Go do: what fails there fails in that package's way.
type habits struct {
	work         time.Duration // waiting time of a request
	slowEvery    int           // every k-th request takes slowFor longer; 0: none
	slowFor      time.Duration
	slots        int           // requests worked on at once, the others wait; 0: any number
	panicEvery   int           // every k-th handler panics
	abortPath    string        // requests of this path are reset
	bulkhead     int           // requests in progress beyond which others are turned away; 0: none
	pool         int           // connections to the database; 0: it has none
	database     string        // its base URL
	poolWait     time.Duration // time that a request waits for a connection
	turnAway     string        // how: "503" or "reset"
	writeTimeout time.Duration // net/http's WriteTimeout
	stopEvery    time.Duration // all requests stand still now and then, as for a collector or a lock
	stopFor      time.Duration
	deadline     time.Duration // a request that took longer is reset instead of answered; 0: none
	jobEvery     time.Duration // a job of its own kills all requests now and then
	jobFor       time.Duration
	maxAge       time.Duration // HTTP/2 with prior knowledge, connections are closed at that age behind a GOAWAY
}

func (w *habits) flags(fs *flag.FlagSet) {
	fs.DurationVar(&w.work, "work", 0, "waiting time of a request")
	fs.IntVar(&w.slowEvery, "slow-every", 0, "every k-th request is slow")
	fs.DurationVar(&w.slowFor, "slow-for", 0, "additional waiting time of a slow request")
	fs.IntVar(&w.slots, "slots", 0, "requests worked on at once")
	fs.IntVar(&w.panicEvery, "panic-every", 0, "every k-th handler panics")
	fs.StringVar(&w.abortPath, "abort-path", "", "path of requests that are reset")
	fs.IntVar(&w.bulkhead, "bulkhead", 0, "requests in progress")
	fs.IntVar(&w.pool, "pool", 0, "connections to the database")
	fs.StringVar(&w.database, "database", "", "base URL of the database")
	fs.DurationVar(&w.poolWait, "pool-wait", 0, "time to wait for a connection to the database")
	fs.StringVar(&w.turnAway, "turn-away", "503", "503 or reset")
	fs.DurationVar(&w.writeTimeout, "write-timeout", 0, "time from the end of a request's header to the end of its response")
	fs.DurationVar(&w.stopEvery, "stop-every", 0, "time between two stops")
	fs.DurationVar(&w.stopFor, "stop-for", 0, "length of a stop")
	fs.DurationVar(&w.deadline, "deadline", 0, "age of a request that is not answered any more")
	fs.DurationVar(&w.jobEvery, "job-every", 0, "time between two jobs")
	fs.DurationVar(&w.jobFor, "job-for", 0, "length of a job")
	fs.DurationVar(&w.maxAge, "max-age", 0, "age at which HTTP/2 connections are closed")
}

// webServer is a running service "web".
type webServer struct {
	habits
	*host
	ctx        context.Context
	began      time.Time
	work       *semaphore.Weighted
	pool       *semaphore.Weighted
	client     *http.Client
	requests   atomic.Int64
	inProgress atomic.Int64
	standstill sync.RWMutex
}

func web(fs *flag.FlagSet) func(context.Context, *host) error {
	var w habits
	w.flags(fs)
	return func(ctx context.Context, h *host) error {
		ln, err := h.listen()
		if err != nil {
			return err
		}
		s := &webServer{habits: w, host: h, ctx: ctx, began: time.Now()}
		if w.slots > 0 {
			s.work = semaphore.NewWeighted(int64(w.slots))
		}
		if w.pool > 0 {
			s.pool = semaphore.NewWeighted(int64(w.pool))
			transport := &http.Transport{MaxConnsPerHost: w.pool, MaxIdleConnsPerHost: w.pool}
			defer transport.CloseIdleConnections()
			s.client = &http.Client{Transport: transport}
		}
		var beside sync.WaitGroup
		defer beside.Wait()
		if w.stopEvery > 0 {
			beside.Go(s.standStill)
		}
		h.ready(ln.Addr())
		if w.maxAge > 0 {
			a := &acceptor{ln: ln, tally: h.tally, serve: s.serveStreams}
			return a.run(ctx)
		}
		server := &http.Server{Handler: s, WriteTimeout: w.writeTimeout, BaseContext: func(net.Listener) context.Context { return ctx }}
		stop := context.AfterFunc(ctx, func() { server.Close() })
		defer stop()
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

// standStill stops all requests now and then.
func (s *webServer) standStill() {
	for lab.Wait(s.ctx, s.stopEvery) {
		s.standstill.Lock()
		s.tally.Count("stops")
		lab.Wait(s.ctx, s.stopFor)
		s.standstill.Unlock()
	}
}

// ServeHTTP answers a request or does what the habits say.
func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.tally.Count("requests")
	n := s.requests.Add(1)
	began := time.Now()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	inProgress := s.inProgress.Add(1)
	defer s.inProgress.Add(-1)
	switch {
	case s.panicEvery > 0 && n%int64(s.panicEvery) == 0:
		s.tally.Harm("panics")
		panic(http.ErrAbortHandler)
	case s.abortPath != "" && strings.HasPrefix(r.URL.Path, s.abortPath),
		s.jobEvery > 0 && time.Since(s.began)%s.jobEvery > s.jobEvery-s.jobFor:
		s.reset(w)
		return
	case s.bulkhead > 0 && inProgress > int64(s.bulkhead):
		s.refuse(w)
		return
	}
	if s.work != nil {
		if s.work.Acquire(r.Context(), 1) != nil {
			return
		}
		defer s.work.Release(1)
	}
	if s.pool != nil && !s.query(w, r) {
		return
	}
	if s.slowEvery > 0 && n%int64(s.slowEvery) == 0 {
		s.tally.Count("slow")
		lab.Wait(s.ctx, s.slowFor)
	}
	lab.Wait(s.ctx, s.habits.work)
	s.standstill.RLock()
	defer s.standstill.RUnlock()
	age := time.Since(began)
	if s.deadline > 0 && age > s.deadline {
		s.reset(w)
		return
	}
	if s.writeTimeout > 0 && age > s.writeTimeout {
		s.tally.Harm("cut-off") // net/http closes the connection instead of answering
	}
	io.WriteString(w, "ok")
	s.tally.Count("responses")
}

// query asks the database by one of the pool's connections and reports whether
// the request goes on.
func (s *webServer) query(w http.ResponseWriter, r *http.Request) bool {
	waiting, cancel := context.WithTimeout(r.Context(), s.poolWait)
	defer cancel()
	if s.pool.Acquire(waiting, 1) != nil {
		if r.Context().Err() == nil {
			s.refuse(w)
		}
		return false
	}
	defer s.pool.Release(1)
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.database+"/query", nil)
	if err == nil {
		var resp *http.Response
		if resp, err = s.client.Do(req); err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	if err != nil {
		s.tally.Harm("database-errors")
		w.WriteHeader(http.StatusInternalServerError)
		return false
	}
	return true
}

// refuse turns a request away.
func (s *webServer) refuse(w http.ResponseWriter) {
	s.tally.Harm("turned-away")
	if s.turnAway == "reset" {
		s.reset(w)
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// reset aborts the connection of a request.
func (s *webServer) reset(w http.ResponseWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	c, _, err := hijacker.Hijack()
	if err != nil {
		return
	}
	s.abort(c.(*net.TCPConn))
}

// serveStreams serves a connection with HTTP/2. At its greatest age it says
// GOAWAY, and then closes it without waiting for what is in progress.
func (s *webServer) serveStreams(c *net.TCPConn) {
	s.tally.Count("connections")
	var open atomic.Int64
	var old atomic.Bool
	age := time.AfterFunc(s.maxAge, func() { old.Store(true) })
	defer age.Stop()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		if old.CompareAndSwap(true, false) {
			// net/http's HTTP/2 server takes this header for the wish to end.
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
			time.AfterFunc(5*time.Millisecond, func() {
				if n := open.Load(); n > 0 && fault.PeerOpen(c) {
					s.tally.HarmBy("cut-off", n)
				}
				c.Close()
			})
		}
		s.ServeHTTP(w, r)
	})
	var server http2.Server
	server.ServeConn(c, &http2.ServeConnOpts{Context: s.ctx, Handler: handler})
}
