package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// lockContention: transactions wait for the locks of others until the database ends them.
func lockContention() Rule {
	return Rule{
		Cause: "lock-contention", Mechanism: report.MechanismSlow, Behind: true,
		Any:   []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked},
		Proof: []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked},
		Told:  []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked},
		// What is never answered waits for a lock that nobody gives back.
		Unless: []evidence.Clue{evidence.StandsStuck, evidence.StandsStill},
		Weights: []weight{
			{evidence.SaysLocking, Proves, 0},
			{evidence.SaysLocked, Proves, 0},
			{evidence.StandsStuck, Opposite(Proves), 0},
			{evidence.StandsStill, Opposite(Strong), 0},
		},
		Says: "transactions waited for each other's locks",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look at the log of the database for the statements that lock each other (PostgreSQL: log_lock_waits; MySQL: SHOW ENGINE INNODB STATUS)",
				"take locks in one order everywhere, keep transactions short, and try those again that were ended for a deadlock",
			}
		},
	}
}
