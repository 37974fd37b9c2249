package diagnose

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// hop is one host on the way of a request, outermost first.
type hop struct {
	index   int
	host    string   // as the profile calls it; empty: nobody watches it
	also    []string // hosts whose kernel and hardware it shares
	assumed bool     // not in the profile: gateway statuses say that it must be there
}

// has reports whether a host name is this hop or a machine that it is part of.
func (h hop) has(host string) bool {
	return host != "" && (host == h.host || slices.Contains(h.also, host))
}

// hops returns the hosts that serve a target. Where the profile names none, they
// are found by address; what answers on loopback is on this machine. Hosts before
// the first that serves only pass packets on (routers, firewalls): they are part
// of the path.
func (a *analysis) hops(t *targetSeries) (serving []hop, routers []string) {
	names := t.info.Hosts
	if len(names) == 0 {
		names = a.hostsByAddress(t)
	}
	if len(names) == 0 && a.onLoopback(t) {
		names = []string{localHost}
	}
	first := slices.IndexFunc(names, a.hasProcess)
	if first < 0 {
		own := a.hostsByAddress(t)
		first = max(0, slices.IndexFunc(names, func(n string) bool { return slices.Contains(own, n) }))
	}
	if first < len(names) {
		routers, names = names[:first], names[first:]
	}
	for i, name := range names {
		serving = append(serving, hop{index: i, host: name, also: a.sharedWith(name)})
	}
	if len(serving) == 0 {
		serving = []hop{{}}
	}
	return serving, routers
}

// hasProcess reports whether a process of a host was watched, other than the
// generator.
func (a *analysis) hasProcess(host string) bool {
	return slices.ContainsFunc(a.log.Series, func(s runlog.Series) bool {
		return s.Metric.Host == host && s.Metric.Process != "" && !generatorOwn(s.Metric)
	})
}

// sharedWith returns the host that a named part of a machine belongs to.
func (a *analysis) sharedWith(name string) []string {
	for _, h := range a.log.Header.Hosts {
		if h.Name == name && h.SameAs != "" && h.SameAs != name {
			return []string{h.SameAs}
		}
	}
	return nil
}

func (a *analysis) addresses(t *targetSeries) []netip.AddrPort {
	var out []netip.AddrPort
	for _, addr := range a.log.Addresses {
		if int(addr.Target) == t.index {
			out = append(out, addr.Addr)
		}
	}
	return out
}

func (a *analysis) hostsByAddress(t *targetSeries) []string {
	var out []string
	for _, addr := range a.addresses(t) {
		if name := a.hostOf(addr.Addr()); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// hostOf returns the watched host that an address belongs to, empty for none.
func (a *analysis) hostOf(addr netip.Addr) string {
	for _, h := range a.log.Header.Hosts {
		for _, s := range h.Addrs {
			if x, err := netip.ParseAddr(s); err == nil && x.Unmap() == addr.Unmap() {
				return h.Name
			}
		}
	}
	return ""
}

// speaksFor reports whether a reading of a host, not of a process, is about a
// hop: the hop's own, or that of the machine that it is part of where the hop has
// none of that name. A network namespace counts for itself.
func (a *analysis) speaksFor(m probe.Metric, h hop) bool {
	if m.Host == h.host {
		return true
	}
	return h.has(m.Host) && !slices.ContainsFunc(a.log.Series, func(s runlog.Series) bool {
		return s.Metric.Host == h.host && s.Metric.Name == m.Name && s.Metric.Process == ""
	})
}

// onLoopback reports whether all connections of a target stay on this machine,
// where no middlebox can be.
func (a *analysis) onLoopback(t *targetSeries) bool {
	addrs := a.addresses(t)
	for _, addr := range addrs {
		if !addr.Addr().Unmap().IsLoopback() {
			return false
		}
	}
	if len(addrs) > 0 {
		return true
	}
	u, err := url.Parse(t.info.URL)
	if err != nil {
		return false
	}
	if u.Scheme == "unix" || u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// generatorOwn reports whether a metric is about the generator's process.
func generatorOwn(m probe.Metric) bool { return m.Host == localHost && m.Process == localProcess }

// find returns the first series of a host and process with a name, nil without.
func (a *analysis) find(host, process, name string) *runlog.Series {
	for i := range a.log.Series {
		if m := a.log.Series[i].Metric; m.Host == host && m.Process == process && m.Name == name {
			return &a.log.Series[i]
		}
	}
	return nil
}

// status returns how well a source of a host was measured. Names of sources are
// compared by their beginning: "kernel counters of payments" is one of "kernel
// counters". Without a trailer it is unknown.
func (a *analysis) status(host func(string) bool, name string) (probe.State, string, bool) {
	if a.log.Trailer == nil {
		return "", "", false
	}
	for _, s := range a.log.Trailer.Sources {
		if host(s.Source.Host) && strings.HasPrefix(s.Source.Name, name) {
			return s.State, s.Reason, true
		}
	}
	return "", "", false
}

// Names of sources whose absence decides what may be concluded.
const (
	sourceTrace   = "reset trace"
	sourceCapture = "reset capture"
)

// observed reports whether a source of a hop saw what there was to see: it is
// listed as measured, wholly or in part, or, without an end of the log, it
// reported at least one event.
func (a *analysis) observed(h hop, name string, kinds ...probe.EventKind) bool {
	if state, _, ok := a.status(h.has, name); ok {
		return state == probe.Measured || state == probe.Partial
	}
	for _, e := range a.log.Events {
		if h.has(e.Host) && slices.Contains(kinds, e.Kind) {
			return true
		}
	}
	return false
}
