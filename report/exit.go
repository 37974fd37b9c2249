package report

// The exit codes of a run. They are a stable interface.
const (
	ExitPassed      = 0   // finished; every gate passed, or there was none
	ExitFailed      = 1   // a gate failed, an abort-if struck, or a release regressed
	ExitUsage       = 2   // wrong usage or an invalid profile
	ExitNotRun      = 3   // the run could not be carried out
	ExitUndecided   = 4   // a gate could not be judged
	ExitInterrupted = 130 // interrupted; the report of what was done is written
)

// Ending is how a run ended, as far as its exit code depends on it. The zero
// value is a run that finished without gates.
type Ending struct {
	Usage         bool // wrong usage or an invalid profile: nothing was sent
	NotCarriedOut bool // no load could be sent, or the preflight failed
	Interrupted   bool // by the user, or cut short by a crash
	Aborted       bool // an abort-if struck
	Gates         []GateResult
}

// Outcome returns the exit code: 2 before 3 before 130 before 1 (a violation
// was seen) before 4 (a gate could not be judged) before 0.
func Outcome(e Ending) int {
	switch {
	case e.Usage:
		return ExitUsage
	case e.NotCarriedOut:
		return ExitNotRun
	case e.Interrupted:
		return ExitInterrupted
	case e.Aborted || hasResult(e.Gates, GateFailed):
		return ExitFailed
	case hasResult(e.Gates, GateUndecided):
		return ExitUndecided
	}
	return ExitPassed
}

func hasResult(gates []GateResult, result string) bool {
	for _, g := range gates {
		if g.Result == result {
			return true
		}
	}
	return false
}
