package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// lockContention: transactions wait for the locks of others until the database ends them.
func lockContention() rule {
	return rule{
		cause: "lock-contention", mechanism: report.MechanismSlow, behind: true,
		any:   []evidence.Clue{evidence.SaysLocking},
		proof: []evidence.Clue{evidence.SaysLocking},
		told:  []evidence.Clue{evidence.SaysLocking},
		weights: []weight{
			{evidence.SaysLocking, proves, 0},
		},
		says: "transactions waited for each other's locks, and the database ended them",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at the log of the database for the statements that lock each other (PostgreSQL: log_lock_waits; MySQL: SHOW ENGINE INNODB STATUS)",
				"take locks in one order everywhere, keep transactions short, and try those again that were ended for a deadlock",
			}
		},
	}
}
