package machine

import (
	"net/netip"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/rst"
	"github.com/rampload/rampload/profiles"
)

// Traced is an entry of the profile on this machine and the addresses that belong
// to it, by which resets are told apart.
type Traced struct {
	Entry profiles.Host
	Addrs []string // IP addresses
}

// Resets watches who sends resets: one trace for the whole kernel, one capture in
// the own network namespace. ports are those of the targets; chained says that
// resets happen on other ports too, as behind a proxy or a NAT.
func (m Machine) Resets(entries []Traced, ports []uint16, chained bool) (trace, packets probe.Watcher, capture *rst.Capture) {
	var traced []rst.Host
	for _, e := range entries {
		entry := rst.Host{Name: e.Entry.Name, Netns: NetnsPath(e.Entry.Netns)}
		for _, a := range e.Addrs {
			if addr, err := netip.ParseAddr(a); err == nil {
				entry.Addrs = append(entry.Addrs, addr)
			}
		}
		for _, p := range e.Entry.Processes {
			if p.Listen != 0 {
				entry.Ports = append(entry.Ports, uint16(p.Listen))
			}
			chained = chained || !slices.Contains(ports, uint16(p.Listen))
		}
		traced = append(traced, entry)
		chained = chained || e.Entry.Netns != ""
	}
	opt := rst.TraceOptions{Clock: m.Clock, Host: m.Name, Hosts: traced}
	if !chained {
		opt.Ports = ports
	}
	capture = rst.NewCapture(rst.CaptureOptions{Clock: m.Clock, Host: m.Name, Ports: ports})
	return rst.NewTrace(opt), capture, capture
}

// NetnsPath returns the file of a named network namespace; empty for none.
func NetnsPath(name string) string {
	if name == "" {
		return ""
	}
	return "/run/netns/" + name
}
