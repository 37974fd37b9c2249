package idle_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/attack/wire/idle"
	"github.com/rampload/rampload/profiles"
)

func sweep(t *testing.T, url string, limit time.Duration) (idle.Result, error) {
	t.Helper()
	return idle.Find(t.Context(), idle.Config{
		Target: profiles.Target{Name: "t", URL: url, Expect: profiles.DefaultExpect()},
		Client: profiles.Client{Timeout: 500 * time.Millisecond}, Max: limit,
	})
}

// httpServer is a server that closes idle connections after a time.
func httpServer(t *testing.T, timeout time.Duration, closeAlways bool) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if closeAlways {
			w.Header().Set("Connection", "close")
		}
	}))
	s.Config.IdleTimeout = timeout
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// forgetful is a server that stops to know a connection after a time: it resets
// the next request, or does not answer it.
func forgetful(t *testing.T, after time.Duration, reset bool) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				last := time.Now()
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					if time.Since(last) > after {
						if reset {
							_ = c.(*net.TCPConn).SetLinger(0)
							return
						}
						_, _ = io.Copy(io.Discard, r)
						return
					}
					_ = req
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					last = time.Now()
				}
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

func TestFind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		url       string
		end       idle.End
		low, high time.Duration // where Gone lies
	}{
		{"closes", httpServer(t, 300*time.Millisecond, false), idle.FIN, 290 * time.Millisecond, 600 * time.Millisecond},
		{"resets on use", forgetful(t, 600*time.Millisecond, true), idle.ResetUse, 600 * time.Millisecond, 1100 * time.Millisecond},
		{"does not answer", forgetful(t, 600*time.Millisecond, false), idle.Silent, 600 * time.Millisecond, 1100 * time.Millisecond},
		{"keeps", httpServer(t, time.Minute, false), idle.Alive, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got idle.Result
			for try := 1; ; try++ {
				var err error
				got, err = sweep(t, tt.url, 1600*time.Millisecond)
				right := err == nil && got.End == tt.end && got.Gone <= tt.high
				if right || try == 3 {
					if err != nil {
						t.Fatal(err)
					}
					break
				}
				// Where the machine pauses, connections end later and servers seem silent.
				t.Logf("%+v, %v", got, err)
			}
			if got.End != tt.end || got.Gone < tt.low || got.Gone > tt.high || tt.end != idle.Alive && got.Alive > got.Gone {
				t.Errorf("%+v, want %s between %s and %s", got, tt.end, tt.low, tt.high)
			}
		})
	}
}

func TestFindBeginsWhereItIsTold(t *testing.T) {
	t.Parallel()
	got, err := idle.Find(t.Context(), idle.Config{
		Target: profiles.Target{Name: "t", URL: httpServer(t, time.Minute, false), Expect: profiles.DefaultExpect()},
		Client: profiles.Client{Timeout: 500 * time.Millisecond}, Min: 50 * time.Millisecond, Max: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	var planned []time.Duration
	for _, try := range got.Tries {
		planned = append(planned, try.Planned)
	}
	want := []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}
	if !slices.Equal(planned, want) {
		t.Errorf("held connections for %v, want %v", planned, want)
	}
}

func TestFindRefuses(t *testing.T) {
	t.Parallel()
	if _, err := sweep(t, httpServer(t, 0, true), time.Second); !errors.Is(err, idle.ErrNoKeepAlive) {
		t.Errorf("a server that closes: %v, want ErrNoKeepAlive", err)
	}
	if _, err := sweep(t, "http://127.0.0.1:1", time.Second); err == nil {
		t.Error("a refused port: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := idle.Find(ctx, idle.Config{Target: profiles.Target{URL: httpServer(t, 0, false)}, Max: time.Minute}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
