package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// outputBlocked: threads block on a write into a pipe or socket that nobody reads, such as a log's.
func outputBlocked() inquiry.Rule {
	return inquiry.Rule{
		Cause: "output-blocked", Mechanism: report.MechanismSlow, Waits: true,
		Any:   []evidence.Clue{evidence.OutputBlocked},
		Proof: []evidence.Clue{evidence.OutputBlocked},
		Told:  []evidence.Clue{evidence.OutputBlocked},
		Weights: []inquiry.Weight{
			{Clue: evidence.OutputBlocked, Yes: 2 * inquiry.Proves, No: 0}, // the kernel says what each thread waits for
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Unsure},
		Says:  "its threads stand in writes that nobody reads: a pipe or local socket, as of its log, is full",
		Advice: func(_ *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return []string{
				"look at whoever reads what it prints (a log shipper, journald, the other end of its pipe): it is stopped or too slow",
				"let the service drop or buffer its log instead of waiting for it",
			}
		},
	}
}
