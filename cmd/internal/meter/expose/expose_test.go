package expose

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/cmd/internal/meter/family"
)

func open(t *testing.T) *Server {
	t.Helper()
	s, err := Listen(":0", func() family.Snapshot { return family.Snapshot{} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func fetch(t *testing.T, s *Server, set func(*http.Request)) int {
	t.Helper()
	req, _ := http.NewRequest(http.MethodGet, s.URL(), nil)
	set(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestLoopback answers under this machine's own names only.
func TestLoopback(t *testing.T) {
	s := open(t)
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("listens at %s", s.URL())
	}
	for host, want := range map[string]int{"": 200, "localhost:9464": 200, "[::1]": 200, "evil.example": 403, "127.0.0.1.evil.example:9464": 403} {
		if got := fetch(t, s, func(r *http.Request) {
			if host != "" {
				r.Host = host
			}
		}); got != want {
			t.Errorf("as %q it answers %d, want %d", host, got, want)
		}
	}
}

// TestLinger waits for a Prometheus that has fetched before, and for nobody else.
func TestLinger(t *testing.T) {
	s := open(t)
	told := 0
	fetch(t, s, func(*http.Request) {})
	s.Linger(context.Background(), func(time.Duration) { told++ })
	if told != 0 {
		t.Error("somebody who looked once is waited for")
	}
	prometheus := func(r *http.Request) { r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "10") }
	fetch(t, s, prometheus)
	done := make(chan struct{})
	waiting := make(chan time.Duration, 1)
	go func() {
		s.Linger(context.Background(), func(d time.Duration) { waiting <- d })
		close(done)
	}()
	if d := <-waiting; d < 10*time.Second || d > longest {
		t.Errorf("waits %s", d)
	}
	fetch(t, s, func(*http.Request) {})
	select {
	case <-done:
		t.Error("what is no Prometheus ended it")
	default:
	}
	fetch(t, s, prometheus)
	<-done
}

// TestLingerEnds gives up a Prometheus that has gone, and ends with its context.
func TestLingerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{last: time.Now().Add(-time.Minute), every: time.Second}
		s.Linger(context.Background(), func(time.Duration) { t.Error("it waits for one that has gone") })
		s = &Server{last: time.Now(), every: 2 * time.Second}
		began := time.Now()
		s.Linger(context.Background(), func(time.Duration) {})
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("it waited %s, want 4s", took)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began = time.Now()
		s.last = time.Now()
		s.Linger(ctx, func(time.Duration) {})
		if took := time.Since(began); took != time.Second {
			t.Errorf("it waited %s, want 1s", took)
		}
	})
}

// TestManyAtOnce refuses more than a few.
func TestManyAtOnce(t *testing.T) {
	hold := make(chan struct{})
	in := make(chan struct{}, 100)
	s, err := Listen("127.0.0.1:0", func() family.Snapshot {
		in <- struct{}{}
		<-hold
		return family.Snapshot{}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	codes := make(chan int, atOnce)
	for range atOnce {
		go func() {
			resp, err := http.Get(s.URL())
			if err != nil {
				codes <- 0
				return
			}
			resp.Body.Close()
			codes <- resp.StatusCode
		}()
	}
	for range atOnce {
		<-in
	}
	if got := fetch(t, s, func(*http.Request) {}); got != http.StatusServiceUnavailable {
		t.Errorf("one more gets %d", got)
	}
	close(hold)
	for range atOnce {
		if got := <-codes; got != http.StatusOK {
			t.Errorf("one gets %d", got)
		}
	}
}

func TestListenErrors(t *testing.T) {
	s := open(t)
	taken := strings.TrimSuffix(strings.TrimPrefix(s.URL(), "http://"), "/metrics")
	for _, addr := range []string{"9464", "", taken, "192.0.2.1:9464"} {
		if _, err := Listen(addr, nil); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
