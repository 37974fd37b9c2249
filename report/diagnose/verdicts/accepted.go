package verdicts

import "github.com/rampload/rampload/report/diagnose/inquiry"

// lookBehind adds to what is concluded of transactions that were accepted and not done where
// to look: behind whoever accepted them.
func lookBehind(c *inquiry.Investigation, findings []Finding) []Finding {
	if !c.Accepted() {
		return findings
	}
	for i := range findings {
		switch f := &findings[i]; f.Verdict {
		case Healthy, GeneratorLimited, Inconclusive:
		default:
			f.Advice = append(f.Advice,
				"look at the queue behind "+c.Target.Info.Of+": its greatest length, how long entries live, its dead letters, and how many are worked off a second",
				"answer 503 with Retry-After while the queue is full, instead of accepting what will not be done")
		}
	}
	return findings
}
