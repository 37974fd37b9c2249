package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// podsNotReady: pods were taken out of service by their readiness probes, and ran on.
func podsNotReady() Rule {
	return Rule{
		Cause: "pods-not-ready", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.PodsOut},
		Proof: []evidence.Clue{evidence.PodsOut},
		Told:  []evidence.Clue{evidence.PodsOut},
		Never: []evidence.Clue{evidence.RateStatus, evidence.Unauthorized, evidence.TooLarge},
		Weights: []weight{
			{evidence.PodsOut, Proves, Opposite(Proves)},
			{evidence.SomeRefused, weak, 0},
			{evidence.BadGateway, weak, 0},
			{evidence.ShedStatus, weak, 0},
			{evidence.Died, Opposite(Strong), 0},
			// What was slow or full before made the probes fail too.
			{evidence.LatencyFirst, Opposite(weak), 0},
			{evidence.ProcessorFull, Opposite(weak), 0},
		},
		Says: "Kubernetes took its pods out of service, though they ran on: their readiness probes failed",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"give the readiness probe a timeoutSeconds above the time of answers at the highest load, and a failureThreshold of 3 and more",
				"let the probe have a way of its own, that does not wait behind requests, and not ask for what all pods depend on: they all go out at once",
			}
		},
	}
}

// podEvicted: its node ended the pod, or another pod took its place.
func podEvicted() Rule {
	return Rule{
		Cause: "pod-evicted", Ends: true, Mechanism: report.MechanismDied,
		Any:   []evidence.Clue{evidence.PodsEvicted},
		Proof: []evidence.Clue{evidence.PodsEvicted},
		Told:  []evidence.Clue{evidence.PodsEvicted},
		Weights: []weight{
			{evidence.PodsEvicted, Proves, Opposite(Proves)},
			{evidence.Died, weak, 0},
			{evidence.DiedWithFaults, weak, Opposite(weak)},
			{evidence.OutOfMemory, Opposite(weak), 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.PodsEvicted: {evidence.Died, evidence.DiedWithFaults}},
		Says:    "its node ended a pod of it, for what the node lacked or for another pod",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"set requests as high as what the pod uses under load (with limits equal to them it is the last to go), and look at what the node lacked: kubectl describe node",
				"let a PodDisruptionBudget keep enough pods in service, and drain before exit: preStop, terminationGracePeriodSeconds",
			}
		},
	}
}
