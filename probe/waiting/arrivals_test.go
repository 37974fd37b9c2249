package waiting

import (
	"math"
	"net/netip"
	"testing"
)

// reading is one dump: what came in on each connection of a port, and PassiveOpens.
type reading struct {
	opens float64
	conns map[uint16]map[uint16]uint32 // by the service's port, and the client's: segments in
}

// Requests are counted on connections that stay, on those that come and go, and on ports
// that are used again.
func TestArrivals(t *testing.T) {
	on := func(ports map[uint16]uint32) map[uint16]map[uint16]uint32 {
		return map[uint16]map[uint16]uint32{80: ports}
	}
	for _, tt := range []struct {
		name     string
		readings []reading
		want     map[uint16]float64
	}{
		{"what was there before does not count", []reading{{100, on(map[uint16]uint32{1: 50})}}, map[uint16]float64{80: 0}},
		{"a connection that stays", []reading{{100, on(map[uint16]uint32{1: 50})}, {100, on(map[uint16]uint32{1: 62})}}, map[uint16]float64{80: 12}},
		{"a new one that was seen counts once", []reading{{100, nil}, {101, on(map[uint16]uint32{7: 3})}}, map[uint16]float64{80: 3}},
		{"those that nobody saw", []reading{{100, nil}, {150, on(map[uint16]uint32{7: 1})}}, map[uint16]float64{80: 50}},
		{"a port that is used again", []reading{{9, on(map[uint16]uint32{1: 50})}, {10, on(map[uint16]uint32{1: 2})}}, map[uint16]float64{80: 2}},
		{"divided as the new ones are", []reading{
			{100, nil},
			{108, map[uint16]map[uint16]uint32{80: {1: 1, 2: 1, 3: 1}, 90: {1: 1}}},
			{188, map[uint16]map[uint16]uint32{80: {1: 1, 2: 1, 3: 1}, 90: {1: 1}}},
		}, map[uint16]float64{80: 6 + 60, 90: 2 + 20}},
		{"many requests each, gone before they are seen twice", []reading{
			{100, nil}, {104, on(map[uint16]uint32{1: 40, 2: 60})}, {104, nil},
		}, map[uint16]float64{80: 100 + 2*99 + (99 - 40) + (99 - 60)}},
		{"without the kernel's counter", []reading{{math.NaN(), nil}, {math.NaN(), on(map[uint16]uint32{7: 3})}}, map[uint16]float64{80: 3}},
	} {
		tl := newTally()
		at := netip.MustParseAddr("10.0.0.1")
		for _, r := range tt.readings {
			tl.reset()
			for _, port := range []uint16{80, 90} {
				tl.listener(conn{state: listen, local: netip.AddrPortFrom(netip.IPv4Unspecified(), port)})
				for client, in := range r.conns[port] {
					c := conn{state: established, local: netip.AddrPortFrom(at, port), remote: netip.AddrPortFrom(at, client), inode: 1, info: tcpInfo{in: in}, hasInfo: true}
					s := tl.of(c)
					s.in(c)
					tl.arrivals.count(s, c)
				}
			}
			tl.settle(r.opens)
		}
		for port, want := range tt.want {
			got := tl.services[netip.AddrPortFrom(netip.IPv4Unspecified(), port)].arrived
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: port %d got %g requests, want %g", tt.name, port, got, want)
			}
		}
	}
}

func TestReadOpens(t *testing.T) {
	const text = "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoAlgorithm RtoMin ActiveOpens PassiveOpens AttemptFails\nTcp: 1 200 17 42 3\n"
	if got := readOpens([]byte(text)); got != 42 {
		t.Errorf("got %g", got)
	}
	for _, bad := range []string{"", "Tcp: PassiveOpens\n", "Tcp: PassiveOpens\nTcp: many\n", "Tcp: A B\nTcp: 1 2\n"} {
		if got := readOpens([]byte(bad)); !math.IsNaN(got) {
			t.Errorf("%q reads as %g", bad, got)
		}
	}
}
