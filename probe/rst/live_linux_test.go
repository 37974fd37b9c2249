package rst

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/rst/tracefs"
)

// TestMain lets the test binary serve as a process to be killed: it listens and
// never accepts.
func TestMain(m *testing.M) {
	if addr := os.Getenv("RST_TEST_LISTEN"); addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString(l.Addr().String() + "\n")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone
		os.Exit(0)
	}
	if os.Getenv("RST_TEST_FIRST_THREAD_AWAY") != "" { // as after a lent thread that was the first
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// The own namespace is that of the process, wherever its first thread has stayed.
func TestPlaceOwnNamespace(t *testing.T) {
	needRoot(t)
	if os.Getenv("RST_TEST_FIRST_THREAD_AWAY") == "" {
		child := exec.Command("/proc/self/exe", "-test.run=^TestPlaceOwnNamespace$", "-test.v")
		child.Env = append(os.Environ(), "RST_TEST_FIRST_THREAD_AWAY="+strconv.FormatUint(tracefs.Inode("/proc/thread-self/ns/net"), 10))
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	list, missing := place([]Host{{Name: "local"}})
	if len(list) != 1 || len(missing) != 0 || strconv.FormatUint(list[0].inode, 10) != os.Getenv("RST_TEST_FIRST_THREAD_AWAY") {
		t.Errorf("%+v, %v, want namespace %s, not %d", list, missing, os.Getenv("RST_TEST_FIRST_THREAD_AWAY"), tracefs.Inode("/proc/self/ns/net"))
	}
}

// scene is the network with everything watched.
type scene struct {
	network
	*watched
	trace    *Trace
	captures map[string]*Capture
	outRsts  int // of the server, before
}

// newScene watches the ports, or all of them.
func newScene(t *testing.T, n network, ports ...uint16) *scene {
	t.Helper()
	clock := probe.NewClock(time.Now())
	s := &scene{network: n, captures: map[string]*Capture{}}
	// Without loopback, where other tests' resets would be taken for theirs.
	own := func(at ns) []netip.Addr {
		addrs, err := NetnsAddrs(at.path)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(addrs, netip.Addr.IsLoopback)
	}
	s.trace = NewTrace(TraceOptions{Clock: clock, Ports: ports, Tracefs: n.tracefs, OnlyHosts: true, Hosts: []Host{
		{Name: "client", Netns: n.client.path, Addrs: own(n.client)},
		{Name: "router", Netns: n.router.path, Addrs: own(n.router)},
		{Name: "server", Netns: n.server.path, Addrs: own(n.server), Ports: ports},
	}})
	all := []readyWatcher{s.trace}
	for name, at := range map[string]ns{"client": n.client, "router": n.router, "server": n.server} {
		s.captures[name] = NewCapture(CaptureOptions{Clock: clock, Host: name, Netns: at.path, Ports: ports, Sockets: n.tracefs})
		all = append(all, s.captures[name])
	}
	s.watched = watchAll(t, all...)
	s.outRsts = n.server.snmp(t, "snmp", "OutRsts")
	return s
}

// sentByServer is what the server's kernel counted since the scene began.
func (s *scene) sentByServer(t *testing.T) int {
	return s.server.snmp(t, "snmp", "OutRsts") - s.outRsts
}

// serve accepts connections and hands each to end. They are closed with the
// test.
func serve(t *testing.T, l *net.TCPListener, end func(*net.TCPConn)) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wait.Go(func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wait.Go(func() { end(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wait.Wait()
	})
}

// serveOnThread is serve for a test that asks who resets, one connection after
// the other on one thread: of threads that have ended the kernel remembers too
// little, and the runtime ends those on which a namespace was entered.
func serveOnThread(t *testing.T, l *net.TCPListener, end func(*net.TCPConn)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			end(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
}

// listenOnly reads until the client has closed.
func listenOnly(c *net.TCPConn) {
	_, _ = io.Copy(io.Discard, c)
	c.Close()
}

// ask connects, sends one byte and reads until the connection ends.
func ask(t *testing.T, from ns, to netip.AddrPort) error {
	t.Helper()
	c, err := from.dial(to)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err = io.ReadAll(c)
	return err
}

func abort(c *net.TCPConn) {
	_, _ = io.ReadFull(c, make([]byte, 1))
	_ = c.SetLinger(0)
	c.Close()
}

// closeUnread waits until the byte is there and closes without reading it.
func closeUnread(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err == nil {
		_ = raw.Read(func(fd uintptr) bool {
			n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
			return n > 0 || err != unix.EAGAIN
		})
	}
	c.Close()
}

// want is what every one of the resets of a scenario must look like.
type want struct {
	n       int
	reason  string // of rst-sent at the server; empty: no kernel sent it
	state   string
	process string // comm of the sender
	pid     int32
	class   SenderClass // of the packet at the client
	traced  SenderClass // with the server's trace
	before  string      // state of the client's socket
}

func (s *scene) check(t *testing.T, want want) []probe.Event {
	t.Helper()
	outRsts := s.sentByServer(t)
	events := s.stop()
	sent := pick(events, probe.RSTSent, "server")
	received := pick(events, probe.RSTReceived, "client")
	packets := pick(events, probe.RSTPacket, "client")
	traced := want.reason != ""
	if traced && (outRsts != want.n || total(sent) != outRsts) || !traced && total(sent)+outRsts != 0 {
		t.Errorf("sent: %d events, OutRsts %d, want %d", total(sent), outRsts, want.n)
	}
	if total(received) != want.n || total(packets) != want.n {
		t.Errorf("%d received, %d packets, want %d", total(received), total(packets), want.n)
	}
	arrived := map[netip.AddrPort]bool{}
	for _, e := range received {
		if e.State != want.before {
			t.Errorf("state before: want %q: %s", want.before, show(e))
		}
		arrived[e.Local] = true
	}
	if !tellsReasons(t) {
		want.reason = ""
	}
	for _, e := range sent {
		if e.Reason != want.reason || e.State != want.state || e.Comm != want.process || e.PID != want.pid {
			t.Errorf("want %+v: %s", want, show(e))
		}
		if e.Local.Addr() == s.client.v4 || !arrived[e.Remote] {
			t.Errorf("sent to somebody who did not receive it: %s", show(e))
		}
	}
	for _, e := range packets {
		class := SenderClass(e.Reason)
		if class != want.class || class.WithTrace(traced) != want.traced {
			t.Errorf("class %s, with trace %s, want %s and %s: %s", class, class.WithTrace(traced), want.class, want.traced, show(e))
		}
		if !arrived[e.Local] || !e.Packet.FromPeer {
			t.Errorf("packet for somebody who did not receive it: %s", show(e))
		}
	}
	for _, e := range events {
		if e.Kind == probe.Lost {
			t.Errorf("lost %d events of %s", e.Count, e.Source.Name)
		}
	}
	if t.Failed() {
		for _, e := range events {
			t.Log(show(e))
		}
	}
	return events
}

// tellsReasons reports whether this kernel tells why it sends a RST.
func tellsReasons(t *testing.T) bool {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(unix.ByteSliceToString(name.Release[:]), ".", 3)
	major, _ := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	return major > 6 || major == 6 && minor >= 10
}

const me = "rst.test"

func TestLiveSocketAborted(t *testing.T) { eachWay(t, liveSocketAborted) }

func liveSocketAborted(t *testing.T, byTracefs bool) {
	n := newNetwork(t)
	n.tracefs = byTracefs
	for _, tt := range []struct {
		name   string
		addr   netip.Addr
		end    func(*net.TCPConn)
		reason string
		path   string
	}{
		{"linger 0", n.server.v4, abort, "TCP_STATE", "closed with SO_LINGER 0"},
		{"linger 0 over IPv6", n.server.v6, abort, "TCP_STATE", "closed with SO_LINGER 0"},
		{"unread data", n.server.v4, closeUnread, "TCP_ABORT_ON_CLOSE", "closed with unread data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n.meet(t, tt.addr)
			l := n.server.listen(t, tt.addr)
			serveOnThread(t, l, tt.end)
			to := addrPort(l.Addr())
			s := newScene(t, n, to.Port())
			const many = 25
			for range many {
				if err := ask(t, n.client, to); err == nil {
					t.Error("no reset")
				}
			}
			events := s.check(t, want{
				n: many, reason: tt.reason, state: "TCP_CLOSE", process: me, pid: int32(os.Getpid()),
				class: SocketAborted, traced: SocketAborted, before: "TCP_ESTABLISHED",
			})
			for _, e := range pick(events, probe.RSTSent, "server") {
				if !byTracefs && (e.Kernel == nil || e.Kernel.Path != tt.path || uint64(e.Kernel.Netns) != tracefs.Inode(n.server.path) || e.Kernel.TID == 0) {
					t.Errorf("want %q by a thread in namespace %d: %+v", tt.path, tracefs.Inode(n.server.path), e.Kernel)
				}
			}
		})
	}
}

func TestLiveClosedPort(t *testing.T) { eachWay(t, liveClosedPort) }

func liveClosedPort(t *testing.T, byTracefs bool) {
	n := newNetwork(t)
	n.tracefs = byTracefs
	for _, addr := range []netip.Addr{n.server.v4, n.server.v6} {
		t.Run(addr.String(), func(t *testing.T) {
			n.meet(t, addr)
			l := n.server.listen(t, addr)
			to := addrPort(l.Addr())
			l.Close()
			s := newScene(t, n, to.Port())
			for range 10 {
				if err := ask(t, n.client, to); err == nil {
					t.Error("connected")
				}
			}
			s.check(t, want{n: 10, reason: "NO_SOCKET", class: ClosedPort, traced: ClosedPort, before: "TCP_SYN_SENT"})
		})
	}
}

// TestLiveOverflow lets more clients finish their handshake at once than the
// accept queue of a listener holds, which refuses the rest. The listener does not
// know whom it resets.
func TestLiveOverflow(t *testing.T) { eachWay(t, liveOverflow) }

func liveOverflow(t *testing.T, byTracefs bool) {
	needTool(t, "iptables")
	n := newNetwork(t)
	n.tracefs = byTracefs
	n.server.exec(t, "sysctl", "-qw", "net.ipv4.tcp_abort_on_overflow=1")
	for _, addr := range []netip.Addr{n.server.v4, netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		t.Run(addr.String(), func(t *testing.T) {
			// Between the SYNs and their repetition a second passes, in which commands
			// have to run: a machine may be too busy for that.
			for try := 1; !overflow(t, n, addr); try++ {
				if try == 5 {
					t.Fatal("the clients asked again each time before the rules were set")
				}
			}
		})
	}
}

// overflow reports false if a client's kernel sent a SYN twice, so that nothing
// can be said of the number of resets.
func overflow(t *testing.T, n network, addr netip.Addr) bool {
	t.Helper()
	const backlog = 8 // and one more fit into the queue
	l := n.server.listen(t, addr)
	defer l.Close()
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), backlog) })
	if err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(n.server.v4, addrPort(l.Addr()).Port())
	s := newScene(t, n, to.Port())
	before, again := n.server.snmp(t, "netstat", "ListenOverflows"), n.client.snmp(t, "snmp", "RetransSegs")
	var clients sync.WaitGroup
	dial := func() {
		if c, err := n.client.dial(to); err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	for range backlog {
		dial()
	}
	// Eight more handshakes stop before the server's SYN-ACK comes out, and go
	// on together when it is sent again.
	rule := []string{"OUTPUT", "-p", "tcp", "--sport", strconv.Itoa(int(to.Port())), "--tcp-flags", "SYN,ACK", "SYN,ACK", "-j", "DROP"}
	n.server.exec(t, append([]string{"iptables", "-A"}, rule...)...)
	for range backlog {
		clients.Go(dial)
	}
	for deadline := time.Now().Add(2 * time.Second); ruled(t, n.server, "OUTPUT", "DROP") < backlog && time.Now().Before(deadline); {
	}
	// The clients must not ask again: a second SYN-ACK makes a second RST.
	n.client.exec(t, "iptables", "-A", "OUTPUT", "-p", "tcp", "--syn", "-j", "DROP")
	late := n.client.snmp(t, "snmp", "RetransSegs") > again
	n.server.exec(t, append([]string{"iptables", "-D"}, rule...)...)
	clients.Wait()
	n.client.exec(t, "iptables", "-F")
	// Two CPUs may each take the last place, so one fewer may be refused.
	overflows := n.server.snmp(t, "netstat", "ListenOverflows") - before
	// SYN-ACKs go out a second and three seconds later: rules that were set later
	// than the first of them leave the dials no time.
	if late || overflows < backlog-2 {
		t.Logf("%d overflows, SYN sent again: %v", overflows, late)
		s.stop()
		return false
	}
	for deadline := time.Now().Add(3 * time.Second); s.sentByServer(t) < overflows && time.Now().Before(deadline); {
	}
	events := s.check(t, want{
		n: overflows, reason: "INVALID_SYN", state: "TCP_LISTEN",
		class: SocketGone, traced: SocketGone, before: "TCP_ESTABLISHED",
	})
	for _, e := range pick(events, probe.RSTSent, "server") {
		if e.Local != to {
			t.Errorf("want local %v: %s", to, show(e))
		}
	}
	return true
}

// TestLiveKilled kills a process of many threads; only what waits to be accepted
// is reset. Nobody but the kernel's trace memory knows whose threads they were,
// and it misses some when it is busy: then once again.
func TestLiveKilled(t *testing.T) { eachWay(t, liveKilled) }

func liveKilled(t *testing.T, byTracefs bool) {
	n := newNetwork(t)
	n.tracefs = byTracefs
	for try := 1; !killed(t, n, try == 3); try++ {
	}
}

// killed reports false if the trace memory did not know the process, unless it is
// the last try.
func killed(t *testing.T, n network, last bool) bool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "nsenter", "--net="+n.server.path, self)
	cmd.Env = append(os.Environ(), "RST_TEST_LISTEN="+netip.AddrPortFrom(n.server.v4, 0).String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	k, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(strings.TrimSpace(string(line[:k])))
	s := newScene(t, n, to.Port())
	const many = 10
	for range many {
		c, err := n.client.dial(to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // gone before the trace is read
	for _, e := range pick(s.stop(), probe.RSTSent, "server") {
		if !last && (e.PID != int32(cmd.Process.Pid) || e.Comm != me) {
			t.Log(show(e))
			return false
		}
	}
	s.check(t, want{
		n: many, reason: "TCP_STATE", state: "TCP_CLOSE", process: me, pid: int32(cmd.Process.Pid),
		class: SocketAborted, traced: SocketAborted, before: "TCP_ESTABLISHED",
	})
	return true
}

// ruled is how many packets the namespace's only rule with a verdict took.
func ruled(t *testing.T, at ns, chain, verdict string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^\s*(\d+)\s+\d+\s+` + verdict).FindStringSubmatch(at.exec(t, "iptables", "-nvxL", chain))
	if m == nil {
		t.Fatalf("no %s rule", verdict)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

func TestLiveReject(t *testing.T) {
	needTool(t, "iptables")
	for _, tt := range []struct {
		name   string
		router bool
		match  []string
		want   want
	}{
		{"data on a router", true, []string{"--tcp-flags", "PSH", "PSH"}, want{class: RouterReject, traced: RouterReject, before: "TCP_ESTABLISHED"}},
		{"data on the server", false, []string{"--tcp-flags", "PSH", "PSH"}, want{class: SocketGone, traced: HostReject, before: "TCP_ESTABLISHED"}},
		{"SYN on a router", true, []string{"--syn"}, want{class: RouterReject, traced: RouterReject, before: "TCP_SYN_SENT"}},
		{"SYN on the server", false, []string{"--syn"}, want{class: ClosedPort, traced: HostReject, before: "TCP_SYN_SENT"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			at, chain := n.server, "INPUT"
			if tt.router {
				at, chain = n.router, "FORWARD"
			}
			l := n.server.listen(t, n.server.v4)
			serve(t, l, listenOnly)
			to := addrPort(l.Addr())
			s := newScene(t, n, to.Port())
			// A good connection first: it tells the server's TTL.
			c, err := n.client.dial(to)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.CloseWrite()
			_, _ = io.ReadAll(c)
			c.Close()
			at.exec(t, append(append([]string{"iptables", "-A", chain, "-p", "tcp", "--dport", strconv.Itoa(int(to.Port()))},
				tt.match...), "-j", "REJECT", "--reject-with", "tcp-reset")...)
			const many = 10
			for range many {
				c, err := n.client.dial(to)
				if err != nil {
					continue
				}
				// The server says nothing and the client asks: only the rule resets.
				_ = c.SetDeadline(time.Now().Add(3 * time.Second))
				_, _ = c.Write([]byte("x"))
				_, _ = io.ReadAll(c)
				c.Close()
			}
			tt.want.n = many
			if got := ruled(t, at, chain, "REJECT"); got != many {
				t.Errorf("the rule rejected %d packets, want %d", got, many)
			}
			s.check(t, tt.want)
		})
	}
}

// TestLiveInjector forges resets to both ends from the router.
func TestLiveInjector(t *testing.T) {
	n := newNetwork(t)
	l := n.server.listen(t, n.server.v4)
	serve(t, l, listenOnly)
	to := addrPort(l.Addr())
	s := newScene(t, n, to.Port())
	var raw int
	n.router.do(t, func() (err error) {
		raw, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	})
	defer unix.Close(raw)
	const many = 10
	for range many {
		c, err := n.client.dial(to)
		if err != nil {
			t.Fatal(err)
		}
		from := addrPort(c.LocalAddr())
		seq, ack := sequence(t, c)
		forge(t, raw, to, from, ack, seq) // to the client, in the server's name
		forge(t, raw, from, to, seq, ack)
		_ = c.SetDeadline(time.Now().Add(3 * time.Second))
		if _, err := io.ReadAll(c); err == nil {
			t.Error("no reset")
		}
		c.Close()
	}
	events := s.check(t, want{n: many, class: Injector, traced: Injector, before: "TCP_ESTABLISHED"})
	if got := total(pick(events, probe.RSTReceived, "server")); got != many {
		t.Errorf("%d resets received by the server, want %d", got, many)
	}
}

// sequence reads the numbers that the connection's peer expects and sent, with
// TCP_REPAIR.
func sequence(t *testing.T, c *net.TCPConn) (next, expected uint32) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const receiveQueue, sendQueue, on, offWithoutProbe = 1, 2, 1, -1
	_ = raw.Control(func(fd uintptr) {
		set := func(option, value int) {
			if err == nil {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, value)
			}
		}
		get := func(queue int) uint32 {
			set(unix.TCP_REPAIR_QUEUE, queue)
			v, gerr := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ)
			if err == nil {
				err = gerr
			}
			return uint32(v)
		}
		set(unix.TCP_REPAIR, on)
		next, expected = get(sendQueue), get(receiveQueue)
		set(unix.TCP_REPAIR, offWithoutProbe)
	})
	if err != nil {
		t.Fatalf("read sequence numbers: %v", err)
	}
	return next, expected
}

// forge sends RST+ACK as an injector does: with an IP ID, without DF and options.
func forge(t *testing.T, raw int, src, dst netip.AddrPort, seq, ack uint32) {
	t.Helper()
	p := make([]byte, 40)
	p[0], p[8], p[9] = 0x45, 99, 6
	binary.BigEndian.PutUint16(p[2:], 40)
	binary.BigEndian.PutUint16(p[4:], 4711)
	copy(p[12:], src.Addr().AsSlice())
	copy(p[16:], dst.Addr().AsSlice())
	tcp := p[20:]
	binary.BigEndian.PutUint16(tcp, src.Port())
	binary.BigEndian.PutUint16(tcp[2:], dst.Port())
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[12], tcp[13] = 5<<4, flagRST|flagACK
	var sum uint32
	for _, part := range [][]byte{p[12:20], {0, 6, 0, 20}, tcp} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(tcp[16:], ^uint16(sum))
	if err := unix.Sendto(raw, p, 0, &unix.SockaddrInet4{Addr: dst.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
}
