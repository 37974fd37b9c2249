package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// pathDelay: packets arrive late, and are not lost.
func pathDelay() inquiry.Rule {
	return inquiry.Rule{
		Cause: "path-delay", Mechanism: report.MechanismSlow, Leg: inquiry.Path,
		Any:   []evidence.Clue{evidence.StandsDelayed, evidence.BodiesDelayed, evidence.SynsArrived},
		Proof: []evidence.Clue{evidence.StandsDelayed, evidence.BodiesDelayed, evidence.LinkDropped},
		Told:  []evidence.Clue{evidence.StandsDelayed, evidence.BodiesDelayed},
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsDelayed, Yes: 2 * inquiry.Proves, No: 0},
			{Clue: evidence.BodiesDelayed, Yes: inquiry.Proves + inquiry.Strong, No: 0},
			{Clue: evidence.SynsArrived, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.LinkDropped, Yes: inquiry.Strong, No: 0}, // a full queue both delays and drops
			{Clue: evidence.ReverseDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.QueueDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.Fresh: inquiry.Stays},
		Says:  "packets are under way for long: they wait in a queue before a link, or take a long way",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look for the full link between the two: its traffic, and what else uses it (ip -s link, tc -s qdisc)",
				"compare the way of the packets with that of before (traceroute, mtr): a detour is as slow as a queue",
				"give bulk traffic a lower priority, or a queue that stays short (fq_codel)",
			}
		},
	}
}
