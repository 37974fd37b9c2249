package replies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// loopback returns a watcher of the loopback interface, and skips the test where packets may
// not be read.
func loopback(t testing.TB) *Replies {
	r := New(Options{Host: "calc", Clock: probe.NewClock(time.Now()), Local: netip.Addr.IsLoopback, Watched: func(netip.Addr) bool { return false }})
	if err := r.Check(); err != nil {
		if os.Getenv("RAMPLOAD_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs packet sockets: %v", err)
	}
	return r
}

// silent takes connections, and reads what comes on them. It ends with the test.
func silent(t testing.TB, address string) net.Listener {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("needs %s: %v", address, err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l
}

// dial opens a connection that the test closes.
func dial(t testing.TB, l net.Listener) (c net.Conn, client netip.AddrPort) {
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, netip.MustParseAddrPort(c.LocalAddr().String())
}

// TestKernelChooses has the kernel choose among connections, as [chosen] does.
func TestKernelChooses(t *testing.T) {
	r := loopback(t)
	const level = 2
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l := silent(t, address)
		server := netip.MustParseAddrPort(l.Addr().String())
		ts, err := r.open()
		if err != nil {
			t.Fatal(err)
		}
		defer ts.close()
		program, err := filterStreams(level)
		if err != nil {
			t.Fatal(err)
		}
		if err := ts.streams.attach(program); err != nil {
			t.Fatal(err)
		}
		want, got := map[netip.AddrPort]bool{}, map[netip.AddrPort]bool{}
		for i, is := 0, false; i < 64 || !is; i++ { // when the last has come, all others have
			c, client := dial(t, l)
			if is = chosen(client, server, level); is {
				want[client] = true
			}
			if _, err := io.WriteString(c, preface); err != nil {
				t.Fatal(err)
			}
		}
		tick := time.NewTicker(gather)
		defer tick.Stop()
		for range 200 {
			_, lost, err := ts.streams.drain(func(p packet) {
				if p.to == server && begins(p.data) {
					got[p.from] = true
				}
			})
			if err != nil || lost > 0 {
				t.Fatalf("lost %d: %v", lost, err)
			}
			if len(got) >= len(want) {
				break
			}
			<-tick.C
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(want) < 4 || len(want) > 40 {
			t.Errorf("%s: the kernel chose %d, %v; %d are to be: %v", address, len(got), got, len(want), want)
		}
	}
}

// TestFollowsShare sends more on many connections than is read, and less later: a share of them
// is followed meanwhile, what is told of those is right, and then all are followed again.
func TestFollowsShare(t *testing.T) {
	r := loopback(t)
	r.budget, r.calm = 400, time.Second
	l := silent(t, "127.0.0.1:0")
	server := netip.MustParseAddrPort(l.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var begun, calm, full atomic.Bool
	var level uint
	done := make(chan error, 1)
	least, told, wrong := 1.0, 0, []probe.Event(nil)
	go func() {
		share := 1.0
		done <- r.Watch(ctx, func(e probe.Event) {
			switch {
			case e.Kind == probe.StreamsShare:
				share = e.Value
				if share == 1 && least < 1 {
					full.Store(true)
				}
				if least = min(least, share); share < 1 {
					calm.Store(true)
				}
				for level = 0; share < 1; share *= 2 {
					level++
				}
			case e.Kind == probe.StreamsOpen && e.Local == server && !full.Load():
				told++
				begun.Store(true)
				if !chosen(e.Local, e.Remote, level) || e.Count > 1 {
					wrong = append(wrong, e)
				}
			}
		})
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !begun.Load() { // until the watcher has seen a connection begin
		<-tick.C
		c, _ := dial(t, l)
		_, _ = c.Write(append([]byte(preface), frame(frameHeaders, 5, 1, 1)...))
		if ctx.Err() != nil {
			t.Fatal("nothing is told")
		}
	}
	var conns []net.Conn
	for range 32 {
		c, _ := dial(t, l)
		if _, err := io.WriteString(c, preface); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for id := uint32(1); !full.Load(); id += 2 { // 1,600 packets a second, and 50 later
		select {
		case <-tick.C:
		case err := <-done:
			t.Fatalf("ended early: %v", errors.Join(err, ctx.Err()))
		}
		for i, c := range conns {
			if calm.Load() && i > 0 {
				break
			}
			// It is given up as soon as it is asked for, but for the first.
			if _, err := c.Write(append(frame(frameHeaders, 5, id, 1), frame(frameReset, 0, id, 0, 0, 0, 8)...)); err != nil {
				t.Fatal(err)
			}
			if id == 1 {
				_, _ = c.Write(frame(frameHeaders, 5, 1, 1))
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if told <= 1 || len(wrong) > 0 || least > 0.5 {
		t.Errorf("the share fell to %v; %d told, wrong: %v", least, told, wrong)
	}
	if m := fmt.Sprint(r.Missing()); !strings.Contains(m, "a part of its connections was followed") {
		t.Errorf("it says %s", m)
	}
}

// BenchmarkFrames is the cost of a packet of HTTP/2 that is read.
func BenchmarkFrames(b *testing.B) {
	r := loopback(b)
	l := silent(b, "127.0.0.1:0")
	ts, err := r.open()
	if err != nil {
		b.Fatal(err)
	}
	defer ts.close()
	h2 := &streams{share: newShare(1<<30, 0, 0)}
	c, _ := dial(b, l)
	data := append(frame(frameHeaders, 5, 1, make([]byte, 40)...), frame(frameReset, 0, 1, 0, 0, 0, 8)...)
	frames := len(ts.streams.ring) / blockSize * frameBlock
	for n := 0; n < b.N; {
		b.StopTimer()
		for range min(b.N-n, frames) {
			_, _ = c.Write(data)
		}
		b.StartTimer()
		read, _, err := ts.streams.drain(func(p packet) { h2.take(p.from, p.to, p.data, p.whole, 0) })
		if err != nil {
			b.Fatal(err)
		}
		n += max(read, 1)
	}
}
