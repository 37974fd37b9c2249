package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// mtuBlackHole: full-size packets are lost on the path, and small ones pass.
func mtuBlackHole() inquiry.Rule {
	return inquiry.Rule{
		Cause: "mtu-black-hole", Mechanism: report.MechanismLoss, Leg: inquiry.Path, Any: []evidence.Clue{evidence.TooBigDropped, evidence.LostRetransmits, evidence.Retransmitted, evidence.GapUnfilled, evidence.BigRequests, evidence.BigResponses}, Must: []evidence.Clue{evidence.SomeTimeouts},
		Proof: []evidence.Clue{evidence.TooBigDropped, evidence.GapUnfilled, evidence.LostRetransmits, evidence.BigUnacked},
		Never: []evidence.Clue{evidence.Unanswered, evidence.StandsUnreached, evidence.TriedInVain, evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.BigRequests, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.BigUnacked, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.BigResponses, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.ShortBody, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.TooBigDropped, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.ConntrackInvalid, Yes: -3, No: 0},
			{Clue: evidence.AtOnce, Yes: -3, No: 0},
			{Clue: evidence.GapUnfilled, Yes: 3.5, No: 0},
			{Clue: evidence.SameServed, Yes: -6, No: 0.5},
			{Clue: evidence.LostRetransmits, Yes: 3, No: -2.5},
			{Clue: evidence.OnlyTimeouts, Yes: 1, No: -1},
			{Clue: evidence.InDial, Yes: -3, No: 1},
			{Clue: evidence.ConstantShare, Yes: 1, No: -0.5},
			{Clue: evidence.SynsLost, Yes: -2, No: 0.5},
			{Clue: evidence.Loopback, Yes: -4, No: 0},
			{Clue: evidence.Overflowed, Yes: -2, No: 0},
		},
		// A dropped packet-too-big message says it by itself: the sender goes on with segments that the path
		// does not take, whatever else is seen of them.
		Instead: map[evidence.Clue][]evidence.Clue{evidence.TooBigDropped: {evidence.SameServed, evidence.LostRetransmits, evidence.OnlyTimeouts, evidence.ConstantShare, evidence.FilterDropped}},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.Small: inquiry.Goes, inquiry.Large: inquiry.Stays, inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Says:    "full-size packets vanish on the path, small ones pass",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"let ICMP fragmentation-needed pass, or clamp the MSS on the path (TCPMSS --clamp-mss-to-pmtu)", "net.ipv4.tcp_mtu_probing=1 on the server works around it"}
		},
	}
}
