package neighbours

import (
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// An address that is given up is always told, however many there are, and its place is free.
func TestHeldAddressesAreGivenUp(t *testing.T) {
	w := New(Options{Host: "db", Clock: probe.NewClock(time.Now())})
	w.devices[2] = device{name: "eth0", hardware: "02:00:00:00:00:01", shared: true}
	var told []probe.Event
	emit := func(e probe.Event) { told = append(told, e) }
	addr := netip.MustParseAddr("10.0.0.1")
	w.first = true
	for i, a := 0, addr; i < maxHeld+5; i, a = i+1, a.Next() {
		w.hold(place{2, a}, true, emit)
	}
	w.first = false
	if len(told) != maxHeld || told[0].Reason != probe.HeldBefore {
		t.Fatalf("%d told, want %d; the first %+v", len(told), maxHeld, told[0])
	}
	told = nil
	w.hold(place{2, addr}, false, emit)
	w.hold(place{2, addr}, false, emit) // it has not had it
	w.hold(place{2, netip.MustParseAddr("10.9.9.9")}, true, emit)
	w.hold(place{3, addr}, true, emit) // an interface that nobody knows
	if len(told) != 2 || told[0].Value != 0 || told[0].Local.Addr() != addr || told[1].Value != 1 || told[1].Reason != "" {
		t.Errorf("told %+v", told)
	}
}
