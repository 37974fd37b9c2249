package neighbours

import (
	"net/netip"
	"testing"
)

func TestTableTellsChangesAlone(t *testing.T) {
	table := table{last: map[place]string{}}
	at := place{2, netip.MustParseAddr("10.0.0.2")}
	other := place{3, at.addr} // the same address on another network
	for i, step := range []struct {
		at       place
		hardware string
		before   string
	}{
		{at, "a", ""}, {at, "a", ""}, {other, "b", ""}, {at, "", ""}, {at, "b", "a"}, {at, "b", ""}, {at, "a", "b"}, {other, "b", ""},
	} {
		before, changed := table.learn(step.at, step.hardware)
		if before != step.before || changed != (step.before != "") {
			t.Errorf("step %d: %q, %v; want %q", i, before, changed, step.before)
		}
	}
}

func TestTableIsBounded(t *testing.T) {
	table := table{last: map[place]string{}}
	addr := netip.MustParseAddr("10.0.0.0")
	for range maxNeighbours + 10 {
		table.learn(place{1, addr}, "a")
		addr = addr.Next()
	}
	if len(table.last) != maxNeighbours {
		t.Errorf("keeps %d neighbours", len(table.last))
	}
	at := place{1, netip.MustParseAddr("10.0.0.1")}
	told := 0
	for i := range 2 * maxChanges {
		if _, changed := table.learn(at, string(rune('b'+i%2))); changed {
			told++
		}
	}
	if told != maxChanges || table.lost != maxChanges {
		t.Errorf("told %d changes and counted %d more", told, table.lost)
	}
}
