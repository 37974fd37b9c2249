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

// TestKernelPasses has the kernel choose among packets that begin as answers of protocols do.
func TestKernelPasses(t *testing.T) {
	r := New(Options{Host: "db", Clock: probe.NewClock(time.Now()), Local: netip.Addr.IsLoopback, Watched: func(netip.Addr) bool { return false }})
	if err := r.Check(); err != nil {
		if os.Getenv("RAMPLOAD_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs packet sockets: %v", err)
	}
	const bound, authOk = "1\x00\x00\x00\x042\x00\x00\x00\x04", "R\x00\x00\x00\x08\x00\x00\x00\x00"
	scram := "R\x00\x00\x00\x0c\x00\x00\x00\x0cv=ab"
	full := func(text string) string { return pg("SFATAL", "C53300", "M"+text) }
	served := []string{ // the last is seen to be passed when all before were looked at
		authOk + "S\x00\x00\x00\x09a\x00bcd\x00", scram + authOk + "S\x00\x00\x00\x09a\x00bcd\x00",
		full("one"), bound + full("two"), authOk + full("three"), scram + authOk + full("four"), "-ERR five of 7\r\n",
	}
	want := []string{"FATAL: one (53300)", "FATAL: two (53300)", "FATAL: three (53300)", "FATAL: four (53300)", "ERR five of 7"}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	said := make(chan string, 1000)
	done := make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, func(e probe.Event) {
			if e.Line != nil && e.Line.Peer == listener.Addr().String() {
				said <- e.Reason
			}
		})
	}()
	heard := map[string]bool{}
	for !heard[want[len(want)-1]] { // until the watcher has begun
		for _, data := range served {
			client, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			server, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(server, data); err != nil {
				t.Fatal(err)
			}
			server.Close()
			_, _ = io.Copy(io.Discard, client)
			client.Close()
		}
		for more := true; more; {
			select {
			case text := <-said:
				heard[text] = true
			case err := <-done:
				t.Fatalf("ended early: %v", err)
			default:
				more = false
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	close(said)
	for text := range said {
		heard[text] = true
	}
	for _, text := range want {
		if !heard[text] {
			t.Errorf("the kernel passed no %q", text)
		}
		delete(heard, text)
	}
	if len(heard) > 0 {
		t.Errorf("it passed %v too", heard)
	}
}

// TestFollowsStreams has a server of HTTP/2 in the clear keep one request, and finds in the
// kernel's packets that it is open while later ones on its connection are answered.
func TestFollowsStreams(t *testing.T) {
	r := New(Options{Host: "calc", Clock: probe.NewClock(time.Now()), Local: netip.Addr.IsLoopback, Watched: func(netip.Addr) bool { return false }})
	if err := r.Check(); err != nil {
		if os.Getenv("RAMPLOAD_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs packet sockets: %v", err)
	}
	release := make(chan struct{})
	var plain http.Protocols
	plain.SetUnencryptedHTTP2(true)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/held" {
			select {
			case <-release:
			case <-q.Context().Done():
			}
		}
	}))
	server.Config.Protocols = &plain
	server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 77}
	server.Start()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	events := make(chan probe.Event, 100)
	done := make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, func(e probe.Event) {
			if (e.Kind == probe.StreamsOpen || e.Kind == probe.StreamsAnswered) && e.Local.String() == server.Listener.Addr().String() {
				select {
				case events <- e:
				default:
				}
			}
		})
	}()
	client := &http.Client{Transport: &http.Transport{Protocols: &plain}}
	defer client.CloseIdleConnections()
	get := func(path string) {
		q, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
		if res, err := client.Do(q); err == nil {
			res.Body.Close()
		}
	}
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for begun := false; !begun; { // each on a connection of its own, until the watcher has seen one begin
		<-pace.C
		get("/")
		client.CloseIdleConnections()
		select {
		case e := <-events:
			begun = e.Kind == probe.StreamsAnswered && e.Value == 77
		case err := <-done:
			t.Fatalf("ended early: %v", err)
		default:
		}
	}
	get("/")
	go get("/held")
	held, later := false, false
	for !held || !later {
		<-pace.C
		get("/")
		select {
		case e := <-events:
			held = held || e.Kind == probe.StreamsOpen && e.Count == 1 && e.Value > 1
			later = later || held && e.Kind == probe.StreamsAnswered && e.Count > 0 && e.Value == 77
		case err := <-done:
			t.Fatalf("ended early: %v", err)
		default:
		}
	}
	close(release)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
