package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// lockContention: transactions wait for the locks of others until the database ends them.
func lockContention() rule {
	return rule{
		cause: "lock-contention", mechanism: report.MechanismSlow, behind: true,
		any:   []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked},
		proof: []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked},
		told:  []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked},
		// What is never answered waits for a lock that nobody gives back.
		unless: []evidence.Clue{evidence.StandsStuck, evidence.StandsStill},
		weights: []weight{
			{evidence.SaysLocking, proves, 0},
			{evidence.SaysLocked, proves, 0},
			{evidence.StandsStuck, opposite(proves), 0},
			{evidence.StandsStill, opposite(strong), 0},
		},
		says: "transactions waited for each other's locks",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at the log of the database for the statements that lock each other (PostgreSQL: log_lock_waits; MySQL: SHOW ENGINE INNODB STATUS)",
				"take locks in one order everywhere, keep transactions short, and try those again that were ended for a deadlock",
			}
		},
	}
}
