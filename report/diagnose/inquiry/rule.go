package inquiry

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// Leg is where on the way of a request a cause lies.
type Leg uint8

const (
	Server Leg = iota // a host that serves; of an inner hop the key gets the prefix "upstream-"
	Proxy             // a host that passes requests on
	Path              // between the client and the first host
)

// Weight is what the answer to a clue adds to the log odds of a cause (natural logarithm). An
// unknown answer adds nothing.
type Weight struct {
	Clue    evidence.Clue
	Yes, No float64
}

// Rule is one cause of the catalogue: which resource runs out, and which clues speak for and against
// it. Clues add up to a score, so that a source that is missing does not silence the others. A
// hypothesis is a rule at one hop. It is considered, then scored, and claimed where nothing forbids
// that; else it is at most a candidate.
type Rule struct {
	Cause string
	Leg   Leg
	// Gauges and Counters date the cause: the metrics of the resource that runs out, and the counters
	// that move only when it has run out. A rule without them has no time of its own.
	Gauges   []string
	Counters []string
	Inferred bool // the limit shows only as a plateau of the gauges
	// Elimination: the cause is what remains when the serving process ran out of nothing. Unless the
	// process was watched, the cause is at most a candidate.
	Elimination bool
	// Rare is taken off the score where no resource of the rule was measured: today's kernels and
	// defaults seldom let the cause happen.
	Rare float64
	// Own: the serving process itself ends connections. Unless something shows that its host sent the
	// resets, and not the path, the cause is at most a candidate.
	Own bool
	// Told: with one of these, a kernel or a service itself said what it did. Nothing else need have
	// been measured.
	Told []evidence.Clue
	// TurnsAway: something on the path answers in place of the serving host. Unless something shows
	// that the host itself did not answer, the cause is at most a candidate.
	TurnsAway bool
	// Strict: a resource that ran out is not enough to consider the cause; one of Any is needed.
	Strict bool
	// Elsewhere: with one of these, the resource may be another host's. Gauges of the serving host
	// that stayed low then say nothing.
	Elsewhere []evidence.Clue
	// Any: one of these must be seen for the cause to be considered. Empty: one of the resources must
	// have been measured.
	Any []evidence.Clue
	// Must: none of these may be answered with No.
	Must []evidence.Clue
	// Reached: the cause makes requests wait that have reached the hop. Where requests stand before
	// the hop, it does not apply.
	Reached bool
	// Anyway: with one of these, Must does not apply.
	Anyway []evidence.Clue
	// Proof: one of these must be seen, or the resource have run out (ProvenBy), for the cause to be
	// claimed: few other causes show them. Without, it is at most a candidate.
	Proof    []evidence.Clue
	ProvenBy Proving
	// Never: one of these makes the cause impossible, whatever else is seen.
	Never []evidence.Clue
	// Unless: with one of these the cause is not claimed, as something else explains what is seen.
	Unless []evidence.Clue
	// Anywhere: a host or something on the path may be at fault; the tier is that of the sender of the
	// resets.
	Anywhere bool
	// Waits: the cause makes requests wait at its hop. A hop whose requests wait for another one is a
	// victim, and does not have this cause.
	Waits bool
	// Behind: the cause is always that of a hop behind another, so its key has no prefix.
	Behind bool
	// Ends: the cause makes a process end, or follows from that.
	Ends bool
	// Symptom: the cause says how a fault shows, and not why.
	Symptom bool
	Weights []Weight
	// Instead: where the key is seen it says directly what happened. The clues listed with it are only
	// hints at that, and add nothing.
	Instead map[evidence.Clue][]evidence.Clue
	// Despite: where the key is seen, the clues listed with it do not speak against the cause.
	Despite   map[evidence.Clue][]evidence.Clue
	Mechanism report.Mechanism
	// Tells: what an experiment does to the failures of the cause, where that is known. It tells the
	// cause from similar ones.
	Tells map[Experiment]Outcome
	// Advice says what to check or change, with the value seen and, where it can be computed, the
	// value needed.
	Advice func(c *Investigation, h *Hypothesis) []string
	// Says is what happened, as a clause for a sentence.
	Says string
	// Accepted is what the cause means for transactions that are accepted at once and done later; nil:
	// the same as for requests.
	Accepted *Accepted
	// Place is the tier of the cause, whatever the hop; empty: by Leg.
	Place report.Tier
}

// Accepted is what a cause means for transactions that are accepted at once and done later. The
// rule's advice, which is for requests, does not apply to them.
type Accepted struct {
	Tier      report.Tier
	Mechanism report.Mechanism
	Says      string // empty: the rule's own
}

// OfAccepted returns the rule as it reads for transactions that are accepted and done later.
func (r Rule) OfAccepted() Rule {
	a := r.Accepted
	if a == nil {
		return r
	}
	r.Place, r.Mechanism, r.Advice = a.Tier, a.Mechanism, nil
	if a.Says != "" {
		r.Says = a.Says
	}
	return r
}

// The strengths of clues, in log odds. There are only three, so that none can be fitted to a run.
const (
	Proves = 5.0
	Strong = 2.5
	Weak   = 1.0
)

// Opposite returns the strength of a clue that speaks against a cause.
func Opposite(strength float64) float64 { return -strength }

// Proving is what proves a cause besides the clues in Proof.
type Proving uint8

const (
	seen   Proving = iota
	RanOut         // its resource was measured at its limit, or its counter moved
)

// Explained returns the clues that are listed with a key that was seen, in a map such as Rule.Instead.
func Explained(others map[evidence.Clue][]evidence.Clue, f *evidence.Facts) map[evidence.Clue]bool {
	out := map[evidence.Clue]bool{}
	for by, clues := range others {
		if f[by].Is == evidence.Yes {
			for _, x := range clues {
				out[x] = true
			}
		}
	}
	return out
}

// Kind is the tier and the mechanism of a cause key.
type Kind struct {
	Rule      string // the key without the prefix of an inner hop
	Tier      report.Tier
	Mechanism report.Mechanism
}

// Tier returns where a cause lives. inner is set for a hop behind the first.
func (r Rule) Tier(inner bool) report.Tier {
	switch {
	case r.Place != "":
		return r.Place
	case r.Leg == Path:
		return report.TierPath
	case r.Leg == Proxy:
		return report.TierProxy
	case inner || r.Behind:
		return report.TierUpstream
	}
	return report.TierServer
}
