package signals

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
)

// leastVanished is the number of packets below which nothing is concluded from them.
const leastVanished = 3

// observeDropped reads the kernels' own account of what they dropped and rejected,
// held against the failures that it would explain: one rule for another service, or
// a handful of packets among many failures, is no answer.
func observeDropped(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	observeWaits(c, f, h)
	if h.Index > 0 {
		return
	}
	all := c.Dropped()
	waited := c.Parts.Fault[attack.Timeout]
	ended := c.Parts.Wire + c.Parts.Fault[attack.Refused]
	tell := func(x evidence.Clue, failures float64, about func(evidence.Dropped) bool) {
		n, most := evidence.SumDropped(all, about)
		if n < leastVanished || failures < leastVanished {
			return // not every kernel can tell: silence is no answer
		}
		f.SetAt(x, evidence.When(n/failures, 0.1, 0.5), most.First, "kernel of "+most.Host, "%s", most.Text())
	}
	own := func(v evidence.Dropped) bool { return h.Has(v.Host) }
	tell(evidence.FilterDropped, waited, evidence.Dropped.Filtered)
	tell(evidence.TrackingDropped, waited, evidence.Dropped.TableFull)
	tell(evidence.ReverseDropped, waited, evidence.Dropped.Reversed)
	tell(evidence.TooBigDropped, waited, evidence.Dropped.TooBig)
	tell(evidence.QueueDropped, waited, func(v evidence.Dropped) bool { return own(v) && v.QueueFull() })
	tell(evidence.PathRejected, ended, func(v evidence.Dropped) bool { return v.Rejected && !own(v) })
	tell(evidence.HostRejected, ended, func(v evidence.Dropped) bool { return v.Rejected && own(v) })
}

// What a wait for the process is called late, and in time, in seconds. Between them it
// is left open.
const (
	acceptedLate = 0.1
	acceptedSoon = 0.02
)

// observeWaits asks whether connections that had come up waited for the process: then
// it is the process, and not the network, that is late.
func observeWaits(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	w := c.Waits(h, "accept")
	if w.Count < leastVanished || math.IsNaN(w.Slowest) {
		return
	}
	late := evidence.When(w.Slowest, acceptedSoon, max(acceptedLate, 3*words.Finite(w.Light, 0)))
	took := words.WordSeconds(w.Slowest)
	if w.Slowest < 1 { // to the millisecond: 0.2 s may be 0.16 s or 0.24 s
		took = fmt.Sprintf("%.0f ms", 1000*w.Slowest)
	}
	text := "accepted " + took + " late: the process, not the network"
	if late != evidence.Yes {
		text = "accepted within " + took
	}
	f.SetAt(evidence.AcceptedLate, late, w.At, "kernel of "+h.Host, "%s", text)
}
