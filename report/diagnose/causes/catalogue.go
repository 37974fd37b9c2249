// Package causes holds the causes of faults, one file each, with what speaks for and against
// them, advice and experiments. It measures nothing (evidence, signals), ranks nothing
// (ranking) and concludes nothing (verdicts); what a cause is made of is in inquiry.
package causes

import (
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/causes/path"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// Catalogue returns the causes that faults of a target can have, each from its own file,
// those of the path from their own room. Those of the generator itself are found before
// any of these are asked.
func Catalogue() []inquiry.Rule {
	return slices.Concat(path.Catalogue(), []inquiry.Rule{
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
		proxyEphemeralPorts(),
		proxyFileDescriptors(),
		proxyQueueLimit(),
		certificate(),
		tlsMismatch(),
		addressDown(),
		serviceDown(),
		requestTooLarge(),
		credentials(),
		processorStolen(),
		diskSaturated(),
		diskFull(),
		fileAccess(),
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
		circuitOpen(),
		shortResponse(),
		dependencyReadOnly(),
		dependencyMemoryFull(),
		identifierExhausted(),
		slowConsumer(),
		schemaMismatch(),
		lockContention(),
		applicationError(),
		configurationChange(),
		denyRule(),
		staleAddress(),
		podsNotReady(),
		podEvicted(),
	})
}

// KindOf returns what a cause key says less precisely; ok is false for the keys that
// are no cause (healthy, unexplained, generator-limited) and for unknown ones.
func KindOf(key string) (k inquiry.Kind, ok bool) {
	if strings.HasPrefix(key, "client-") && key != "client-timeout" {
		return inquiry.Kind{Rule: key, Tier: report.TierClient, Mechanism: report.MechanismExhausted}, true
	}
	inner, upstream := strings.CutPrefix(key, "upstream-")
	for _, r := range Catalogue() {
		if r.Cause == inner || upstream && r.Cause == "server-"+inner {
			return inquiry.Kind{Rule: r.Cause, Tier: r.Tier(upstream), Mechanism: r.Mechanism}, true
		}
	}
	if key == UnexpectedAnswers || key == WrongProtocol {
		return inquiry.Kind{Rule: key, Tier: report.TierServer, Mechanism: report.MechanismBug}, true
	}
	return lateKinds(key)
}

// lateKeys are the keys that only degraded findings have: nothing fails by them.
func lateKeys() []string { return []string{"processor-throttled", "delayed-ack"} }

// lateKinds returns what such a key says less precisely.
func lateKinds(key string) (inquiry.Kind, bool) {
	switch key {
	case "processor-throttled":
		return inquiry.Kind{Rule: key, Tier: report.TierServer, Mechanism: report.MechanismExhausted}, true
	case "delayed-ack":
		return inquiry.Kind{Rule: key, Tier: report.TierServer, Mechanism: report.MechanismBug}, true
	}
	return inquiry.Kind{}, false
}

// Predicts returns what an experiment does to failures of a cause, Unsure where nobody
// knows. The key may be one of an inner hop.
func Predicts(key string, e inquiry.Experiment) inquiry.Outcome {
	if inner, ok := strings.CutPrefix(key, "upstream-"); ok {
		switch e {
		case inquiry.Fresh, inquiry.Kept, inquiry.GapBelow, inquiry.GapAbove, inquiry.TwoSources, inquiry.OneAddress, inquiry.OtherAddresses:
			return inquiry. // the connections behind a proxy are its own
					Unsure
		case inquiry.AroundProxy:
			return inquiry.Stays
		}
		key = inner
	}
	for _, r := range Catalogue() {
		if r.Cause == key || r.Cause == "server-"+key {
			if e == inquiry.AroundProxy && r.Leg == inquiry.Proxy {
				return inquiry.Goes
			}
			return r.Tells[e]
		}
	}
	return inquiry.Unsure
}
