package roster_test

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/roster"
)

func TestFits(t *testing.T) {
	for name, tt := range map[string]struct {
		told map[string]string
		says string
	}{
		"the same":      {map[string]string{roster.Spoken: protocol.Spoken(true), "rampload": "v1.0.0"}, ""},
		"an older one":  {map[string]string{roster.Spoken: "1-0", "rampload": "v0.9.0"}, "w1 is rampload v0.9.0 and this one is v1.0.0: use the same rampload everywhere"},
		"tells nothing": {nil, "of an unknown version"},
		"another build": {map[string]string{"rampload": "v1.0.0"}, "rampload v1.0.0, of another build, and"},
		"an agent":      {map[string]string{roster.Spoken: protocol.Spoken(false), "rampload": "v1.0.0"}, "of another build"},
	} {
		err := roster.Fits(bus.Found{Name: "w1", Metadata: tt.told}, protocol.Spoken(true), "v1.0.0")
		if err == nil != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Workers in one network namespace share its source ports, those on one machine its
// processors; one that tells nothing is taken to be alone.
func TestBeside(t *testing.T) {
	at := func(machine, network string) bus.Found {
		return bus.Found{Metadata: map[string]string{roster.Machine: machine, roster.Network: network}}
	}
	all := []bus.Found{at("m1", "m1 a"), at("m1", "m1 a"), at("m1", "m1 b"), at("m2", "m2 a"), at("", ""), at("", "")}
	want := []protocol.Beside{{Rank: 0, Of: 2, Machine: 3}, {Rank: 1, Of: 2, Machine: 3}, {Rank: 0, Of: 1, Machine: 3}, {Rank: 0, Of: 1, Machine: 1}, {Of: 1, Machine: 1}, {Of: 1, Machine: 1}}
	for i := range all {
		if got := roster.Beside(all[:i], all[i], all[i+1:]); got != want[i] {
			t.Errorf("worker %d: %+v, want %+v", i, got, want[i])
		}
	}
}
