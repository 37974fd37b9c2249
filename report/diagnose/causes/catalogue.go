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

// Catalogue returns the causes that faults of a target can have: those of package path, then one
// from each file. The causes of the generator itself are not among them: package generator looks
// for those first.
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

// KindOf returns the tier and the mechanism of a cause key. ok is false for the keys that
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

// lateKeys are the keys that only degraded findings have: they make requests late, and fail none.
func lateKeys() []string { return []string{"processor-throttled", "delayed-ack"} }

// lateKinds is KindOf for the keys of degraded findings.
func lateKinds(key string) (inquiry.Kind, bool) {
	switch key {
	case "processor-throttled":
		return inquiry.Kind{Rule: key, Tier: report.TierServer, Mechanism: report.MechanismExhausted}, true
	case "delayed-ack":
		return inquiry.Kind{Rule: key, Tier: report.TierServer, Mechanism: report.MechanismBug}, true
	}
	return inquiry.Kind{}, false
}

// Predicts returns what an experiment does to failures of a cause, Unsure where that is not known.
// The key may be that of an inner hop ("upstream-...").
func Predicts(key string, e inquiry.Experiment) inquiry.Outcome {
	if inner, ok := strings.CutPrefix(key, "upstream-"); ok {
		switch e {
		case inquiry.Fresh, inquiry.Kept, inquiry.GapBelow, inquiry.GapAbove, inquiry.TwoSources, inquiry.OneAddress, inquiry.OtherAddresses:
			return inquiry.Unsure // these change the client's connections, and a proxy's are its own
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
