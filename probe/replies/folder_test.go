package replies

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// TestFolds has many replies that say the same told in few events whose numbers add up, and
// leaves out what another host tells.
func TestFolds(t *testing.T) {
	own, other, unknown := netip.MustParseAddrPort("10.0.0.2:5432"), netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.9:80")
	f := &folder{opts: Options{
		Host:  "db",
		Local: func(a netip.Addr) bool { return a == own.Addr() }, Watched: func(a netip.Addr) bool { return a == own.Addr() || a == other.Addr() },
	}}
	told, well, nothing, events := map[string]uint64{}, map[netip.AddrPort]uint64{}, uint64(0), 0
	emit := func(e probe.Event) {
		switch {
		case e.Kind == probe.Answered && e.Reason == probe.NothingThere:
			nothing += e.Count
		case e.Kind == probe.Answered:
			well[e.Local] += e.Count
		default:
			events++
			told[e.Line.Peer] += e.Count
		}
	}
	say := func(from, to netip.AddrPort, text string) {
		f.packet(packet{from: from, to: to, data: []byte(text)}, 0, emit)
	}
	for i := range 1000 {
		say(own, other, pg("SFATAL", "C53300", fmt.Sprintf("Mtoo many clients %d", i)))
		say(other, own, "HTTP/1.1 500 Told by its own host\r\n\r\n")
		say(unknown, own, "HTTP/1.1 500 Oops\r\n\r\n")
		say(unknown, other, "HTTP/1.1 500 Of a connection that passes\r\n\r\n")
	}
	f.tick(4000, 2000, 0) // half as many again were not read
	f.tick(0, 0, 0)
	for range 5 {
		say(own, other, "HTTP/1.1 200 OK\r\n\r\n")
		say(other, own, "HTTP/1.1 200 OK\r\n\r\n")
	}
	for range 3 {
		say(own, other, "$-1\r\n")
	}
	f.flush(time.Second, false, emit)
	if len(well) != 1 || well[own] != 5*sampled {
		t.Errorf("answered well %v", well)
	}
	if nothing != 3*sampled {
		t.Errorf("answered %d times that nothing is there", nothing)
	}
	if told[own.String()] != 1500 || told[unknown.String()] != 1500 || len(told) != 2 {
		t.Errorf("told %v", told)
	}
	if events > 6 {
		t.Errorf("%d events", events)
	}
	if m := fmt.Sprint(f.missing()); !strings.Contains(m, "2000 packets came faster than they are read") {
		t.Errorf("it says %s", m)
	}
}

// TestFoldsOthers has replies come that are all different: few are read, and all are counted.
func TestFoldsOthers(t *testing.T) {
	own, other := netip.MustParseAddrPort("10.0.0.2:80"), netip.MustParseAddrPort("10.0.0.1:40000")
	f := &folder{opts: Options{Host: "db", Local: func(a netip.Addr) bool { return a == own.Addr() }, Watched: func(netip.Addr) bool { return true }}}
	count := map[string]uint64{}
	emit := func(e probe.Event) { count[e.Reason] += e.Count }
	const ticks, each = 4, 500
	for tick := range ticks {
		for i := range each {
			id := strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(10000+each*tick+i))
			f.packet(packet{from: own, to: other, data: []byte("HTTP/1.1 503 No\r\nX-Request: " + id + "\r\n\r\nbusy")}, 0, emit)
		}
		f.tick(each, 0, 0)
	}
	f.flush(time.Second, false, emit)
	if len(count) != 1 || count["503 No: busy"] != ticks*each {
		t.Errorf("counted %v", count)
	}
	if f.gaps.packets != ticks*(each-reading) {
		t.Errorf("%d of %d were not read", f.gaps.packets, ticks*each)
	}
}
