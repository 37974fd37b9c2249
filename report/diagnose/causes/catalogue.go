// Package causes holds the causes of faults, one file each, ranks them by the signals
// and says what was concluded. It measures nothing (evidence, signals).
package causes

import (
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// leg says where on the way of a request a cause sits.
type leg uint8

const (
	server leg = iota // a host that serves; of an inner hop the key gets the prefix "upstream-"
	proxy             // a host that passes requests on
	path              // between the client and the first host
)

// weight is what the answer to a clue adds to the logarithm of the odds of a
// cause. An unknown answer adds nothing.
type weight struct {
	clue    evidence.Clue
	yes, no float64
}

// rule is one cause of the catalogue: which resource runs out, and which
// observations speak for and against it. The order follows that in which causes
// are told apart; scores decide, so that one missing source does not stop the
// others from speaking.
type rule struct {
	cause string
	leg   leg
	// gauges and counters date the cause: the resource that runs out, and the
	// counters that move only when it has. Without them it is dated by nothing.
	gauges   []string
	counters []string
	inferred bool // the limit shows only as a plateau of the gauges
	// elimination: what is left when nothing that the serving process can run out of
	// did. Unless it was watched, the cause is at most a candidate.
	elimination bool
	// rare is taken off where nothing measured it: kernels and defaults of today
	// seldom let it happen.
	rare float64
	// own: it is the serving process that ends connections. Unless something shows
	// that its host sent the resets, and not the path, it is at most a candidate.
	own bool
	// told: where one of these is seen the kernel, or whoever answered, said what it did:
	// nothing else need have been measured.
	told []evidence.Clue
	// turnsAway: something on the path answers for the serving host. Unless something
	// shows that the host itself did not, it is at most a candidate.
	turnsAway bool
	// strict: what ran out alone does not make the cause worth considering.
	strict bool
	// elsewhere: where one of these is seen, what runs out need not be of the serving
	// host, and its gauges that stayed low say nothing.
	elsewhere []evidence.Clue
	// any: at least one must be seen for the cause to be considered at all. Empty:
	// one of the resources must have been measured.
	any []evidence.Clue
	// must: none of these may be answered with no.
	must []evidence.Clue
	// anyway: where one of these is seen, must is not asked for.
	anyway []evidence.Clue
	// proof: one of these must be seen, or the resource have run out (provenBy), for
	// the cause to be claimed: few others can make it. Without, it is at most a candidate.
	proof    []evidence.Clue
	provenBy proving
	// never: where one of these is seen the cause is out of the question, by physics:
	// no weight of other evidence brings it back.
	never []evidence.Clue
	// unless: where one of these is seen the cause is not claimed: what is seen is not of
	// its making.
	unless []evidence.Clue
	// anywhere: whoever ends connections may do it, on the path too; the tier is that of
	// whoever sent the resets.
	anywhere bool
	// waits: it makes requests wait, so a hop whose requests wait for another is its
	// victim and does not have it.
	waits bool
	// behind: it is always of a hop behind another, and its key has no prefix for that.
	behind bool
	// ends: the end of a process fits with it.
	ends bool
	// symptom: it says how a fault shows, and never why.
	symptom bool
	weights []weight
	// instead: where the first is seen it says what happened, and the others, which
	// only hint at it elsewhere, add nothing.
	instead map[evidence.Clue][]evidence.Clue
	// despite: where the first is seen, the others may be as they are: they do not
	// speak against it.
	despite   map[evidence.Clue][]evidence.Clue
	mechanism report.Mechanism
	// tells: what an experiment makes of failures of the cause, where that is known: it
	// tells the cause from its neighbours.
	tells map[Experiment]Outcome
	// advice says what to check or change, with the value seen and, where it can be
	// computed, the value needed.
	advice func(c *Investigation, h *hypothesis) []string
	// says completes "…: " in a sentence about what happened.
	says string
}

// The strengths of what is seen, in the logarithm of the odds. There are few, so that
// none is fitted to a run.
const (
	proves = 5.0
	strong = 2.5
	weak   = 1.0
)

// opposite is the strength of what speaks against a cause.
func opposite(strength float64) float64 { return -strength }

// proving is what else proves a cause than what was seen.
type proving uint8

const (
	seen   proving = iota
	ranOut         // its resource was measured at its limit, or its counter moved
)

// explained returns the clues that one of such a map explains.
func explained(others map[evidence.Clue][]evidence.Clue, f *evidence.Facts) map[evidence.Clue]bool {
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

// catalogue returns the causes that faults of a target can have, each from its own
// file. Those of the generator itself are found before any of these are asked.
func catalogue() []rule {
	return []rule{
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
		schemaMismatch(),
		lockContention(),
		applicationError(),
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
	for _, r := range catalogue() {
		if r.cause == inner || upstream && r.cause == "server-"+inner {
			return Kind{r.cause, r.tier(upstream), r.mechanism}, true
		}
	}
	return lateKinds(key)
}

// tier returns where a cause lives; inner: of a hop behind the first.
func (r rule) tier(inner bool) report.Tier {
	switch {
	case r.leg == path:
		return report.TierPath
	case r.leg == proxy:
		return report.TierProxy
	case inner || r.behind:
		return report.TierUpstream
	}
	return report.TierServer
}
