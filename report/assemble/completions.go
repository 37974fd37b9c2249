package assemble

import (
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

// adviseCompletions puts what was concluded of transactions into their words: nobody
// turned them away, they were accepted and not done.
func adviseCompletions(r *report.Report) {
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Verdict == "healthy" || f.Verdict == "generator-limited" || f.Verdict == "inconclusive" {
			continue
		}
		for _, t := range r.Targets {
			if t.Name != f.Target || t.Part != profiles.RoleCompletion {
				continue
			}
			if f.Cause == "rate-limit-policy" {
				f.Tier, f.Mechanism = report.TierUpstream, report.MechanismExhausted
				f.Advice = nil // a limit of the rate turns away what it does not accept
			}
			if f.Cause == "client-timeout" {
				f.Tier, f.Mechanism, f.Advice = report.TierUpstream, report.MechanismSlow, nil // no client waits for an answer
				f.Summary = accepted(f.Summary)
				for k := range f.Evidence {
					f.Evidence[k].Text = accepted(f.Evidence[k].Text)
				}
				f.Evidence = slices.DeleteFunc(f.Evidence, func(e report.Evidence) bool { return strings.HasSuffix(e.Text, "while waiting for the response") })
			}
			f.Advice = append(f.Advice,
				"look at the queue behind "+t.Of+": its greatest length, how long entries live, its dead letters, and how many are worked off a second",
				"answer 503 with Retry-After while the queue is full, instead of accepting what will not be done")
		}
	}
}

// accepted words what is said of answers as it is of transactions.
func accepted(text string) string {
	return strings.NewReplacer(
		"Answers took longer than the client waits", "What was accepted was not done in time",
		"answers took longer than the client waits", "what was accepted was not done in time",
		"were answers that did not come in time", "were transactions that were not done in time",
	).Replace(text)
}
