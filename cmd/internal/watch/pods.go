package watch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/kube"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/workload"
)

// Pods are the workloads of a profile's hosts in Kubernetes, as an API server told of
// them. A nil value is of a profile without any.
type Pods struct {
	client *kube.Client
	hosts  map[string]*pods // by the name of the host in the profile
}

// pods are those of one host of the profile.
type pods struct {
	found   *kube.Found
	err     error    // why there are none
	nodes   []string // whose agents are asked; nil: none are
	asHosts []string // the hosts that stand for it, by node
}

// FindPods finds the pods of a profile's hosts. In the profile that it returns the agents
// of their nodes watch them: under the host's own name where there is one node, else as
// orders@node-1 and orders@node-2, which serve beside each other. What cannot be found is
// evidence that is missing, and not the end of the run.
func FindPods(ctx context.Context, p profiles.Profile) (profiles.Profile, *Pods) {
	if !slices.ContainsFunc(p.Hosts, func(h profiles.Host) bool { return h.Kubernetes != "" }) {
		return p, nil
	}
	out := &Pods{hosts: map[string]*pods{}}
	client, err := kube.Open()
	out.client = client
	var wg sync.WaitGroup
	for _, h := range p.Hosts {
		if h.Kubernetes == "" {
			continue
		}
		found := &pods{err: err}
		out.hosts[h.Name] = found
		w, wrong := workload.Parse(h.Kubernetes)
		switch {
		case wrong != nil:
			found.err = wrong
		case err == nil:
			wg.Go(func() { found.found, found.err = client.Find(ctx, w) })
		}
	}
	wg.Wait()
	return out.replace(p), out
}

// replace puts the agents of nodes in the place of hosts.
func (p *Pods) replace(profile profiles.Profile) profiles.Profile {
	onBus := fleet.OnBus(profile)
	hosts := profile.Hosts
	profile.Hosts, profile.Targets = nil, slices.Clone(profile.Targets)
	for _, h := range hosts {
		of := p.hosts[h.Name]
		own := h.Agent.Given() && h.Agent.Name != profiles.OwnName // another way was asked for
		if of == nil || own {
			profile.Hosts = append(profile.Hosts, h)
			continue
		}
		h.Agent = profiles.Agent{}
		if of.found == nil || !onBus {
			profile.Hosts = append(profile.Hosts, h)
			continue
		}
		of.nodes = of.found.Nodes()
		if len(of.nodes) == 1 {
			of.asHosts = []string{h.Name}
			profile.Hosts = append(profile.Hosts, onNode(h, of, of.nodes[0]))
			continue
		}
		profile.Hosts = append(profile.Hosts, h) // of what no node tells
		for _, node := range of.nodes {
			one := onNode(h, of, node)
			one.Name = h.Name + "@" + node
			one.Kubernetes, one.Prometheus, one.Pools = "", nil, nil
			of.asHosts = append(of.asHosts, one.Name)
			profile.Hosts = append(profile.Hosts, one)
		}
		for i, t := range profile.Targets {
			if at := slices.Index(t.Hosts, h.Name); at >= 0 {
				profile.Targets[i].Hosts = slices.Concat(t.Hosts[:at], of.asHosts, t.Hosts[at+1:])
			}
		}
	}
	return profile
}

// onNode is a host whose pods on a node are watched by the agent there.
func onNode(h profiles.Host, of *pods, node string) profiles.Host {
	h.Agent = profiles.Agent{Name: node}
	h.Processes = nil
	for _, pod := range of.found.On(node) {
		if made := (profiles.Process{Pod: pod.Made.String()}); !slices.Contains(h.Processes, made) {
			h.Processes = append(h.Processes, made)
		}
	}
	return h
}

// open adds what tells of a host's pods.
func (p *Pods) open(h profiles.Host, w *Watched, clock probe.Clock) {
	of := p.of(h.Name)
	switch {
	case of == nil:
	case of.err != nil:
		w.Add(probe.Source{Host: h.Name, Name: kube.SourceName}, nil, &probe.Unsupported{What: kube.SourceName, Reason: of.err.Error()})
	default:
		w.Watchers = append(w.Watchers, p.client.Watcher(of.found, h.Name, of.byNode(), clock))
	}
}

// byNode are the hosts that stand for a workload's nodes; nil where nobody watches nodes.
func (of *pods) byNode() map[string]string {
	if of.nodes == nil {
		return nil
	}
	out := map[string]string{}
	for i, node := range of.nodes {
		out[node] = of.asHosts[min(i, len(of.asHosts)-1)]
	}
	return out
}

func (p *Pods) of(host string) *pods {
	if p == nil {
		return nil
	}
	return p.hosts[host]
}

// addresses returns those of a host's pods, all that are found or those on a node.
func (p *Pods) addresses(host string) (out []string) {
	if p == nil {
		return nil
	}
	name, node, _ := strings.Cut(host, "@")
	of := p.hosts[name]
	if of == nil || of.found == nil || node == "" && len(of.asHosts) > 1 {
		return nil
	}
	for _, pod := range of.found.Pods {
		if node == "" || pod.Node == node {
			out = append(out, pod.IPs...)
		}
	}
	return out
}

// Describe says what was found, a line for each host.
func (p *Pods) Describe() (out []string) {
	if p == nil {
		return nil
	}
	for _, name := range sortedNames(p.hosts) {
		of := p.hosts[name]
		if of.err != nil {
			out = append(out, fmt.Sprintf("%-12s %s", name, of.err))
			continue
		}
		ready := 0
		for _, pod := range of.found.Pods {
			if pod.Ready {
				ready++
			}
		}
		text := fmt.Sprintf("%-12s %s: %d of %d pods are ready, on %s", name, of.found.Workload, ready, len(of.found.Pods), strings.Join(of.found.Nodes(), ", "))
		if of.nodes == nil {
			text += "; no agent is asked"
		}
		out = append(out, text)
	}
	return out
}

// warnings says of which hosts nothing or only the API's word will be known.
func (p *Pods) warnings(hosts []profiles.Host) (out []string) {
	if p == nil {
		return nil
	}
	for _, h := range hosts {
		of := p.of(h.Name)
		switch {
		case of == nil || h.Agent.Given():
		case of.err != nil:
			out = append(out, fmt.Sprintf("the pods of %s are not known: %s; what happens to them will not be seen", h.Name, of.err))
		case of.nodes == nil && len(h.Prometheus) == 0:
			out = append(out, fmt.Sprintf("no agent watches the pods of %s: only what the API server tells of them is seen. Start an agent on each node (rampload fleet manifests) and name their server in fleet.nats; or let a debug container watch one pod, with this host in the profile: %s", h.Name, recipe(of.found)))
		}
	}
	return out
}

// recipe is a host of a profile that watches a pod by a debug container.
func recipe(f *kube.Found) string {
	pod := f.Pods[0]
	for _, other := range f.Pods {
		if other.Ready {
			pod = other
			break
		}
	}
	target := ""
	if len(pod.Containers) > 0 {
		target = " --target=" + pod.Containers[0] + ","
	}
	return fmt.Sprintf("{name: %s, agent: {command: [kubectl, debug, -i, -q, -n, %s, %s, --image=IMAGE,%s --profile=sysadmin, --, rampload, agent, --stdio]}}",
		pod.Name, f.Workload.Namespace, pod.Name, target)
}
