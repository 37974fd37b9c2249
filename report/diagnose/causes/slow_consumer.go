package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// slowConsumer: a broker dropped clients that read more slowly than it had messages for them.
func slowConsumer() inquiry.Rule {
	return inquiry.Rule{
		Cause: "slow-consumer", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.SaysSlowReader},
		Proof: []evidence.Clue{evidence.SaysSlowReader},
		Told:  []evidence.Clue{evidence.SaysSlowReader},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysSlowReader, Yes: inquiry.Proves, No: 0},
		},
		Says: "the broker gave up consumers that read too slowly",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"let consumers read faster: hand messages on without waiting, or spread a subscription over more of them (a queue group)",
				"raise what the broker keeps for a slow one (NATS: max_pending, write_deadline), or let it keep messages on disk (JetStream)",
			}
		},
	}
}
