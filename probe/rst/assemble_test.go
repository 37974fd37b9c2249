package rst

import (
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

var (
	server   = netip.MustParseAddrPort("10.0.0.1:80")
	client   = netip.MustParseAddrPort("10.0.0.2:4711")
	stranger = netip.MustParseAddrPort("192.0.2.9:1024")
)

// assemble runs records through an assembler and returns its events.
func assemble(hosts []placed, ports []uint16, add func(a *assembler)) []probe.Event {
	var events []probe.Event
	a := &assembler{
		source: probe.Source{Host: "here", Name: traceName}, hosts: hosts, ports: ports,
		limit: newLimiter(1000, ports, func(e probe.Event) { events = append(events, e) }),
	}
	add(a)
	a.settle(time.Hour, true)
	return events
}

func twoHosts() []placed {
	return []placed{
		{Host: Host{Name: "client", Addrs: []netip.Addr{client.Addr(), netip.MustParseAddr("127.0.0.1")}}, inode: 1},
		{Host: Host{Name: "server", Addrs: []netip.Addr{server.Addr(), netip.MustParseAddr("127.0.0.1")}, Ports: []uint16{80}}, inode: 2},
	}
}

func TestAssembleOrderAndState(t *testing.T) {
	events := assemble(twoHosts(), nil, func(a *assembler) {
		// As two CPUs deliver them, one after the other.
		a.add(record{kind: recordSent, at: 3000, local: server, remote: client, reason: "TCP_STATE", state: "TCP_CLOSE"}, process{pid: 7, comm: "nginx"})
		a.add(record{kind: recordReceived, at: 1000, socket: 5, local: client, remote: server}, process{})
		a.add(record{kind: recordClosed, at: 2000, socket: 5, local: client, remote: server, state: "TCP_SYN_SENT"}, process{})
		// Closed by its owner before: no closing follows at once.
		a.add(record{kind: recordReceived, at: 5000, socket: 6, local: client, remote: server}, process{})
		a.add(record{kind: recordClosed, at: 5000 + 2e6, socket: 6, local: client, remote: server, state: "TCP_ESTABLISHED"}, process{})
	})
	want := []probe.Event{
		{Kind: probe.RSTReceived, At: 1000, Host: "client", Local: client, Remote: server, State: "TCP_SYN_SENT"},
		{Kind: probe.RSTSent, At: 3000, Host: "server", Local: server, Remote: client, Reason: "TCP_STATE", State: "TCP_CLOSE", PID: 7, Comm: "nginx"},
		{Kind: probe.RSTReceived, At: 5000, Host: "client", Local: client, Remote: server},
	}
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d", len(events), len(want))
	}
	for i, e := range events {
		want[i].Source = e.Source
		if e != want[i] {
			t.Errorf("event %d: %s\nwant %s", i, show(e), show(want[i]))
		}
	}
}

// A closing that is read later than its reset is waited for.
func TestAssembleSettles(t *testing.T) {
	var events []probe.Event
	a := &assembler{limit: newLimiter(10, nil, func(e probe.Event) { events = append(events, e) })}
	at := uint64(time.Second)
	a.add(record{kind: recordReceived, at: at, socket: 5, local: client, remote: server}, process{})
	a.settle(time.Second+settleFor/2, false)
	if len(events) != 0 {
		t.Fatal("emitted before it settled")
	}
	a.add(record{kind: recordClosed, at: at + 1000, socket: 5, state: "TCP_ESTABLISHED"}, process{})
	a.settle(time.Second+2*settleFor, false)
	a.settle(time.Second+3*settleFor, true)
	if len(events) != 1 || events[0].State != "TCP_ESTABLISHED" {
		t.Errorf("%v", events)
	}
}

func TestPlace(t *testing.T) {
	lo := func(port uint16) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	}
	for _, tt := range []struct {
		name  string
		rec   record
		by    process
		ports []uint16
		want  string // host; "-" dropped
	}{
		{"address", record{local: client, remote: server}, process{}, nil, "client"},
		{"shared address, served port", record{local: lo(80), remote: lo(5000)}, process{}, nil, "server"},
		{"shared address, other port", record{local: lo(5000), remote: lo(80)}, process{}, nil, "client"},
		{"shared address, namespace known", record{local: lo(5000), remote: lo(80)}, process{net: 2}, nil, "server"},
		{"another loopback address", record{local: netip.MustParseAddrPort("127.0.0.5:80"), remote: lo(5000)}, process{}, nil, "server"},
		{"listener on any address", record{local: netip.MustParseAddrPort("0.0.0.0:80"), remote: netip.MustParseAddrPort("0.0.0.0:0")}, process{}, nil, "server"},
		{"unknown listener of a watched port", record{local: netip.MustParseAddrPort("0.0.0.0:81")}, process{}, []uint16{81}, ""},
		{"only the remote end is known", record{local: stranger, remote: client}, process{}, nil, ""},
		{"strangers", record{local: stranger, remote: stranger}, process{}, nil, "-"},
		{"port watched", record{local: client, remote: server}, process{}, []uint16{80}, "client"},
		{"port not watched", record{local: client, remote: server, reason: "TCP_STATE"}, process{}, []uint16{443}, "-"},
		{"port changed by a NAT", record{local: client, remote: stranger, reason: noSocket}, process{}, []uint16{443}, "client"},
	} {
		events := assemble(twoHosts(), tt.ports, func(a *assembler) { a.add(tt.rec, tt.by) })
		switch {
		case len(events) == 0 && tt.want != "-":
			t.Errorf("%s: dropped", tt.name)
		case len(events) == 1 && events[0].Host != tt.want:
			t.Errorf("%s: host %q, want %q", tt.name, events[0].Host, tt.want)
		}
	}
	if e := assemble(nil, nil, func(a *assembler) { a.add(record{local: stranger}, process{}) }); len(e) != 1 || e[0].Host != "here" {
		t.Errorf("without hosts: %v", e)
	}
}

func TestFillPeers(t *testing.T) {
	any80, none := netip.MustParseAddrPort("0.0.0.0:80"), netip.MustParseAddrPort("0.0.0.0:0")
	peer := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(client.Addr(), port) }
	sent := func(at time.Duration, local, remote netip.AddrPort) probe.Event {
		return probe.Event{Kind: probe.RSTSent, At: at, Host: "server", Local: local, Remote: remote}
	}
	received := func(at time.Duration, port uint16) probe.Event {
		return probe.Event{Kind: probe.RSTReceived, At: at, Host: "client", Local: peer(port), Remote: server}
	}
	packet := func(at time.Duration, port uint16) probe.Event {
		return probe.Event{Kind: probe.RSTPacket, At: at, Host: "server", Local: server, Remote: peer(port), Packet: &probe.Packet{}}
	}
	const µs = time.Microsecond
	for _, tt := range []struct {
		name   string
		events []probe.Event
		want   []uint16 // peer ports of the sent events in order, 0 unknown
	}{
		{"in order", []probe.Event{received(130*µs, 2), received(120*µs, 1), sent(100*µs, any80, none), sent(105*µs, server, none)}, []uint16{1, 2}},
		{"interleaved packets are exact", []probe.Event{
			sent(100*µs, any80, none), packet(103*µs, 1), sent(106*µs, any80, none), packet(109*µs, 2),
			received(120*µs, 2), received(121*µs, 1),
		}, []uint16{1, 2}},
		{"a second RST to a peer that is gone", []probe.Event{
			sent(100*µs, any80, none), packet(103*µs, 1), received(110*µs, 1), sent(120*µs, any80, none), packet(123*µs, 1),
			sent(900*µs, any80, none), packet(903*µs, 2), received(910*µs, 2),
		}, []uint16{1, 1, 2}},
		{"too late", []probe.Event{sent(0, any80, none), received(3*time.Millisecond, 1)}, []uint16{0}},
		{"before", []probe.Event{sent(time.Second, any80, none), received(time.Second-time.Millisecond, 1)}, []uint16{0}},
		{"accounted for by a socket", []probe.Event{sent(0, any80, none), received(10*µs, 1), sent(20*µs, server, peer(1))}, []uint16{0, 1}},
		{"another port", []probe.Event{sent(0, netip.MustParseAddrPort("0.0.0.0:81"), none), received(10*µs, 1)}, []uint16{0}},
		{"another address", []probe.Event{sent(0, netip.MustParseAddrPort("10.9.9.9:80"), none), received(10*µs, 1)}, []uint16{0}},
	} {
		FillPeers(tt.events, PeerTolerance)
		k := 0
		for _, e := range tt.events {
			if e.Kind != probe.RSTSent {
				continue
			}
			if e.Remote.Port() != tt.want[k] || tt.want[k] != 0 && e.Local != server {
				t.Errorf("%s: %s, want peer port %d", tt.name, show(e), tt.want[k])
			}
			k++
		}
	}
}

func TestLimiter(t *testing.T) {
	var events []probe.Event
	l := newLimiter(2, []uint16{80}, func(e probe.Event) { events = append(events, e) })
	peer := func(i int) netip.AddrPort { return netip.AddrPortFrom(client.Addr(), uint16(20000+i)) }
	for i := range 5 {
		at := time.Duration(i) * time.Millisecond
		l.add(probe.Event{Kind: probe.RSTSent, At: at, Host: "server", Local: server, Remote: peer(i), Reason: "TCP_STATE"})
		l.add(probe.Event{Kind: probe.Retransmit, At: at, Host: "server", Local: server, Remote: peer(i % 2)})
	}
	l.add(probe.Event{Kind: probe.RSTSent, At: time.Second, Host: "server", Local: server, Remote: peer(9), Reason: "TCP_STATE"})
	if len(events) != 3 {
		t.Fatalf("%d events before the flush, want 3", len(events))
	}
	l.flush()
	l.flush()
	var got []string
	for _, e := range events {
		got = append(got, show(e))
	}
	if len(events) != 6 || total(pick(events, probe.RSTSent, "server")) != 6 || total(pick(events, probe.Retransmit, "server")) != 5 {
		t.Fatalf("%q", got)
	}
	if e := events[5]; e.Kind != probe.RSTSent || e.Count != 3 || e.At != 2*time.Millisecond || e.Remote.Port() != 0 || e.Local != server {
		t.Errorf("%s", show(e))
	}
	// A flood of connections costs bounded memory and loses no count.
	events = nil
	for i := range 3 * maxGroups {
		l.add(probe.Event{Kind: probe.Retransmit, At: 2 * time.Second, Host: "server", Local: server, Remote: peer(i)})
	}
	if len(l.groups) > maxGroups+1 {
		t.Errorf("%d groups", len(l.groups))
	}
	l.flush()
	if total(events) != 3*maxGroups {
		t.Errorf("%d counted, want %d", total(events), 3*maxGroups)
	}
}
