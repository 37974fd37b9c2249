package verdicts

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// depthAt is the belief from which on a tier or a mechanism is said where the cause
// itself stays open.
const depthAt = 0.5

// tierOf returns the tier of a hypothesis.
func tierOf(c *inquiry.Investigation, h *inquiry.Hypothesis) report.Tier {
	if h.Rule.Anywhere && h.Hop.Index == 0 && inquiry.FromPath(c.Facts[0]) && !inquiry.FromServer(c.Facts[0]) {
		return report.TierPath
	}
	tier := h.Rule.Tier(h.Hop.Index > 0 || c.BehindProxy(h.Hop))
	if tier == report.TierServer && h.Hop.Index < len(c.Hops)-1 && evidence.IsProxy(h.Hop.Process()) {
		return report.TierProxy // it passes on to those behind it, and does not serve
	}
	return tier
}

// depth answers as deep as the evidence goes: the tier that most of the belief falls
// on, and within it the mechanism. What nobody foresaw is shared out among the tiers
// by where connections are known to have ended, so that one kernel's word is enough
// for a tier where no cause fits.
func depth(c *inquiry.Investigation) (tier report.Tier, mechanism report.Mechanism) {
	tiers, mechanisms := map[report.Tier]float64{}, map[report.Mechanism]float64{}
	for _, h := range c.Hypotheses {
		tiers[tierOf(c, h)] += h.Posterior
	}
	for t, share := range elsewhere(c) {
		tiers[t] += share * c.None
	}
	best := 0.0
	for _, t := range []report.Tier{report.TierPath, report.TierProxy, report.TierServer, report.TierUpstream} {
		if tiers[t] > best {
			tier, best = t, tiers[t]
		}
	}
	if best < depthAt {
		return "", ""
	}
	for _, h := range c.Hypotheses {
		if tierOf(c, h) == tier {
			mechanisms[h.Rule.Mechanism] += h.Posterior
		}
	}
	for _, h := range c.Hypotheses { // in their order: the likeliest first
		if m := h.Rule.Mechanism; mechanisms[m] >= depthAt && tierOf(c, h) == tier {
			return tier, m
		}
	}
	_, waited := gather.Culprit(c.Case)
	switch m, known := seenMechanism(c); {
	case waited && c.None >= depthAt:
		return tier, report.MechanismSlow
	case !waited && known:
		return tier, m
	}
	return tier, ""
}

// seenMechanism says what happens where failed requests end, where no cause says it: an end
// and its refusals, a refusal by a rule, an error.
func seenMechanism(c *inquiry.Investigation) (m report.Mechanism, known bool) {
	h, known := reachedHop(c)
	if !known {
		return "", false
	}
	f := c.Facts[h.Index]
	is := func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }
	refused := 0.0
	for _, code := range []uint16{401, 403, 405, 407, 413, 414, 429, 431, 451} {
		refused += c.Status(code)
	}
	switch {
	case is(evidence.NobodyListens), is(evidence.DiedWithFaults):
		return report.MechanismDied, true
	case refused >= 0.5, is(evidence.TurnedAway) && c.Status(503) >= 0.5:
		return report.MechanismPolicy, true
	case is(evidence.Replied), is(evidence.ErrsItself), is(evidence.TurnedAway):
		return report.MechanismBug, true
	}
	return "", false
}

// reachedTier returns the tier of the hop that failed requests came to and no further.
func reachedTier(c *inquiry.Investigation) (tier report.Tier, known bool) {
	h, known := reachedHop(c)
	switch {
	case !known:
		return "", false
	case h.Index > 0:
		return report.TierUpstream, true
	case evidence.IsProxy(h.Process()):
		return report.TierProxy, true
	}
	return report.TierServer, true
}

// reachedHop returns the hop that failed requests came to and no further, where that is
// known.
func reachedHop(c *inquiry.Investigation) (h evidence.Hop, known bool) {
	for i := len(c.Facts) - 1; i >= 0; i-- {
		if c.Facts[i][evidence.NobodyListens].Is == evidence.Yes || c.Facts[i][evidence.Replied].Is == evidence.Yes {
			return c.Hops[i], true
		}
	}
	for i, f := range c.Facts {
		last := i == len(c.Facts)-1
		switch {
		case f[evidence.TurnedAway].Is == evidence.Yes, f[evidence.AnsweredOther].Is == evidence.Yes, last && i > 0 && f[evidence.Came].Is == evidence.Yes:
			return c.Hops[i], true
		}
	}
	return evidence.Hop{}, false
}

// elsewhere shares out what nobody foresaw among the tiers.
func elsewhere(c *inquiry.Investigation) map[report.Tier]float64 {
	f := c.Facts[0]
	is := func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }
	at, waited := gather.Culprit(c.Case)
	switch tier, known := reachedTier(c); {
	case waited && c.Way.Culprit.State == report.StandsNetwork:
		return map[report.Tier]float64{report.TierPath: 1}
	case waited && at.Index > 0:
		return map[report.Tier]float64{report.TierUpstream: 1}
	case waited && evidence.IsProxy(at.Process()):
		return map[report.Tier]float64{report.TierProxy: 1}
	case waited:
		return map[report.Tier]float64{report.TierServer: 1}
	case known:
		return map[report.Tier]float64{tier: 1}
	case is(evidence.BadGateway) && len(c.Hops) > 1:
		return map[report.Tier]float64{report.TierUpstream: 0.8, report.TierProxy: 0.2}
	case inquiry.FromPath(f):
		return map[report.Tier]float64{report.TierPath: 1}
	case inquiry.FromServer(f):
		return map[report.Tier]float64{report.TierServer: 1}
	}
	return map[report.Tier]float64{report.TierServer: 0.5, report.TierUpstream: 0.25, report.TierPath: 0.25}
}
