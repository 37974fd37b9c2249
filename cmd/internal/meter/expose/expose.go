// Package expose lets Prometheus, and whoever speaks its format, fetch the numbers of a
// run while it goes on. What fetches slowly, or too often, is left behind and holds up
// nobody.
package expose

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"

	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/cmd/internal/web/own"
)

const (
	// atOnce is how many are served at once.
	atOnce = 4
	// patience is how long one may take for the page.
	patience = 10 * time.Second
	// usual is how often a Prometheus fetches that has fetched once, and longest how long
	// the end of a run waits for it at most.
	usual   = 15 * time.Second
	longest = 30 * time.Second
)

// Server serves the numbers of one run.
type Server struct {
	take     func() family.Snapshot
	listener net.Listener
	server   *http.Server
	room     chan struct{}
	closing  sync.Once

	mu      sync.Mutex
	last    time.Time // a Prometheus fetched
	every   time.Duration
	fetched chan struct{} // closed when one has fetched what was there after it was made
}

// Listen begins to serve. An address without a host, such as ":9464", is of this machine's
// loopback. The error says which address cannot be listened on.
func Listen(addr string, take func() family.Snapshot) (*Server, error) {
	l, err := own.Listen(addr, "Prometheus")
	if err != nil {
		return nil, err
	}
	s := &Server{take: take, listener: l, room: make(chan struct{}, atOnce)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.serve)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/metrics", http.StatusFound) })
	s.server = &http.Server{Handler: s.guard(mux), ReadHeaderTimeout: patience, WriteTimeout: 2 * patience, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	go func() { _ = s.server.Serve(l) }() // ends with Close
	return s, nil
}

// URL is where to fetch.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/metrics" }

// guard answers under this machine's own names only where nobody else may ask: any web
// page in a browser could, under a name that it has pointed here.
func (s *Server) guard(next http.Handler) http.Handler {
	if !own.Alone(s.listener) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !own.Names(r) {
			http.Error(w, "these numbers are for this machine only: fetch "+s.URL(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	select {
	case s.room <- struct{}{}:
		defer func() { <-s.room }()
	default:
		http.Error(w, "too many fetch at once", http.StatusServiceUnavailable)
		return
	}
	s.mu.Lock()
	fetched := s.fetched
	s.mu.Unlock()
	format := expfmt.Negotiate(r.Header)
	var page bytes.Buffer
	if err := Encode(&page, s.take(), format); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	body := page.Bytes()
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		body = squeeze(body)
		w.Header().Set("Content-Encoding", "gzip")
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience))
	if _, err := w.Write(body); err != nil {
		return
	}
	// So Prometheus says of itself, and those that do as it does: somebody who looks at
	// the page once is not waited for.
	if r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds") != "" {
		s.came(time.Now(), fetched)
	}
}

func takesGzip(accept string) bool {
	for _, one := range strings.Split(accept, ",") {
		if name, q, _ := strings.Cut(strings.TrimSpace(one), ";"); name == "gzip" && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}

func squeeze(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is one
	_, _ = z.Write(body)                            // to memory
	_ = z.Close()
	return b.Bytes()
}

// came remembers that a Prometheus has fetched. fetched is what waited when it began.
func (s *Server) came(now time.Time, fetched chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() {
		s.every = now.Sub(s.last)
	}
	s.last = now
	if fetched != nil && fetched == s.fetched {
		close(fetched)
		s.fetched = nil
	}
}

// Linger waits until a Prometheus has fetched once more what the end of the run has
// changed, where one has fetched before: as long as one usually takes, and at most 30 s.
// It says for how long with tell, once. It returns when ctx is done.
func (s *Server) Linger(ctx context.Context, tell func(time.Duration)) {
	s.mu.Lock()
	if s.last.IsZero() {
		s.mu.Unlock()
		return
	}
	every := s.every
	if every == 0 {
		every = usual
	}
	wait := min(every+every/2-time.Since(s.last)+time.Second, longest)
	fetched := make(chan struct{})
	s.fetched = fetched
	s.mu.Unlock()
	if wait <= 0 {
		return // it has gone
	}
	tell(wait)
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-fetched:
	case <-late.C:
	case <-ctx.Done():
	}
}

// Close ends serving. Only the first call does anything.
func (s *Server) Close() {
	s.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
			_ = s.server.Close()
		}
	})
}
