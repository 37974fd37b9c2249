package rst

import (
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/rst/tracefs"
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
		a.add(tracefs.Record{Kind: tracefs.Sent, At: 3000, Local: server, Remote: client, Reason: "TCP_STATE", State: "TCP_CLOSE"}, tracefs.Process{Pid: 7, Comm: "nginx"})
		a.add(tracefs.Record{Kind: tracefs.Received, At: 1000, Socket: 5, Local: client, Remote: server}, tracefs.Process{})
		a.add(tracefs.Record{Kind: tracefs.Closed, At: 2000, Socket: 5, Local: client, Remote: server, State: "TCP_SYN_SENT"}, tracefs.Process{})
		// Closed by its owner before: no closing follows at once.
		a.add(tracefs.Record{Kind: tracefs.Received, At: 5000, Socket: 6, Local: client, Remote: server}, tracefs.Process{})
		a.add(tracefs.Record{Kind: tracefs.Closed, At: 5000 + 2e6, Socket: 6, Local: client, Remote: server, State: "TCP_ESTABLISHED"}, tracefs.Process{})
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
	a.add(tracefs.Record{Kind: tracefs.Received, At: at, Socket: 5, Local: client, Remote: server}, tracefs.Process{})
	a.settle(time.Second+settleFor/2, false)
	if len(events) != 0 {
		t.Fatal("emitted before it settled")
	}
	a.add(tracefs.Record{Kind: tracefs.Closed, At: at + 1000, Socket: 5, State: "TCP_ESTABLISHED"}, tracefs.Process{})
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
		rec   tracefs.Record
		by    tracefs.Process
		ports []uint16
		want  string // host; "-" dropped
	}{
		{"address", tracefs.Record{Local: client, Remote: server}, tracefs.Process{}, nil, "client"},
		{"shared address, served port", tracefs.Record{Local: lo(80), Remote: lo(5000)}, tracefs.Process{}, nil, "server"},
		{"shared address, other port", tracefs.Record{Local: lo(5000), Remote: lo(80)}, tracefs.Process{}, nil, "client"},
		{"shared address, namespace known", tracefs.Record{Local: lo(5000), Remote: lo(80)}, tracefs.Process{Net: 2}, nil, "server"},
		{"another loopback address", tracefs.Record{Local: netip.MustParseAddrPort("127.0.0.5:80"), Remote: lo(5000)}, tracefs.Process{}, nil, "server"},
		{"listener on any address", tracefs.Record{Local: netip.MustParseAddrPort("0.0.0.0:80"), Remote: netip.MustParseAddrPort("0.0.0.0:0")}, tracefs.Process{}, nil, "server"},
		{"unknown listener of a watched port", tracefs.Record{Local: netip.MustParseAddrPort("0.0.0.0:81")}, tracefs.Process{}, []uint16{81}, ""},
		{"only the remote end is known", tracefs.Record{Local: stranger, Remote: client}, tracefs.Process{}, nil, ""},
		{"strangers", tracefs.Record{Local: stranger, Remote: stranger}, tracefs.Process{}, nil, "-"},
		{"port watched", tracefs.Record{Local: client, Remote: server}, tracefs.Process{}, []uint16{80}, "client"},
		{"port not watched", tracefs.Record{Local: client, Remote: server, Reason: "TCP_STATE"}, tracefs.Process{}, []uint16{443}, "-"},
		{"port changed by a NAT", tracefs.Record{Local: client, Remote: stranger, Reason: noSocket}, tracefs.Process{}, []uint16{443}, "client"},
	} {
		events := assemble(twoHosts(), tt.ports, func(a *assembler) { a.add(tt.rec, tt.by) })
		switch {
		case len(events) == 0 && tt.want != "-":
			t.Errorf("%s: dropped", tt.name)
		case len(events) == 1 && events[0].Host != tt.want:
			t.Errorf("%s: host %q, want %q", tt.name, events[0].Host, tt.want)
		}
	}
	if e := assemble(nil, nil, func(a *assembler) { a.add(tracefs.Record{Local: stranger}, tracefs.Process{}) }); len(e) != 1 || e[0].Host != "here" {
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
	// What the kernel has counted without the client's port keeps the server's.
	events = nil
	l = newLimiter(1, nil, func(e probe.Event) { events = append(events, e) })
	for range 2 {
		l.add(probe.Event{Kind: probe.RSTSent, At: time.Second, Host: "server", Local: server, Remote: peer(0), Reason: "TCP_STATE"})
		l.add(probe.Event{Kind: probe.RSTSent, At: time.Second, Host: "server", Local: server, Remote: netip.AddrPortFrom(client.Addr(), 0), Reason: "TCP_STATE", Count: 3})
	}
	l.flush()
	for _, e := range events {
		if e.Local != server {
			t.Errorf("%s", show(e))
		}
	}
	if total(events) != 8 {
		t.Errorf("%d counted, want 8", total(events))
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
	l = newLimiter(2, []uint16{80}, func(e probe.Event) {
		if e.Local != server {
			t.Errorf("%s is not of the service", show(e))
		}
	})
	for i := range 2 * maxGroups {
		l.add(probe.Event{Kind: probe.Retransmit, At: 2 * time.Second, Host: "server", Local: server, Remote: peer(i)})
	}
	l.flush()
}
