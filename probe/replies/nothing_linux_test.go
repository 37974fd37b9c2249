package replies

import (
	"context"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// TestCountsThatNothingIsThere has a store that answers that it has nothing under a key.
func TestCountsThatNothingIsThere(t *testing.T) {
	r := New(Options{Host: "cache", Clock: probe.NewClock(time.Now()), Local: netip.Addr.IsLoopback, Watched: func(netip.Addr) bool { return false }})
	if err := r.Check(); err != nil {
		if os.Getenv("RAMPLOAD_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs packet sockets: %v", err)
	}
	store, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	go func() {
		for {
			c, err := store.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for asked := make([]byte, 64); ; {
					if _, err := c.Read(asked); err != nil {
						return
					}
					if _, err := c.Write([]byte("$-1\r\n")); err != nil {
						return
					}
				}
			}()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	found, done := make(chan probe.Event, 1), make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, func(e probe.Event) {
			if e.Kind == probe.Answered && e.Local.String() == store.Addr().String() {
				select {
				case found <- e:
				default:
				}
			}
		})
	}()
	c, err := net.Dial("tcp", store.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for answer := make([]byte, 64); ; {
		if _, err := c.Write([]byte("*2\r\n$3\r\nGET\r\n$1\r\na\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(answer); err != nil {
			t.Fatal(err)
		}
		select {
		case e := <-found:
			if e.Reason != probe.NothingThere || e.Count == 0 || e.Count%sampled != 0 || e.Value != sampled {
				t.Errorf("%+v", e)
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
