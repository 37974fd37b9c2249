package bpf

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/rampload/rampload/probe"
)

func openForTest(t *testing.T, o PacketOptions) *Packets {
	t.Helper()
	p, err := OpenPackets(o)
	if u := (*probe.Unsupported)(nil); errors.As(err, &u) {
		if strings.Contains(u.Needs, "CAP_") {
			skip(t, "%v", err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// frame is a TCP segment over Ethernet.
type frame struct {
	from, to netip.AddrPort
	flags    byte
	ttl      byte
	options  []byte // of TCP, multiples of 4 bytes
	between  []byte // of IPv6: extension headers, the first a destination header
	vlan     bool
}

func (f frame) bytes() []byte {
	b := make([]byte, 12, 128)
	b[11] = 9 // of the sender's address
	v4 := f.from.Addr().Is4()
	protocol := uint16(0x86DD)
	if v4 {
		protocol = 0x0800
	}
	if f.vlan {
		b = append(b, 0x81, 0, 0, 5)
	}
	b = binary.BigEndian.AppendUint16(b, protocol)
	tcp := make([]byte, 20, 60)
	binary.BigEndian.PutUint16(tcp, f.from.Port())
	binary.BigEndian.PutUint16(tcp[2:], f.to.Port())
	tcp[12], tcp[13] = byte(5+len(f.options)/4)<<4, f.flags
	tcp = append(tcp, f.options...)
	if v4 {
		ip := make([]byte, 20)
		ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, f.ttl, 6
		binary.BigEndian.PutUint16(ip[2:], uint16(20+len(tcp)))
		copy(ip[12:], f.from.Addr().AsSlice())
		copy(ip[16:], f.to.Addr().AsSlice())
		b = append(b, ip...)
	} else {
		ip := make([]byte, 40)
		ip[0], ip[6], ip[7] = 0x60, 6, f.ttl
		if len(f.between) > 0 {
			ip[6] = 60
		}
		binary.BigEndian.PutUint16(ip[4:], uint16(len(f.between)+len(tcp)))
		copy(ip[8:], f.from.Addr().AsSlice())
		copy(ip[24:], f.to.Addr().AsSlice())
		b = append(append(b, ip...), f.between...)
	}
	return append(b, tcp...)
}

// The programs take RSTs of the ports, remember SYN-ACKs, and let everything pass.
func TestPacketPrograms(t *testing.T) {
	p := openForTest(t, PacketOptions{Ports: []uint16{80}, Flows: 64})
	if !p.tcx {
		t.Skip("this kernel has no tcx")
	}
	const fin, syn, rst, ack = 1, 2, 4, 16
	server, client := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:4711")
	other := netip.MustParseAddrPort("10.0.0.2:4712")
	server6, client6 := netip.MustParseAddrPort("[fd00::1]:80"), netip.MustParseAddrPort("[fd00::2]:4711")
	stranger := netip.MustParseAddrPort("10.0.0.1:81")
	destination := []byte{6, 0, 1, 4, 0, 0, 0, 0}
	for _, tt := range []struct {
		name string
		frame
		taken bool
		Handshake
	}{
		{"data", frame{from: client, to: server, flags: ack, ttl: 64}, false, Handshake{}},
		{"RST of an unknown flow", frame{from: server, to: client, flags: rst, ttl: 64}, true, Handshake{}},
		{"SYN-ACK", frame{from: server, to: client, flags: syn | ack, ttl: 60}, false, Handshake{}},
		{"RST of the server", frame{from: server, to: client, flags: rst | ack, ttl: 60}, true, Handshake{60, 60, false}},
		{"RST of the client", frame{from: client, to: server, flags: rst, ttl: 64}, true, Handshake{0, 0, true}},
		{"RST of another flow", frame{from: server, to: other, flags: rst, ttl: 60}, true, Handshake{0, 60, false}},
		{"RST with options", frame{from: server, to: client, flags: rst, ttl: 60, options: []byte{1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0}}, true, Handshake{60, 60, false}},
		{"RST of another port", frame{from: stranger, to: other, flags: rst, ttl: 64}, false, Handshake{}},
		{"end of a connection", frame{from: server, to: client, flags: fin | ack, ttl: 64}, false, Handshake{}},
		{"SYN-ACK over IPv6", frame{from: server6, to: client6, flags: syn | ack, ttl: 61}, false, Handshake{}},
		{"RST over IPv6", frame{from: server6, to: client6, flags: rst, ttl: 64}, true, Handshake{61, 61, false}},
		{"RST behind an extension header", frame{from: server6, to: client6, flags: rst, ttl: 64, between: destination}, true, Handshake{61, 61, false}},
		{"data behind an extension header", frame{from: server6, to: client6, flags: ack, ttl: 64, between: destination}, false, Handshake{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := tt.bytes()
			code, err := p.coll.Programs["on_ingress"].Run(&ebpf.RunOptions{Data: append(raw, make([]byte, max(0, 60-len(raw)))...)})
			if err != nil {
				t.Fatal(err)
			}
			if int32(code) != -1 {
				t.Errorf("the packet would not pass: %d", int32(code))
			}
			n := 0
			err = p.Read(func(c Captured) {
				n++
				if c.Handshake != tt.Handshake || c.Outgoing || c.Length != len(raw)-14 || string(c.Data) != string(raw[14:]) || c.Hardware[5] != 9 {
					t.Errorf("%+v", c)
				}
			}, func(c CapturedCount) { t.Errorf("counted: %+v", c) })
			if err != nil || n > 1 || n == 1 != tt.taken {
				t.Errorf("%d taken, want %v (%v)", n, tt.taken, err)
			}
		})
	}
}

// RSTs beyond those taken whole are counted with what tells their sender.
func TestPacketProgramsCount(t *testing.T) {
	p := openForTest(t, PacketOptions{Ports: []uint16{80}, PerSecond: 2})
	if !p.tcx {
		t.Skip("this kernel has no tcx")
	}
	server := netip.MustParseAddrPort("10.0.0.1:80")
	whole, counted := 0, map[bool]uint64{}
	for i := range 100 {
		f := frame{from: server, to: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(1000+i)), flags: 4, ttl: 64}
		switch i % 4 {
		case 0:
			f.options = []byte{1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0}
		case 1:
			f.options = []byte{1, 1, 1, 0} // padding alone
		}
		if _, err := p.coll.Programs["on_ingress"].Run(&ebpf.RunOptions{Data: f.bytes()}); err != nil {
			t.Fatal(err)
		}
	}
	err := p.Read(func(Captured) { whole++ }, func(c CapturedCount) {
		if c.Source != server || c.Dest.Port() != 0 || c.Flags != 4 || c.TTL != 64 || !c.DF || c.HasID || c.HasWindow {
			t.Errorf("%+v", c)
		}
		counted[c.HasOptions] += c.Count
	})
	lost, lerr := p.Lost()
	if err != nil || lerr != nil || lost > 0 {
		t.Error(err, lerr, lost)
	}
	if whole < 2 || uint64(whole)+counted[true]+counted[false] != 100 || counted[true] > 25 || counted[true] < 10 {
		t.Errorf("%d whole, %v counted", whole, counted)
	}
}
