package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
)

// failover: all connections were lost at one instant, and new ones were fine at once.
func failover() Rule {
	return Rule{
		Cause: "failover", Ends: true, Mechanism: report.MechanismDied, Leg: Path, Any: []evidence.Clue{evidence.AtOnce}, Must: []evidence.Clue{evidence.AtOnce},
		Proof: []evidence.Clue{evidence.AtOnce},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.DialTimeouts, -5, 0},
			{evidence.Blackout, -4, 0},
			{evidence.ConntrackInvalid, -1.5, 0},
			{evidence.MostlyEOF, -4, 0.3},
			{evidence.Relayed, -4, 0},
			{evidence.LatencyFirst, -3, 0.3},
			{evidence.AtOnce, 3, -4},
			{evidence.Died, -4, 1.5},
			{evidence.SomeRefused, -2.5, 0.5},
			{evidence.SentFromListener, 1.5, 0},
			{evidence.SentNoSocket, 1, 0},
			{evidence.AbortTimeouts, -1.5, 0},
			{evidence.OutOfMemory, -4, 0},
			{evidence.Retransmitted, -1, 0.3},
			{evidence.SentUnread, -4, 0},
			{evidence.SentLinger, -4, 0},
			{evidence.LivePacket, -3, 0},
			{evidence.Loopback, -4, 0},
		},
		Says: "all connections were lost at one instant, and new ones were fine at once",
		advice: func(c *Investigation, _ *Hypothesis) []string {
			return []string{fmt.Sprintf("look for a failover or address move %s into the run: connection state did not follow", words.WordSeconds(c.At)), "let clients retry idempotent requests once on a fresh connection"}
		},
	}
}
