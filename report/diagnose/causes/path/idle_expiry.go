package path

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/format"
)

// pathIdleExpiry: something on the path forgets connections that are idle.
func pathIdleExpiry() inquiry.Rule {
	return inquiry.Rule{
		Cause: "path-idle-expiry", Mechanism: report.MechanismIdle, Leg: inquiry.Path, Any: []evidence.Clue{evidence.IdleGap, evidence.RestedLost}, Must: []evidence.Clue{evidence.IdleGap},
		Anyway: []evidence.Clue{evidence.RestedLost},
		Proof:  []evidence.Clue{evidence.IdleGap, evidence.RestedLost},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.PeerCloses, Yes: -2.5, No: 3},
			{Clue: evidence.IdleGap, Yes: 3.5, No: -5},
			{Clue: evidence.RestedLost, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.IdleTight, Yes: -0.5, No: 2.5},
			{Clue: evidence.Loopback, Yes: -5, No: 0},
			{Clue: evidence.SentNone, Yes: 3.5, No: -3},
			{Clue: evidence.PathTTL, Yes: 2.5, No: -4},
			{Clue: evidence.ReusedOnly, Yes: 0.5, No: -2},
			{Clue: evidence.OnlyTimeouts, Yes: 2, No: 0},
			{Clue: evidence.SentLate, Yes: -3, No: 0},
			{Clue: evidence.SentFromListener, Yes: -1, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.RestedLost: {evidence.IdleGap, evidence.IdleTight, evidence.PeerCloses, evidence.SentNone, evidence.PathTTL, evidence.ReusedOnly, evidence.OnlyTimeouts}},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.Fresh: inquiry.Goes, inquiry.GapBelow: inquiry.Goes, inquiry.GapAbove: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Says:    "something on the path forgets connections that rest",
		Advice: func(c *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{fmt.Sprintf("keep connections idle for less than %s, or send TCP keep-alives more often than that", format.Seconds(c.IdleFrom)), "raise the idle timeout of the firewall or load balancer on the path"}
		},
	}
}
