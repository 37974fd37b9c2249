// Package web shows a run to browsers while it goes on: one page, and a stream of
// server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)
// that brings what is new. It knows no reports: pages and states are handed in. A
// browser that reads slowly, or not at all, is left behind and holds up nobody.
package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rampload/rampload/cmd/internal/web/own"
)

const (
	// mostReaders is how many browsers are served at once.
	mostReaders = 32
	// patience is how long a browser may take for an event before it is left.
	patience = 10 * time.Second
	// farewell is how long browsers are given for the last page when the run is over.
	farewell = 2 * time.Second
	// alive is how often a browser hears something while nothing is new.
	alive = 15 * time.Second
)

// Server serves a run's page. Its methods may be called from several goroutines.
type Server struct {
	listener net.Listener
	server   *http.Server
	token    string // "": none is asked for
	room     chan struct{}
	closing  sync.Once

	mu    sync.Mutex
	page  []byte
	now   []byte // JSON
	pages int    // that were handed in
	nows  int
	last  bool          // no other page follows
	news  chan struct{} // closed when something is new
}

// Listen begins to serve. An address without a host, such as ":8089", is of this
// machine's loopback; one beyond it is served to those only who have the token that is
// in [Server.URL]. The error says which address cannot be listened on.
func Listen(addr string) (*Server, error) {
	l, err := own.Listen(addr, "browsers")
	if err != nil {
		return nil, err
	}
	s := &Server{listener: l, room: make(chan struct{}, mostReaders), news: make(chan struct{})}
	if !own.Alone(l) {
		s.token = rand.Text()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /events", s.serveEvents)
	s.server = &http.Server{Handler: s.guard(mux), ReadHeaderTimeout: patience, MaxHeaderBytes: 16 << 10}
	go func() { _ = s.server.Serve(l) }() // ends with Close
	return s, nil
}

// URL is what to open in a browser.
func (s *Server) URL() string {
	at := s.listener.Addr().String()
	if host, port, err := net.SplitHostPort(at); err == nil {
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			at = net.JoinHostPort(outward(), port)
		}
	}
	if s.token != "" {
		return "http://" + at + "/?token=" + s.token
	}
	return "http://" + at + "/"
}

// outward is the address by which others are likely to reach this machine.
func outward() string {
	addrs, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				return n.IP.String()
			}
		}
	}
	return "localhost"
}

// guard lets through who may read. On loopback any web page in a browser could ask, under
// a name that it has pointed here: only this machine's own names are answered. No page
// elsewhere may show this one inside it.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		if s.token == "" {
			if !own.Names(r) {
				http.Error(w, "this page is for this machine only: open http://"+s.listener.Addr().String()+"/", http.StatusForbidden)
				return
			}
		} else if subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("token")), []byte(s.token)) != 1 {
			http.Error(w, "the address lacks the token that rampload printed: ?token=...", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Page hands a new page in.
func (s *Server) Page(page []byte) { s.publish(func() { s.page, s.pages = page, s.pages+1 }) }

// Now hands in the state of the moment, which is shown above the page. It is encoded as
// JSON.
func (s *Server) Now(state any) {
	data, err := json.Marshal(state)
	if err != nil {
		return // a state that cannot be told is not shown
	}
	s.publish(func() { s.now, s.nows = data, s.nows+1 })
}

func (s *Server) publish(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.news)
	s.news = make(chan struct{})
}

// Close hands the last page in, waits a moment for the browsers to take it, and ends. Only
// the first call does anything.
func (s *Server) Close(last []byte) { s.closing.Do(func() { s.close(last) }) }

func (s *Server) close(last []byte) {
	s.publish(func() {
		if last != nil {
			s.page, s.pages = last, s.pages+1
		}
		s.last = true
	})
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if err := s.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		_ = s.server.Close() // whoever is still there has stopped reading
	}
}

func (s *Server) servePage(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	page := s.page
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience))
	if page == nil {
		_, _ = w.Write([]byte(waiting))
		return
	}
	_, _ = w.Write(page)
}

// waiting is the page before there is one.
const waiting = `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="1">` +
	`<meta name="color-scheme" content="light dark"><title>rampload</title><p>The run has begun; the page comes in a moment.</p></html>`

// serveEvents tells a browser what is new: "now" is a state, "page" a page as a JSON
// string, "end" that no more comes.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case s.room <- struct{}{}:
		defer func() { <-s.room }()
	default:
		http.Error(w, "too many browsers watch this run", http.StatusServiceUnavailable)
		return
	}
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(event string, data []byte) error {
		if err := out.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
			return err
		}
		return out.Flush()
	}
	s.mu.Lock()
	pages, nows := s.pages, -1 // the browser has just loaded the page
	s.mu.Unlock()
	if out.Flush() != nil { // the browser knows that it is connected
		return
	}
	for {
		s.mu.Lock()
		page, now, last, news := s.page, s.now, s.last, s.news
		freshPage, freshNow := s.pages != pages && page != nil, s.nows != nows && now != nil
		pages, nows = s.pages, s.nows
		s.mu.Unlock()
		if freshNow && send("now", now) != nil {
			return
		}
		if freshPage {
			text, err := json.Marshal(string(page))
			if err != nil || send("page", text) != nil {
				return
			}
		}
		if last {
			_ = send("end", []byte("{}"))
			return
		}
		timer := time.NewTimer(alive)
		select {
		case <-news:
		case <-timer.C:
			if send("alive", []byte("{}")) != nil {
				timer.Stop()
				return
			}
		case <-r.Context().Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}
