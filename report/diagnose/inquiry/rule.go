package inquiry

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// Leg says where on the way of a request a cause sits.
type Leg uint8

const (
	Server Leg = iota // a host that serves; of an inner hop the key gets the prefix "upstream-"
	Proxy             // a host that passes requests on
	Path              // between the client and the first host
)

// Weight is what the answer to a clue adds to the logarithm of the odds of a
// cause. An unknown answer adds nothing.
type Weight struct {
	Clue    evidence.Clue
	Yes, No float64
}

// Rule is one cause of the catalogue: which resource runs out, and which
// observations speak for and against it. The order follows that in which causes
// are told apart; scores decide, so that one missing source does not stop the
// others from speaking.
type Rule struct {
	Cause string
	Leg   Leg
	// gauges and counters date the cause: the resource that runs out, and the
	// counters that move only when it has. Without them it is dated by nothing.
	Gauges   []string
	Counters []string
	Inferred bool // the limit shows only as a plateau of the gauges
	// elimination: what is left when nothing that the serving process can run out of
	// did. Unless it was watched, the cause is at most a candidate.
	Elimination bool
	// rare is taken off where nothing measured it: kernels and defaults of today
	// seldom let it happen.
	Rare float64
	// own: it is the serving process that ends connections. Unless something shows
	// that its host sent the resets, and not the path, it is at most a candidate.
	Own bool
	// told: where one of these is seen the kernel, or whoever answered, said what it did:
	// nothing else need have been measured.
	Told []evidence.Clue
	// turnsAway: something on the path answers for the serving host. Unless something
	// shows that the host itself did not, it is at most a candidate.
	TurnsAway bool
	// strict: what ran out alone does not make the cause worth considering.
	Strict bool
	// elsewhere: where one of these is seen, what runs out need not be of the serving
	// host, and its gauges that stayed low say nothing.
	Elsewhere []evidence.Clue
	// any: at least one must be seen for the cause to be considered at all. Empty:
	// one of the resources must have been measured.
	Any []evidence.Clue
	// must: none of these may be answered with no.
	Must []evidence.Clue
	// Reached: it lets those wait that come to it; where requests stand before it, it does not.
	Reached bool
	// anyway: where one of these is seen, must is not asked for.
	Anyway []evidence.Clue
	// proof: one of these must be seen, or the resource have run out (provenBy), for
	// the cause to be claimed: few others can make it. Without, it is at most a candidate.
	Proof    []evidence.Clue
	ProvenBy Proving
	// never: where one of these is seen the cause is out of the question, by physics:
	// no weight of other evidence brings it back.
	Never []evidence.Clue
	// unless: where one of these is seen the cause is not claimed: what is seen is not of
	// its making.
	Unless []evidence.Clue
	// anywhere: whoever ends connections may do it, on the path too; the tier is that of
	// whoever sent the resets.
	Anywhere bool
	// waits: it makes requests wait, so a hop whose requests wait for another is its
	// victim and does not have it.
	Waits bool
	// behind: it is always of a hop behind another, and its key has no prefix for that.
	Behind bool
	// ends: the end of a process fits with it.
	Ends bool
	// symptom: it says how a fault shows, and never why.
	Symptom bool
	Weights []Weight
	// instead: where the first is seen it says what happened, and the others, which
	// only hint at it elsewhere, add nothing.
	Instead map[evidence.Clue][]evidence.Clue
	// despite: where the first is seen, the others may be as they are: they do not
	// speak against it.
	Despite   map[evidence.Clue][]evidence.Clue
	Mechanism report.Mechanism
	// tells: what an experiment makes of failures of the cause, where that is known: it
	// tells the cause from its neighbours.
	Tells map[Experiment]Outcome
	// advice says what to check or change, with the value seen and, where it can be
	// computed, the value needed.
	Advice func(c *Investigation, h *Hypothesis) []string
	// says completes "…: " in a sentence about what happened.
	Says string
	// accepted is what the cause means where transactions are counted that were accepted at
	// once and done later; nil: what it means for requests.
	Accepted *Accepted
	// place is where the cause lives, whatever the hop; empty: by its leg.
	Place report.Tier
}

// Accepted is what a cause means for transactions that are accepted at once and done later.
// Its advice for requests does not hold for them.
type Accepted struct {
	Tier      report.Tier
	Mechanism report.Mechanism
	Says      string // empty: as of requests
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

// The strengths of what is seen, in the logarithm of the odds. There are few, so that
// none is fitted to a run.
const (
	Proves = 5.0
	Strong = 2.5
	Weak   = 1.0
)

// Opposite is the strength of what speaks against a cause.
func Opposite(strength float64) float64 { return -strength }

// Proving is what else proves a cause than what was seen.
type Proving uint8

const (
	seen   Proving = iota
	RanOut         // its resource was measured at its limit, or its counter moved
)

// Explained returns the clues that one of such a map explains.
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

// Kind is what a cause key says less precisely.
type Kind struct {
	Rule      string // the key without the prefix of an inner hop
	Tier      report.Tier
	Mechanism report.Mechanism
}

// Tier returns where a cause lives; inner: of a hop behind the first.
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
