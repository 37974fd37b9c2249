package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// mtuBlackHole: full-size packets vanish on the path, small ones pass.
func mtuBlackHole() Rule {
	return Rule{
		Cause: "mtu-black-hole", Mechanism: report.MechanismLoss, Leg: Path, Any: []evidence.Clue{evidence.TooBigDropped, evidence.LostRetransmits, evidence.Retransmitted, evidence.GapUnfilled, evidence.BigRequests, evidence.BigResponses}, Must: []evidence.Clue{evidence.SomeTimeouts},
		Proof: []evidence.Clue{evidence.TooBigDropped, evidence.GapUnfilled, evidence.LostRetransmits, evidence.BigUnacked},
		Never: []evidence.Clue{evidence.Unanswered, evidence.StandsUnreached, evidence.TriedInVain, evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.BigRequests, Strong, 0},
			{evidence.BigUnacked, Strong, 0},
			{evidence.BigResponses, Strong, 0},
			{evidence.ShortBody, Opposite(Strong), 0},
			{evidence.TooBigDropped, Proves, 0},
			{evidence.FilterDropped, Opposite(Strong), 0},
			{evidence.ConntrackInvalid, -3, 0},
			{evidence.AtOnce, -3, 0},
			{evidence.GapUnfilled, 3.5, 0},
			{evidence.SameServed, -6, 0.5},
			{evidence.LostRetransmits, 3, -2.5},
			{evidence.OnlyTimeouts, 1, -1},
			{evidence.InDial, -3, 1},
			{evidence.ConstantShare, 1, -0.5},
			{evidence.SynsLost, -2, 0.5},
			{evidence.Loopback, -4, 0},
			{evidence.Overflowed, -2, 0},
		},
		tells: map[Experiment]Outcome{Small: Goes, Large: Stays, HalfRate: Stays, HalfConcurrency: Stays},
		Says:  "full-size packets vanish on the path, small ones pass",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"let ICMP fragmentation-needed pass, or clamp the MSS on the path (TCPMSS --clamp-mss-to-pmtu)", "net.ipv4.tcp_mtu_probing=1 on the server works around it"}
		},
	}
}
