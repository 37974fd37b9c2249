package waiting

import (
	"math"
	"net/netip"
	"testing"
	"time"
)

// reading is one dump: what came in on each connection of a port, and PassiveOpens.
type reading struct {
	opens float64
	bytes float64
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
		{"what was there before does not count", []reading{{100, math.NaN(), on(map[uint16]uint32{1: 50})}}, map[uint16]float64{80: 0}},
		{"a connection that stays", []reading{{100, math.NaN(), on(map[uint16]uint32{1: 50})}, {100, math.NaN(), on(map[uint16]uint32{1: 62})}}, map[uint16]float64{80: 12}},
		{"a new one that was seen counts once", []reading{{100, math.NaN(), nil}, {101, math.NaN(), on(map[uint16]uint32{7: 3})}}, map[uint16]float64{80: 3}},
		{"those that nobody saw", []reading{{100, math.NaN(), nil}, {150, math.NaN(), on(map[uint16]uint32{7: 1})}}, map[uint16]float64{80: 50}},
		{"a port that is used again", []reading{{9, math.NaN(), on(map[uint16]uint32{1: 50})}, {10, math.NaN(), on(map[uint16]uint32{1: 2})}}, map[uint16]float64{80: 2}},
		{"divided as the new ones are", []reading{
			{100, math.NaN(), nil},
			{108, math.NaN(), map[uint16]map[uint16]uint32{80: {1: 1, 2: 1, 3: 1}, 90: {1: 1}}},
			{188, math.NaN(), map[uint16]map[uint16]uint32{80: {1: 1, 2: 1, 3: 1}, 90: {1: 1}}},
		}, map[uint16]float64{80: 6 + 60, 90: 2 + 20}},
		{"many requests each, gone before they are seen twice", []reading{
			{100, math.NaN(), nil}, {104, math.NaN(), on(map[uint16]uint32{1: 40, 2: 60})}, {104, math.NaN(), nil},
		}, map[uint16]float64{80: 100 + 2}},
		{"bytes of connections that are gone", []reading{
			{100, 0, nil}, {104, 10_000, on(map[uint16]uint32{1: 4, 2: 6})}, {104, 10_000, nil},
		}, map[uint16]float64{80: 100}},
		{"fewer bytes than requests that came in for sure", []reading{
			{100, 0, nil}, {150, 1000, on(map[uint16]uint32{1: 4, 2: 6})}, {150, 1000, nil},
		}, map[uint16]float64{80: 58}},
		{"read a moment before or after the kernel's total", []reading{
			{9, 300, on(map[uint16]uint32{1: 10})},
			{9, 1000, on(map[uint16]uint32{1: 20})},
			{9, 2300, on(map[uint16]uint32{1: 30})},
			{9, 3000, on(map[uint16]uint32{1: 40})},
			{9, 4300, on(map[uint16]uint32{1: 50})},
		}, map[uint16]float64{80: 40}},
		{"bytes that nobody saw are of new connections, not of those that stay", []reading{
			{9, 0, map[uint16]map[uint16]uint32{90: {1: 10}}},
			{10, 1500, map[uint16]map[uint16]uint32{80: {7: 5}, 90: {1: 20}}},
			{20, 4500, map[uint16]map[uint16]uint32{90: {1: 30}}},
		}, map[uint16]float64{80: 5 + 20, 90: 20}},
		{"without the kernel's counter", []reading{{math.NaN(), math.NaN(), nil}, {math.NaN(), math.NaN(), on(map[uint16]uint32{7: 3})}}, map[uint16]float64{80: 3}},
	} {
		tl := newTally()
		at := netip.MustParseAddr("10.0.0.1")
		for _, r := range tt.readings {
			tl.reset()
			for _, port := range []uint16{80, 90} {
				tl.listener(conn{state: listen, local: netip.AddrPortFrom(netip.IPv4Unspecified(), port)})
				for client, in := range r.conns[port] {
					c := conn{state: established, local: netip.AddrPortFrom(at, port), remote: netip.AddrPortFrom(at, client), inode: 1, info: tcpInfo{in: in, bytesIn: 100 * uint64(in)}, hasInfo: true}
					s := tl.of(c)
					s.in(c, 0)
					tl.arrivals.count(s, nil, c, time.Time{})
				}
			}
			tl.settle(came{r.opens, r.bytes})
		}
		for port, want := range tt.want {
			got := tl.services[netip.AddrPortFrom(netip.IPv4Unspecified(), port)].arrived
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: port %d got %g requests, want %g", tt.name, port, got, want)
			}
		}
	}
}

func TestReadCame(t *testing.T) {
	const (
		snmp    = "Ip: Forwarding InReceives\nIp: 1 1000\nTcp: RtoAlgorithm ActiveOpens PassiveOpens AttemptFails\nTcp: 1 17 42 3\n"
		netstat = "TcpExt: SyncookiesSent\nTcpExt: 0\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 0 152000 9\n"
		snmp6   = "Ip6InReceives                   \t10\nIp6InOctets                     \t1720\n"
	)
	if got := readCame([]byte(snmp), []byte(netstat), []byte(snmp6)); got != (came{42, 100_000 + 1000}) {
		t.Errorf("got %+v", got)
	}
	if got := readCame([]byte(snmp), []byte(netstat), nil); got != (came{42, 100_000}) {
		t.Errorf("without IPv6 %+v", got)
	}
	for _, bad := range []string{"", "Tcp: PassiveOpens\n", "Tcp: PassiveOpens\nTcp: many\n", "Tcp: A B\nTcp: 1 2\n"} {
		if got := readCame([]byte(bad), []byte(bad), []byte(bad)); !math.IsNaN(got.opens) || !math.IsNaN(got.bytes) {
			t.Errorf("%q reads as %+v", bad, got)
		}
	}
}

// What a connection had brought before it could be told apart is not counted at each reading.
func TestMoreThanKnown(t *testing.T) {
	a := arrivals{known: map[flow]heard{}}
	for i := range maxFlows {
		a.known[flow{remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)}] = heard{}
	}
	s := &service{}
	var c conn
	c.hasInfo, c.info.in, c.info.bytesIn = true, 100, 10000 // a connection at rest
	for range 5 {
		a.round++
		a.count(s, nil, c, time.Time{})
	}
	if s.arrived > 100 {
		t.Errorf("%v requests of a connection that brought 100", s.arrived)
	}
}
