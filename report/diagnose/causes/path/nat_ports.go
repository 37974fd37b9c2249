package path

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// natPorts: address translation had no port left.
func natPorts() inquiry.Rule {
	return inquiry.Rule{
		Cause: "nat-ports", Mechanism: report.MechanismExhausted, Leg: inquiry.Path, Counters: []string{probe.ConntrackInsertFail, probe.ConntrackDrop},
		ProvenBy: inquiry.RanOut,
		Proof:    []evidence.Clue{evidence.ConntrackFlat, evidence.InsertFailed}, Told: []evidence.Clue{evidence.InsertFailed},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.InsertFailed, Yes: 2 * inquiry.Proves, No: 0},
			{Clue: evidence.StandsNewOnly, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SaysUnreached, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.Vanished, Yes: 1, No: -2},
			{Clue: evidence.Unserved, Yes: -1, No: 0.7},
			{Clue: evidence.ConstantShare, Yes: -2, No: 0},
			{Clue: evidence.ConntrackFull, Yes: -4, No: 1},
			{Clue: evidence.ConntrackFlat, Yes: 3, No: 0},
			{Clue: evidence.InDial, Yes: 1.5, No: -2},
			{Clue: evidence.SynsLost, Yes: 1.5, No: -1},
			{Clue: evidence.SomeTimeouts, Yes: 1, No: -2},
			{Clue: evidence.Overflowed, Yes: -2, No: 0},
			{Clue: evidence.DescriptorsFull, Yes: -2, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.InsertFailed: {evidence.InDial, evidence.SynsLost, evidence.SomeTimeouts, evidence.ConstantShare, evidence.Vanished}},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.Kept: inquiry.Goes, inquiry.Fresh: inquiry.Stays, inquiry.TwoSources: inquiry.Goes},
		Says:    "address translation had no port left",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"give the translation more addresses or ports, or reuse connections"}
		},
	}
}
