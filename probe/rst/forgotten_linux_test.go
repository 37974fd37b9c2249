package rst

import (
	"io"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// TestLiveForgotten loses the RST of an aborted connection on the way, so that
// the client goes on and the listener resets it again: it does not know whom.
func TestLiveForgotten(t *testing.T) { eachWay(t, liveForgotten) }

func liveForgotten(t *testing.T, byTracefs bool) {
	needTool(t, "iptables")
	n := newNetwork(t)
	n.tracefs = byTracefs
	// The client must not ask again while rules change, which takes a busy machine
	// longer than the usual 200 ms.
	n.client.exec(t, "sysctl", "-qw", "net.ipv4.tcp_early_retrans=0")
	n.client.exec(t, "ip", "route", "change", "default", "via", "10.99.0.1", "rto_min", "20s")
	l := n.server.listen(t, n.server.v4)
	aborted := make(chan struct{})
	serve(t, l, func(c *net.TCPConn) {
		abort(c)
		aborted <- struct{}{}
	})
	to := addrPort(l.Addr())
	s := newScene(t, n, to.Port())
	const many = 5
	port := strconv.Itoa(int(to.Port()))
	lose := []string{"FORWARD", "-p", "tcp", "--sport", port, "--tcp-flags", "RST", "RST", "-j", "DROP"}
	for range many {
		n.router.exec(t, append([]string{"iptables", "-A"}, lose...)...)
		c, err := n.client.dial(to)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(3 * time.Second))
		_, _ = c.Write([]byte("x"))
		<-aborted
		n.router.exec(t, append([]string{"iptables", "-D"}, lose...)...)
		_, _ = c.Write([]byte("y"))
		if _, err := io.ReadAll(c); err == nil {
			t.Error("no reset")
		}
		c.Close()
	}
	outRsts := s.sentByServer(t)
	events := s.stop()
	sent := map[string]int{}
	for _, e := range pick(events, probe.RSTSent, "server") {
		sent[e.Reason+" "+e.State]++
		if e.Local != to || e.Remote.Addr() != n.client.v4 || e.Remote.Port() == 0 {
			t.Errorf("ends: %s", show(e))
		}
	}
	if sent["TCP_STATE TCP_CLOSE"] != many || sent["TCP_FLAGS TCP_LISTEN"] != many || outRsts != 2*many {
		t.Errorf("sent %v, OutRsts %d", sent, outRsts)
	}
	classes := map[string]int{}
	for _, e := range pick(events, probe.RSTPacket, "client") {
		classes[e.Reason]++
	}
	if len(classes) != 1 || classes[string(SocketGone)] != many {
		t.Errorf("packets %v", classes)
	}
	if got := total(pick(events, probe.RSTReceived, "client")); got != many {
		t.Errorf("%d received, want %d", got, many)
	}
	if t.Failed() {
		for _, e := range events {
			t.Log(show(e))
		}
	}
}

// TestLiveLateData sends to a server that has closed: its kernel resets, and no
// process is to blame.
func TestLiveLateData(t *testing.T) { eachWay(t, liveLateData) }

func liveLateData(t *testing.T, byTracefs bool) {
	n := newNetwork(t)
	n.tracefs = byTracefs
	l := n.server.listen(t, n.server.v4)
	serve(t, l, func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 1))
		c.Close()
	})
	to := addrPort(l.Addr())
	s := newScene(t, n, to.Port())
	const many = 10
	for range many {
		c, err := n.client.dial(to)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(3 * time.Second))
		_, _ = c.Write([]byte("x"))
		_, _ = io.ReadAll(c) // until the FIN
		_, _ = c.Write([]byte("y"))
		if err := socketError(c); err != unix.EPIPE {
			t.Errorf("socket error %v, want %v", err, unix.EPIPE)
		}
		c.Close()
	}
	outRsts := s.sentByServer(t)
	events := s.stop()
	sent := pick(events, probe.RSTSent, "server")
	if total(sent) != many || outRsts != many {
		t.Errorf("%d sent, OutRsts %d, want %d", total(sent), outRsts, many)
	}
	for _, e := range sent {
		// Which of the two depends on how far the server's end has closed.
		late := e.Reason == "TCP_ABORT_ON_DATA" && e.State == "TCP_CLOSE" || e.Reason == "TCP_TIMEWAIT_SOCKET" && e.State == "TCP_TIME_WAIT"
		if !late || e.PID != 0 || e.Comm != "" {
			t.Error(show(e))
		}
	}
	packets := pick(events, probe.RSTPacket, "client")
	for _, e := range packets {
		if SenderClass(e.Reason) != SocketGone {
			t.Error(show(e))
		}
	}
	received := pick(events, probe.RSTReceived, "client")
	for _, e := range received {
		if e.State != "TCP_CLOSE_WAIT" {
			t.Error(show(e))
		}
	}
	if total(packets) != many || total(received) != many {
		t.Errorf("%d packets, %d received, want %d", total(packets), total(received), many)
	}
}

// socketError waits until the kernel has noted an error on the connection.
func socketError(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var found error
	for deadline := time.Now().Add(3 * time.Second); found == nil && time.Now().Before(deadline); {
		_ = raw.Control(func(fd uintptr) {
			if n, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); n != 0 {
				found = syscall.Errno(n)
			}
		})
	}
	return found
}

// TestLiveRetransmit counts retransmissions as the kernel does.
func TestLiveRetransmit(t *testing.T) { eachWay(t, liveRetransmit) }

func liveRetransmit(t *testing.T, byTracefs bool) {
	needTool(t, "iptables")
	n := newNetwork(t)
	n.tracefs = byTracefs
	l := n.server.listen(t, n.server.v4)
	serve(t, l, listenOnly)
	to := addrPort(l.Addr())
	c, err := n.client.dial(to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := newScene(t, n, to.Port())
	before := n.client.snmp(t, "snmp", "RetransSegs")
	n.router.exec(t, "iptables", "-A", "FORWARD", "-p", "tcp", "--dport", strconv.Itoa(int(to.Port())), "-j", "DROP")
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); n.client.snmp(t, "snmp", "RetransSegs")-before < 2 && time.Now().Before(deadline); {
	}
	// The next one arrives, and then there are no more while we count.
	n.router.exec(t, "iptables", "-F")
	acknowledged(t, c)
	sent := n.client.snmp(t, "snmp", "RetransSegs") - before
	events := pick(s.stop(), probe.Retransmit, "client")
	if sent == 0 || total(events) != sent {
		t.Errorf("%d retransmissions seen, the kernel sent %d", total(events), sent)
	}
	for _, e := range events {
		if e.Local != addrPort(c.LocalAddr()) || e.Remote != to || e.State != "TCP_ESTABLISHED" {
			t.Errorf("%s", show(e))
		}
	}
}

// acknowledged waits until the peer has everything that was sent.
func acknowledged(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	for deadline := time.Now().Add(20 * time.Second); info == nil || info.Unacked > 0; {
		_ = raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("not acknowledged: %+v, %v", info, err)
		}
	}
}
