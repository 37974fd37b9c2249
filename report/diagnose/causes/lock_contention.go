package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// lockContention: transactions wait for the locks of others until the database ends them.
func lockContention() Rule {
	return Rule{
		Cause: "lock-contention", Mechanism: report.MechanismSlow, Behind: true,
		Any:   []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked, evidence.FileLocked},
		Proof: []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked, evidence.FileLocked},
		Told:  []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked, evidence.FileLocked},
		// What is never answered waits for a lock that nobody gives back.
		Unless: []evidence.Clue{evidence.StandsStuck, evidence.StandsStill},
		Weights: []weight{
			{evidence.SaysLocking, Proves, 0},
			{evidence.SaysLocked, Proves, 0},
			{evidence.LockedStore, weak, 0},
			{evidence.FileLocked, 2 * Proves, 0}, // the kernel's own word of what each thread waits for
			{evidence.StandsStuck, Opposite(Proves), 0},
			{evidence.StandsStill, Opposite(Strong), 0},
		},
		Despite: map[evidence.Clue][]evidence.Clue{
			evidence.LockedStore: {evidence.StandsStuck, evidence.StandsStill},
			evidence.FileLocked:  {evidence.StandsStuck, evidence.StandsStill}, // whoever has it locked may keep it for long
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
