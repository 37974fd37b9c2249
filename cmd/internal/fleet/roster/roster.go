// Package roster says of those who answer on the bus who can take part in a run, and who
// of them is where. It asks nobody.
package roster

import (
	"cmp"
	"fmt"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
)

// What a worker or an agent tells of itself before a run, by key.
const (
	Machine  = "machine"  // that it is on
	Network  = "network"  // the network namespace there: its source ports
	Spoken   = "protocol" // see [protocol.Spoken]
	rampload = "rampload" // its version
)

// Fits returns why somebody who answers cannot take part in a run of this program, which
// speaks as [protocol.Spoken] says.
func Fits(f bus.Found, spoken, version string) error {
	if f.Metadata[Spoken] == spoken {
		return nil
	}
	theirs := cmp.Or(f.Metadata[rampload], "of an unknown version")
	if theirs == version {
		theirs += ", of another build,"
	}
	return fmt.Errorf("%s is rampload %s and this one is %s: use the same rampload everywhere", f.Name, theirs, version)
}

// Beside returns where the next worker of a run is among those that were chosen before
// it and those that may be after it.
func Beside(chosen []bus.Found, next bus.Found, after []bus.Found) (b protocol.Beside) {
	same := func(of []bus.Found, key string) (n int) {
		for _, f := range of {
			if f.Metadata[key] != "" && f.Metadata[key] == next.Metadata[key] {
				n++
			}
		}
		return n
	}
	b.Rank = same(chosen, Network)
	b.Of = b.Rank + 1 + same(after, Network)
	b.Machine = same(chosen, Machine) + 1 + same(after, Machine)
	return b
}
