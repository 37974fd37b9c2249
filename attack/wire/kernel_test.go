//go:build linux

package wire

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

// witness is the kernel's tcp_receive_reset tracepoint in a trace instance of
// its own.
type witness struct{ dir string }

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{dir: fmt.Sprintf("/sys/kernel/tracing/instances/wire-test-%d", os.Getpid())}
	if err := os.Mkdir(w.dir, 0o700); err != nil && !os.IsExist(err) {
		skip(t, "needs root and tracefs: %v", err)
	}
	t.Cleanup(func() {
		w.write("events/tcp/tcp_receive_reset/enable", "0")
		os.Remove(w.dir)
	})
	w.write("buffer_size_kb", "4096")
	if err := w.write("events/tcp/tcp_receive_reset/enable", "1"); err != nil {
		skip(t, "needs the tracepoint tcp_receive_reset: %v", err)
	}
	return w
}

func (w *witness) write(name, text string) error {
	return os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600)
}

// received counts the RSTs that sockets of this host took from a remote port.
func (w *witness) received(t *testing.T, port uint16) int {
	t.Helper()
	f, err := os.Open(filepath.Join(w.dir, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	want := fmt.Sprintf(" dport=%d ", port)
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.Contains(s.Text(), "tcp_receive_reset:") && strings.Contains(s.Text(), want) {
			n++
		}
	}
	return n
}

// TestKernelWitness holds the count against the kernel's own. The kernel also
// tells of RSTs to sockets that we have closed; the injector counts those as too
// late.
func TestKernelWitness(t *testing.T) {
	w := newWitness(t)
	for _, proto := range []struct{ tls, http2 bool }{{false, false}, {true, false}, {true, true}} {
		for place := fault.OnAccept; place <= fault.AfterResponse; place++ {
			if place == fault.InHeaders && proto.http2 {
				continue
			}
			t.Run(fmt.Sprintf("%v/tls=%v/http2=%v", place, proto.tls, proto.http2), func(t *testing.T) {
				opts := fault.InjectorOptions{
					TLS: proto.tls, HTTP2: proto.http2, Place: place, Every: 3, Delay: 5 * time.Millisecond,
				}
				if proto.http2 && place <= fault.BeforeResponseFresh {
					opts.Every = 1
				}
				for try := 1; ; try++ {
					kernel, counts, counted, final := witnessed(t, w, opts)
					t.Logf("kernel %d, injected %d (and %d too late), counted %d", kernel, counts.Resets, counts.PeerFirst, counted)
					if !final && try < 5 {
						continue // a RST came after the kernel was asked
					}
					if counted != int(counts.Resets) || kernel < counted || kernel > counted+int(counts.PeerFirst) || counted == 0 {
						t.Errorf("kernel %d, injected %d (and %d too late), counted %d", kernel, counts.Resets, counts.PeerFirst, counted)
					}
					break
				}
			})
		}
	}
}

// witnessed makes requests and returns how many RSTs the kernel received, the
// injector sent and the transport counted, and whether the injector had sent all
// of them when the kernel was asked.
func witnessed(t *testing.T, w *witness, opts fault.InjectorOptions) (kernel int, counts fault.Counts, counted int, final bool) {
	t.Helper()
	w.write("trace", "") // a port may have served another test
	in, cfg := injector(t, opts)
	rec := record.New()
	cfg.OnIdle = rec.OnIdle
	tr, req := open(t, cfg, profiles.Request{Method: "POST", Path: "/", Body: "x"})
	for range 5 {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					var a attack.Attempt
					tr.Do(req, &a)
					rec.Attempt(a)
				}
			})
		}
		wg.Wait()
		if opts.Place == fault.Idle || opts.Place == fault.AfterFIN {
			rest(2 * opts.Delay)
		}
		rec.Wait(func() int { return int(in.Counts().Resets) })
	}
	if opts.Place == fault.Idle || opts.Place == fault.AfterFIN || opts.Place == fault.AfterResponse {
		rest(40 * time.Millisecond) // what it is still about to do
	}
	asked := in.Counts()
	kernel = w.received(t, in.Addr().Port())
	tr.Close() // what comes now comes after our own close
	in.Close() // then its counts are final
	counts = in.Counts()
	return kernel, counts, rec.Resets(), asked.Resets == counts.Resets && asked.PeerFirst == counts.PeerFirst
}

// inNamespace runs f on a thread in a network namespace of its own, with
// loopback up. The thread ends with it.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is thrown away
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = loopbackUp()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		skip(t, "needs root for a network namespace: %v", err)
	}
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// TestPortsExhausted has six ports for each source address. (Of an odd number the
// kernel does not try the last, net/ipv4/inet_hashtables.c.)
func TestPortsExhausted(t *testing.T) {
	inNamespace(t, func() {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40005"), 0o600); err != nil {
			t.Error(err)
			return
		}
		ln, err := net.Listen("tcp", "127.0.0.1:8080")
		if err != nil {
			t.Error(err)
			return
		}
		serve(t, ln, answers(okResponse))
		for _, locals := range []int{0, 1, 2} {
			tr, rec := client(t, "http://127.0.0.1:8080", func(c *Config) {
				for i := range locals { // none used before: closed ones rest in TIME_WAIT
					c.Client.LocalAddrs = append(c.Client.LocalAddrs, netip.AddrFrom4([4]byte{127, 0, 0, byte(10*locals + i)}))
				}
			})
			req := compile(t, tr, profiles.Request{})
			ok, exhausted := 0, 0
			var leases []*Lease
			for range 15 {
				l := tr.Lease()
				leases = append(leases, l)
				var a attack.Attempt
				l.Do(req, &a)
				switch {
				case a.Fault == attack.None:
					ok++
				case a.Fault == attack.PortsExhausted && a.Phase == attack.PhaseDial && a.Fault.Local():
					exhausted++
				default:
					t.Errorf("%+v", a)
				}
			}
			want := 6 * max(locals, 1)
			if ok != want || exhausted != 15-want {
				t.Errorf("%d source addresses: %d connections, %d times no port", locals, ok, exhausted)
			}
			for _, l := range leases {
				l.Close()
			}
			tr.Close()
			if rec.Resets() != 0 {
				t.Errorf("%d resets", rec.Resets())
			}
		}
	})
}

// TestFilesExhausted lowers the limit of open files to what is open. What an
// earlier test closes late leaves a descriptor below it: then once again.
func TestFilesExhausted(t *testing.T) {
	for try := 1; !filesExhausted(t); try++ {
		if try == 5 {
			t.Fatal("there was a descriptor each time")
		}
	}
}

func filesExhausted(t *testing.T) bool {
	t.Helper()
	url := scripted(t, answers(okResponse))
	tr, _ := client(t, url, func(c *Config) { c.Client.Connections = 1 })
	req := compile(t, tr, profiles.Request{})
	other, _ := client(t, url, nil)
	do(t, other, profiles.Request{}) // the server now waits in accept, which would meet the limit too
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(0) // the next descriptor
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(fd), Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	var a, b attack.Attempt
	tr.Do(req, &a)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	tr.Do(req, &b)
	expectEnd(t, b, attack.None, attack.PhaseDone, 200)
	if a.Fault == attack.None {
		return false
	}
	expectEnd(t, a, attack.FDsExhausted, attack.PhaseDial, 0)
	return true
}

// TestMemory: the heap does not grow with requests, and sockets and goroutines
// end with the transport.
func TestMemory(t *testing.T) {
	files := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	var served atomic.Int64
	url := scripted(t, func(c net.Conn, _ int) {
		buf, answer := make([]byte, 4<<10), []byte(okResponse)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			served.Add(1)
			c.Write(answer)
		}
	})
	before, goroutines := files(), runtime.NumGoroutine()
	tr, _ := client(t, url, func(c *Config) { c.Client.Connections = 8 })
	req := compile(t, tr, profiles.Request{})
	heap := func(n int) uint64 {
		together(tr, req, 8)
		var a attack.Attempt
		for range n {
			tr.Do(req, &a)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	small := heap(1000)
	large := heap(30000)
	if large > small+256<<10 {
		t.Errorf("the heap grew from %d to %d bytes", small, large)
	}
	tr.Close()
	limit := time.After(patience)
	for files() > before || runtime.NumGoroutine() > goroutines {
		select {
		case <-limit:
			t.Fatalf("%d files, %d before; %d goroutines, %d before", files(), before, runtime.NumGoroutine(), goroutines)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestTimeoutInDial: the descriptor of a dial is still there when it times out,
// and tells of the SYN that nobody answered.
func TestTimeoutInDial(t *testing.T) {
	// A full accept queue: the kernel drops the SYN.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	sa, _ := unix.Getsockname(fd)
	addr := fmt.Sprintf("127.0.0.1:%d", sa.(*unix.SockaddrInet4).Port)
	filler, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	tr, _ := client(t, "http://"+addr, func(c *Config) { c.Client.Timeout = 100 * time.Millisecond })
	a := do(t, tr, profiles.Request{})
	expectEnd(t, a, attack.Timeout, attack.PhaseDial, 0)
	const synSent = 2
	if !a.Info.Valid || a.Info.State != synSent || !a.Conn.Local.IsValid() {
		t.Errorf("info %+v, conn %+v", a.Info, a.Conn)
	}
}
