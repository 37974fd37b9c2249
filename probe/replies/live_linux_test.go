package replies

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
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
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no seat left in lab-7391", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	found := make(chan probe.Event, 1)
	done := make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, func(e probe.Event) {
			if e.Line.Peer == server.Listener.Addr().String() {
				select {
				case found <- e:
				default:
				}
			}
		})
	}()
	client := server.Client()
	client.Transport = &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableKeepAlives: true}
	for {
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
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			return
		case err := <-done:
			t.Fatalf("ended early: %v", err)
		default:
		}
	}
}
