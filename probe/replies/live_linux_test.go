package replies

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// TestReadsReplies has a server fail, and finds in the kernel's packets what it answered,
// though nobody asked it.
func TestReadsReplies(t *testing.T) {
	r := New(Options{Host: "db", Clock: probe.NewClock(time.Now()), Local: netip.Addr.IsLoopback, Watched: func(netip.Addr) bool { return false }})
	if err := r.Check(); err != nil {
		if os.Getenv("RAMPLOAD_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs packet sockets: %v", err)
	}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1)%2 == 0 { // every second request is served
			return
		}
		http.Error(w, "no seat left in lab-7391", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	found, well := make(chan probe.Event, 1), make(chan probe.Event, 1)
	done := make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, func(e probe.Event) {
			if e.Kind == probe.Answered && e.Local.String() == server.Listener.Addr().String() {
				select {
				case well <- e:
				default:
				}
			}
			if e.Line != nil && e.Line.Peer == server.Listener.Addr().String() {
				select {
				case found <- e:
				default:
				}
			}
		})
	}()
	client := server.Client()
	client.Transport = &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableKeepAlives: true}
	for failed, served := false, false; !failed || !served; {
		res, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		select {
		case e := <-found:
			if e.Reason != "503 Service Unavailable: no seat left in lab-7391" || e.Line.Status != 503 || e.Host != "db" || e.Kind != probe.LogLine {
				t.Errorf("%+v %+v", e, e.Line)
			}
			failed = true
		case e := <-well:
			if e.Count == 0 || e.Count%sampled != 0 || e.Value != sampled || e.Host != "db" {
				t.Errorf("%+v", e)
			}
			served = true
		case err := <-done:
			t.Fatalf("ended early: %v", err)
		default:
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
