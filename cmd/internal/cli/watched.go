package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/host"
	"github.com/rampload/rampload/probe/kernel"
	"github.com/rampload/rampload/probe/rst"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/runlog"
)

// localHost is the name of the machine that generates the load.
const localHost = profiles.LocalHost

// watched is everything that watches hosts during a run.
type watched struct {
	samplers []probe.Sampler
	watchers []probe.Watcher
	missing  []probe.Status // sources that could not be opened
	capture  *rst.Capture   // nil: packets are not captured

	hosts       []runlog.Host
	targetHosts [][]string // by target: the hosts that serve it
	noFile      uint64     // own soft limit of open files, raised as far as it goes
}

// watchHosts opens the probes of the named hosts and of the generator. A target
// on this machine is watched by the port that it listens on, whether the profile
// says so or not; addrs are the addresses of each target. What cannot be opened is
// missing, with the reason.
func watchHosts(hosts []profiles.Host, targets []profiles.Target, addrs [][]netip.Addr, clock probe.Clock, trace bool) *watched {
	w := &watched{}
	if soft, err := host.RaiseNoFile(); err == nil {
		w.noFile = soft
	}
	hosts = slices.Clone(hosts)
	if !slices.ContainsFunc(hosts, func(h profiles.Host) bool { return h.Name == localHost }) {
		hosts = append([]profiles.Host{{Name: localHost}}, hosts...)
	}
	w.addresses(hosts)
	w.assignTargets(hosts, targets, addrs)
	for _, h := range hosts {
		w.watchHost(h, clock)
	}
	if trace {
		w.traceResets(hosts, targets, clock)
	}
	return w
}

func (w *watched) addresses(hosts []profiles.Host) {
	own := localAddrs()
	for _, h := range hosts {
		entry := runlog.Host{Name: h.Name}
		switch {
		case h.Agent != "" || h.Prometheus != "":
		case h.Netns != "":
			entry.SameAs = localHost
			if addrs, err := rst.NetnsAddrs(netnsPath(h.Netns)); err == nil {
				for _, a := range addrs {
					entry.Addrs = append(entry.Addrs, a.String())
				}
			}
		default:
			entry.Addrs = own
			if h.Name != localHost {
				entry.SameAs = localHost
			}
		}
		w.hosts = append(w.hosts, entry)
	}
}

// assignTargets finds out which watched hosts serve each target, and adds the
// process behind a target's port to a host of this machine that serves it.
func (w *watched) assignTargets(hosts []profiles.Host, targets []profiles.Target, addrs [][]netip.Addr) {
	for i, t := range targets {
		serving := t.Hosts
		if len(serving) == 0 {
			serving = w.hostsAt(addrs[i])
		}
		w.targetHosts = append(w.targetHosts, serving)
		port := listenPort(t.URL)
		// In a chain of hosts only the profile knows which one listens: the first
		// may be a router.
		if len(serving) != 1 || port == 0 {
			continue
		}
		i := slices.IndexFunc(hosts, func(h profiles.Host) bool { return h.Name == serving[0] })
		if i < 0 || hosts[i].Agent != "" || hosts[i].Prometheus != "" {
			continue
		}
		h := &hosts[i]
		if len(h.Processes) == 0 || h.Name == localHost && !watchesPort(*h, port) {
			h.Processes = append(slices.Clone(h.Processes), profiles.Process{Listen: port})
		}
	}
}

func watchesPort(h profiles.Host, port int) bool {
	return slices.ContainsFunc(h.Processes, func(p profiles.Process) bool { return p.Listen == port })
}

// hostsAt returns the watched hosts of this machine that own one of the addresses.
func (w *watched) hostsAt(addrs []netip.Addr) []string {
	for _, h := range w.hosts {
		for _, a := range addrs {
			if h.Name == localHost && a.IsLoopback() || slices.Contains(h.Addrs, a.String()) {
				return []string{h.Name}
			}
		}
	}
	return nil
}

// watchHost opens the samplers of one host.
func (w *watched) watchHost(h profiles.Host, clock probe.Clock) {
	switch {
	case h.Agent != "":
		w.unsupported(h.Name, "agent "+h.Agent, "this rampload has no remote agent", "the target on this machine or in one of its network namespaces")
		return
	case h.Prometheus != "":
		w.unsupported(h.Name, "metrics of "+h.Prometheus, "this rampload reads no metrics pages", "the target on this machine or in one of its network namespaces")
		return
	}
	ns := kernel.Namespace{Name: h.Netns}
	if h.Name == localHost {
		w.add(localHost, "host")(host.New(localHost, host.Options{Clock: clock}))
		w.add(localHost, "generator")(host.NewSelf(host.Options{Clock: clock}))
	}
	// Entries without a namespace of their own share the machine's sockets and
	// counters, which are read once.
	if h.Name == localHost || h.Netns != "" {
		opt := kernel.Options{Host: h.Name, Clock: clock, Namespace: ns}
		w.add(h.Name, "sockets")(asSampler(kernel.NewSockets(opt)))
		w.add(h.Name, "kernel counters")(asSampler(kernel.NewCounters(opt)))
	}
	for _, p := range h.Processes {
		w.watchProcess(h, p, ns, clock)
	}
}

// watchProcess opens the samplers of a process: itself, its control groups and,
// where that is not a watched one, its network namespace.
func (w *watched) watchProcess(h profiles.Host, selected profiles.Process, ns kernel.Namespace, clock probe.Clock) {
	source := "process " + processText(selected)
	process, err := host.NewProcess(selected, h.Name, host.Options{Clock: clock, Netns: h.Netns})
	if err != nil {
		w.add(h.Name, source)(nil, err)
		return
	}
	// The first look finds the process, and with it the name that people call it.
	// One that is not there yet may come: the session looks again and again.
	_ = process.Sample(context.Background(), func(probe.Reading) {})
	w.samplers = append(w.samplers, process)
	opt := kernel.Options{Host: h.Name, Clock: clock, Namespace: ns}
	w.add(h.Name, "cgroup of "+processText(selected))(asSampler(kernel.NewCgroup(opt, process.Label(), process.PIDs)))
	if h.Netns == "" && !inOwnNamespace(process.PIDs()) {
		w.add(h.Name, "network of "+processText(selected))(asSampler(kernel.NewProcessNetwork(opt, process.Label(), process.PIDs)))
	}
}

// inOwnNamespace reports whether the processes are known and share rampload's
// network namespace, whose sockets and counters are read already.
func inOwnNamespace(pids []int32) bool {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil || len(pids) == 0 {
		return false
	}
	for _, pid := range pids {
		if other, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil || other != own {
			return false
		}
	}
	return true
}

// asSampler keeps a nil pointer from becoming a sampler that is not nil.
func asSampler[S probe.Sampler](s S, err error) (probe.Sampler, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (w *watched) add(hostName, source string) func(probe.Sampler, error) {
	return func(s probe.Sampler, err error) {
		if err != nil {
			w.missing = append(w.missing, probe.Status{
				Source: probe.Source{Host: hostName, Name: source},
				State:  probe.NotMeasured, Reason: err.Error(),
			})
			return
		}
		w.samplers = append(w.samplers, s)
	}
}

func (w *watched) unsupported(hostName, source, reason, needs string) {
	err := &probe.Unsupported{What: source, Reason: reason, Needs: needs}
	w.missing = append(w.missing, probe.Status{
		Source: probe.Source{Host: hostName, Name: source},
		State:  probe.NotMeasured, Reason: err.Error(),
	})
}

// traceResets watches who sends resets: one trace for the whole kernel, one
// capture where the load is sent from.
func (w *watched) traceResets(hosts []profiles.Host, targets []profiles.Target, clock probe.Clock) {
	var ports []uint16
	for _, t := range targets {
		if port := listenPort(t.URL); port != 0 {
			ports = append(ports, uint16(port))
		}
	}
	var traced []rst.Host
	// Behind a proxy or a NAT resets happen on other ports than the target's.
	chained := slices.ContainsFunc(targets, func(t profiles.Target) bool { return len(t.Hosts) > 1 })
	for i, h := range w.hosts {
		if hosts[i].Agent != "" || hosts[i].Prometheus != "" {
			continue
		}
		entry := rst.Host{Name: h.Name, Netns: netnsPath(hosts[i].Netns)}
		for _, a := range h.Addrs {
			if addr, err := netip.ParseAddr(a); err == nil {
				entry.Addrs = append(entry.Addrs, addr)
			}
		}
		for _, p := range hosts[i].Processes {
			if p.Listen != 0 {
				entry.Ports = append(entry.Ports, uint16(p.Listen))
			}
			chained = chained || !slices.Contains(ports, uint16(p.Listen))
		}
		traced = append(traced, entry)
		chained = chained || hosts[i].Netns != ""
	}
	opt := rst.TraceOptions{Clock: clock, Host: localHost, Hosts: traced}
	if !chained {
		opt.Ports = ports
	}
	w.watchers = append(w.watchers, rst.NewTrace(opt))
	w.capture = rst.NewCapture(rst.CaptureOptions{Clock: clock, Host: localHost, Ports: ports})
	w.watchers = append(w.watchers, w.capture)
}

func netnsPath(name string) string {
	if name == "" {
		return ""
	}
	return "/run/netns/" + name
}

func processText(p profiles.Process) string {
	switch {
	case p.Listen != 0:
		return fmt.Sprintf("on port %d", p.Listen)
	case p.PID != 0:
		return fmt.Sprintf("%d", p.PID)
	case p.Cgroup != "":
		return "of cgroup " + p.Cgroup
	case p.Unit != "":
		return "of unit " + p.Unit
	}
	return p.Name
}

// nearlyFull is the share of a limit from which it is worth a word before a run.
const nearlyFull = 0.9

// alreadyFull names the limits that are nearly reached before any load.
func (w *watched) alreadyFull(ctx context.Context) []string {
	var out []string
	for _, s := range w.samplers {
		_ = s.Sample(ctx, func(r probe.Reading) {
			def, ok := r.Metric.Def()
			if !ok || def.Kind != probe.HardLimit || !(r.Value >= nearlyFull*r.Limit) || r.Limit <= 0 {
				return
			}
			owner := metricOwner(r.Metric)
			if owner == "" {
				owner = r.Metric.Host
			}
			out = append(out, fmt.Sprintf("%s of %s is at %s of %s before any load: what fails may have nothing to do with the load",
				r.Metric.Name, owner, render.Quantity(r.Value, def.Unit), render.Quantity(r.Limit, def.Unit)))
		})
	}
	return out
}

// close ends samplers that no session has taken over.
func (w *watched) close() {
	for _, s := range w.samplers {
		s.Close()
	}
}

// describe reads every source once and says whether it can measure.
func (w *watched) describe(ctx context.Context) []string {
	var out []string
	line := func(s probe.Source, err error) {
		text := "ok"
		if err != nil {
			text = err.Error()
		}
		out = append(out, fmt.Sprintf("%-12s %-24s %s", s.Host, s.Name, text))
	}
	for _, s := range w.samplers {
		readings := 0
		err := s.Sample(ctx, func(probe.Reading) { readings++ })
		if err == nil && readings == 0 {
			err = errors.New("nothing to read yet")
		}
		line(s.Source(), err)
	}
	for _, watcher := range w.watchers {
		if c, ok := watcher.(interface{ Check() error }); ok {
			line(watcher.Source(), c.Check())
		}
	}
	for _, m := range w.missing {
		line(m.Source, errors.New(m.Reason))
	}
	return out
}
