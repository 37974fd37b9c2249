package assemble

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
)

// idleFindings are the findings of a run that only held connections idle: there
// is no load that anything could be concluded from. Nil for any other run.
func idleFindings(r *report.Report) []report.Finding {
	if r.Totals.Attempts > 0 || r.Totals.LocalFaults > 0 {
		return nil
	}
	var faulty, unknown, healthy []report.Finding
	for _, t := range r.Targets {
		if t.Idle == nil {
			continue
		}
		f := report.Finding{
			Target: t.Name, Verdict: string(diagnose.Healthy), Cause: string(diagnose.Healthy), Confidence: 1,
			Summary: t.Idle.Summary, Evidence: []report.Evidence{}, RuledOut: []report.RuledOut{}, Advice: []string{},
		}
		if t.Idle.Advice != "" {
			f.Advice = append(f.Advice, t.Idle.Advice)
		}
		switch {
		case t.Idle.Error != "":
			f.Verdict, f.Cause, f.Confidence = string(diagnose.Inconclusive), "unexplained", 0
			unknown = append(unknown, f)
		case t.Idle.Resets():
			// What the server closes it may close while a request is on its way; what
			// ends without a sign was forgotten on the path.
			f.Verdict, f.Cause = string(diagnose.Explains), "idle-timeout-race"
			if t.Idle.End != "closed" {
				f.Cause = "path-idle-expiry"
			}
			f.Evidence = append(f.Evidence, report.Evidence{Source: "client", Text: t.Idle.Summary})
			faulty = append(faulty, f)
		default:
			healthy = append(healthy, f)
		}
	}
	return append(append(faulty, unknown...), healthy...)
}
