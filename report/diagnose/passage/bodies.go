package passage

import (
	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/format"
)

// Bodies asks whether responses break off half received because packets to the next hop and back
// take much longer than before. A kernel may delay an acknowledgement too, but where the answer is already
// coming its segments carry it.
func Bodies(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const (
		much  = 0.02 // seconds
		times = 5    // times the round trip before
	)
	s := gather.StepAt(c, h)
	if s == nil || c.Parts.Phase[attack.PhaseBody] < 0.5*c.Parts.Failed {
		return
	}
	for _, b := range s.Behind {
		if b.RoundTrip >= much && b.RoundTrip >= times*b.RoundTripBefore {
			f.SetAt(evidence.BodiesDelayed, evidence.Yes, c.Way.From, "sockets", "packets from %s to %s and back are under way for %s (%s before), and %s of the failures broke off half received",
				h.Host, b.Hop.Place(), format.Seconds(b.RoundTrip), format.Seconds(b.RoundTripBefore), format.Percent(c.Parts.Phase[attack.PhaseBody]/c.Parts.Failed))
		}
	}
}
