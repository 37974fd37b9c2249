package ranking

import (
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// proves reports whether something was seen that few causes but this one make, and
// nothing that is not of its making.
func proves(h *inquiry.Hypothesis, f *evidence.Facts) bool {
	r := h.Rule
	is := func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }
	excused := inquiry.Explained(r.Despite, f)
	if r.Symptom || slices.ContainsFunc(r.Unless, func(x evidence.Clue) bool { return is(x) && !excused[x] }) {
		return false
	}
	full := h.Lead != nil && h.Lead.Full != nil && !r.Inferred
	moved := h.Counter != nil
	return slices.ContainsFunc(r.Proof, is) || r.ProvenBy == inquiry.RanOut && (full || moved)
}

// hasRoom reports whether all that a rule says runs out was measured at a hop, and used to
// less than half at any time.
func hasRoom(c *inquiry.Investigation, r inquiry.Rule, h evidence.Hop) bool {
	seen := false
	for _, x := range candidates(c, r, h) {
		switch {
		case x.Counter != nil && x.Counter.Start != nil:
			return false
		case x.Metric.Name == probe.EphemeralPorts && x.Peak < fewPorts: // of however many
			seen = true
		case x.Counter != nil, math.IsNaN(x.Most):
		case x.Most >= 0.5:
			return false
		case x.Metric.Name == probe.EphemeralPorts && x.Metric.Instance != "": // no reading is no port in use
			seen = true
		case c.Onset.Status != evidence.NoOnset && c.Run.GapAt(x, c.Onset.At) != nil:
			return false
		default:
			seen = true
		}
	}
	return seen
}

// cameAfter reports whether what a cause says ran out did so only after requests had begun
// to fail: then it is a consequence, whatever counters moved.
func cameAfter(c *inquiry.Investigation, h *inquiry.Hypothesis) bool {
	if h.Lead == nil || h.Told || c.Onset.Status != evidence.Found || c.Run.ClockError(h.Lead.Metric.Host) > evidence.MaxClockError {
		return false
	}
	s := h.Lead.Full
	if s == nil {
		s = h.Lead.Level
	}
	if s == nil {
		return false
	}
	lag, sigma := Lag(c, s, h.Lead.Metric.Host)
	return lag.Value < -max(2.6*sigma, 2)
}

// unexplainedEnd returns the end of a watched process, just before the faults began, of
// which a cause says nothing: what ended may be what was missed.
func unexplainedEnd(c *inquiry.Investigation, h *inquiry.Hypothesis) *evidence.Death {
	if c.Onset.Status != evidence.Found || h.Rule.Ends || slices.Contains(h.Rule.Any, evidence.Died) || slices.Contains(h.Rule.Any, evidence.WorkersDied) {
		return nil
	}
	for _, dead := range c.Dead {
		var ends []*evidence.Death
		for k, d := range dead {
			if d.At > c.From-3 && d.At < c.At+1 && !d.Replaced && d.Why != "replaced" && !strings.EqualFold(d.Why, "exit status 0") {
				ends = append(ends, &dead[k])
			}
		}
		if len(ends) == 1 || len(ends) == 2 { // more of them are a matter of course
			return ends[0]
		}
	}
	return nil
}
