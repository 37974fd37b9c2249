package attack

import "time"

// Step is one load of a search, held once.
type Step struct {
	Number int     `json:"number"` // in order, from 1
	Load   float64 `json:"load_rps"`
	// Start is when the load begins to rise, Hold when it is reached, End when it
	// is no longer held; End is 0 while it is.
	Start time.Duration `json:"start_ns"`
	Hold  time.Duration `json:"hold_ns"`
	End   time.Duration `json:"end_ns"`
	// Drained is when all that was due until End had ended, or was given up; 0
	// before that.
	Drained time.Duration `json:"drained_ns"`
}

// IdleSweep is what holding connections of one target idle has shown.
type IdleSweep struct {
	Target uint16        `json:"target"`
	From   time.Duration `json:"from_ns"` // the shortest and
	To     time.Duration `json:"to_ns"`   // the longest time that was tried
	// End is how idle connections end: closed, reset, reset on use, closed on use,
	// no answer on use; or alive, when they lived for To.
	End   string        `json:"end"`
	Alive time.Duration `json:"alive_ns"` // the longest time after which a connection still served
	Gone  time.Duration `json:"gone_ns"`  // the shortest after which one did not; 0: all did
	Tries []IdleTry     `json:"tries"`
	Error string        `json:"error,omitempty"` // why nothing was found out
}

// IdleTry is one connection that was held idle.
type IdleTry struct {
	Planned time.Duration `json:"planned_ns"`
	Lasted  time.Duration `json:"lasted_ns"` // until it ended, or Planned
	End     string        `json:"end"`       // as in IdleSweep
}
