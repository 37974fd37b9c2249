package watch

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/reach"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// Agents are the other hosts that answered, and those that did not.
type Agents struct {
	Links  map[string]*fleet.Link
	remote map[string]runlog.Header // of those on the bus
	failed map[string]error
	pods   *Pods
	hosts  []profiles.Host
	cancel context.CancelFunc

	notes     []string // of the workers
	following sync.WaitGroup
	mu        sync.Mutex
	statuses  []probe.Status
}

// ConnectAgents connects to the agents of a profile's hosts, all at once. One that
// cannot be reached is evidence that is missing, and not the end of the run.
//
// pods are what [FindPods] found beside the profile.
func ConnectAgents(ctx context.Context, p profiles.Profile, pods *Pods, id string, every time.Duration, trace bool) *Agents {
	a := &Agents{Links: map[string]*fleet.Link{}, failed: map[string]error{}, cancel: func() {}, pods: pods, hosts: p.Hosts}
	var wg sync.WaitGroup
	for _, h := range p.Hosts {
		if !h.Agent.Given() || h.Agent.Name != "" {
			continue // an agent on the bus is the company's
		}
		wg.Go(func() {
			link, err := connectAgent(ctx, h, RequestFor(h, p.Targets, id, every, trace))
			a.mu.Lock()
			defer a.mu.Unlock()
			if err != nil {
				a.failed[h.Name] = err
				return
			}
			a.Links[h.Name] = link
		})
	}
	wg.Wait()
	return a
}

func connectAgent(ctx context.Context, h profiles.Host, r protocol.Request) (*fleet.Link, error) {
	conn, err := reach.Agent(ctx, h)
	if err != nil {
		return nil, err
	}
	return fleet.Connect(ctx, conn, r)
}

// RequestFor is what the agent of a host is asked to watch. A host that alone serves a
// target, and for which the profile names no process, is watched by the target's port.
func RequestFor(h profiles.Host, targets []profiles.Target, id string, every time.Duration, trace bool) protocol.Request {
	r := protocol.Request{RunID: id, Name: h.Name, Processes: slices.Clone(h.Processes), Logs: h.Logs, NoLogs: h.NoLogs, Trace: trace, Every: every}
	for _, t := range targets {
		r.Chained = r.Chained || len(t.Hosts) > 1
		for _, port := range ListenPorts(t) {
			r.Ports = append(r.Ports, uint16(port))
			if len(t.Hosts) == 1 && t.Hosts[0] == h.Name && len(h.Processes) == 0 {
				r.Processes = append(r.Processes, profiles.Process{Listen: port})
			}
		}
	}
	return r
}

// Add adds the agents on the bus.
func (a *Agents) Add(lead *fleet.Lead) {
	if lead == nil {
		return
	}
	a.remote = lead.Agents()
	for name, err := range lead.Failed() {
		a.failed[name] = err
	}
	a.notes = lead.Notes()
}

// header returns what an agent says of itself, if it answers.
func (a *Agents) header(name string) (runlog.Header, bool) {
	if link := a.Links[name]; link != nil {
		return link.Header(), true
	}
	h, answers := a.remote[name]
	return h, answers
}

// names returns the hosts whose agents answer, in order.
func (a *Agents) names() []string {
	all := map[string]bool{}
	for name := range a.Links {
		all[name] = true
	}
	for name := range a.remote {
		all[name] = true
	}
	return sortedNames(all)
}

// host returns what is known of a host with an agent, and whether it is one that
// answers.
func (a *Agents) host(name string) (runlog.Host, bool) {
	header, answers := a.header(name)
	if !answers {
		return runlog.Host{}, false
	}
	for _, h := range header.Hosts {
		if h.Name == name {
			return h, true
		}
	}
	return runlog.Host{Name: name}, true
}

// Warnings names the agents that cannot be reached.
func (a *Agents) Warnings() []string {
	out := slices.Clone(a.notes)
	for _, name := range sortedNames(a.failed) {
		out = append(out, fmt.Sprintf("the agent of %s cannot be reached: %s; what happens on that host will not be seen", name, a.failed[name]))
	}
	return append(out, a.pods.warnings(a.hosts)...)
}

// Follow keeps the records of all agents as parts of the run's, until stop.
func (a *Agents) Follow(ctx context.Context, clock probe.Clock, log *runlog.Writer, seen func([]probe.Sample), o fleet.Observer) {
	ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	number := 0
	for _, name := range sortedNames(a.Links) {
		number++
		link, part := a.Links[name], number
		a.following.Go(func() {
			status := link.Follow(ctx, part, clock, log, seen, o)
			a.mu.Lock()
			defer a.mu.Unlock()
			a.statuses = append(a.statuses, status)
		})
	}
}

// Stop ends all records, and returns how the connections were.
func (a *Agents) Stop() []probe.Status {
	a.cancel()
	a.following.Wait()
	return a.statuses
}

// Close ends agents that nobody follows.
func (a *Agents) Close() {
	for _, l := range a.Links {
		l.Close()
	}
}

func sortedNames[T any](m map[string]T) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// WithoutLoopback leaves out the addresses that every machine has.
func WithoutLoopback(addrs []string) []string {
	return slices.DeleteFunc(slices.Clone(addrs), func(text string) bool {
		addr, err := netip.ParseAddr(text)
		return err != nil || addr.IsLoopback() || addr.IsLinkLocalUnicast()
	})
}
