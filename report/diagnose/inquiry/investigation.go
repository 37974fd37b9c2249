package inquiry

import (
	"strings"
	"time"

	"github.com/rampload/rampload/report/diagnose/evidence"
)

// Investigation ranks the causes of one case.
type Investigation struct {
	*evidence.Case
	// Without leaves causes out of the catalogue, nil for none: what is said of a fault
	// that nobody foresaw is measured so.
	Without    func(Kind) bool
	Strengths  Strengths     // instead of the usual ones
	Hypotheses []*Hypothesis // most likely first
	None       float64       // posterior of something unobserved
}

// Hypothesis is one possible cause with what speaks for it.
type Hypothesis struct {
	Rule      Rule
	Cause     string
	Hop       evidence.Hop
	Host      string
	Process   string
	Pid       int32
	Lead      *evidence.Resource // dates the cause
	Counter   *evidence.Resource
	Lag       *evidence.Span
	Measured  bool
	Told      bool // the kernel, or whoever answered, said so
	Proven    bool // something was seen that few other causes make
	Score     float64
	Posterior float64
	Pro, Con  []Evidence
}

// Evidence is one observed fact in words.
type Evidence struct {
	Source string
	Text   string
	At     *time.Duration
}

// ClaimedAt is the belief from which on a cause is claimed and not a candidate.
func (h *Hypothesis) ClaimedAt() float64 {
	if (h.Rule.Elimination || h.Rule.TurnsAway) && !h.Told {
		return evidence.ExplainsRest
	}
	return evidence.ExplainsAt
}

// Key returns the cause key of a rule at a hop.
func Key(c *Investigation, r Rule, h evidence.Hop) string {
	if r.Cause == "rate-limit-policy" && c.BehindProxy(h) {
		return r.Cause // it may as well be the proxy's own, where most such policies are
	}
	if r.Behind {
		return r.Cause
	}
	if r.Leg == Server && (h.Index > 0 || c.BehindProxy(h)) {
		return "upstream-" + strings.TrimPrefix(r.Cause, "server-")
	}
	return r.Cause
}

// FromServer reports whether something shows that the serving host ended the
// connections itself: its kernel or its counters say so, the packets do, or
// nothing lies between.
func FromServer(f *evidence.Facts) bool {
	for _, x := range []evidence.Clue{evidence.Loopback, evidence.InnerMatch, evidence.StreamResets, evidence.GoneAway, evidence.RateStatus, evidence.SentUnread, evidence.SentLinger, evidence.SentLate, evidence.SentFromListener, evidence.SentOnExit} {
		if f[x].Is == evidence.Yes {
			return true
		}
	}
	return f[evidence.SentNone].Is == evidence.No || f[evidence.PathTTL].Is == evidence.No
}

// FromPath reports whether something shows that resets did not come from the
// serving host: its kernel sent none, or the packets are not like its own.
func FromPath(f *evidence.Facts) bool {
	for _, x := range []evidence.Clue{evidence.SentNone, evidence.PathTTL, evidence.BothEnds, evidence.ForgedPacket, evidence.PathRejected} {
		if f[x].Is == evidence.Yes {
			return true
		}
	}
	return false
}

// FirstDeath returns the first end of a process of a hypothesis' hop, nil without.
func FirstDeath(c *Investigation, h *Hypothesis) *evidence.Death {
	if h.Hop.Index >= len(c.Dead) || len(c.Dead[h.Hop.Index]) == 0 {
		return nil
	}
	for i, d := range c.Dead[h.Hop.Index] {
		if d.At >= c.From-3 {
			return &c.Dead[h.Hop.Index][i]
		}
	}
	return nil
}

// ProcessorBound reports whether a service was slow for lack of processor, which the
// client's timeout only shows.
func ProcessorBound(c *Investigation, h *Hypothesis) bool {
	return h != nil && strings.HasSuffix(h.Cause, "client-timeout") && h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.ProcessorBusy].Is == evidence.Yes
}
