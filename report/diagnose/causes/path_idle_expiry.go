package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
)

// pathIdleExpiry: something on the path forgets connections that rest.
func pathIdleExpiry() Rule {
	return Rule{
		Cause: "path-idle-expiry", Mechanism: report.MechanismIdle, Leg: Path, Any: []evidence.Clue{evidence.IdleGap}, Must: []evidence.Clue{evidence.IdleGap},
		Proof: []evidence.Clue{evidence.IdleGap},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.PeerCloses, -2.5, 3},
			{evidence.IdleGap, 3.5, -5},
			{evidence.IdleTight, -0.5, 2.5},
			{evidence.Loopback, -5, 0},
			{evidence.SentNone, 3.5, -3},
			{evidence.PathTTL, 2.5, -4},
			{evidence.ReusedOnly, 0.5, -2},
			{evidence.OnlyTimeouts, 2, 0},
			{evidence.SentLate, -3, 0},
			{evidence.SentFromListener, -1, 0},
		},
		tells: map[Experiment]Outcome{Fresh: Goes, GapBelow: Goes, GapAbove: Stays, HalfConcurrency: Stays},
		Says:  "something on the path forgets connections that rest",
		advice: func(c *Investigation, _ *Hypothesis) []string {
			return []string{fmt.Sprintf("keep connections idle for less than %s, or send TCP keep-alives more often than that", words.WordSeconds(c.IdleFrom)), "raise the idle timeout of the firewall or load balancer on the path"}
		},
	}
}
