// Package watch opens the probes of every host of a profile, here and through agents, and
// assigns to each target the hosts that serve it.
package watch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/host"
	"github.com/rampload/rampload/probe/machine"
	"github.com/rampload/rampload/probe/prom"
	"github.com/rampload/rampload/probe/rst"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// localHost is the name of the machine that generates the load.
const LocalHost = profiles.LocalHost

// Watched is everything that watches hosts during a run.
type Watched struct {
	machine machine.Machine // this one
	others  *Agents         // nil: none are asked for
	probe.Sources
	Capture *rst.Capture // nil: packets are not captured

	Hosts       []runlog.Host
	TargetHosts [][]string // by target: the hosts that serve it
	NoFile      uint64     // own soft limit of open files, raised as far as it goes
}

// OpenHosts opens the probes of the named hosts and of the generator. A target
// on this machine is watched by the port that it listens on, whether the profile
// says so or not; addrs are the addresses of each target. What cannot be opened is
// missing, with the reason.
func OpenHosts(ctx context.Context, hosts []profiles.Host, targets []profiles.Target, addrs [][]netip.Addr, clock probe.Clock, trace bool, others *Agents) *Watched {
	w := &Watched{others: others, machine: machine.Machine{Clock: clock, Name: LocalHost, Generator: true, Shared: &machine.Shared{}}}
	if soft, err := host.RaiseNoFile(); err == nil {
		w.NoFile = soft
	}
	hosts = slices.Clone(hosts)
	if !slices.ContainsFunc(hosts, func(h profiles.Host) bool { return h.Name == LocalHost }) {
		hosts = append([]profiles.Host{{Name: LocalHost}}, hosts...)
	}
	w.addresses(hosts)
	w.assignTargets(hosts, targets, addrs)
	for _, h := range hosts {
		if h.Agent.Given() && w.others != nil {
			if err := w.others.failed[h.Name]; err != nil {
				w.Add(probe.Source{Host: h.Name, Name: "agent"}, nil, &probe.Unsupported{What: "agent", Reason: err.Error()})
			}
		} else if h.Kubernetes == "" && (len(h.Prometheus) == 0 || h.Netns != "") {
			w.Append(w.machine.Host(h).Open(ctx, probe.Selection{Processes: h.Processes, Logs: h.Logs, Written: len(h.Logs) == 0 && !h.NoLogs}))
		}
		if h.Kubernetes != "" && w.others != nil {
			w.others.pods.open(h, w, clock)
		}
		if len(h.Prometheus) > 0 {
			w.openPages(ctx, h, clock)
		}
	}
	if trace {
		w.traceResets(hosts, targets)
	}
	return w
}

func (w *Watched) addresses(hosts []profiles.Host) {
	own := LocalAddrs()
	for _, h := range hosts {
		entry := runlog.Host{Name: h.Name}
		switch {
		case h.Agent.Given() && w.others != nil:
			if known, answers := w.others.host(h.Name); answers {
				entry = known
			}
		case h.Remote():
		case h.Netns != "":
			entry.SameAs = LocalHost
			if addrs, err := rst.NetnsAddrs(machine.NetnsPath(h.Netns)); err == nil {
				for _, a := range addrs {
					entry.Addrs = append(entry.Addrs, a.String())
				}
			}
		default:
			entry.Addrs = own
			if h.Name != LocalHost {
				entry.SameAs = LocalHost
			}
		}
		if w.others != nil {
			entry.Addrs = append(slices.Clip(entry.Addrs), w.others.pods.addresses(h.Name)...)
		}
		w.Hosts = append(w.Hosts, entry)
	}
}

// assignTargets finds out which watched hosts serve each target, and adds the
// process behind a target's port to a host of this machine that serves it.
func (w *Watched) assignTargets(hosts []profiles.Host, targets []profiles.Target, addrs [][]netip.Addr) {
	for i, t := range targets {
		serving := t.Hosts
		if len(serving) == 0 {
			serving = w.hostsAt(addrs[i])
		}
		w.TargetHosts = append(w.TargetHosts, serving)
		// In a chain of hosts only the profile knows which one listens: the first
		// may be a router.
		if len(serving) != 1 {
			continue
		}
		i := slices.IndexFunc(hosts, func(h profiles.Host) bool { return h.Name == serving[0] })
		if i < 0 || hosts[i].Remote() {
			continue
		}
		h := &hosts[i]
		named := len(h.Processes) > 0 && h.Name != LocalHost
		for _, port := range ListenPorts(t) {
			if !named && !watchesPort(*h, port) {
				h.Processes = append(slices.Clone(h.Processes), profiles.Process{Listen: port})
			}
		}
	}
}

func watchesPort(h profiles.Host, port int) bool {
	return slices.ContainsFunc(h.Processes, func(p profiles.Process) bool { return p.Listen == port })
}

// hostsAt returns the watched hosts of this machine that own one of the addresses.
func (w *Watched) hostsAt(addrs []netip.Addr) []string {
	for _, h := range w.Hosts {
		for _, a := range addrs {
			if h.Name == LocalHost && a.IsLoopback() || slices.Contains(h.Addrs, a.String()) {
				return []string{h.Name}
			}
		}
	}
	return nil
}

// openPages opens the metrics pages of a host. What a page tells of is up to one
// interval old: that is the error of its times.
func (w *Watched) openPages(ctx context.Context, h profiles.Host, clock probe.Clock) {
	pages := prom.NewHost(h, clock)
	w.Append(pages.Open(ctx, probe.Selection{}))
	i := slices.IndexFunc(w.Hosts, func(o runlog.Host) bool { return o.Name == h.Name })
	if h.Netns == "" && i >= 0 {
		every := pages.Every()
		w.Hosts[i].ClockError = &every
	}
}

// traceResets watches who sends resets on this machine.
func (w *Watched) traceResets(hosts []profiles.Host, targets []profiles.Target) {
	var ports []uint16
	for _, t := range targets {
		for _, port := range ListenPorts(t) {
			ports = append(ports, uint16(port))
		}
	}
	var traced []machine.Traced
	for i, h := range w.Hosts {
		if !hosts[i].Remote() {
			traced = append(traced, machine.Traced{Entry: hosts[i], Addrs: h.Addrs})
		}
	}
	// Behind a proxy or a NAT resets happen on other ports than the target's.
	chained := slices.ContainsFunc(targets, func(t profiles.Target) bool { return len(t.Hosts) > 1 })
	trace, packets, capture := w.machine.Resets(traced, ports, chained)
	w.Watchers = append(w.Watchers, trace, packets)
	w.Watchers = append(w.Watchers, w.machine.Replies(traced, ports)...)
	w.Capture = capture
}

// nearlyFull is the share of a limit from which it is worth a word before a run.
const nearlyFull = 0.9

// AlreadyFull names the limits that are nearly reached before any load.
func (w *Watched) AlreadyFull(ctx context.Context) []string {
	var out []string
	for _, s := range w.Samplers {
		_ = s.Sample(ctx, func(r probe.Sample) {
			def, ok := r.Metric.Def()
			if !ok || def.Kind != probe.HardLimit || !(r.Value >= nearlyFull*r.Limit) || r.Limit <= 0 {
				return
			}
			owner := MetricOwner(r.Metric)
			if owner == "" {
				owner = r.Metric.Host
			}
			out = append(out, fmt.Sprintf("%s of %s is at %s of %s before any load: what fails may have nothing to do with the load",
				r.Metric.Name, owner, format.Amount(r.Value, def.Unit), format.Amount(r.Limit, def.Unit)))
		})
	}
	return out
}

// Describe reads every source once and says whether it can measure.
func (w *Watched) Describe(ctx context.Context) []string {
	var out []string
	line := func(s probe.Source, err error) {
		text := "ok"
		if err != nil {
			text = err.Error()
		}
		out = append(out, fmt.Sprintf("%-12s %-24s %s", s.Host, s.Name, text))
	}
	for _, s := range w.Samplers {
		readings := 0
		err := s.Sample(ctx, func(probe.Sample) { readings++ })
		if err == nil && readings == 0 {
			err = errors.New("nothing to read yet")
		}
		line(s.Source(), err)
	}
	for _, watcher := range w.Watchers {
		if c, ok := watcher.(interface{ Check() error }); ok {
			line(watcher.Source(), c.Check())
		}
	}
	if w.others != nil {
		for _, name := range w.others.names() {
			h, _ := w.others.header(name)
			out = append(out, fmt.Sprintf("%-12s %-24s ok: rampload %s on %s, kernel %s", name, "agent", h.Rampload, h.Host, h.Kernel))
		}
	}
	for _, m := range w.Missing {
		line(m.Source, errors.New(m.Reason))
	}
	return out
}
