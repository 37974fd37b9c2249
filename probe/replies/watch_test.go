package replies

import (
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// TestFolds has many replies that say the same told in few events whose numbers add up, and
// leaves out what another host tells.
func TestFolds(t *testing.T) {
	own, other, unknown := netip.MustParseAddrPort("10.0.0.2:5432"), netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.9:80")
	f := &folder{kinds: map[kind]*tally{}, opts: Options{
		Host:  "db",
		Local: func(a netip.Addr) bool { return a == own.Addr() }, Watched: func(a netip.Addr) bool { return a == own.Addr() || a == other.Addr() },
	}}
	told := map[string]uint64{}
	events := 0
	emit := func(e probe.Event) {
		events++
		told[e.Line.Peer] += e.Count
	}
	for range 1000 {
		f.take(seen{from: own, to: other, reply: Reply{Protocol: "postgresql", Text: "FATAL: too many clients 12"}}, emit)
		f.take(seen{from: other, to: own, reply: Reply{Protocol: "http", Text: "told by its own host"}}, emit)
		f.take(seen{from: unknown, to: own, reply: Reply{Protocol: "http", Text: "500"}}, emit)
		f.take(seen{from: unknown, to: other, reply: Reply{Protocol: "http", Text: "of a connection that passes"}}, emit)
	}
	f.more(0.5) // as many again were not read, by half
	f.tick()
	f.more(0.5)
	for range 5 {
		f.take(seen{from: own, to: other, well: true}, emit)
		f.take(seen{from: other, to: own, well: true}, emit)
	}
	for range 3 {
		f.take(seen{from: own, to: other, nothing: true}, emit)
	}
	nothing := uint64(0)
	well := map[netip.AddrPort]uint64{}
	f.flush(time.Second, false, func(e probe.Event) {
		if e.Kind == probe.Answered && e.Reason == probe.NothingThere {
			nothing += e.Count
			return
		}
		if e.Kind == probe.Answered {
			well[e.Local] += e.Count
			return
		}
		emit(e)
	})
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
}
