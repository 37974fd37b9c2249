package signals

import (
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/format"
)

// observeTaken asks whether the next hop answered well the requests that this proxy failed, by a sample
// of its answers on the wire. Then the error is the proxy's own: it refuses such answers.
func observeTaken(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	i := h.Index + 1
	if i >= len(c.Hops) || c.Hops[i].Assumed || !evidence.IsProxy(h.Process()) || len(c.Run.Targets) > 1 ||
		c.Onset.Status != evidence.Found || c.Parts.Share(attack.Status) < 0.5 || gather.RequestsWaited(c) {
		return
	}
	from, to := c.Onset.At.High+1, c.Run.RampEnd()
	if to-from < 1 {
		return // the load fell before the onset, or just after
	}
	well, err := gather.AnsweredWell(c, i, from, to)
	served, failed := evidence.Sum(c.Target.Ok[c.Run.Window(from):c.Run.Window(to)]), evidence.Sum(c.Target.Failed[c.Run.Window(from):c.Run.Window(to)])
	if failed < gather.LeastRefused || well-2*err < served+0.5*failed || replied(c, i).share > 0.1 {
		return
	}
	f.Set(evidence.RefusesAnswer, evidence.Yes, "answers on the wire", "%s answered about %s requests well in a time in which %s were served and %s failed: %s did not take what it was answered",
		c.Hops[i].Place(), format.Number(math.Round(well)), format.Number(served), format.Number(failed), h.Place())
}
