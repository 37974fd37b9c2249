package evidence

import (
	"strconv"
	"strings"

	"github.com/rampload/rampload/probe"
)

// PortsOf returns the ports that the serving end of a leg listens on. Of an inner
// hop the profile does not say; there they are the ports to which most resets of
// that host belong, other than those of the outer hops.
func PortsOf(c *Case, h Hop) map[uint16]bool {
	out := map[uint16]bool{}
	if c.Target.Info.ListenPort > 0 {
		out[uint16(c.Target.Info.ListenPort)] = true
	}
	for _, addr := range c.Run.Addresses(c.Target) {
		out[addr.Port()] = true
	}
	if h.Index == 0 {
		return out
	}
	if h.Station != nil {
		return map[uint16]bool{h.Station.Port: true}
	}
	return innerPort(c, h, out)
}

// innerPort finds the port that an inner hop listens on: of its listeners, or
// those of the machine that it is part of, the one to which most resets of its
// own processes belong, else most resets of any. Without a list of listeners any
// port may be it: ephemeral ones come once or twice, the listening one every
// time.
func innerPort(c *Case, h Hop, outer map[uint16]bool) map[uint16]bool {
	own, shared := listeners(c, h)
	pids := WatchedPIDs(c, h)
	seen := map[uint16]float64{}
	count := func(port uint16, n float64) {
		if port != 0 && !outer[port] && (len(own) == 0 || own[port]) && (len(own) > 0 || len(shared) == 0 || shared[port]) {
			seen[port] += n
		}
	}
	for _, e := range c.Run.Log.Events {
		if e.Kind != probe.RSTSent && e.Kind != probe.RSTReceived || !h.Has(e.Host) && !c.Hops[h.Index-1].Has(e.Host) {
			continue
		}
		n := float64(max(e.Count, 1))
		if e.Kind == probe.RSTSent && e.PID != 0 && pids[e.PID] {
			n *= 1000
		}
		count(e.Local.Port(), n)
		count(e.Remote.Port(), n)
	}
	if len(own) > 0 && len(seen) == 0 {
		return own
	}
	most := 2.0
	for _, n := range seen {
		most = max(most, n)
	}
	out := map[uint16]bool{}
	for p, n := range seen {
		if n == most {
			out[p] = true
		}
	}
	return out
}

// listeners returns the listening ports read on a hop itself, and on the machine
// that it is part of.
func listeners(c *Case, h Hop) (own, shared map[uint16]bool) {
	own, shared = map[uint16]bool{}, map[uint16]bool{}
	for _, x := range c.Run.Resources {
		m := x.Metric
		i := strings.LastIndexByte(m.Instance, ':')
		if m.Name != probe.ListenQueue || i < 0 || !h.Has(m.Host) {
			continue
		}
		if port, err := strconv.ParseUint(m.Instance[i+1:], 10, 16); err == nil {
			if m.Host == h.Host {
				own[uint16(port)] = true
			} else {
				shared[uint16(port)] = true
			}
		}
	}
	return own, shared
}
