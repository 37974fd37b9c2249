package ranking

import (
	"math"
	"slices"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// hearOut takes from causes that are not what most failures were told: whatever is
// claimed must explain what was said.
func hearOut(c *inquiry.Investigation) {
	said := func(i int, x evidence.Clue) bool { return c.Facts[i][x].Is == evidence.Yes }
	for i, f := range c.Facts {
		worded := slices.ContainsFunc(evidence.Decisive(), func(x evidence.Clue) bool { return f[x].Is == evidence.Yes })
		for _, x := range append(evidence.Decisive(), evidence.SaysException, evidence.SaysAway, evidence.RateStatus, evidence.Unauthorized, evidence.TooLarge) {
			onWire := f[evidence.Replied].Is == evidence.Yes
			if f[x].Is != evidence.Yes || x < evidence.SaysFull && (!onWire || f[x].Source != f[evidence.Replied].Source) {
				continue
			}
			if x < evidence.SaysFull && worded {
				continue // the words of an answer say more than its status, which may be the nearest that there is
			}
			if said(i, evidence.SessionsGone) && slices.Contains([]evidence.Clue{evidence.SaysCredentials, evidence.SaysForbidden, evidence.Unauthorized}, x) {
				continue // that follows from what the store lost
			}
			deeper := false
			for j := i + 1; j < len(c.Facts); j++ {
				deeper = deeper || said(j, x)
			}
			if deeper {
				continue // it is passed on from there
			}
			against := inquiry.Opposite(inquiry.Proves)
			if x == evidence.SaysException || x == evidence.SaysAway {
				against = inquiry.Opposite(inquiry.Strong) // why, it does not say
			}
			for _, h := range c.Hypotheses {
				if h.Hop.Index == i && (slices.Contains(h.Rule.Told, x) || slices.Contains(h.Rule.Proof, x) || x == evidence.SaysAway || x == evidence.SaysLate && h.Told && h.Rule.Mechanism == report.MechanismSlow) {
					continue // that it is late does not say why: what tells of that may
				}
				h.Score += against
				h.Con = append(h.Con, inquiry.Evidence{Source: f[x].Source, Text: f[x].Text})
			}
		}
	}
}

// yieldToGone takes from causes at a hop that is asked for what a store kept which has ended, and
// at those behind it: what fills up there does so because of that.
func yieldToGone(c *inquiry.Investigation) {
	for i, f := range c.Facts {
		if f[evidence.AskedInstead].Is != evidence.Yes {
			continue
		}
		for _, h := range c.Hypotheses {
			if h.Hop.Index < i || c.Facts[h.Hop.Index][evidence.StoreGone].Is == evidence.Yes {
				continue
			}
			h.Score += inquiry.Opposite(inquiry.Proves)
			h.Con = append(h.Con, inquiry.Evidence{Source: f[evidence.AskedInstead].Source, Text: f[evidence.AskedInstead].Text})
		}
	}
}

// yieldToLimits takes from causes that say no more than that code answered with an error,
// where no words of that code were heard, and something that it needs was measured at its
// limit just when it began to.
func yieldToLimits(c *inquiry.Investigation) {
	for _, h := range c.Hypotheses {
		if h.Rule.Mechanism != report.MechanismBug || c.Facts[h.Hop.Index][evidence.SaysException].Is == evidence.Yes || h.Rule.Cause != "application-error" && h.Rule.Cause != "dependency-error" {
			continue
		}
		for _, o := range c.Hypotheses {
			if o.Hop.Index == h.Hop.Index && o.Proven && o.Rule.ProvenBy == inquiry.RanOut && o.Lead != nil && o.Lead.Full != nil && o.Lag != nil && math.Abs(o.Lag.Value) <= 3 {
				h.Score += inquiry.Opposite(inquiry.Proves)
				h.Con = append(h.Con, inquiry.Evidence{Source: "probe of " + o.Host, Text: o.Lead.Describe()})
				break
			}
		}
	}
}

// keepToWords takes from all causes that nobody told, where failures are answers that came
// as ever but for their content: no limit, end or loss makes such answers.
func keepToWords(c *inquiry.Investigation) {
	if !evidence.Unlike(c.Case) {
		return
	}
	for _, h := range c.Hypotheses {
		f := c.Facts[h.Hop.Index]
		if told := func(x evidence.Clue) bool { return x >= evidence.SaysFull && f[x].Is == evidence.Yes }; slices.ContainsFunc(h.Rule.Told, told) || slices.ContainsFunc(h.Rule.Proof, told) {
			continue
		}
		h.Score += 2 * inquiry.Opposite(inquiry.Proves)
		h.Proven = false
		h.Con = append(h.Con, inquiry.Evidence{Source: "client", Text: "the answers came as ever, and fail by their content alone"})
	}
}
