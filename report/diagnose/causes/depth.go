package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// depthAt is the belief from which on a tier or a mechanism is said where the cause
// itself stays open.
const depthAt = 0.5

// tierOf returns the tier of a hypothesis.
func (c *Investigation) tierOf(h *hypothesis) report.Tier {
	if h.rule.anywhere && h.hop.Index == 0 && fromPath(c.Facts[0]) && !fromServer(c.Facts[0]) {
		return report.TierPath
	}
	return h.rule.tier(h.hop.Index > 0 || c.BehindProxy(h.hop))
}

// depth answers as deep as the evidence goes: the tier that most of the belief falls
// on, and within it the mechanism. What nobody foresaw is shared out among the tiers
// by where connections are known to have ended, so that one kernel's word is enough
// for a tier where no cause fits.
func (c *Investigation) depth() (tier report.Tier, mechanism report.Mechanism) {
	tiers, mechanisms := map[report.Tier]float64{}, map[report.Mechanism]float64{}
	for _, h := range c.hypotheses {
		tiers[c.tierOf(h)] += h.posterior
	}
	for t, share := range c.elsewhere() {
		tiers[t] += share * c.none
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
	for _, h := range c.hypotheses {
		if c.tierOf(h) == tier {
			mechanisms[h.rule.mechanism] += h.posterior
		}
	}
	for _, h := range c.hypotheses { // in their order: the likeliest first
		if m := h.rule.mechanism; mechanisms[m] >= depthAt && c.tierOf(h) == tier {
			return tier, m
		}
	}
	return tier, ""
}

// reachedTier returns the tier of the hop that failed requests came to and no further.
func (c *Investigation) reachedTier() (tier report.Tier, known bool) {
	h, known := c.reachedHop()
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
func (c *Investigation) reachedHop() (h evidence.Hop, known bool) {
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
func (c *Investigation) elsewhere() map[report.Tier]float64 {
	f := c.Facts[0]
	is := func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }
	switch tier, known := c.reachedTier(); {
	case known:
		return map[report.Tier]float64{tier: 1}
	case is(evidence.BadGateway) && len(c.Hops) > 1:
		return map[report.Tier]float64{report.TierUpstream: 0.8, report.TierProxy: 0.2}
	case fromPath(f):
		return map[report.Tier]float64{report.TierPath: 1}
	case fromServer(f):
		return map[report.Tier]float64{report.TierServer: 1}
	}
	return map[report.Tier]float64{report.TierServer: 0.5, report.TierUpstream: 0.25, report.TierPath: 0.25}
}
