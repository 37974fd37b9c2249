// Package passage asks what got through between the hops of a run: what kernels on the way
// dropped or refused, what was sent again, and what did not come up. It names no cause.
package passage

import (
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/words"
)

// leastVanished is the number of packets below which nothing is concluded from them.
const leastVanished = 3

// Dropped reads the kernels' own account of what they dropped and rejected,
// held against the failures that it would explain: one rule for another service, or
// a handful of packets among many failures, is no answer.
func Dropped(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	observeWaits(c, f, h)
	all, waited := []kernels.Dropped(nil), 0.0
	if h.Index == 0 {
		all, waited = kernels.DroppedToTarget(c), c.Parts.Fault[attack.Timeout]
	}
	if s := gather.StepAt(c, h); s != nil && s == c.Way.Culprit && s.State == report.StandsNetwork {
		// What is lost behind a gateway shows as its status, or as waits before it.
		all = append(all, kernels.DroppedBehind(c, s.To.Hop.Port)...)
		// There is one connection, or a few, for many of those that fail.
		waited = min(c.Parts.Fault[attack.Timeout]+c.Statuses[502]+c.Statuses[503]+c.Statuses[504], max(leastVanished, 3*words.Finite(s.To.Requests, 0)+words.Finite(s.To.Connecting, 0)))
	}
	if len(all) > 0 {
		tellDropped(c, f, h, all, waited)
	}
	if h.Index == 0 && f[evidence.FilterDropped].Is != evidence.Yes {
		if b := kernels.DroppedBeside(c); b.Count > 0 {
			f.SetAt(evidence.FilterBeside, evidence.Yes, b.First, "kernel of "+b.Host, "%s", b.Text())
		}
	}
}

// tellDropped holds what kernels dropped against the failures that waited for it.
func tellDropped(c *evidence.Case, f *evidence.Facts, h evidence.Hop, all []kernels.Dropped, waited float64) {
	ended := c.Parts.Wire + c.Parts.Fault[attack.Refused]
	tell := func(x evidence.Clue, failures float64, about func(kernels.Dropped) bool) {
		n, most := kernels.SumDropped(all, about)
		if n < leastVanished || failures < leastVanished {
			return // not every kernel can tell: silence is no answer
		}
		f.SetAt(x, evidence.When(n/failures, 0.1, 0.5), most.First, "kernel of "+most.Host, "%s", most.Text())
	}
	own := func(v kernels.Dropped) bool { return h.Has(v.Host) }
	tell(evidence.FilterDropped, waited, kernels.Dropped.Filtered)
	// Where the table has room, what cannot be entered has no port to be translated to.
	noPort := func(v kernels.Dropped) bool { return v.NotEntered() && tracking(c, v.Host) < 0.9 }
	tell(evidence.TrackingDropped, waited, func(v kernels.Dropped) bool { return v.TableFull() && !noPort(v) })
	tell(evidence.InsertFailed, waited, noPort)
	tell(evidence.Unanswered, waited, kernels.Dropped.NoNeighbor)
	if f[evidence.Unanswered].Is != evidence.Yes {
		// Senders look up a neighbour's address anew and then send no more: a few are enough.
		tell(evidence.Unanswered, min(waited, 2*leastVanished), kernels.Dropped.Misled)
	}
	tell(evidence.NotForwarded, min(waited, 2*leastVanished), kernels.Dropped.NotForwarded)
	tell(evidence.ReverseDropped, waited, kernels.Dropped.Reversed)
	tell(evidence.TooBigDropped, waited, kernels.Dropped.TooBig)
	tell(evidence.QueueDropped, waited, func(v kernels.Dropped) bool { return own(v) && v.QueueFull() })
	tell(evidence.PathRejected, ended, func(v kernels.Dropped) bool { return v.Rejected && !own(v) })
	// Lost packets are sent again; only what is lost again and again ends in a fault.
	if n, most := kernels.SumDropped(all, kernels.Dropped.Congested); n >= leastVanished && f[evidence.LinkDropped].Is != evidence.Yes {
		f.SetAt(evidence.LinkDropped, evidence.When(n/max(waited, 1), 0.1, 0.5), most.First, "kernel of "+most.Host, "%s", most.Text())
	}
	tell(evidence.HostRejected, ended, func(v kernels.Dropped) bool { return v.Rejected && own(v) })
}

// tracking is how full the connection table of a host was at most, as a share; NaN where it
// was not read.
func tracking(c *evidence.Case, host string) float64 {
	most := math.NaN()
	for _, r := range c.Run.Resources {
		if r.Metric.Name == probe.Conntrack && r.Metric.Host == host && !(r.Most < most) {
			most = r.Most
		}
	}
	return most
}

// What a wait for the process is called late, and in time, in seconds. Between them it
// is left open.
const (
	waitedLong  = 0.1
	waitedShort = 0.02
)

// observeWaits asks whether connections that had come up, or what had come in, waited
// for the process: then it is the process, and not the network, that is late.
func observeWaits(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	for _, one := range []struct {
		clue       evidence.Clue
		kind, verb string
	}{{evidence.AcceptedLate, "accept", "accepted"}, {evidence.ReadLate, "read", "read"}} {
		w := kernels.Waits(c, h, one.kind)
		if w.Count < leastVanished || math.IsNaN(w.Slowest) {
			continue
		}
		late := evidence.When(w.Slowest, waitedShort, max(waitedLong, 3*words.Finite(w.Light, 0)))
		text := w.Text(one.verb)
		if late != evidence.Yes {
			text = one.verb + " within " + w.Took()
		}
		f.SetAt(one.clue, late, w.At, "kernel of "+h.Host, "%s", text)
	}
}
