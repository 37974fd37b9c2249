package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
)

// pathIdleExpiry: something on the path forgets connections that rest.
func pathIdleExpiry() rule {
	return rule{
		cause: "path-idle-expiry", mechanism: report.MechanismIdle, leg: path, any: []evidence.Clue{evidence.IdleGap}, must: []evidence.Clue{evidence.IdleGap},
		proof: []evidence.Clue{evidence.IdleGap},
		never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		weights: []weight{
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
		says:  "something on the path forgets connections that rest",
		advice: func(c *Investigation, _ *hypothesis) []string {
			return []string{fmt.Sprintf("keep connections idle for less than %s, or send TCP keep-alives more often than that", words.WordSeconds(c.IdleFrom)), "raise the idle timeout of the firewall or load balancer on the path"}
		},
	}
}
