package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/workload"
)

// hostRules checks the hosts that are watched.
type hostRules struct{ *validator }

func (v hostRules) hosts() {
	seen := make(map[string]bool)
	for i, h := range v.profile.Hosts {
		path := at("hosts", i)
		switch {
		case h.Name == "":
			v.add(path, "the host has no name: write one, such as name: orders-1")
		case !v.name(path+".name", h.Name):
		case seen[h.Name]:
			v.add(path+".name", "a second host is called %q: give each host its own name", h.Name)
		}
		seen[h.Name] = true
		v.host(path, h)
	}
}

func (v hostRules) host(path string, h profiles.Host) {
	remote := h.Agent.Given() || h.Netns != "" || len(h.Prometheus) > 0 || h.Kubernetes != ""
	switch {
	case h.Kubernetes != "" && h.Name != profiles.LocalHost && h.Netns != "":
		v.add(path+".netns", "a netns is of this machine, and the host is in Kubernetes: leave out one of them")
	case h.Kubernetes != "" && len(h.Processes) > 0 && !h.Agent.Given():
		v.add(path+".processes", "the processes are those of the pods: leave them out, or name pods by hand, with agent: NODE and processes: [{pod: shop/orders-*}]")
	case h.Name == profiles.LocalHost && remote:
		v.add(path, "local is this machine: give the host another name, or leave out agent, netns, prometheus and kubernetes")
	case h.Agent.Given() && h.Netns != "":
		v.add(path+".netns", "a netns is of this machine, and the host has an agent: leave out one of them")
	case len(h.Prometheus) > 0 && h.Remote() && !h.Agent.Given() && len(h.Processes) > 0:
		v.add(path+".processes", "processes cannot be watched through prometheus: add agent: %s, or leave them out", plainName(h.Name))
	case len(h.Pools) > 0 && len(h.Prometheus) == 0:
		v.add(path+".pools", "pools are read from a metrics page: write prometheus: http://%s:8080/metrics beside them", plainName(h.Name))
	}
	if h.Kubernetes != "" {
		if _, err := workload.Parse(h.Kubernetes); err != nil {
			v.add(path+".kubernetes", "%s", err)
		}
	}
	v.agent(path+".agent", h.Agent)
	if strings.ContainsAny(h.Netns, "/ ") || h.Netns == "." || h.Netns == ".." {
		v.add(path+".netns", "%s is not the name of a network namespace: write one that \"ip netns list\" shows", spelling.Quote(h.Netns))
	}
	for i, m := range h.Prometheus {
		at := path + ".prometheus"
		if len(h.Prometheus) > 1 {
			at = fmt.Sprintf("%s.%d", at, i)
		}
		v.metrics(at, m)
	}
	for i, p := range h.Pools {
		v.pool(at(path+".pools", i), p)
	}
	for i, l := range h.Logs {
		v.log(at(path+".logs", i), l)
	}
	for i, p := range h.Processes {
		v.process(at(path+".processes", i), p)
	}
}

func (v hostRules) process(path string, p profiles.Process) {
	selectors := 0
	for _, set := range []bool{p.Listen != 0, p.PID != 0, p.Name != "", p.Cgroup != "", p.Unit != "", p.Container != "", p.Pod != ""} {
		if set {
			selectors++
		}
	}
	if selectors != 1 {
		v.add(path, "%d ways to find a process are given: write exactly one of listen, pid, name, cgroup, unit, container and pod", selectors)
		return
	}
	switch {
	case p.Listen < 0 || p.Listen > 65535:
		v.add(path+".listen", "port %d is not from 1 to 65535: write the port that the process listens on", p.Listen)
	case p.PID < 0:
		v.add(path+".pid", "pid %d cannot be: write the number that ps shows", p.PID)
	case slices.Contains(strings.Split(p.Cgroup, "/"), ".."):
		v.add(path+".cgroup", "%s leaves the cgroup tree: write the path below /sys/fs/cgroup", spelling.Quote(p.Cgroup))
	case strings.Count(p.Pod, "/") > 1:
		if w, err := workload.Parse(p.Pod); err != nil || w.Kind == workload.Labels {
			v.add(path+".pod", "%s names no pods: write NAMESPACE/NAME, such as shop/orders-*, or NAMESPACE/deploy/NAME (or sts, ds)", spelling.Quote(p.Pod))
		}
	case p.Pod != "" && strings.Count(p.Pod, "/") != 1:
		v.add(path+".pod", "%s names no pod: write NAMESPACE/NAME, such as shop/orders-*", spelling.Quote(p.Pod))
	case strings.Contains(p.Container, "/"):
		v.add(path+".container", "%s is a path: write the container's name, or pod: for a pod", spelling.Quote(p.Container))
	case p.Unit != "" && !strings.Contains(p.Unit, "."):
		v.add(path+".unit", "%s is not a full unit name: write %s.service", spelling.Quote(p.Unit), p.Unit)
	case strings.Contains(p.Name, "/"):
		v.add(path+".name", "%s is a path: write the command's name, %s", spelling.Quote(p.Name), strconv.Quote(p.Name[strings.LastIndex(p.Name, "/")+1:]))
	}
}

// gateRules checks gates and what ends a run early.
type gateRules struct{ *validator }

// gates checks the gates of one list: gate, which must hold, or abort-if, which
// ends the run when it holds.
func (v gateRules) gates(path string, gates []profiles.Gate) {
	for i, g := range gates {
		path := at(path, i)
		parsed, err := profiles.ParseGate(g.String())
		if err != nil {
			v.add(path, "%s", err)
			continue
		}
		if parsed.Text = g.Text; parsed != g {
			v.add(path, "the gate %s cannot be written: make it with ParseGate", spelling.Quote(g.String()))
			continue
		}
		v.gateNames(path, g)
		if strings.HasPrefix(path, "gate") {
			v.gate(path, g)
		} else {
			v.abortIf(path, g)
		}
	}
}

// gateNames checks the target or the resource that a gate names.
func (v gateRules) gateNames(path string, g profiles.Gate) {
	if g.Of == "" {
		return
	}
	if g.Metric == profiles.GateHeadroom {
		if v.resources != nil && !slices.Contains(v.resources, g.Of) {
			v.add(path, "unknown resource %s%s", spelling.Quote(g.Of), spelling.Suggest(g.Of, v.resources))
		}
		return
	}
	var names []string
	for _, c := range v.profile.Counted() {
		names = append(names, c.Name)
	}
	if !slices.Contains(names, g.Of) {
		v.add(path, "unknown target %s%s", spelling.Quote(g.Of), spelling.Suggest(g.Of, names))
	}
}

// senseless reports whether a gate holds always or never, or asks for what nobody wants,
// and says what to write.
func (v gateRules) senseless(path string, g profiles.Gate) bool {
	more := g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual
	counts := g.Metric == profiles.GateFailures || g.Metric == profiles.GateLost || g.Metric == profiles.GateWireResets || g.Metric == profiles.GateVisibleResets
	switch {
	case g.Baseline > 0:
		return false
	case counts && more:
		v.add(path, "a gate says what must hold, and the fewer %s the better: write %s < 1%%, or == 0", g.Metric, g.Subject())
	case g.Metric == profiles.GateLatency && more:
		v.add(path, "a gate says what must hold, and the shorter a latency the better: write %s < %s", g.Subject(), g.FormatValue())
	case counts && g.Op == profiles.Less && g.Value == 0:
		v.add(path, "nothing is below 0: write %s == 0", g.Subject())
	case counts && g.Unit == profiles.UnitRatio && g.Value >= 1:
		v.add(path, "every run passes %s: write a share that would be too much, such as %s < 1%%", g.String(), g.Subject())
	case g.Metric == profiles.GateHeadroom && more && g.Value >= 1:
		v.add(path, "no resource has more than all of it left: write %s > 20%%", g.Subject())
	case g.Metric == profiles.GateLost && len(v.profile.Journeys) == 0 && !slices.ContainsFunc(v.profile.Targets, func(t profiles.Target) bool { return t.Completion.Given() }):
		v.add(path, "what is lost is known of targets with completion: only: add it to one, or gate on failures")
	default:
		return false
	}
	return true
}

func (v gateRules) gate(path string, g profiles.Gate) {
	below := g.Op == profiles.Less || g.Op == profiles.LessOrEqual
	rate, known := v.profile.MaxRate()
	if searchRules(v).gateOfSearch(path, g) {
		return
	}
	_, searches := v.profile.SearchStage()
	if v.senseless(path, g) {
		return
	}
	switch {
	case g.Baseline > 0 && searches:
		v.add(path, "a search is compared as a whole, with rampload compare: state a value, such as %s", g.Example(g.Op))
	case g.Metric == profiles.GateHeadroom && below:
		v.add(path, "a gate says what must hold, and headroom is what is left: write headroom(%s) > %s", g.Of, g.FormatValue())
	case g.Metric.IsLoad() && known && g.Value > rate:
		v.add(path, "the load reaches only %s, so the gate cannot pass: raise the load, or write %s > %s", spelling.FormatRate(rate), g.Subject(), spelling.FormatRate(rate))
	case known && g.UpTo > rate:
		v.add(path, "the load reaches only %s, so nothing can be said up to %s: raise the load, or write up to %s", spelling.FormatRate(rate), spelling.FormatRate(g.UpTo), spelling.FormatRate(rate))
	}
}

func (v gateRules) abortIf(path string, g profiles.Gate) {
	below := g.Op == profiles.Less || g.Op == profiles.LessOrEqual
	switch {
	case g.Baseline > 0:
		v.add(path, "a baseline is compared at the end only: state a value, such as failures within 10s > 50%%")
	case g.Metric.IsLoad():
		what := "the onset"
		if g.Metric == profiles.GateCrosses {
			what = "the load at which failures pass a share"
		}
		v.add(path, "%s is known at the end only: write another condition, such as failures within 10s > 50%%", what)
	case g.Metric == profiles.GateHeadroom && !below:
		v.add(path, "the run would end at once: write headroom(%s) < %s", g.Of, g.FormatValue())
	case g.Metric != profiles.GateHeadroom && (below || g.Op == profiles.Equal && g.Value == 0):
		v.add(path, "the run would end at once: write %s > %s", g.Subject(), g.FormatValue())
	}
}
