// Package machine opens everything that this machine can show of itself, of its
// processes and of its network namespaces: it joins the samplers of probe/host and
// probe/kernel and the watchers of probe/rst to a [probe.Host]. A session of load
// and an agent open the same sources. Other machines are probe/prom's and the
// fleet's.
package machine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/host"
	"github.com/rampload/rampload/probe/kernel"
	"github.com/rampload/rampload/probe/logs"
	"github.com/rampload/rampload/probe/neighbours"
	"github.com/rampload/rampload/probe/waiting"
	"github.com/rampload/rampload/profiles"
)

// Machine is this machine. The zero value is not useful: Clock and Name are needed.
type Machine struct {
	// Clock gives readings and events their time.
	Clock probe.Clock
	// Name is the name under which the machine as a whole is watched: "local" for the
	// generator.
	Name string
	// Generator says that this process sends load, and is watched itself.
	Generator bool
	// Shared is what its parts have in common; nil: each is by itself.
	Shared *Shared
}

// Shared is what the parts of a machine have in common: what reading their requests may
// cost, together no more than for one, which files of processes are followed, and which
// processes are named by any of them, so that no other finds them once more. The zero value
// is ready to use; it is safe for concurrent use.
type Shared struct {
	requests waiting.Sharing
	written  logs.Claims

	mu    sync.Mutex
	named []named
}

// named are processes that a part names.
type named struct {
	netns string
	port  int            // whoever listens on it is one of them; 0: they are not named by a port
	pids  func() []int32 // that were found
}

// name adds processes that a part names.
func (s *Shared) name(n named) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named = append(s.named, n)
}

// names reports whether any of some processes, which listen on a port of a network
// namespace, is named, or will be found by one that is: who takes the place of another.
func (s *Shared) names(netns string, port uint16, pids []int32) bool {
	s.mu.Lock()
	all := slices.Clone(s.named)
	s.mu.Unlock()
	return slices.ContainsFunc(all, func(n named) bool {
		return n.port != 0 && n.port == int(port) && n.netns == netns || slices.ContainsFunc(n.pids(), func(pid int32) bool { return slices.Contains(pids, pid) })
	})
}

// Host returns the host of a profile's entry that lives on this machine: the
// machine itself where the name is its own, a network namespace where the entry
// names one, else some processes.
func (m Machine) Host(entry profiles.Host) probe.Host {
	if m.Shared == nil {
		m.Shared = &Shared{}
	}
	return &part{machine: m, name: entry.Name, netns: entry.Netns}
}

// part is the machine as a whole, a network namespace, or some processes.
type part struct {
	machine Machine
	name    string
	netns   string
}

// Name returns the name of the entry.
func (p *part) Name() string { return p.name }

func (p *part) whole() bool { return p.name == p.machine.Name }

// Open opens the samplers of the part. Parts without a namespace of their own share
// the machine's sockets and counters, which are read once.
func (p *part) Open(ctx context.Context, selected probe.Selection) probe.Sources {
	var out probe.Sources
	clock := p.machine.Clock
	add := func(name string) func(probe.Sampler, error) {
		return func(s probe.Sampler, err error) { out.Add(probe.Source{Host: p.name, Name: name}, s, err) }
	}
	if p.whole() {
		add("host")(asSampler(host.New(p.name, host.Options{Clock: clock})))
	}
	if p.whole() && p.machine.Generator {
		add("generator")(asSampler(host.NewSelf(host.Options{Clock: clock})))
	}
	opt := kernel.Options{Host: p.name, Clock: clock, Namespace: kernel.Namespace{Name: p.netns}}
	if p.whole() || p.netns != "" {
		add("sockets")(asSampler(kernel.NewSockets(opt)))
		add("kernel counters")(asSampler(kernel.NewCounters(opt)))
		out.Watchers = append(out.Watchers, neighbours.New(neighbours.Options{Clock: clock, Host: p.name, Namespace: opt.Namespace}))
	}
	for _, process := range selected.Processes {
		if written := p.openProcess(ctx, process, opt, add); written != nil && selected.Written {
			out.Watchers = append(out.Watchers, written)
		}
	}
	for _, l := range selected.Logs {
		out.Watchers = append(out.Watchers, logs.New(l, p.name, p.netns, clock))
	}
	if p.whole() || p.netns != "" {
		add("requests")(asSampler(newServed(p)))
	}
	return out
}

// openProcess opens the samplers of a process: itself, its control groups and,
// where that is not a watched one, its network namespace. It returns what follows the
// files that it writes; nil where there is no process.
func (p *part) openProcess(ctx context.Context, selected profiles.Process, opt kernel.Options, add func(string) func(probe.Sampler, error)) *logs.Written {
	text := processText(selected)
	process, err := host.NewProcess(selected, p.name, host.Options{Clock: p.machine.Clock, Netns: p.netns})
	if err != nil {
		add("process "+text)(nil, err)
		return nil
	}
	// The first look finds the process, and with it the name that people call it.
	// One that is not there yet may come: the session looks again and again.
	_ = process.Sample(ctx, func(probe.Sample) {})
	p.machine.Shared.name(named{p.netns, selected.Listen, process.PIDs})
	add("process "+text)(process, nil)
	add("cgroup of " + text)(asSampler(kernel.NewCgroup(opt, process.Label(), process.PIDs)))
	if p.netns == "" && !inOwnNamespace(process.PIDs()) {
		add("network of " + text)(asSampler(kernel.NewProcessNetwork(opt, process.Label(), process.PIDs)))
		add("requests of " + whose(selected))(asSampler(newServedBy(p, whose(selected), process.PIDs)))
	}
	return logs.NewWritten(whose(selected), p.name, p.netns, process.Label, process.PIDs, &p.machine.Shared.written, p.machine.Clock)
}

// asSampler keeps a nil pointer from becoming a sampler that is not nil.
func asSampler[S probe.Sampler](s S, err error) (probe.Sampler, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// inOwnNamespace reports whether the processes are known and share rampload's
// network namespace, whose sockets and counters are read already.
func inOwnNamespace(pids []int32) bool {
	own, err := os.Readlink("/proc/thread-self/ns/net") // the first thread may be elsewhere
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

// whose is a process in a sentence: after "of" or "by".
func whose(p profiles.Process) string {
	text := processText(p)
	if text != p.Name {
		return "the process " + text
	}
	return text
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
	case p.Container != "":
		return "of container " + p.Container
	case p.Pod != "":
		return "of pod " + p.Pod
	}
	return p.Name
}
