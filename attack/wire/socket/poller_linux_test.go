package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

func startPoller(t *testing.T) *Poller {
	t.Helper()
	begun := time.Now()
	p, err := NewPoller(func() time.Duration { return time.Since(begun) })
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run()
	}()
	t.Cleanup(func() {
		p.Close()
		<-done
	})
	return p
}

// peer listens, and has each connection served.
func peer(t *testing.T, serve func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func open(to netip.AddrPort, p *Poller) (*Socket, error) {
	s := new(Socket)
	return s, s.Open(to, "", netip.Addr{}, p)
}

func openIn(t *testing.T, p *Poller, to netip.AddrPort) *Socket {
	t.Helper()
	s, err := open(to, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.SetDeadline(time.Now().Add(time.Minute)), s.Finish()); err != nil {
		t.Fatal(err)
	}
	if s.file != nil || s.seat == nil || !s.LocalAddr().IsValid() {
		t.Fatalf("opened as %+v", s)
	}
	return s
}

// TestPollerExchange asks one question on each of many connections at a time, and a
// second one on some, of a peer that answers late and in parts.
func TestPollerExchange(t *testing.T) {
	p := startPoller(t)
	to := peer(t, func(c *net.TCPConn) {
		b := make([]byte, 4)
		for {
			if _, err := io.ReadFull(c, b); err != nil {
				return
			}
			timer := time.NewTimer(time.Millisecond)
			<-timer.C
			_, _ = c.Write(b[:2])
			timer.Reset(time.Millisecond)
			<-timer.C
			_, _ = c.Write(b[2:])
		}
	})
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for range 10 {
				s, err := open(to, p)
				if err != nil {
					t.Error(err)
					return
				}
				err = errors.Join(s.SetDeadline(time.Now().Add(time.Minute)), s.Finish())
				for range 1 + i%2 {
					got := make([]byte, 4)
					rest, n, failed := s.Exchange([]byte("ping"), got)
					for err == nil && failed == nil && n < 4 {
						var more int
						more, failed = s.Read(got[n:])
						n += more
					}
					if err != nil || failed != nil || len(rest) > 0 || string(got) != "ping" {
						t.Errorf("%v, %v, rest %q, got %q", err, failed, rest, got)
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(p.seats) > 32 || len(p.free) != len(p.seats) {
		t.Errorf("%d seats, %d of them free, of 32 sockets at a time", len(p.seats), len(p.free))
	}
}

// TestPollerBothWays reads and writes at once more than the kernel buffers.
func TestPollerBothWays(t *testing.T) {
	p := startPoller(t)
	to := peer(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	s := openIn(t, p, to)
	defer s.Close()
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := s.Write(sent); err != nil || n != len(sent) {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
	got := make([]byte, 0, len(sent))
	for b := make([]byte, 64<<10); len(got) < len(sent); {
		n, err := s.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b[:n]...)
	}
	wg.Wait()
	if !bytes.Equal(got, sent) {
		t.Error("what came back is not what was sent")
	}
}

// TestPollerDeadline: whatever waits ends at the deadline, or when it is moved before
// now, and goes on when it is moved again.
func TestPollerDeadline(t *testing.T) {
	p := startPoller(t)
	gone := make(chan struct{})
	to := peer(t, func(*net.TCPConn) { <-gone })
	t.Cleanup(func() { close(gone) })
	for op, use := range map[string]func(*Socket) error{
		"read":    func(s *Socket) error { _, err := s.Read(make([]byte, 1)); return err },
		"discard": func(s *Socket) error { _, err := s.Discard(1, nil); return err },
		"write":   func(s *Socket) error { _, err := s.Write(make([]byte, 64<<20)); return err },
		"exchange": func(s *Socket) error {
			_, _, err := s.Exchange([]byte("x"), make([]byte, 1))
			return err
		},
	} {
		t.Run(op, func(t *testing.T) {
			s := openIn(t, p, to)
			defer s.Close()
			for range 2 {
				begun := time.Now()
				if err := s.SetDeadline(begun.Add(30 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				if err := use(s); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%v, want the deadline", err)
				}
				if took := time.Since(begun); took < 30*time.Millisecond {
					t.Errorf("ended after %v, before its deadline", took)
				}
			}
			if err := s.SetDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(10*time.Millisecond, func() { _ = s.SetDeadline(time.Unix(1, 0)) })
			defer timer.Stop()
			if err := use(s); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v after an interrupt, want the deadline", err)
			}
			if err := use(s); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v after the deadline", err)
			}
		})
	}
}

// TestPollerSeatOfAnother: a deadline that is set on a socket as it is closed is not that
// of the socket that has its seat now.
func TestPollerSeatOfAnother(t *testing.T) {
	p := startPoller(t)
	to := peer(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	first := openIn(t, p, to)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := openIn(t, p, to)
	defer second.Close()
	if second.seat != first.seat {
		t.Fatal("the seat was not used again")
	}
	if err := first.SetDeadline(time.Unix(1, 0)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a deadline of a closed socket: %v", err)
	}
	if err := first.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	if _, n, err := second.Exchange([]byte("x"), make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestPollerEnds: a refusal, a FIN and a RST are told to who waits, with the kernel's
// own word.
func TestPollerEnds(t *testing.T) {
	p := startPoller(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().(*net.TCPAddr).AddrPort()
	ln.Close()
	s, err := open(closed, p)
	if err == nil {
		err = s.Finish()
		s.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused as %v", err)
	}
	for name, want := range map[string]error{"FIN": io.EOF, "RST": syscall.ECONNRESET} {
		to := peer(t, func(c *net.TCPConn) {
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
			if name == "RST" {
				_ = c.SetLinger(0)
			}
		})
		s := openIn(t, p, to)
		if _, _, err := s.Exchange([]byte("x"), make([]byte, 1)); !errors.Is(err, want) {
			t.Errorf("%s as %v", name, err)
		}
		what, _ := s.Fate()
		if name == "FIN" && what != Finned || name == "RST" && what != Reset {
			t.Errorf("%s: fate %d", name, what)
		}
		s.Close()
	}
}

// TestPollerLooksEarly: an answer that is there once others have had their turn is read
// without telling the kernel of the socket; where there is none, looks are made ever more
// seldom, and none once they are used up.
func TestPollerLooksEarly(t *testing.T) {
	p := startPoller(t)
	gone := make(chan struct{})
	atOnce := peer(t, func(c *net.TCPConn) {
		_, _ = c.Write([]byte("pong"))
		<-gone
	})
	late := peer(t, func(*net.TCPConn) { <-gone })
	t.Cleanup(func() { close(gone) })
	for _, looks := range []int32{1, 0} {
		s := openIn(t, p, atOnce)
		for { // it is there before the question
			if waiting, err := s.Peek(); err != nil {
				t.Fatal(err)
			} else if waiting {
				break
			}
			runtime.Gosched()
		}
		p.early.Store(looks)
		if _, n, err := s.Exchange([]byte("ping"), make([]byte, 8)); n != 4 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if told := s.seat.events != 0; told != (looks == 0) {
			t.Errorf("with %d looks: the kernel was told: %v", looks, told)
		}
		if looks > 0 && p.early.Load() != 0 {
			t.Errorf("%d looks are left", p.early.Load())
		}
		s.Close()
	}
	looked, waits := 0, 0
	for waits = range 200 {
		s := openIn(t, p, late)
		p.early.Store(1)
		if err := s.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want the deadline", err)
		}
		looked += 1 - int(p.early.Load())
		s.Close()
	}
	// 1, 2, 4 ... 32 waits from one to the next, then 64.
	if looked < 7 || looked > 9 {
		t.Errorf("%d looks in %d waits for nothing", looked, waits+1)
	}
}
