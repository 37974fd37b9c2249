package rst

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"

	"github.com/rampload/rampload/probe"
)

// tcpPacket builds an IP packet with gopacket.
func tcpPacket(t testing.TB, src, dst netip.AddrPort, ttl uint8, tcp layers.TCP, before ...gopacket.SerializableLayer) []byte {
	t.Helper()
	tcp.SrcPort, tcp.DstPort = layers.TCPPort(src.Port()), layers.TCPPort(dst.Port())
	var ip gopacket.SerializableLayer
	if src.Addr().Is4() {
		v4 := &layers.IPv4{Version: 4, TTL: ttl, Id: 77, Flags: layers.IPv4DontFragment, Protocol: layers.IPProtocolTCP, SrcIP: net.IP(src.Addr().AsSlice()), DstIP: net.IP(dst.Addr().AsSlice())}
		_ = tcp.SetNetworkLayerForChecksum(v4)
		ip = v4
	} else {
		v6 := &layers.IPv6{Version: 6, HopLimit: ttl, NextHeader: layers.IPProtocolTCP, SrcIP: net.IP(src.Addr().AsSlice()), DstIP: net.IP(dst.Addr().AsSlice())}
		_ = tcp.SetNetworkLayerForChecksum(v6)
		ip = v6
	}
	b := gopacket.NewSerializeBuffer()
	all := append(slices.Clone(before), ip, &tcp, gopacket.Payload("data"))
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	server6 = netip.MustParseAddrPort("[2001:db8::1]:80")
	client6 = netip.MustParseAddrPort("[2001:db8::2]:4711")
	mss     = layers.TCPOption{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 180}}
	nop     = layers.TCPOption{OptionType: layers.TCPOptionKindNop}
)

func vlan(b []byte) []byte { return append([]byte{0, 9, 0x08, 0x00}, b...) }

// extended puts a destination options header before the TCP header.
func extended(b []byte) []byte {
	b = slices.Insert(slices.Clone(b), 40, 6, 0, 1, 4, 0, 0, 0, 0)
	b[6] = 60
	return b
}

func TestDecodeSegment(t *testing.T) {
	rst := layers.TCP{RST: true, ACK: true, Window: 512, Seq: 7, Ack: 8}
	v4 := tcpPacket(t, server, client, 63, rst)
	v6 := tcpPacket(t, server6, client6, 63, rst)
	want4 := segment{src: server, dst: client, flags: flagRST | flagACK, window: 512, id: 77, df: true, ttl: 63, seq: 7, ack: 8}
	want6 := want4
	want6.src, want6.dst, want6.id = server6, client6, 0
	with := func(s segment, f func(*segment)) *segment { f(&s); return &s }
	options := rst
	options.Options = []layers.TCPOption{nop, mss}
	padded := rst
	padded.Options = []layers.TCPOption{nop, nop, nop}
	fragment := slices.Clone(v4)
	fragment[7] = 1
	udp := slices.Clone(v4)
	udp[9] = 17
	for _, tt := range []struct {
		name  string
		proto uint16
		data  []byte
		want  *segment
	}{
		{"IPv4", protoIPv4, v4, &want4},
		{"IPv6", protoIPv6, v6, &want6},
		{"options", protoIPv4, tcpPacket(t, server, client, 63, options), with(want4, func(s *segment) { s.hasOptions = true })},
		{"padding", protoIPv4, tcpPacket(t, server, client, 63, padded), &want4},
		{"VLAN", protoVLAN, vlan(v4), with(want4, func(s *segment) { s.network = 4 })},
		{"QinQ", protoQinQ, append([]byte{0, 9, 0x81, 0}, vlan(v4)...), with(want4, func(s *segment) { s.network = 8 })},
		{"extension header", protoIPv6, extended(v6), &want6},
		{
			"mapped", protoIPv6, tcpPacket(t, netip.AddrPortFrom(netip.AddrFrom16(server.Addr().As16()), 80), client6, 63, rst),
			with(want6, func(s *segment) { s.src = server }),
		},
		{"three tags", protoQinQ, append([]byte{0, 9, 0x81, 0, 0, 9, 0x81, 0}, vlan(v4)...), nil},
		{"fragment", protoIPv4, fragment, nil},
		{"UDP", protoIPv4, udp, nil},
		{"ARP", 0x0806, v4, nil},
		{"version", protoIPv6, v4, nil},
		{"empty", protoIPv4, nil, nil},
	} {
		got, ok := decodeSegment(tt.proto, tt.data)
		if ok != (tt.want != nil) || ok && got != *tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, ok, tt.want)
		}
	}
	for n := range v4[:40] {
		if _, ok := decodeSegment(protoIPv4, v4[:n]); ok {
			t.Errorf("decoded %d bytes", n)
		}
	}
}

func TestCaptureFilter(t *testing.T) {
	rst, synACK, syn, ack := layers.TCP{RST: true}, layers.TCP{SYN: true, ACK: true}, layers.TCP{SYN: true}, layers.TCP{ACK: true, PSH: true}
	optional := layers.TCP{RST: true, Options: []layers.TCPOption{mss}}
	many := make([]uint16, maxFilterPorts)
	for i := range many {
		many[i] = uint16(2000 + i)
	}
	for _, ports := range [][]uint16{nil, {80}, {79, 80, 81}, append(many[1:len(many):len(many)], 80), append(many, 1)} {
		raw, err := captureFilter(ports, 0)
		if err != nil {
			t.Fatal(err)
		}
		program, ok := bpf.Disassemble(raw)
		if !ok {
			t.Fatal("the program has unknown instructions")
		}
		free := len(ports) == 0 || len(ports) > maxFilterPorts
		for _, tt := range []struct {
			name  string
			proto uint16
			data  []byte
			want  bool
		}{
			{"RST", protoIPv4, tcpPacket(t, server, client, 64, rst), true},
			{"RST back", protoIPv4, tcpPacket(t, client, server, 64, rst), true},
			{"RST with options", protoIPv4, tcpPacket(t, client, server, 64, optional), true},
			{"SYN-ACK", protoIPv4, tcpPacket(t, server, client, 64, synACK), true},
			{"SYN", protoIPv4, tcpPacket(t, client, server, 64, syn), false},
			{"data", protoIPv4, tcpPacket(t, client, server, 64, ack), false},
			{"other port", protoIPv4, tcpPacket(t, stranger, client, 64, rst), free},
			{"RST over IPv6", protoIPv6, tcpPacket(t, server6, client6, 64, rst), true},
			{"data over IPv6", protoIPv6, tcpPacket(t, server6, client6, 64, ack), false},
			{"extension header", protoIPv6, extended(tcpPacket(t, server6, client6, 64, rst)), true},
			{"VLAN", protoVLAN, vlan(tcpPacket(t, server, client, 64, rst)), true},
			{"ARP", 0x0806, make([]byte, 60), false},
		} {
			for _, at := range []struct {
				pkttype, hatype uint32
				want            bool
			}{{0, 1, tt.want}, {packetOutgoing, 1, tt.want}, {0, arpLoopback, tt.want}, {packetOutgoing, arpLoopback, false}} {
				ext := map[bpf.Extension]uint32{bpf.ExtProto: uint32(tt.proto), bpf.ExtType: at.pkttype, bpf.ExtLinkLayerType: at.hatype}
				if got := runFilter(t, program, ext, tt.data) > 0; got != at.want {
					t.Errorf("%d ports, %s, packet type %d on link %d: %v, want %v", len(ports), tt.name, at.pkttype, at.hatype, got, at.want)
				}
			}
		}
	}
}

// Of SYN-ACKs a sample can be taken; every RST is.
func TestCaptureFilterSamples(t *testing.T) {
	raw, err := captureFilter([]uint16{80}, 3)
	if err != nil {
		t.Fatal(err)
	}
	program, _ := bpf.Disassemble(raw)
	rst := tcpPacket(t, server, client, 64, layers.TCP{RST: true})
	synACK := tcpPacket(t, server, client, 64, layers.TCP{SYN: true, ACK: true})
	taken := 0
	for chance := range uint32(64) {
		ext := map[bpf.Extension]uint32{bpf.ExtProto: protoIPv4, bpf.ExtLinkLayerType: 1, bpf.ExtRand: chance}
		if runFilter(t, program, ext, rst) == 0 {
			t.Fatal("a RST was left out")
		}
		if runFilter(t, program, ext, synACK) > 0 {
			taken++
		}
	}
	if taken != 8 {
		t.Errorf("%d of 64 SYN-ACKs were taken, want 8", taken)
	}
}

// runFilter runs the program in a virtual machine, which knows none of the
// extensions: constants stand in.
func runFilter(t *testing.T, program []bpf.Instruction, ext map[bpf.Extension]uint32, data []byte) int {
	t.Helper()
	program = slices.Clone(program)
	for i, ins := range program {
		if e, ok := ins.(bpf.LoadExtension); ok {
			program[i] = bpf.LoadConstant{Dst: bpf.RegA, Val: ext[e.Num]}
		}
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// see is what a packet socket's packets come to.
func see(f *flows, s segment, v vantage, at time.Duration) (local, remote netip.AddrPort, p probe.Packet, ok bool) {
	if s.flags&flagRST == 0 {
		f.answer(s, v)
		return
	}
	return f.take(s, v, at, f.remembered(s, v))
}

func TestFlows(t *testing.T) {
	const out, in = true, false
	eth := func(i int, outgoing bool) vantage { return vantage{ifindex: i, outgoing: outgoing} }
	lo := func(outgoing bool) vantage { return vantage{1, outgoing, true} }
	rst := segment{src: server, dst: client, flags: flagRST | flagACK, ttl: 60, id: 5, seq: 9}
	synACK := segment{src: server, dst: client, flags: flagSYN | flagACK, ttl: 60}
	fromClient := segment{src: client, dst: server, flags: flagRST, ttl: 64}
	type step struct {
		s  segment
		v  vantage
		at time.Duration
		n  int // events after this step
	}
	lower := func(s segment) segment { s.ttl--; return s }
	for name, steps := range map[string][]step{
		"one interface":                 {{rst, eth(2, in), 0, 1}, {rst, eth(2, in), 1, 2}},
		"forwarded by a router":         {{rst, eth(2, in), 0, 1}, {lower(rst), eth(3, out), 1, 1}, {rst, eth(2, in), 2, 2}, {lower(rst), eth(3, out), 3, 2}},
		"made by a router":              {{rst, eth(3, out), 0, 1}},
		"through a bridge":              {{rst, eth(4, in), 0, 1}, {rst, eth(5, in), 1, 1}, {rst, eth(2, out), 2, 1}},
		"the same again, later":         {{rst, eth(2, in), 0, 1}, {rst, eth(3, out), 2 * time.Second, 2}},
		"loopback":                      {{rst, lo(out), 0, 0}, {rst, lo(in), 1, 1}},
		"a SYN-ACK is not an event":     {{synACK, eth(2, in), 0, 0}},
		"a burst that arrives in order": {{rst, eth(2, in), 0, 1}, {rst, eth(2, in), 0, 2}, {rst, eth(3, out), 1, 2}, {rst, eth(3, out), 1, 2}},
	} {
		f, n := newFlows(10, nil), 0
		for i, s := range steps {
			if _, _, _, ok := see(f, s.s, s.v, s.at); ok {
				n++
			}
			if n != s.n {
				t.Errorf("%s: %d events after step %d, want %d", name, n, i, s.n)
			}
		}
	}

	f := newFlows(10, nil)
	see(f, synACK, eth(2, in), 0)
	see(f, lower(synACK), eth(3, out), 0)
	local, remote, p, _ := see(f, rst, eth(2, in), 0)
	if local != client || remote != server || !p.FromPeer || p.SynAckTTL != 60 || !p.SynAckFlow {
		t.Errorf("came in: %v %v %+v", local, remote, p)
	}
	other := rst
	other.dst = stranger
	if _, _, p, _ = see(f, other, eth(3, out), 0); p.SynAckTTL != 59 || p.SynAckFlow || p.FromPeer {
		t.Errorf("another flow of the server: %+v", p)
	}
	if local, remote, p, _ = see(f, fromClient, eth(2, out), 0); local != client || remote != server || p.FromPeer || p.SynAckTTL != 0 {
		t.Errorf("sent by the client: %v %v %+v", local, remote, p)
	}
	// On loopback the client's end is the local one, whoever sent.
	for _, ports := range [][]uint16{{80}, nil} {
		f = newFlows(10, ports)
		see(f, synACK, lo(in), 0)
		if local, _, p, _ = see(f, rst, lo(in), 0); local != client || !p.FromPeer {
			t.Errorf("ports %v, server's RST on loopback: %v %+v", ports, local, p)
		}
		if local, _, p, _ = see(f, fromClient, lo(in), 0); local != client || p.FromPeer {
			t.Errorf("ports %v, client's RST on loopback: %v %+v", ports, local, p)
		}
	}
}

func TestRecent(t *testing.T) {
	r := newRecent[int, int](3)
	for i := range 100 {
		r.put(i, i)
		if len(r.now)+len(r.old) > 6 {
			t.Fatalf("%d keys", len(r.now)+len(r.old))
		}
		for k := max(0, i-2); k <= i; k++ {
			if v, ok := r.get(k); !ok || v != k {
				t.Fatalf("key %d forgotten after %d", k, i)
			}
		}
	}
	if _, ok := r.get(1); ok {
		t.Error("nothing is forgotten")
	}
}

func FuzzSegment(f *testing.F) {
	rst := layers.TCP{RST: true, Options: []layers.TCPOption{mss}}
	v4, v6 := tcpPacket(f, server, client, 64, rst), tcpPacket(f, server6, client6, 64, rst)
	f.Add(uint16(protoIPv4), v4)
	f.Add(uint16(protoIPv6), v6)
	f.Add(uint16(protoIPv6), extended(v6))
	f.Add(uint16(protoVLAN), vlan(v4))
	f.Fuzz(func(t *testing.T, proto uint16, b []byte) {
		s, ok := decodeSegment(proto, b)
		if !ok || proto != protoIPv4 {
			return
		}
		// gopacket must agree on what we accept, as far as it decodes it.
		p := gopacket.NewPacket(b, layers.LayerTypeIPv4, gopacket.NoCopy)
		tcp, _ := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		if tcp == nil || ip == nil || p.ErrorLayer() != nil || int(ip.Length) != len(b) || int(ip.IHL) < 5 {
			return
		}
		if uint16(tcp.SrcPort) != s.src.Port() || tcp.Seq != s.seq || tcp.RST != (s.flags&flagRST != 0) || ip.TTL != s.ttl {
			t.Errorf("%+v, gopacket %+v", s, tcp)
		}
	})
}

func TestLinkHeader(t *testing.T) {
	b := link{proto: protoIPv4, ifindex: 3, hatype: 1, pkttype: 4, addr: []byte{1, 2, 3, 4, 5, 6}}.header(nil)
	if len(b) != sll2Length || binary.BigEndian.Uint16(b) != protoIPv4 || b[7] != 3 || b[10] != 4 || b[11] != 6 || b[17] != 6 || b[19] != 0 {
		t.Errorf("% x", b)
	}
}
