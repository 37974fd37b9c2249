package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// slowConsumer: a broker gave up clients that did not read as fast as it had messages for
// them.
func slowConsumer() Rule {
	return Rule{
		Cause: "slow-consumer", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.SaysSlowReader},
		Proof: []evidence.Clue{evidence.SaysSlowReader},
		Told:  []evidence.Clue{evidence.SaysSlowReader},
		Weights: []weight{
			{evidence.SaysSlowReader, Proves, 0},
		},
		Says: "the broker gave up consumers that read too slowly",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"let consumers read faster: hand messages on without waiting, or spread a subscription over more of them (a queue group)",
				"raise what the broker keeps for a slow one (NATS: max_pending, write_deadline), or let it keep messages on disk (JetStream)",
			}
		},
	}
}
