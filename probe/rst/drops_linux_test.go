package rst

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// needPrograms skips where the kernel's programs cannot be loaded, and reports
// whether they know tables and chains, and what connection tracking does: not on
// kernels where they can hang on tracepoints only, or not on functions of modules.
func needPrograms(t *testing.T) (tables, tracking bool) {
	t.Helper()
	p, err := openPrograms(TraceOptions{}, nil)
	if err != nil {
		skip(t, "%v", err)
	}
	defer p.Close()
	known := func(what string) bool {
		return !slices.ContainsFunc(p.Missing(), func(u *probe.Unsupported) bool { return strings.Contains(u.What, what) })
	}
	return known("table and chain"), known("connection tracking")
}

// dropping is a network of which only the trace is watched.
type dropping struct {
	network
	*watched
	tables   bool // the trace knows them
	tracking bool // and what connection tracking decides
	port     uint16
	listener *net.TCPListener
}

func newDropping(t *testing.T) *dropping {
	t.Helper()
	needTool(t, "nft")
	tables, tracking := needPrograms(t)
	n := newNetwork(t)
	n.meet(t, n.server.v4)
	l := n.server.listen(t, n.server.v4)
	return &dropping{network: n, tables: tables, tracking: tracking, port: addrPort(l.Addr()).Port(), listener: l}
}

func (d *dropping) watch(t *testing.T) {
	t.Helper()
	d.watched = watchAll(t, NewTrace(TraceOptions{
		Clock: probe.NewClock(time.Now()), Ports: []uint16{d.port}, OnlyHosts: true,
		Hosts: []Host{{Name: "client", Netns: d.client.path}, {Name: "router", Netns: d.router.path}, {Name: "server", Netns: d.server.path}},
	}))
}

// knock sends a SYN from an address of the client, and waits a little for an answer.
func (d *dropping) knock(t *testing.T, from netip.Addr) {
	t.Helper()
	d.client.do(t, func() error {
		dialer := net.Dialer{Timeout: 80 * time.Millisecond}
		if from.IsValid() {
			dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
		if c, err := dialer.Dial("tcp", netip.AddrPortFrom(d.server.v4, d.port).String()); err == nil {
			c.Close()
		}
		return nil
	})
}

// rules loads rules of nftables in a namespace.
func (n ns) rules(t *testing.T, format string, args ...any) {
	t.Helper()
	path := t.TempDir() + "/rules"
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	n.exec(t, "nft", "-f", path)
}

// counted is what the counter of the only rule of a namespace that has one says.
func (n ns) counted(t *testing.T) int {
	t.Helper()
	m := regexp.MustCompile(`counter packets (\d+)`).FindStringSubmatch(n.exec(t, "nft", "list", "ruleset"))
	if m == nil {
		t.Fatal("no counter")
	}
	v, _ := strconv.Atoi(m[1])
	return v
}

// dropped adds up the drops on a host for a reason, in packets of one kind.
func dropped(events []probe.Event, host, reason, packet string) (n int, last probe.Event) {
	for _, e := range pick(events, probe.PacketDrop, host) {
		if e.Reason == reason && e.Kernel.Packet == packet {
			n += int(e.Count)
			last = e
		}
	}
	return n, last
}

func showDrops(t *testing.T, events []probe.Event) {
	t.Helper()
	for _, e := range events {
		if e.Kind == probe.PacketDrop {
			t.Logf("%s: %d %s for %s: %+v", e.Host, e.Count, e.Kernel.Packet, e.Reason, *e.Kernel)
		}
	}
}

// A firewall on the way that drops, all or what exceeds a rate, is told with its
// hook and as often as its rule counts, and with table and chain where the kernel
// lets programs hang on its functions.
func TestDropsOfFirewalls(t *testing.T) {
	for name, rule := range map[string]string{
		"silent": "tcp dport %d tcp flags & (syn|ack) == syn counter drop",
		"rate":   "tcp dport %d tcp flags & (syn|ack) == syn limit rate over 1/minute burst 1 packets counter drop",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDropping(t)
			d.router.rules(t, "table inet guard { chain transit { type filter hook forward priority 0; "+rule+"; }; }", d.port)
			d.watch(t)
			for range 4 {
				d.knock(t, netip.Addr{})
			}
			events := d.stop()
			want := d.router.counted(t)
			n, last := dropped(events, "router", "NETFILTER_DROP", "SYN")
			if n != want || n < 3 {
				t.Errorf("%d drops told, the rule counted %d", n, want)
			}
			k := last.Kernel
			if n > 0 && (k.Hook != "FORWARD" || last.Local != netip.AddrPortFrom(d.server.v4, d.port) || last.Remote.Addr() != d.client.v4 || d.tables && (k.Table != "guard" || k.Chain != "transit")) {
				t.Errorf("%+v: %+v", last, k)
			}
			if t.Failed() {
				showDrops(t, events)
			}
		})
	}
}

// iptables' older kind has tables and hooks, and no base chains.
func TestDropsOfIptables(t *testing.T) {
	needTool(t, "iptables-legacy")
	d := newDropping(t)
	if out, err := exec.Command("nsenter", "--net="+d.server.path, "iptables-legacy", "-A", "INPUT", "-p", "tcp", "--dport", strconv.Itoa(int(d.port)), "-j", "DROP").CombinedOutput(); err != nil {
		t.Skipf("this kernel has no iptables of the older kind: %s", out)
	}
	d.watch(t)
	for range 3 {
		d.knock(t, netip.Addr{})
	}
	events := d.stop()
	n, last := dropped(events, "server", "NETFILTER_DROP", "SYN")
	if n < 3 || last.Kernel.Hook != "INPUT" || d.tables && last.Kernel.Table != "filter" {
		t.Errorf("%d: %+v", n, last.Kernel)
		showDrops(t, events)
	}
}

// A reverse-path filter is told as often as the kernel counts it.
func TestDropsOfReversePathFilter(t *testing.T) {
	d := newDropping(t)
	d.client.exec(t, "ip", "addr", "add", "10.77.0.1/32", "dev", "lo")
	d.router.exec(t, "ip", "route", "add", "10.77.0.1/32", "via", "10.99.0.2")
	d.server.exec(t, "ip", "link", "add", "away", "type", "veth", "peer", "name", "away2")
	d.server.exec(t, "ip", "link", "set", "away", "up")
	d.server.exec(t, "ip", "link", "set", "away2", "up")
	d.server.exec(t, "ip", "route", "add", "10.77.0.1/32", "dev", "away")
	d.server.exec(t, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.veth1.rp_filter=1")
	d.watch(t)
	for range 4 {
		d.knock(t, netip.MustParseAddr("10.77.0.1"))
	}
	events := d.stop()
	counted := d.server.snmp(t, "netstat", "IPReversePathFilter")
	n, last := dropped(events, "server", "IP_RPFILTER", "SYN")
	if n == 0 && counted > 0 && !slices.ContainsFunc(events, func(e probe.Event) bool { return e.Reason == "IP_RPFILTER" }) && !reasons(t) {
		t.Skip("this kernel gives no reason for it")
	}
	if n != counted || n < 3 || last.Kernel.Interface != "veth1" {
		t.Errorf("%d told, %d counted: %+v", n, counted, last.Kernel)
		showDrops(t, events)
	}
}

// reasons reports whether this kernel gives reasons for what it drops.
func reasons(t *testing.T) bool {
	t.Helper()
	p, err := openPrograms(TraceOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	return !slices.ContainsFunc(p.Missing(), func(u *probe.Unsupported) bool { return strings.HasPrefix(u.What, "reasons of dropped") })
}

// A way on that is too narrow, and a filter that drops the word of it: both show on
// the router.
func TestDropsOfTooBig(t *testing.T) {
	d := newDropping(t)
	d.router.exec(t, "ip", "link", "set", "veth0", "mtu", "1200")
	d.router.rules(t, "table ip deaf { chain out { type filter hook output priority 0; icmp type destination-unreachable counter drop; }; }")
	d.server.exec(t, "sysctl", "-qw", "net.ipv4.tcp_mtu_probing=0")
	d.watch(t)
	go func() {
		if c, err := d.listener.Accept(); err == nil {
			_, _ = c.Write(make([]byte, 20000))
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	d.client.do(t, func() error {
		// The client announces what its own interface takes, and hears little.
		c, err := (&net.Dialer{Timeout: time.Minute}).Dial("tcp", netip.AddrPortFrom(d.server.v4, d.port).String())
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		if n, err := io.ReadAll(c); err == nil || len(n) == 20000 {
			t.Errorf("%d bytes came through", len(n))
		}
		return nil
	})
	before := d.router.counted(t) // the server goes on sending
	events := d.stop()
	counted := d.router.counted(t)
	big, _ := dropped(events, "router", "PKT_TOO_BIG", "segment")
	silenced, last := dropped(events, "router", "NETFILTER_DROP", "packet-too-big")
	if reasons(t) && (silenced < before || silenced > counted || last.Kernel.Hook != "OUTPUT" || d.tables && last.Kernel.Table != "deaf") {
		t.Errorf("%d told, %d counted: %+v", silenced, counted, last.Kernel)
	}
	if counted == 0 {
		t.Error("nobody said that packets are too big")
	}
	t.Logf("%d segments too big, %d messages of it dropped", big, silenced)
	if t.Failed() {
		showDrops(t, events)
	}
}

// A translation to one port has room for one connection to a place; connection
// tracking refuses the next one, and its addresses are told.
func TestDropsOfTrackingInsert(t *testing.T) {
	d := newDropping(t)
	d.router.rules(t, "table ip nat { chain out { type nat hook postrouting priority 100; tcp dport %d snat to 10.99.1.1:5000; }; }", d.port)
	d.watch(t)
	go func() {
		for {
			c, err := d.listener.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	to := netip.AddrPortFrom(d.server.v4, d.port)
	first, err := d.client.dial(to)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for range 3 {
		d.knock(t, netip.Addr{})
	}
	failed := d.router.track(t, "insert_failed") + d.router.track(t, "drop")
	events := d.stop()
	want := "NETFILTER_DROP" // without a look into its functions the kernel says no more
	if d.tracking {
		want = "CONNTRACK_INSERT_FAILED"
	}
	n, last := dropped(events, "router", want, "SYN")
	if n < 3 || last.Remote.Addr() == (netip.Addr{}) || last.Local != to {
		t.Errorf("%d told, %d counted: %+v", n, failed, last)
		showDrops(t, events)
	}
	if !d.tracking && last.Kernel != nil && last.Kernel.Hook != "POSTROUTING" {
		t.Errorf("%+v", last.Kernel)
	}
	t.Logf("%d told, connection tracking counted %d", n, failed)
}

// A full table of connections: the limit is the machine's, so only a machine of its
// own can show it (`make kernels`).
func TestDropsOfTrackingFull(t *testing.T) {
	if os.Getenv("RAMPLOAD_OWN_KERNEL") == "" {
		t.Skip("changes nf_conntrack_max of the whole machine: runs in virtual machines, with RAMPLOAD_OWN_KERNEL=1")
	}
	d := newDropping(t)
	d.router.rules(t, "table ip stateful { chain transit { type filter hook forward priority 0; ct state invalid drop; }; }")
	if err := os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_max", []byte("4"), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := d.listener.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	d.watch(t)
	to := netip.AddrPortFrom(d.server.v4, d.port)
	for range 8 {
		d.client.do(t, func() error {
			c, err := (&net.Dialer{Timeout: 200 * time.Millisecond}).Dial("tcp", to.String())
			if err == nil {
				t.Cleanup(func() { c.Close() })
			}
			return nil
		})
	}
	counted := d.router.track(t, "drop")
	_ = os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_max", []byte("65536"), 0o600)
	events := d.stop()
	n, last := dropped(events, "router", "CONNTRACK_FULL", "SYN")
	if counted == 0 {
		t.Error("the table was never full")
	}
	if d.tracking && (n < counted || n == 0 || last.Kernel.Hook != "PREROUTING") {
		t.Errorf("%d told, %d counted: %+v", n, counted, last.Kernel)
	}
	if t.Failed() {
		showDrops(t, events)
	}
}

// track is a counter of connection tracking in a namespace, summed over its CPUs.
func (n ns) track(t *testing.T, name string) (sum int) {
	t.Helper()
	n.do(t, func() error {
		b, err := os.ReadFile("/proc/thread-self/net/stat/nf_conntrack")
		if err != nil {
			return err
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		at := slices.Index(strings.Fields(lines[0]), name)
		for _, cpu := range lines[1:] {
			if at >= 0 {
				v, _ := strconv.ParseUint(strings.Fields(cpu)[at], 16, 64)
				sum += int(v)
			}
		}
		return nil
	})
	return sum
}

// A queue of an interface that is full is told with the interface.
func TestDropsOfQueues(t *testing.T) {
	needTool(t, "tc")
	d := newDropping(t)
	// One packet fits; what comes while it is being sent slowly is dropped.
	if out, err := exec.Command("nsenter", "--net="+d.router.path, "tc", "qdisc", "add", "dev", "veth1", "root", "tbf", "rate", "8kbit", "burst", "200", "limit", "200").CombinedOutput(); err != nil {
		skip(t, "needs a queue of a limited rate: %s", out)
	}
	d.watch(t)
	d.client.do(t, func() error {
		fds := make([]int, 20)
		for i := range fds {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				return err
			}
			fds[i] = fd
			_ = unix.Connect(fd, &unix.SockaddrInet4{Port: int(d.port), Addr: d.server.v4.As4()})
		}
		_, _ = unix.Poll(nil, 50)
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		return nil
	})
	events := d.stop()
	if !reasons(t) {
		t.Skip("this kernel gives no reason for it")
	}
	n := 0
	for _, e := range pick(events, probe.PacketDrop, "router") {
		if strings.HasPrefix(e.Reason, "QDISC") && e.Kernel.Interface == "veth1" {
			n += int(e.Count)
		}
	}
	if n < 5 {
		t.Errorf("%d packets were dropped by the queue of veth1", n)
		showDrops(t, events)
	}
}
