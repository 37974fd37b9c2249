// Package passage asks what got through between the hops of a run: packets that kernels dropped or
// refused, packets that were retransmitted, connections that did not come up. It names no cause.
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

// Dropped compares the packets that kernels say they dropped or rejected with the failures that these
// would explain. A rule for another service, or a few packets among many failures, explain nothing.
func Dropped(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	observeWaits(c, f, h)
	all, waited := []kernels.Dropped(nil), 0.0
	if h.Index == 0 {
		all, waited = kernels.DroppedToTarget(c), c.Parts.Fault[attack.Timeout]
	}
	if s := gather.StepAt(c, h); s != nil && s == c.Way.Culprit && s.State == report.StandsNetwork {
		// Losses behind a gateway show as its statuses, or as requests that wait at it.
		all = append(all, kernels.DroppedBehind(c, s.To.Hop.Port)...)
		// Many failed requests share one connection, or a few.
		waited = min(c.Parts.Fault[attack.Timeout]+errors5xx(c), max(leastVanished, 3*words.Finite(s.To.Requests, 0)+words.Finite(s.To.Connecting, 0)))
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

// errors5xx is how many failures were answered with a status from 500 on: a gateway's, or of a service that
// gives up what it waits for.
func errors5xx(c *evidence.Case) float64 {
	n := 0.0
	for code, times := range c.Statuses {
		if code >= 500 {
			n += times
		}
	}
	return n
}

// tellDropped compares the packets that kernels dropped with the failures that waited for them.
func tellDropped(c *evidence.Case, f *evidence.Facts, h evidence.Hop, all []kernels.Dropped, waited float64) {
	ended := c.Parts.Wire + c.Parts.Fault[attack.Refused]
	tell := func(x evidence.Clue, failures float64, about func(kernels.Dropped) bool) {
		n, most := kernels.SumDropped(all, about)
		if n < leastVanished || failures < leastVanished {
			return // not every kernel can tell, so that no drop is not "No"
		}
		f.SetAt(x, evidence.When(n/failures, 0.1, 0.5), most.First, "kernel of "+most.Host, "%s", most.Text())
	}
	own := func(v kernels.Dropped) bool { return h.Has(v.Host) }
	tell(evidence.FilterDropped, waited, kernels.Dropped.Filtered)
	// Where the table has room, an entry fails for want of a port to translate to.
	noPort := func(v kernels.Dropped) bool { return v.NotEntered() && tracking(c, v.Host) < 0.9 }
	tell(evidence.TrackingDropped, waited, func(v kernels.Dropped) bool { return v.TableFull() && !noPort(v) })
	tell(evidence.InsertFailed, waited, noPort)
	tell(evidence.Unanswered, waited, kernels.Dropped.NoNeighbor)
	if f[evidence.Unanswered].Is != evidence.Yes {
		// Senders resolve the neighbour's address again and then send no more: a few drops are enough.
		tell(evidence.Unanswered, min(waited, 2*leastVanished), kernels.Dropped.Misled)
	}
	tell(evidence.NotForwarded, min(waited, 2*leastVanished), kernels.Dropped.NotForwarded)
	tell(evidence.ReverseDropped, waited, kernels.Dropped.Reversed)
	tell(evidence.TooBigDropped, waited, kernels.Dropped.TooBig)
	tell(evidence.QueueDropped, waited, func(v kernels.Dropped) bool { return own(v) && v.QueueFull() })
	tell(evidence.PathRejected, ended, func(v kernels.Dropped) bool { return v.Rejected && !own(v) })
	// Lost packets are retransmitted; a request fails only when they are lost repeatedly.
	if n, most := kernels.SumDropped(all, kernels.Dropped.Congested); n >= leastVanished && f[evidence.LinkDropped].Is != evidence.Yes {
		f.SetAt(evidence.LinkDropped, evidence.When(n/max(waited, 1), 0.1, 0.5), most.First, "kernel of "+most.Host, "%s", most.Text())
	}
	tell(evidence.HostRejected, ended, func(v kernels.Dropped) bool { return v.Rejected && own(v) })
}

// tracking is the largest use of a host's connection tracking table, as a share; NaN where it was not
// read.
func tracking(c *evidence.Case, host string) float64 {
	most := math.NaN()
	for _, r := range c.Run.Resources {
		if r.Metric.Name == probe.Conntrack && r.Metric.Host == host && !(r.Most < most) {
			most = r.Most
		}
	}
	return most
}

// Waits for the process, in seconds: one is late from the first bound on and in time up to the other.
const (
	waitedLong  = 0.1
	waitedShort = 0.02
)

// observeWaits asks whether connections that had come up, or data that had arrived, waited for the
// process: then the process is late, and not the network.
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
