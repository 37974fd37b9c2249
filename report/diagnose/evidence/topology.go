package evidence

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/reach"
	"github.com/rampload/rampload/report/runlog"
)

// Hop is one host on the way of a request, outermost first.
type Hop struct {
	Index   int
	Host    string   // as the profile calls it; empty: nobody watches it
	Also    []string // hosts whose kernel and hardware it shares
	Assumed bool     // not in the profile: gateway statuses say that it must be there
	// Station is the service that was seen there, with all its instances; nil: not seen.
	Station *hops.Hop
	Node    *reach.Node // the same for its traffic; nil: not read
}

// Place names a hop as an address where that was seen: "db:5432".
func (h Hop) Place() string {
	if h.Station == nil {
		return h.Host
	}
	return h.Station.PlaceOn(h.Host)
}

// Process returns the name of the service that was seen at a hop, empty for none.
func (h Hop) Process() string {
	if h.Station == nil {
		return ""
	}
	return h.Station.Process
}

// Has reports whether a host name is this hop or a machine that it is part of.
func (h Hop) Has(host string) bool {
	return host != "" && (host == h.Host || slices.Contains(h.Also, host))
}

// Hops returns the hosts that serve a target. Where the profile names none, they
// are found by address; what answers on loopback is on this machine. Hosts before
// the first that serves only pass packets on (routers, firewalls): they are part
// of the path.
func (run *Run) Hops(t *Target) (serving []Hop, routers []string) {
	names := t.Info.Hosts
	if len(names) == 0 {
		names = run.hostsByAddress(t)
	}
	if len(names) == 0 && run.OnLoopback(t) {
		names = []string{LocalHost}
	}
	first := slices.IndexFunc(names, run.HasProcess)
	if first < 0 {
		own := run.hostsByAddress(t)
		first = max(0, slices.IndexFunc(names, func(n string) bool { return slices.Contains(own, n) }))
	}
	if first < len(names) {
		routers, names = names[:first], names[first:]
	}
	for i, name := range names {
		serving = append(serving, Hop{Index: i, Host: name, Also: run.SharedWith(name)})
	}
	if len(serving) == 0 {
		serving = []Hop{{}}
	}
	return serving, routers
}

// HasProcess reports whether a process of a host was watched, other than the
// generator.
func (run *Run) HasProcess(host string) bool {
	return slices.ContainsFunc(run.Log.Series, func(s runlog.Series) bool {
		return s.Metric.Host == host && s.Metric.Process != "" && !GeneratorOwn(s.Metric)
	})
}

// SharedWith returns the host that a named part of a machine belongs to.
func (run *Run) SharedWith(name string) []string {
	for _, h := range run.Log.Header.Hosts {
		if h.Name == name && h.SameAs != "" && h.SameAs != name {
			return []string{h.SameAs}
		}
	}
	return nil
}

// Addresses returns where a target was dialled. But for polls, what is counted beside
// requests has no connections of its own: those are of its target.
func (run *Run) Addresses(t *Target) []netip.AddrPort {
	index := t.Index
	if t.Info.Part != profiles.RoleRequests && t.Info.Part != profiles.RoleStatus {
		index = slices.IndexFunc(run.Targets, func(o *Target) bool { return o.Info.Name == t.Info.Of })
	}
	var out []netip.AddrPort
	for _, addr := range run.Log.Addresses {
		if int(addr.Target) == index {
			out = append(out, addr.Addr)
		}
	}
	return out
}

func (run *Run) hostsByAddress(t *Target) []string {
	var out []string
	for _, addr := range run.Addresses(t) {
		if name := run.HostOf(addr.Addr()); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// HostOf returns the watched host that an address belongs to, empty for none.
func (run *Run) HostOf(addr netip.Addr) string { return run.hosts[addr.Unmap()] }

// hostsOf returns hosts by their addresses: of several with one address, the first.
func hostsOf(hosts []runlog.Host) map[netip.Addr]string {
	out := map[netip.Addr]string{}
	for _, h := range hosts {
		for _, s := range h.Addrs {
			x, err := netip.ParseAddr(s)
			if _, known := out[x.Unmap()]; err == nil && !known {
				out[x.Unmap()] = h.Name
			}
		}
	}
	return out
}

// SpeaksFor reports whether a reading of a host, not of a process, is about a
// hop: the hop's own, or that of the machine that it is part of where the hop has
// none of that name. A network namespace counts for itself.
func (run *Run) SpeaksFor(m probe.Metric, h Hop) bool {
	if m.Host == h.Host {
		return true
	}
	return h.Has(m.Host) && !slices.ContainsFunc(run.Log.Series, func(s runlog.Series) bool {
		return s.Metric.Host == h.Host && s.Metric.Name == m.Name && s.Metric.Process == ""
	})
}

// OnLoopback reports whether all connections of a target stay on this machine,
// where no middlebox can be.
func (run *Run) OnLoopback(t *Target) bool {
	addrs := run.Addresses(t)
	for _, addr := range addrs {
		if !addr.Addr().Unmap().IsLoopback() {
			return false
		}
	}
	if len(addrs) > 0 {
		return true
	}
	u, err := url.Parse(t.Info.URL)
	if err != nil {
		return false
	}
	if u.Scheme == "unix" || u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// GeneratorOwn reports whether a metric is about the generator's process.
func GeneratorOwn(m probe.Metric) bool { return m.Host == LocalHost && m.Process == LocalProcess }

// Find returns the first series of a host and process with a name, nil without.
func (run *Run) Find(host, process, name string) *runlog.Series {
	for i := range run.Log.Series {
		if m := run.Log.Series[i].Metric; m.Host == host && m.Process == process && m.Name == name {
			return &run.Log.Series[i]
		}
	}
	return nil
}

// Status returns how well a source of a host was measured. Names of sources are
// compared by their beginning: "kernel counters of payments" is one of "kernel
// counters". Without a trailer it is unknown.
func (run *Run) Status(host func(string) bool, name string) (probe.State, string, bool) {
	if run.Log.Trailer == nil {
		return "", "", false
	}
	for _, s := range run.Log.Trailer.Sources {
		if host(s.Source.Host) && strings.HasPrefix(s.Source.Name, name) {
			return s.State, s.Reason, true
		}
	}
	return "", "", false
}

// Names of sources whose absence decides what may be concluded.
const (
	SourceTrace   = "reset trace"
	SourceCapture = "reset capture"
)

// Observed reports whether a source of a hop saw what there was to see: it is
// listed as measured, wholly or in part, or, without an end of the log, it
// reported at least one event.
func (run *Run) Observed(h Hop, name string, kinds ...probe.EventKind) bool {
	if state, _, ok := run.Status(h.Has, name); ok {
		return state == probe.Measured || state == probe.Partial
	}
	for _, e := range run.Log.Events {
		if h.Has(e.Host) && slices.Contains(kinds, e.Kind) {
			return true
		}
	}
	return false
}
