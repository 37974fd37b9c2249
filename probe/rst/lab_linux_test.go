package rst

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// skip skips the test with a reason, or fails it where every test must run.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		t.Fatalf("must not skip: "+format, args...)
	}
	t.Skipf(format, args...)
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
}

func needTool(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			skip(t, "needs %s", name)
		}
	}
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// network is a client, a router and a server, each a namespace of its own.
type network struct {
	client, router, server ns
	tracefs                bool // the trace reads tracepoints, also where it could load programs
}

// ns is one namespace with its addresses towards the others.
type ns struct {
	path   string
	v4, v6 netip.Addr
}

func (n ns) do(t testing.TB, f func() error) {
	t.Helper()
	if err := onNetns(n.path, f); err != nil {
		t.Fatal(err)
	}
}

// exec runs a command in the namespace; "ip netns exec" would hide /sys.
func (n ns) exec(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, "nsenter", append([]string{"--net=" + n.path}, args...)...)
}

func newNetwork(t testing.TB) network {
	t.Helper()
	needRoot(t)
	needTool(t, "ip", "nsenter")
	add := func(role string) ns {
		name := fmt.Sprintf("rst-%d-%s", os.Getpid(), role)
		run(t, "ip", "netns", "add", name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
		n := ns{path: "/run/netns/" + name}
		// Without duplicate address detection IPv6 works at once.
		n.exec(t, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
		n.exec(t, "ip", "link", "set", "lo", "up")
		return n
	}
	n := network{client: add("c"), router: add("r"), server: add("s")}
	link := func(a ns, dev string, b ns, prefix4, prefix6 string) {
		run(t, "ip", "link", "add", dev, "netns", pathName(a), "type", "veth", "peer", "name", dev, "netns", pathName(b))
		for i, end := range []ns{a, b} {
			host := strconv.Itoa(2 - i)
			end.exec(t, "ip", "addr", "add", prefix4+host+"/24", "dev", dev)
			end.exec(t, "ip", "addr", "add", prefix6+host+"/64", "dev", dev, "nodad")
			end.exec(t, "ip", "link", "set", dev, "up")
		}
	}
	link(n.client, "veth0", n.router, "10.99.0.", "fd99:0::")
	link(n.server, "veth1", n.router, "10.99.1.", "fd99:1::")
	n.client.v4, n.client.v6 = netip.MustParseAddr("10.99.0.2"), netip.MustParseAddr("fd99:0::2")
	n.server.v4, n.server.v6 = netip.MustParseAddr("10.99.1.2"), netip.MustParseAddr("fd99:1::2")
	n.client.exec(t, "ip", "route", "add", "default", "via", "10.99.0.1")
	n.client.exec(t, "ip", "-6", "route", "add", "default", "via", "fd99:0::1")
	n.server.exec(t, "ip", "route", "add", "default", "via", "10.99.1.1")
	n.server.exec(t, "ip", "-6", "route", "add", "default", "via", "fd99:1::1")
	n.router.exec(t, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	return n
}

// meet lets the neighbours find each other, so that no first SYN is sent twice.
func (n network) meet(t testing.TB, to netip.Addr) {
	t.Helper()
	c, err := n.client.dial(netip.AddrPortFrom(to, 1))
	if err == nil {
		c.Close()
	} else if !errors.Is(err, unix.ECONNREFUSED) {
		t.Fatal(err)
	}
}

func pathName(n ns) string { return strings.TrimPrefix(n.path, "/run/netns/") }

// snmp reads a counter of the namespace's kernel, such as OutRsts.
func (n ns) snmp(t testing.TB, file, name string) int {
	t.Helper()
	var value int
	n.do(t, func() error {
		f, err := os.Open("/proc/thread-self/net/" + file)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			names := strings.Fields(lines.Text())
			if !lines.Scan() {
				break
			}
			if i := slices.Index(names, name); i > 0 {
				value, err = strconv.Atoi(strings.Fields(lines.Text())[i])
				return err
			}
		}
		return fmt.Errorf("no counter %s", name)
	})
	return value
}

// listen opens a listener in the namespace.
func (n ns) listen(t testing.TB, addr netip.Addr) *net.TCPListener {
	t.Helper()
	var l net.Listener
	n.do(t, func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
		return err
	})
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// dial connects from the namespace; Go's resolver is not used.
func (n ns) dial(to netip.AddrPort) (*net.TCPConn, error) {
	var c net.Conn
	err := onNetns(n.path, func() (err error) {
		c, err = (&net.Dialer{Timeout: 3 * time.Second}).Dial("tcp", to.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

func addrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(unmap(ap.Addr()), ap.Port())
}

// watched runs watchers and gathers their events until stop.
type watched struct {
	t      testing.TB
	cancel context.CancelFunc
	wait   sync.WaitGroup
	mu     sync.Mutex
	events []probe.Event
}

type readyWatcher interface {
	probe.Watcher
	Ready() <-chan struct{}
	Status() probe.Status
}

func watchAll(t testing.TB, watchers ...readyWatcher) *watched {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{t: t, cancel: cancel}
	t.Cleanup(func() { cancel(); w.wait.Wait() })
	for _, watcher := range watchers {
		failed := make(chan error, 1)
		w.wait.Go(func() {
			if err := watcher.Watch(ctx, w.add); err != nil {
				t.Errorf("%s: %v", watcher.Source().Name, err)
				failed <- err
			}
		})
		select {
		case <-watcher.Ready():
		case err := <-failed:
			if errors.Is(err, probe.ErrUnsupported) {
				skip(t, "%v", err)
			}
			t.FailNow()
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s: not ready", watcher.Source().Name)
		}
	}
	return w
}

func (w *watched) add(e probe.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// stop ends the watchers and returns what they saw.
func (w *watched) stop() []probe.Event {
	w.t.Helper()
	w.cancel()
	w.wait.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.events, func(a, b probe.Event) int { return int(a.At - b.At) })
	return w.events
}

// eachWay runs a test with both ways of tracing.
func eachWay(t *testing.T, test func(t *testing.T, byTracefs bool)) {
	for name, byTracefs := range map[string]bool{"programs": false, "tracefs": true} {
		t.Run(name, func(t *testing.T) {
			if !byTracefs {
				p, err := openPrograms(TraceOptions{}, nil)
				if err != nil {
					skip(t, "%v", err)
				}
				p.Close()
			}
			test(t, byTracefs)
		})
	}
}
