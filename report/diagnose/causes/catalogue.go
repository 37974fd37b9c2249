// Package causes holds the causes of faults, one file each, with what speaks for and against
// them, advice and experiments. It measures nothing (evidence, signals), ranks nothing
// (ranking) and concludes nothing (verdicts).
package causes

import (
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// leg says where on the way of a request a cause sits.
type leg uint8

const (
	Server leg = iota // a host that serves; of an inner hop the key gets the prefix "upstream-"
	Proxy             // a host that passes requests on
	Path              // between the client and the first host
)

// weight is what the answer to a clue adds to the logarithm of the odds of a
// cause. An unknown answer adds nothing.
type weight struct {
	Clue    evidence.Clue
	Yes, No float64
}

// Rule is one cause of the catalogue: which resource runs out, and which
// observations speak for and against it. The order follows that in which causes
// are told apart; scores decide, so that one missing source does not stop the
// others from speaking.
type Rule struct {
	Cause string
	Leg   leg
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
	// anyway: where one of these is seen, must is not asked for.
	Anyway []evidence.Clue
	// proof: one of these must be seen, or the resource have run out (provenBy), for
	// the cause to be claimed: few others can make it. Without, it is at most a candidate.
	Proof    []evidence.Clue
	ProvenBy proving
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
	Weights []weight
	// instead: where the first is seen it says what happened, and the others, which
	// only hint at it elsewhere, add nothing.
	Instead map[evidence.Clue][]evidence.Clue
	// despite: where the first is seen, the others may be as they are: they do not
	// speak against it.
	Despite   map[evidence.Clue][]evidence.Clue
	Mechanism report.Mechanism
	// tells: what an experiment makes of failures of the cause, where that is known: it
	// tells the cause from its neighbours.
	tells map[Experiment]Outcome
	// advice says what to check or change, with the value seen and, where it can be
	// computed, the value needed.
	advice func(c *Investigation, h *Hypothesis) []string
	// says completes "…: " in a sentence about what happened.
	Says string
}

// The strengths of what is seen, in the logarithm of the odds. There are few, so that
// none is fitted to a run.
const (
	Proves = 5.0
	Strong = 2.5
	weak   = 1.0
)

// Opposite is the strength of what speaks against a cause.
func Opposite(strength float64) float64 { return -strength }

// proving is what else proves a cause than what was seen.
type proving uint8

const (
	seen   proving = iota
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

// Catalogue returns the causes that faults of a target can have, each from its own
// file. Those of the generator itself are found before any of these are asked.
func Catalogue() []Rule {
	return []Rule{
		serverFileDescriptors(),
		serverConnectionLimit(),
		listenBacklog(),
		synBacklog(),
		serverMemoryOOM(),
		serverCPUShedding(),
		clientTimeout(),
		serverThreads(),
		bandwidthSendTimeout(),
		applicationAbort(),
		earlyResponseUnreadBody(),
		processCrash(),
		workerKilled(),
		workerRecycling(),
		ungracefulRestart(),
		tlsShedding(),
		rateLimitPolicy(),
		idleTimeoutRace(),
		pathIdleExpiry(),
		silentFirewall(),
		reversePathFilter(),
		pathReset(),
		pathRateLimit(),
		pathConnectionLimit(),
		hostFirewall(),
		rstInjection(),
		conntrackTable(),
		natPorts(),
		conntrackInvalid(),
		packetLoss(),
		networkOutage(),
		mtuBlackHole(),
		failover(),
		proxyEphemeralPorts(),
		proxyFileDescriptors(),
		proxyQueueLimit(),
		certificate(),
		dns(),
		addressDown(),
		serviceDown(),
		requestTooLarge(),
		credentials(),
		processorStolen(),
		diskSaturated(),
		diskFull(),
		connectionAgeLimit(),
		retryStorm(),
		poolExhausted(),
		deadlock(),
		processPaused(),
		outputBlocked(),
		timeoutTooShort(),
		slowDependency(),
		dependencyError(),
		markedDown(),
		responseRefused(),
		addressUnreachable(),
		circuitOpen(),
		shortResponse(),
		dependencyReadOnly(),
		dependencyMemoryFull(),
		identifierExhausted(),
		slowConsumer(),
		schemaMismatch(),
		lockContention(),
		applicationError(),
		podsNotReady(),
		podEvicted(),
	}
}

// Kind is what a cause key says less precisely.
type Kind struct {
	Rule      string // the key without the prefix of an inner hop
	Tier      report.Tier
	Mechanism report.Mechanism
}

// KindOf returns what a cause key says less precisely; ok is false for the keys that
// are no cause (healthy, unexplained, generator-limited) and for unknown ones.
func KindOf(key string) (k Kind, ok bool) {
	if strings.HasPrefix(key, "client-") && key != "client-timeout" {
		return Kind{key, report.TierClient, report.MechanismExhausted}, true
	}
	inner, upstream := strings.CutPrefix(key, "upstream-")
	for _, r := range Catalogue() {
		if r.Cause == inner || upstream && r.Cause == "server-"+inner {
			return Kind{r.Cause, r.Tier(upstream), r.Mechanism}, true
		}
	}
	return lateKinds(key)
}

// Tier returns where a cause lives; inner: of a hop behind the first.
func (r Rule) Tier(inner bool) report.Tier {
	switch {
	case r.Leg == Path:
		return report.TierPath
	case r.Leg == Proxy:
		return report.TierProxy
	case inner || r.Behind:
		return report.TierUpstream
	}
	return report.TierServer
}
