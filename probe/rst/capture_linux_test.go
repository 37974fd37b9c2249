package rst

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/probetest"
	"github.com/rampload/rampload/probe/rst/bpf"
)

func needCapture(t testing.TB) {
	t.Helper()
	if err := NewCapture(CaptureOptions{}).Check(); errors.Is(err, probe.ErrUnsupported) {
		skip(t, "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
}

// eachCapture runs a test with programs in the kernel, and with packet sockets alone.
func eachCapture(t *testing.T, test func(t *testing.T, sockets bool)) {
	needCapture(t)
	t.Run("programs", func(t *testing.T) {
		p, err := bpf.OpenPackets(bpf.PacketOptions{})
		if errors.Is(err, probe.ErrUnsupported) {
			skip(t, "%v", err)
		} else if err != nil {
			t.Fatal(err)
		}
		p.Close()
		test(t, false)
	})
	t.Run("sockets", func(t *testing.T) { test(t, true) })
}

func TestCaptureContract(t *testing.T) {
	eachCapture(t, func(t *testing.T, sockets bool) {
		probetest.RunWatcher(t, func(t *testing.T) probe.Watcher {
			return NewCapture(CaptureOptions{Clock: probe.NewClock(time.Now()), Sockets: sockets})
		}, reset)
	})
}

// TestCaptureLoopback sees each reset once, from the client's side, though both
// ends and two copies of the packet are on the host.
func TestCaptureLoopback(t *testing.T) { eachCapture(t, captureLoopback) }

func captureLoopback(t *testing.T, sockets bool) {
	n := newNetwork(t)
	l := n.server.listen(t, netip.MustParseAddr("127.0.0.1"))
	serve(t, l, abort)
	to := addrPort(l.Addr())
	clock := probe.NewClock(time.Now())
	c := NewCapture(CaptureOptions{Clock: clock, Host: "server", Netns: n.server.path, Ports: []uint16{to.Port()}, Sockets: sockets})
	trace := NewTrace(TraceOptions{Clock: clock, Ports: []uint16{to.Port()}, Hosts: []Host{
		{Name: "client", Netns: n.client.path}, {Name: "server", Netns: n.server.path},
	}})
	w := watchAll(t, c, trace)
	for range 5 {
		if err := ask(t, n.server, to); err == nil {
			t.Error("no reset")
		}
	}
	packets := pick(w.stop(), probe.RSTPacket, "server")
	if len(packets) != 5 {
		t.Errorf("%d packets, want 5", len(packets))
	}
	for _, e := range packets {
		if e.Remote != to || !e.Packet.FromPeer || SenderClass(e.Reason) != SocketAborted {
			t.Error(show(e))
		}
	}
	// 127.0.0.1 is every namespace's, so who owns it cannot be told here; but no
	// reset is lost or doubled.
	kernel := 0
	for _, e := range w.events {
		if e.Packet == nil && (e.Local == to || e.Remote == to) {
			kernel++
		}
	}
	if kernel != 10 {
		t.Errorf("%d resets sent and received, want 10", kernel)
	}
}

// TestPcapng writes captured resets and reads them with gopacket and tshark.
func TestPcapng(t *testing.T) { eachCapture(t, pcapng) }

func pcapng(t *testing.T, sockets bool) {
	n := newNetwork(t)
	l := n.server.listen(t, n.server.v4)
	serve(t, l, abort)
	to := addrPort(l.Addr())
	c := NewCapture(CaptureOptions{
		Clock: probe.NewClock(time.Now()), Host: "client", Netns: n.client.path, Ports: []uint16{to.Port()}, Packets: 8, Sockets: sockets,
	})
	w := watchAll(t, c)
	const many = 12
	for range many {
		_ = ask(t, n.client, to)
	}
	events := w.stop()
	if len(events) != many || c.Kept() != 8 {
		t.Fatalf("%d events, %d kept", len(events), c.Kept())
	}
	number := map[netip.AddrPort]int{}
	for i, e := range events {
		number[e.Local] = i
	}
	var b bytes.Buffer
	err := c.WritePcapng(&b, func(local, remote netip.AddrPort, at time.Duration) string {
		if remote != to || at != events[number[local]].At {
			t.Errorf("comment asked for %v %v at %v", local, remote, at)
		}
		return fmt.Sprintf("attempt %d: reset", number[local])
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "resets.pcapng")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	r, err := pcapgo.NewNgReader(&b, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	want := []int{0, 1, 2, 3, 8, 9, 10, 11} // the first half and the latest
	for _, k := range want {
		data, info, err := r.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		p := gopacket.NewPacket(data, layers.LinkTypeLinuxSLL2, gopacket.Default)
		tcp, _ := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if tcp == nil || !tcp.RST || number[netip.AddrPortFrom(n.client.v4, uint16(tcp.DstPort))] != k {
			t.Errorf("packet %d: %v", k, p)
		}
		if age := time.Since(info.Timestamp); age < 0 || age > time.Minute {
			t.Errorf("packet %d is %v old", k, age)
		}
	}

	needTool(t, "tshark")
	out, err := exec.CommandContext(t.Context(), "tshark", "-r", path, "-Y", "tcp.flags.reset == 1",
		"-T", "fields", "-e", "frame.comment", "-e", "tcp.srcport", "-e", "sll.pkttype").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("tshark shows %d resets, want %d:\n%s", len(lines), len(want), out)
	}
	for i, line := range lines {
		expect := fmt.Sprintf("attempt %d: reset; socket-aborted: options of a live socket, TTL 63 as in the SYN-ACK\t%d\t0", want[i], to.Port())
		if line != expect {
			t.Errorf("tshark: %q, want %q", line, expect)
		}
	}
}

// Of more resets than are to be taken one by one none is lost: the others are
// counted, with the sender's class, and copies at a second interface are not.
func TestCaptureCounts(t *testing.T) { eachCapture(t, captureCounts) }

func captureCounts(t *testing.T, sockets bool) {
	n := newNetwork(t)
	l := n.server.listen(t, n.server.v4)
	serve(t, l, abort)
	to := addrPort(l.Addr())
	c := NewCapture(CaptureOptions{
		Clock: probe.NewClock(time.Now()), Host: "router", Netns: n.router.path, Ports: []uint16{to.Port()},
		MaxPerSecond: 3, Sockets: sockets,
	})
	w := watchAll(t, c)
	const many = 60
	var wait sync.WaitGroup
	for range many / 10 {
		wait.Go(func() {
			for range 10 {
				_ = ask(t, n.client, to)
			}
		})
	}
	wait.Wait()
	single, counted := 0, 0
	for _, e := range w.stop() {
		if e.Kind != probe.RSTPacket {
			t.Errorf("%+v", e)
			continue
		}
		// A router is neither end: Local is the end that the packet was going to.
		if e.Remote != to || e.Local.Addr() != n.client.v4 || SenderClass(e.Reason) != SocketAborted {
			t.Error(show(e))
		}
		if e.Local.Port() != 0 {
			single++
		} else {
			counted += int(e.Count)
		}
	}
	// Where a second begins one may be taken at one interface and counted at the other.
	if n := single + counted; n < many || n > many+3 || single == 0 || counted == 0 {
		t.Errorf("%d one by one and %d counted, want %d", single, counted, many)
	}
}

// An interface that comes while the capture runs is captured, too.
func TestCaptureFollowsInterfaces(t *testing.T) { eachCapture(t, captureFollowsInterfaces) }

func captureFollowsInterfaces(t *testing.T, sockets bool) {
	n := newNetwork(t)
	c := NewCapture(CaptureOptions{Clock: probe.NewClock(time.Now()), Host: "client", Netns: n.client.path, Sockets: sockets})
	w := watchAll(t, c)
	run(t, "ip", "link", "add", "late", "netns", pathName(n.client), "type", "veth", "peer", "name", "late", "netns", pathName(n.server))
	for addr, end := range map[string]ns{"10.98.0.1/24": n.client, "10.98.0.2/24": n.server} {
		end.exec(t, "ip", "addr", "add", addr, "dev", "late")
		end.exec(t, "ip", "link", "set", "late", "up")
	}
	l := n.server.listen(t, netip.MustParseAddr("10.98.0.2"))
	serve(t, l, abort)
	to := addrPort(l.Addr())
	for until := time.Now().Add(10 * time.Second); ; {
		if err := ask(t, n.client, to); err == nil {
			t.Fatal("no reset")
		}
		w.mu.Lock()
		seen := slices.ContainsFunc(w.events, func(e probe.Event) bool { return e.Remote == to })
		w.mu.Unlock()
		if seen {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the new interface was not captured")
		}
	}
	n.client.exec(t, "ip", "link", "del", "late")
	w.stop()
	if st := c.Status(); st.State != probe.Measured {
		t.Errorf("%+v", st)
	}
}

func TestKeeper(t *testing.T) {
	k := newKeeper(4)
	for i := range 11 {
		k.add(kept{length: i})
	}
	var got []int
	for _, p := range k.all() {
		got = append(got, p.length)
	}
	if fmt.Sprint(got) != "[0 1 9 10]" || k.dropped != 7 {
		t.Errorf("%v, %d dropped", got, k.dropped)
	}
}
