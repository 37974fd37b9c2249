package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// fileAccess: the file system refuses a process access, though it has space left.
func fileAccess() inquiry.Rule {
	return inquiry.Rule{
		Cause: "file-access", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.SaysFileAccess},
		Proof: []evidence.Clue{evidence.SaysFileAccess},
		Told:  []evidence.Clue{evidence.SaysFileAccess},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysFileAccess, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.Unauthorized, Yes: inquiry.Opposite(inquiry.Weak), No: 0}, // a 403 may also mean files that no client is to get
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays, inquiry.Fresh: inquiry.Stays},
		Says:  "the file system refused what it asked of it: no right, read-only, or an error of the device",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look at the path that the line names: its owner and rights (namei -l PATH), as which user the process runs, and whether the file system is mounted read-only (findmnt -T PATH)",
				"a file system that became read-only by itself had errors: read the kernel's log (dmesg) and the device's",
			}
		},
	}
}
