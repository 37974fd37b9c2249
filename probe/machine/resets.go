package machine

import (
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/replies"
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
	named := true // every entry has a namespace that is known
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
		if entry.Netns == "" {
			entry.Netns = m.namespaceOf(e.Entry)
		}
		named = named && (entry.Netns != "" || e.Entry.Name == m.Name)
		traced = append(traced, entry)
		chained = chained || e.Entry.Netns != ""
	}
	opt := rst.TraceOptions{Clock: m.Clock, Host: m.Name, Hosts: traced, OnlyHosts: named && len(traced) > 1}
	if !chained {
		opt.Ports = ports
	}
	capture = rst.NewCapture(rst.CaptureOptions{Clock: m.Clock, Host: m.Name, Ports: ports})
	return rst.NewTrace(opt), capture, capture
}

// Replies watches what services answer each other, by namespace: in the own one only where
// more than what the generator asks is watched there.
func (m Machine) Replies(entries []Traced, ports []uint16) []probe.Watcher {
	local := map[string][]netip.Addr{}
	names := map[string]string{}
	var all []netip.Addr
	var order []string
	inner := false // a service of the own namespace asks another
	for _, e := range entries {
		path := NetnsPath(e.Entry.Netns)
		if path == "" {
			path = m.namespaceOf(e.Entry)
		}
		if _, known := names[path]; !known {
			order = append(order, path)
			names[path] = e.Entry.Name
		}
		if path == "" {
			names[path] = m.Name
			inner = inner || slices.ContainsFunc(e.Entry.Processes, func(p profiles.Process) bool { return !slices.Contains(ports, uint16(p.Listen)) })
		}
		for _, a := range e.Addrs {
			if addr, err := netip.ParseAddr(a); err == nil {
				local[path] = append(local[path], addr)
				if !addr.IsLoopback() {
					all = append(all, addr)
				}
			}
		}
	}
	var out []probe.Watcher
	for _, path := range order {
		if path == "" && !inner {
			continue
		}
		own := local[path]
		out = append(out, replies.New(replies.Options{
			Host: names[path], Netns: path, Clock: m.Clock, SentOnly: path == "",
			Local:   func(a netip.Addr) bool { return a.IsLoopback() || slices.Contains(own, a) },
			Watched: func(a netip.Addr) bool { return slices.Contains(all, a) },
		}))
	}
	return out
}

// namespaceOf finds the network namespace of an entry that names its process by pid,
// as of a container; empty: it is the own one, or not known.
func (m Machine) namespaceOf(entry profiles.Host) string {
	for _, p := range entry.Processes {
		if p.PID != 0 && !inOwnNamespace([]int32{int32(p.PID)}) {
			if path := fmt.Sprintf("/proc/%d/ns/net", p.PID); readable(path) {
				return path
			}
		}
	}
	return ""
}

func readable(path string) bool {
	_, err := os.Readlink(path)
	return err == nil
}

// NetnsPath returns the file of a named network namespace; empty for none.
func NetnsPath(name string) string {
	if name == "" {
		return ""
	}
	return "/run/netns/" + name
}
