package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// podsNotReady: pods failed their readiness probes and got no more requests, though they ran on.
func podsNotReady() inquiry.Rule {
	return inquiry.Rule{
		Cause: "pods-not-ready", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.PodsOut},
		Proof: []evidence.Clue{evidence.PodsOut},
		Told:  []evidence.Clue{evidence.PodsOut},
		Never: []evidence.Clue{evidence.RateStatus, evidence.Unauthorized, evidence.TooLarge},
		Weights: []inquiry.Weight{
			{Clue: evidence.PodsOut, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.SomeRefused, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.BadGateway, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.ShedStatus, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			// A service that was slow or full before also fails its probes: that is the cause then.
			{Clue: evidence.LatencyFirst, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
			{Clue: evidence.ProcessorFull, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
		},
		Says: "Kubernetes took its pods out of service, though they ran on: their readiness probes failed",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"give the readiness probe a timeoutSeconds above the time of answers at the highest load, and a failureThreshold of 3 and more",
				"let the probe have a way of its own, that does not wait behind requests, and not ask for what all pods depend on: they all go out at once",
			}
		},
	}
}

// podEvicted: the node ended a pod, or a pod of higher priority took its place.
func podEvicted() inquiry.Rule {
	return inquiry.Rule{
		Cause: "pod-evicted", Ends: true, Mechanism: report.MechanismDied,
		Any:   []evidence.Clue{evidence.PodsEvicted},
		Proof: []evidence.Clue{evidence.PodsEvicted},
		Told:  []evidence.Clue{evidence.PodsEvicted},
		Weights: []inquiry.Weight{
			{Clue: evidence.PodsEvicted, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.Died, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.OutOfMemory, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.PodsEvicted: {evidence.Died, evidence.DiedWithFaults}},
		Says:    "its node ended a pod of it, for what the node lacked or for another pod",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"set requests as high as what the pod uses under load (with limits equal to them it is the last to go), and look at what the node lacked: kubectl describe node",
				"let a PodDisruptionBudget keep enough pods in service, and drain before exit: preStop, terminationGracePeriodSeconds",
			}
		},
	}
}
