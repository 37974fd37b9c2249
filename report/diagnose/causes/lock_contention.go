package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// lockContention: requests wait for locks that others hold: in a database, or on a file.
func lockContention() inquiry.Rule {
	return inquiry.Rule{
		Cause: "lock-contention", Mechanism: report.MechanismSlow, Behind: true,
		Any:   []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked, evidence.FileLocked, evidence.StoreStands},
		Proof: []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked, evidence.FileLocked},
		Told:  []evidence.Clue{evidence.SaysLocking, evidence.SaysLocked, evidence.FileLocked},
		// A request that is never answered waits for a lock that is never released: see deadlock.
		Unless: []evidence.Clue{evidence.StandsStuck, evidence.StandsStill},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysLocking, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysLocked, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.LockedStore, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.StoreStands, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.FileLocked, Yes: 2 * inquiry.Proves, No: 0}, // the kernel says what each thread waits for
			{Clue: evidence.StandsStuck, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.StandsStill, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Despite: map[evidence.Clue][]evidence.Clue{
			evidence.SaysLocking: {evidence.StandsStuck, evidence.StandsStill}, // the database itself ended the transactions that waited
			evidence.LockedStore: {evidence.StandsStuck, evidence.StandsStill},
			evidence.StoreStands: {evidence.StandsStuck, evidence.StandsStill}, // an idle session may hold its locks for long
			evidence.FileLocked:  {evidence.StandsStuck, evidence.StandsStill}, // the holder of the lock may hold it for long
		},
		Says: "transactions waited for each other's locks",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look at the log of the database for the statements that lock each other (PostgreSQL: log_lock_waits; MySQL: SHOW ENGINE INNODB STATUS)",
				"take locks in one order everywhere, keep transactions short, and try those again that were ended for a deadlock",
			}
		},
	}
}
