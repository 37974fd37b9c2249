package rst

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
