package rst

import (
	"net"
	"net/netip"
	"slices"
)

// Host is one watched host of this machine: the generator, a target that runs
// here, or a network namespace. Trace events carry no namespace, so they are
// attributed by their local address.
type Host struct {
	// Name as in the profile.
	Name string
	// Addrs are the host's own addresses. With a loopback address the host gets
	// all events of loopback, of whatever namespace, where only tracepoints are read:
	// they do not tell them apart. Empty: all addresses of Netns when the watch starts; one that moves
	// here later is not seen.
	Addrs []netip.Addr
	// Ports are local ports that the host serves. They tell hosts apart that
	// share an address, such as a generator and a target on one machine.
	Ports []uint16
	// Netns is the path of the network namespace, "/run/netns/fw0" or
	// "/proc/4711/ns/net"; empty is the namespace of this process.
	Netns string
}

// placed is a Host with what is read at the start of a watch.
type placed struct {
	Host
	inode uint64 // of the network namespace; 0 unknown
	// elsewhere are those of its addresses that its namespace has not: a container's,
	// whose namespace nobody named.
	elsewhere []netip.Addr
}

func (h placed) owns(a netip.Addr) bool {
	return slices.Contains(h.Addrs, a) ||
		a.Is4() && a.IsLoopback() && slices.ContainsFunc(h.Addrs, func(b netip.Addr) bool {
			return b.Is4() && b.IsLoopback()
		})
}

// attribute names the host that an event with this local end happened on, and
// "" if the address belongs to none of them. Where several hosts own the address
// (every namespace has 127.0.0.1), the namespace of the process decides if it is
// known (namespace, asked at most once), then the served port, then the order.
// A listener that is bound to any address is found by its port alone.
func attribute(hosts []placed, local netip.AddrPort, namespace func() uint64) string {
	var found []placed
	for _, h := range hosts {
		if h.owns(local.Addr()) || local.Addr().IsUnspecified() && slices.Contains(h.Ports, local.Port()) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		if len(hosts) == 1 && local.Addr().IsUnspecified() {
			return hosts[0].Name
		}
		return ""
	case 1:
		return found[0].Name
	}
	if ino := namespace(); ino != 0 {
		if same := slices.DeleteFunc(slices.Clone(found), func(h placed) bool { return h.inode != ino }); len(same) > 0 {
			found = same
		}
	}
	for _, h := range found {
		if slices.Contains(h.Ports, local.Port()) {
			return h.Name
		}
	}
	for _, h := range found {
		if len(h.Ports) == 0 {
			return h.Name
		}
	}
	return found[0].Name
}

// unmap is the address as people write it: IPv4 without its IPv6 form, no zone.
func unmap(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// prefixAddrs are the addresses of interfaces.
func prefixAddrs(list []net.Addr) []netip.Addr {
	var addrs []netip.Addr
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, unmap(p.Addr()))
		}
	}
	return addrs
}
