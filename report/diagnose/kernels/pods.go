package kernels

import (
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// PodChanges returns what an API server told of a hop's pods: of all pods of its
// workload, whichever node they are on.
func PodChanges(c *evidence.Case, h evidence.Hop) []probe.Event {
	// A node's host is called WORKLOAD@NODE.
	of, _, _ := strings.Cut(h.Host, "@")
	var out []probe.Event
	for _, e := range c.Run.Log.Events {
		if e.Kind == probe.PodChange && of != "" && (e.Host == h.Host || e.Source.Host == of) {
			out = append(out, e)
		}
	}
	return out
}

// PodsWatched reports whether pods of a hop were followed.
func PodsWatched(c *evidence.Case, h evidence.Hop) bool {
	of, _, _ := strings.Cut(h.Host, "@")
	state, _, ok := c.Run.Status(func(host string) bool { return of != "" && host == of }, "pod events")
	return ok && state == probe.Measured
}

// podEnds returns the ends of containers that an API server told of. One that was seen on
// its node is told once: the kernel saw when, and the API says why.
func podEnds(c *evidence.Case, h evidence.Hop, seen []evidence.Death) []evidence.Death {
	const late = 3 // seconds that a kubelet may take to tell of an end
	changes := PodChanges(c, h)
	used := make([]bool, len(seen))
	var out []evidence.Death
	for i, e := range changes {
		at := e.At.Seconds()
		if e.State != probe.PodExited && e.State != probe.PodOOMKilled || at < 0.2 || at > c.Run.Duration()+2 {
			continue
		}
		oom := e.State == probe.PodOOMKilled
		if j := slices.IndexFunc(seen, func(d evidence.Death) bool { return math.Abs(d.At-at) < late }); j >= 0 && e.Host == h.Host {
			if !used[j] && oom {
				seen[j].Oom = true
			}
			used[j] = true
			continue
		}
		d := evidence.Death{At: at, Back: at + 2, Process: "pod " + e.Process, Oom: oom, Why: e.Reason}
		for _, x := range changes[i+1:] {
			if x.State == probe.PodReady && x.Process == e.Process {
				d.Back, d.Replaced = max(x.At.Seconds(), at), true
				break
			}
		}
		out = append(out, d)
	}
	return out
}

// PodSpell is a time in which a pod that ran on was out of service.
type PodSpell struct {
	Pod      string
	From, To float64 // seconds; to the end of the load where it did not come back
	Left     int     // pods of the workload that were ready then
	Why      string
	Probe    bool // Why is what a probe said
}

// OutOfService returns the times in which pods were taken out of service though no
// container of theirs had ended and nobody had asked for their end.
func OutOfService(c *evidence.Case, h evidence.Hop) []PodSpell {
	changes := PodChanges(c, h)
	var out []PodSpell
	for i, e := range changes {
		if e.State != probe.PodNotReady {
			continue
		}
		s := PodSpell{Pod: e.Process, From: e.At.Seconds(), To: c.Run.Duration(), Left: int(e.Value), Why: e.Reason}
		ended := slices.ContainsFunc(changes, func(x probe.Event) bool {
			switch x.State {
			case probe.PodExited, probe.PodOOMKilled, probe.PodProbeKilled, probe.PodEvicted, probe.PodEnding:
				return x.Process == e.Process && math.Abs(x.At.Seconds()-s.From) < 3
			}
			return false
		})
		if ended {
			continue
		}
		for _, x := range changes[i+1:] {
			if x.State == probe.PodReady && x.Process == e.Process {
				s.To = x.At.Seconds()
				break
			}
		}
		// What a probe said is a better word than that a container is not ready.
		for _, x := range changes {
			if x.State == probe.PodProbeFailed && x.Process == e.Process && x.At.Seconds() > s.From-60 && x.At.Seconds() < s.From+3 {
				s.Why, s.Probe = x.Reason, true
			}
		}
		out = append(out, s)
	}
	return out
}
