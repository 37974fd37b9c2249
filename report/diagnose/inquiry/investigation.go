package inquiry

import (
	"strings"
	"time"

	"github.com/rampload/rampload/report/diagnose/evidence"
)

// Investigation is the ranking of the causes of one case. It is not safe for concurrent use.
type Investigation struct {
	*evidence.Case
	// Without leaves causes out of the catalogue; nil leaves out none. It measures what is said of a
	// fault that the catalogue does not have.
	Without    func(Kind) bool
	Strengths  Strengths     // replaces the usual strengths; the zero value does not
	Hypotheses []*Hypothesis // most likely first
	None       float64       // posterior probability that it is none of the hypotheses
}

// Hypothesis is one rule at one hop, with what speaks for and against it.
type Hypothesis struct {
	Rule      Rule
	Cause     string
	Hop       evidence.Hop
	Host      string
	Process   string
	Pid       int32
	Lead      *evidence.Resource // the resource that dates the cause; nil: none
	Counter   *evidence.Resource
	Lag       *evidence.Span
	Measured  bool
	Told      bool // a kernel or a service itself said so: one of Rule.Told was seen
	Proven    bool // one of Rule.Proof was seen, or what Rule.ProvenBy asks for
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

// ClaimedAt is the posterior from which a hypothesis is claimed, and is not only a candidate.
func (h *Hypothesis) ClaimedAt() float64 {
	if (h.Rule.Elimination || h.Rule.TurnsAway) && !h.Told {
		return evidence.ExplainsRest
	}
	return evidence.ExplainsAt
}

// Key returns the cause key of a rule at a hop.
func Key(c *Investigation, r Rule, h evidence.Hop) string {
	if r.Cause == "rate-limit-policy" && c.BehindProxy(h) {
		return r.Cause // the policy may be the proxy's, where most such policies are
	}
	if r.Behind {
		return r.Cause
	}
	if r.Leg == Server && (h.Index > 0 || c.BehindProxy(h)) {
		return "upstream-" + strings.TrimPrefix(r.Cause, "server-")
	}
	return r.Cause
}

// FromServer reports whether something shows that the serving host itself ended the connections: its
// kernel or its counters, the packets, or that there is no path between (loopback).
func FromServer(f *evidence.Facts) bool {
	for _, x := range []evidence.Clue{evidence.Loopback, evidence.InnerMatch, evidence.StreamResets, evidence.GoneAway, evidence.RateStatus, evidence.SentUnread, evidence.SentLinger, evidence.SentLate, evidence.SentFromListener, evidence.SentOnExit} {
		if f[x].Is == evidence.Yes {
			return true
		}
	}
	return f[evidence.SentNone].Is == evidence.No || f[evidence.PathTTL].Is == evidence.No
}

// FromPath reports whether something shows that the resets did not come from the serving host: its
// kernel sent none, or the packets are unlike its own.
func FromPath(f *evidence.Facts) bool {
	for _, x := range []evidence.Clue{evidence.SentNone, evidence.PathTTL, evidence.BothEnds, evidence.ForgedPacket, evidence.PathRejected} {
		if f[x].Is == evidence.Yes {
			return true
		}
	}
	return false
}

// FirstDeath returns the first end of a process of a hypothesis' hop from shortly before the
// failures on; nil for none.
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

// ProcessorBound reports whether a hypothesis is a client's timeout that only shows a service without
// enough processor.
func ProcessorBound(c *Investigation, h *Hypothesis) bool {
	return h != nil && strings.HasSuffix(h.Cause, "client-timeout") && h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.ProcessorBusy].Is == evidence.Yes
}
