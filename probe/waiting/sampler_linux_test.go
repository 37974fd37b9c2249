package waiting_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/netns"
	"github.com/rampload/rampload/probe/probetest"
	"github.com/rampload/rampload/probe/waiting"
)

func open(t testing.TB) *waiting.Sampler {
	t.Helper()
	s, err := waiting.New(waiting.Options{Host: "here", Clock: probe.NewClock(time.Now()), Budget: 1e6})
	if err != nil {
		if os.Getenv("RAMPLOAD_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSamplerContract(t *testing.T) {
	probetest.RunSampler(t, func(t *testing.T) probe.Sampler { return open(t) })
}

// service answers a line with a line, when it is told to.
type service struct {
	net.Listener
	answers chan struct{} // one for each answer
	reads   chan struct{} // one for each request that may be read
}

func serve(t *testing.T, accept bool) *service {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{l, make(chan struct{}, 1000), make(chan struct{}, 1000)}
	t.Cleanup(func() { _ = l.Close() })
	if !accept {
		return s
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					<-s.reads
					if _, err := in.ReadString('\n'); err != nil {
						return
					}
					<-s.answers
					if _, err := fmt.Fprintln(c, "answer"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return s
}

func dial(t *testing.T, l net.Listener) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReader(c)
}

// reach samples until a metric of an instance has a value twice, and fails when it does not
// come to that: the two ends of a connection are not read at one instant, and what happens
// between them shows at one end alone.
func reach(t *testing.T, s *waiting.Sampler, name, instance string, want float64) map[string]float64 {
	t.Helper()
	last, times := map[string]float64{}, 0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		clear(last)
		if err := s.Sample(t.Context(), func(x probe.Sample) {
			if x.Metric.Instance == instance {
				last[x.Metric.Name] += x.Value
			}
		}); err != nil {
			t.Fatal(err)
		}
		if v, ok := last[name]; !ok || v != want {
			times = 0
			continue
		}
		if times++; times == 2 {
			return last
		}
	}
	t.Fatalf("%s of %s is %v, want %v", name, instance, last, want)
	return nil
}

func TestRequestsAreSeenWhereTheyStand(t *testing.T) {
	s := open(t)
	l := serve(t, true)
	at := l.Addr().String()
	c, in := dial(t, l)
	ask := func() {
		if _, err := fmt.Fprintln(c, "request"); err != nil {
			t.Fatal(err)
		}
	}
	reach(t, s, probe.Inbound, at, 1)

	ask()
	got := reach(t, s, probe.RequestsUnread, at, 1)
	if got[probe.Owed] != 1 || got[probe.Awaiting] != 1 {
		t.Errorf("a request that nobody reads: %v", got)
	}
	l.reads <- struct{}{}
	got = reach(t, s, probe.RequestsUnread, at, 0)
	if got[probe.Owed] != 1 || got[probe.Awaiting] != 1 || got[probe.PeerConnections] != 1 {
		t.Errorf("a request that was read and not answered: %v", got)
	}
	l.answers <- struct{}{}
	got = reach(t, s, probe.AnswersUnread, at, 1)
	if got[probe.Owed] != 0 || got[probe.Awaiting] != 0 {
		t.Errorf("an answer that nobody reads: %v", got)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	got = reach(t, s, probe.AnswersUnread, at, 0)
	if got[probe.Owed] != 0 || got[probe.Awaiting] != 0 {
		t.Errorf("a connection at rest: %v", got)
	}

	// Requests that follow their answer at once fall into one tick of the kernel's clock.
	for range 40 {
		l.reads <- struct{}{}
		l.answers <- struct{}{}
		ask()
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	l.reads <- struct{}{}
	ask()
	got = reach(t, s, probe.Awaiting, at, 1)
	if got[probe.Owed] != 1 {
		t.Errorf("a request right behind an answer: %v", got)
	}
}

func TestConnectionsThatAreNotAccepted(t *testing.T) {
	s := open(t)
	l := serve(t, false)
	for range 3 {
		c, _ := dial(t, l)
		if _, err := fmt.Fprintln(c, "request"); err != nil {
			t.Fatal(err)
		}
	}
	got := reach(t, s, probe.NotAccepted, l.Addr().String(), 3)
	if got[probe.Owed] != 0 || got[probe.Awaiting] != 3 {
		t.Errorf("connections in the accept queue: %v", got)
	}
	if got := reach(t, s, probe.Callers, l.Addr().String()+" 127.0.0.1", 3); got[probe.Callers] != 3 {
		t.Errorf("callers: %v", got)
	}
}

// TestRequestsThatComeInPart: a thread that waits for the rest of a request, one that waits
// for a caller who says nothing, and one that works on what it has read.
func TestRequestsThatComeInPart(t *testing.T) {
	s := open(t)
	l := blocking(t)
	slow, _ := dial(t, l)
	if _, err := fmt.Fprint(slow, "half a requ"); err != nil {
		t.Fatal(err)
	}
	dial(t, l)
	whole, _ := dial(t, l)
	if _, err := fmt.Fprintln(whole, "request"); err != nil {
		t.Fatal(err)
	}
	got := reach(t, s, probe.Incomplete, l.Addr().String(), 2)
	if got[probe.Inbound] != 3 {
		t.Errorf("%v", got)
	}
	if _, err := fmt.Fprintln(slow, "est"); err != nil {
		t.Fatal(err)
	}
	reach(t, s, probe.Incomplete, l.Addr().String(), 1)
}

// blocking serves each connection by a thread that sleeps in read(2) until a line has come
// in, and answers none.
func blocking(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.TCPConn).File()
			_ = c.Close()
			if err != nil {
				return
			}
			if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
				return
			}
			go func() {
				runtime.LockOSThread()
				b := make([]byte, 64)
				for {
					n, err := unix.Read(int(f.Fd()), b)
					if err != nil || n <= 0 {
						_ = f.Close()
						return
					}
					if bytes.ContainsRune(b[:n], '\n') {
						<-t.Context().Done()
						_ = f.Close()
						return
					}
				}
			}()
		}
	}()
	return l
}

func TestServicesAreNamedByTheirProcess(t *testing.T) {
	s := open(t)
	l := serve(t, true)
	dial(t, l)
	reach(t, s, probe.Inbound, l.Addr().String(), 1)
	for _, x := range s.Services() {
		if x.Addr.String() != l.Addr().String() {
			continue
		}
		if len(x.PIDs) != 1 || x.PIDs[0] != int32(os.Getpid()) || x.Name == "" {
			t.Errorf("the service is %+v, want this process, %d (%s)", x, os.Getpid(), filepath.Base(os.Args[0]))
		}
		return
	}
	t.Fatal("the service is not among those of the namespace")
}

func TestNamespaceThatIsGone(t *testing.T) {
	_, err := waiting.New(waiting.Options{Namespace: netns.Namespace{Name: "no-such-namespace"}})
	if err == nil {
		t.Fatal("opened a namespace that is not there")
	}
}

// BenchmarkSample2000 reads 2,000 sockets, 1,000 connections with both ends here. At 4 Hz
// one reading may take 2.5 ms for 1 % of a core.
func BenchmarkSample2000(b *testing.B) {
	s := open(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	for range 1000 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintln(c, "request")
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Sample(b.Context(), func(probe.Sample) {}); err != nil {
			b.Fatal(err)
		}
	}
}
