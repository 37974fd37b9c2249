package path

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/format"
)

// failover: all connections were lost at one instant, and new ones were fine at once.
func failover() inquiry.Rule {
	return inquiry.Rule{
		Cause: "failover", Ends: true, Mechanism: report.MechanismDied, Leg: inquiry.Path, Any: []evidence.Clue{evidence.AtOnce, evidence.KnownElsewhere}, Must: []evidence.Clue{evidence.AtOnce},
		Anyway: []evidence.Clue{evidence.KnownElsewhere},
		Proof:  []evidence.Clue{evidence.AtOnce, evidence.KnownElsewhere},
		Unless: []evidence.Clue{evidence.AddressContested},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.DialTimeouts, Yes: -5, No: 0},
			{Clue: evidence.Blackout, Yes: -4, No: 0},
			{Clue: evidence.ConntrackInvalid, Yes: -1.5, No: 0},
			{Clue: evidence.MostlyEOF, Yes: -4, No: 0.3},
			{Clue: evidence.Relayed, Yes: -4, No: 0},
			{Clue: evidence.LatencyFirst, Yes: -3, No: 0.3},
			{Clue: evidence.AtOnce, Yes: 3, No: -4},
			{Clue: evidence.Died, Yes: -4, No: 1.5},
			{Clue: evidence.SomeRefused, Yes: -2.5, No: 0.5},
			{Clue: evidence.SentFromListener, Yes: 1.5, No: 0},
			{Clue: evidence.SentNoSocket, Yes: 1, No: 0},
			{Clue: evidence.AbortTimeouts, Yes: -1.5, No: 0},
			{Clue: evidence.OutOfMemory, Yes: -4, No: 0},
			{Clue: evidence.Retransmitted, Yes: -1, No: 0.3},
			{Clue: evidence.SentUnread, Yes: -4, No: 0},
			{Clue: evidence.SentLinger, Yes: -4, No: 0},
			{Clue: evidence.LivePacket, Yes: -3, No: 0},
			{Clue: evidence.Loopback, Yes: -4, No: 0},
			{Clue: evidence.AddressMoved, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.KnownElsewhere, Yes: inquiry.Proves, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.KnownElsewhere: {evidence.AtOnce, evidence.SentFromListener, evidence.Retransmitted, evidence.Blackout}},
		Says:    "open connections were lost, all that went one way at one instant, and new ones were fine at once",
		Advice: func(c *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{fmt.Sprintf("look for a failover or address move %s into the run: connection state did not follow", format.Seconds(c.At)), "let clients retry idempotent requests once on a fresh connection"}
		},
	}
}
