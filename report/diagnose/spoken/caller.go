package spoken

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// ends tells the two ends of a connection apart: the watched host of an address, and the ports of
// each host at which a process was seen to listen.
type ends struct {
	hosts map[netip.Addr]string
	ports map[string]map[uint16]bool
}

// endsOf reads the hosts and listeners of a run.
func endsOf(log *runlog.Log) ends {
	e := ends{map[netip.Addr]string{}, map[string]map[uint16]bool{}}
	for _, h := range log.Header.Hosts {
		for _, s := range h.Addrs {
			if a, err := netip.ParseAddr(s); err == nil {
				e.hosts[a.Unmap()] = h.Name
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
			if e.ports[m.Host] == nil {
				e.ports[m.Host] = map[uint16]bool{}
			}
			e.ports[m.Host][uint16(port)] = true
		}
	}
	return e
}

// caller reports whether an address is the end that opened a connection: on a host whose listeners
// were read, a port of the ephemeral range at which nothing listens.
func (e ends) caller(a netip.AddrPort) bool {
	const ephemeral = 32768 // start of Linux's default net.ipv4.ip_local_port_range
	host, watched := e.hosts[a.Addr().Unmap()]
	return watched && a.Port() >= ephemeral && len(e.ports[host]) > 0 && !e.ports[host][a.Port()]
}
