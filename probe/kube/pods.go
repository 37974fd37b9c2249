package kube

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
)

// pods is what is known of a workload's pods. It turns what an API server tells of them
// into events, and does nothing else: no clock and no network.
type pods struct {
	source probe.Source
	clock  probe.Clock
	nodes  map[string]string // hosts that stand for nodes

	known     map[string]*known // by UID; those that are gone stay, for what is said of them later
	revisions []string          // in the order of their coming
	notices   map[string]int    // by UID: how often it was said
	begun     bool              // what was there at first is no news
}

type known struct {
	pod
	gone     bool
	evicted  bool
	unready  time.Duration   // since when it is out of service
	out      bool            // it was ready, and is not
	ends     map[string]bool // ends of containers that were told
	starting bool            // it was never ready
}

func newPods(source probe.Source, clock probe.Clock, nodes map[string]string) *pods {
	return &pods{source: source, clock: clock, nodes: nodes, known: map[string]*known{}, notices: map[string]int{}}
}

// host is what a pod is of: the host of its node, else that of the workload.
func (s *pods) host(p *pod) string { return cmp.Or(s.nodes[p.Spec.NodeName], s.source.Host) }

// believed is how late news of an end may come: an older one is by a clock that is off.
const believed = 30 * time.Second

// when places a time of the API on the run's clock. Most of its times are whole seconds:
// the middle of one is meant.
func (s *pods) when(t *time.Time, received time.Duration) time.Duration {
	if t == nil || t.IsZero() {
		return received
	}
	at := t.Sub(s.clock.Start().Round(0))
	if t.Nanosecond() == 0 {
		at += time.Second / 2
	}
	if at > received || received-at > believed {
		return received
	}
	return at
}

// ready counts the pods that take requests.
func (s *pods) ready() (n int) {
	for _, k := range s.known {
		if !k.gone && k.ready() && k.Meta.DeletionTimestamp == nil {
			n++
		}
	}
	return n
}

// all takes everything there is. Of the first time nothing is told; later what happened
// in between.
func (s *pods) all(items []pod, received time.Duration) (out []probe.Event) {
	there := map[string]bool{}
	for i := range items {
		there[items[i].Meta.UID] = true
		events := s.see(items[i], false, received)
		if s.begun {
			out = append(out, events...)
		}
	}
	for uid, k := range s.known {
		if !there[uid] && !k.gone {
			out = append(out, s.see(k.pod, true, received)...)
		}
	}
	s.begun = true
	slices.SortStableFunc(out, func(x, y probe.Event) int { return cmp.Compare(x.At, y.At) })
	return out
}

// see takes what a pod is now. DELETED is gone.
func (s *pods) see(p pod, gone bool, received time.Duration) (out []probe.Event) {
	k := s.known[p.Meta.UID]
	fresh := k == nil
	if fresh {
		k = &known{ends: map[string]bool{}, starting: !p.ready()}
		s.known[p.Meta.UID] = k
	}
	before, wasGone := k.pod, k.gone
	k.pod, k.gone = p, gone
	tell := func(state, container, why string, at time.Duration) {
		out = append(out, probe.Event{
			Kind: probe.PodChange, At: at, Source: s.source, Host: s.host(&p), Process: p.Meta.Name, Comm: container,
			State: state, Reason: oneLine(why), Value: float64(s.ready()),
		})
	}
	if r := p.revision(); r != "" && !slices.Contains(s.revisions, r) {
		s.revisions = append(s.revisions, r)
		if n := len(s.revisions); n > 1 && s.begun {
			tell(probe.PodUpdate, "", fmt.Sprintf("revision %s takes the place of %s", r, s.revisions[n-2]), received)
		}
	}
	s.evicted(k, tell, received)
	for _, c := range p.Status.Containers {
		for _, t := range []*terminated{c.LastState.Terminated, c.State.Terminated} {
			if t == nil {
				continue
			}
			if key := fmt.Sprint(c.Name, t.ContainerID, t.FinishedAt); !k.ends[key] {
				k.ends[key] = true
				state, why := ended(t)
				tell(state, c.Name, why, s.when(t.FinishedAt, received))
			}
		}
		if w := c.State.Waiting; w != nil && w.Reason == "CrashLoopBackOff" && !crashing(before, c.Name) {
			tell(probe.PodCrashLoop, c.Name, fmt.Sprintf("it ended %d times", c.RestartCount), received)
		}
	}
	// A pod that is to end is out of service from then on, whatever it says of itself.
	ends := p.Meta.DeletionTimestamp != nil || gone
	if ends && !fresh && before.Meta.DeletionTimestamp == nil && !wasGone {
		tell(probe.PodEnding, "", "", received)
	}
	switch now := p.ready() && !ends; {
	case now && k.out:
		k.out = false
		at := s.when(transition(&p), received)
		tell(probe.PodReady, "", fmt.Sprintf("after %.1f s", (at-k.unready).Seconds()), at)
	case now && k.starting:
		k.starting = false
		tell(probe.PodReady, "", "it is new", s.when(transition(&p), received))
	case !now && !ends && !fresh && before.ready() && !k.out:
		k.out, k.unready = true, s.when(transition(&p), received)
		tell(probe.PodNotReady, "", whyNot(&p), k.unready)
	}
	return out
}

// evicted tells that a pod was ended by its node or for another pod.
func (s *pods) evicted(k *known, tell func(state, container, why string, at time.Duration), received time.Duration) {
	if k.evicted {
		return
	}
	if k.Status.Phase == "Failed" && k.Status.Reason == "Evicted" {
		k.evicted = true
		tell(probe.PodEvicted, "", k.Status.Message, received)
		return
	}
	for _, c := range k.Status.Conditions {
		if c.Type == "DisruptionTarget" && c.Status == "True" {
			k.evicted = true
			tell(probe.PodEvicted, "", cmp.Or(c.Message, c.Reason), s.when(c.LastTransition, received))
		}
	}
}

// ended says how a container ended.
func ended(t *terminated) (state, why string) {
	why = fmt.Sprintf("exit status %d", t.ExitCode)
	switch {
	case t.Reason == "OOMKilled":
		return probe.PodOOMKilled, "killed for memory, " + why
	case t.ExitCode == 137 || t.Signal == 9: // 128 + SIGKILL
		why = "SIGKILL, " + why
	case t.ExitCode == 139 || t.Signal == 11:
		why = "SIGSEGV, " + why
	}
	return probe.PodExited, why
}

func crashing(p pod, name string) bool {
	for _, c := range p.Status.Containers {
		if c.Name == name && c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" {
			return true
		}
	}
	return false
}

// transition is when a pod became ready, or stopped being so.
func transition(p *pod) *time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.LastTransition
		}
	}
	return nil
}

func whyNot(p *pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return cmp.Or(c.Message, c.Reason)
		}
	}
	return ""
}

// said takes what a component says of an object. Of what was said before the run nothing
// is told.
func (s *pods) said(n notice, received time.Duration) []probe.Event {
	k := s.known[n.Involved.UID]
	times := n.times() - s.notices[n.Meta.UID]
	s.notices[n.Meta.UID] = n.times()
	if k == nil || times <= 0 || !s.begun {
		return nil
	}
	state := ""
	switch {
	case n.Reason == "Unhealthy":
		state = probe.PodProbeFailed
	case n.Reason == "Killing" && strings.Contains(n.Message, "probe"):
		state = probe.PodProbeKilled
	case n.Reason == "FailedScheduling":
		state = probe.PodUnplaced
	case n.Reason == "Evicted" || n.Reason == "Preempted" || n.Reason == "TaintManagerEviction":
		if k.evicted {
			return nil
		}
		k.evicted, state = true, probe.PodEvicted
	default:
		return nil
	}
	_, container, _ := strings.Cut(strings.TrimSuffix(n.Involved.Path, "}"), "{")
	return []probe.Event{{
		Kind: probe.PodChange, At: s.when(n.at(), received), Source: s.source, Host: s.host(&k.pod), Process: n.Involved.Name, Comm: container,
		State: state, Reason: oneLine(n.Message), Count: uint64(times), Value: float64(s.ready()),
	}}
}

// longestText is how much of a message is kept, in bytes.
const longestText = 240

// oneLine is a message as a report has room for.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "") + "..."
	}
	return text
}
