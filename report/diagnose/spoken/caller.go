package spoken

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// ends are the addresses of the watched hosts, and the ports at which somebody was seen to
// listen.
type ends struct {
	hosts map[netip.Addr]bool
	ports map[uint16]bool
}

func endsOf(log *runlog.Log) ends {
	e := ends{map[netip.Addr]bool{}, map[uint16]bool{}}
	for _, h := range log.Header.Hosts {
		for _, s := range h.Addrs {
			if a, err := netip.ParseAddr(s); err == nil {
				e.hosts[a.Unmap()] = true
			}
		}
	}
	for i := range log.Series {
		m := log.Series[i].Metric
		if m.Name != probe.Inbound && m.Name != probe.Serving {
			continue
		}
		listener, _, _ := strings.Cut(m.Instance, " ")
		if port, err := strconv.ParseUint(listener[strings.LastIndexByte(listener, ':')+1:], 10, 16); err == nil {
			e.ports[uint16(port)] = true
		}
	}
	return e
}

// caller reports whether an address is the end of who asks: on a host all of whose listeners
// are seen, a port from which connections go out and at which nobody listens.
func (e ends) caller(a netip.AddrPort) bool {
	const ephemeral = 32768 // the least of Linux's ip_local_port_range, unless it was changed
	return a.Port() >= ephemeral && len(e.ports) > 0 && e.hosts[a.Addr().Unmap()] && !e.ports[a.Port()]
}
