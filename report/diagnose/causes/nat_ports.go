package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// natPorts: address translation had no port left.
func natPorts() Rule {
	return Rule{
		Cause: "nat-ports", Mechanism: report.MechanismExhausted, Leg: Path, Counters: []string{probe.ConntrackInsertFail},
		ProvenBy: RanOut,
		Proof:    []evidence.Clue{evidence.ConntrackFlat},
		Never:    []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.FilterDropped, Opposite(Proves), 0},
			{evidence.Vanished, 1, -2},
			{evidence.Unserved, -1, 0.7},
			{evidence.ConstantShare, -2, 0},
			{evidence.ConntrackFull, -4, 1},
			{evidence.ConntrackFlat, 3, 0},
			{evidence.InDial, 1.5, -2},
			{evidence.SynsLost, 1.5, -1},
			{evidence.SomeTimeouts, 1, -2},
			{evidence.Overflowed, -2, 0},
			{evidence.DescriptorsFull, -2, 0},
		},
		tells: map[Experiment]Outcome{Kept: Goes, Fresh: Stays, TwoSources: Goes},
		Says:  "address translation had no port left",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"give the translation more addresses or ports, or reuse connections"}
		},
	}
}
