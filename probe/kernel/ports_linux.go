package kernel

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// ephemeral is the set of ports that the kernel gives to connections:
// ip_local_port_range without ip_local_reserved_ports.
type ephemeral struct {
	low, high uint16
	reserved  [][2]uint16 // inclusive, within the range
	count     float64     // ports in the set; NaN if the range is not known
}

// parseEphemeral reads the two settings: "32768\t60999" and "8080,9000-9010".
func parseEphemeral(portRange, reserved []byte) ephemeral {
	lowField, rest := procfs.Field(portRange)
	highField, _ := procfs.Field(rest)
	low, okLow := procfs.Uint(lowField)
	high, okHigh := procfs.Uint(highField)
	if !okLow || !okHigh || low > high || high > 65535 {
		return ephemeral{low: 1, high: 0, count: probe.NoLimit()}
	}
	e := ephemeral{low: uint16(low), high: uint16(high), count: float64(high - low + 1)}
	for part := range bytes.SplitSeq(bytes.TrimSpace(reserved), []byte(",")) {
		a, b, isRange := bytes.Cut(part, []byte("-"))
		from, ok := procfs.Uint(a)
		to := from
		if isRange {
			var okTo bool
			to, okTo = procfs.Uint(b)
			ok = ok && okTo
		}
		from, to = max(from, low), min(to, high)
		if !ok || from > to {
			continue
		}
		e.reserved = append(e.reserved, [2]uint16{uint16(from), uint16(to)})
		e.count -= float64(to - from + 1)
	}
	return e
}

func (e ephemeral) contains(port uint16) bool {
	if port < e.low || port > e.high {
		return false
	}
	for _, r := range e.reserved {
		if port >= r[0] && port <= r[1] {
			return false
		}
	}
	return true
}

// How many destinations a namespace reports: the busiest now, and those that
// once held a share of the ports, so that their series do not break off.
const (
	busiestDestinations = 4
	maxDestinations     = 16
	watchedShare        = 0.01
)

// portUse counts the local ports in use towards each destination. A port is
// taken once per source address, destination address and port, so the fullest
// source of a destination is what counts.
type portUse struct {
	tuples  map[tuple]float64
	byDest  map[netip.AddrPort]float64
	watched []netip.AddrPort
}

type tuple struct {
	source netip.Addr
	dest   netip.AddrPort
}

func (p *portUse) reset() {
	if p.tuples == nil {
		p.tuples, p.byDest = map[tuple]float64{}, map[netip.AddrPort]float64{}
	}
	clear(p.tuples)
	clear(p.byDest)
}

// add adds a connection with an ephemeral local port.
func (p *portUse) add(source netip.Addr, dest netip.AddrPort) { p.tuples[tuple{source, dest}]++ }

func (p *portUse) emit(o Options, limit float64, emit func(probe.Reading)) {
	for t, n := range p.tuples {
		p.byDest[t.dest] = max(p.byDest[t.dest], n)
	}
	var busiest []netip.AddrPort
	for dest := range p.byDest {
		at, _ := slices.BinarySearchFunc(busiest, dest, func(a, b netip.AddrPort) int {
			return cmp.Or(cmp.Compare(p.byDest[b], p.byDest[a]), a.Compare(b))
		})
		if at < busiestDestinations {
			busiest = slices.Insert(busiest, at, dest)
			busiest = busiest[:min(len(busiest), busiestDestinations)]
		}
	}
	for _, dest := range busiest {
		if p.byDest[dest] >= watchedShare*limit && !slices.Contains(p.watched, dest) && len(p.watched) < maxDestinations {
			p.watched = append(p.watched, dest)
		}
	}
	for _, dest := range p.watched {
		emit(probe.Reading{Metric: o.metric(probe.EphemeralPorts, instance(dest)), Value: p.byDest[dest], Limit: limit})
	}
	for _, dest := range busiest {
		if !slices.Contains(p.watched, dest) {
			emit(probe.Reading{Metric: o.metric(probe.EphemeralPorts, instance(dest)), Value: p.byDest[dest], Limit: limit})
		}
	}
}
