package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// outputBlocked: threads stand in a write that nobody reads: a log's pipe, or its socket.
func outputBlocked() Rule {
	return Rule{
		Cause: "output-blocked", Mechanism: report.MechanismSlow, Waits: true,
		Any:   []evidence.Clue{evidence.OutputBlocked},
		Proof: []evidence.Clue{evidence.OutputBlocked},
		Told:  []evidence.Clue{evidence.OutputBlocked},
		Weights: []weight{
			{evidence.OutputBlocked, 2 * Proves, 0}, // the kernel's own word of what each thread waits for
			{evidence.Died, Opposite(weak), 0},
		},
		tells: map[Experiment]Outcome{HalfRate: Unsure},
		Says:  "its threads stand in writes that nobody reads: a pipe or local socket, as of its log, is full",
		advice: func(_ *Investigation, h *Hypothesis) []string {
			return []string{
				"look at whoever reads what it prints (a log shipper, journald, the other end of its pipe): it is stopped or too slow",
				"let the service drop or buffer its log instead of waiting for it",
			}
		},
	}
}
