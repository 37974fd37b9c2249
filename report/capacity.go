package report

// Capacity is what a search for capacity found.
type Capacity struct {
	// Status is found; at-least (the search's end, or this machine's, was reached
	// first); below (the first load failed); or undecided.
	Status    string         `json:"status"`
	Complete  bool           `json:"complete"` // no load was left to be tried
	RPS       *float64       `json:"rps"`      // the highest load that passed; null: none did
	LowRPS    *float64       `json:"low_rps"`  // the highest that did and never failed, at most RPS
	HighRPS   *float64       `json:"high_rps"` // the lowest load that did not pass; null: all did
	Precision float64        `json:"precision"`
	Until     []string       `json:"until"`   // what a load had to hold
	Binding   *Binding       `json:"binding"` // what ended it; null: nothing did
	Steps     []CapacityStep `json:"steps"`
}

// Binding is why the lowest load that did not pass did not.
type Binding struct {
	Result string `json:"result"` // failed, undecided, limited
	Gate   string `json:"gate,omitempty"`
	Reason string `json:"reason"`
	Cause  string `json:"cause,omitempty"` // of the verdict on the run, a key of the cause catalogue
}

// CapacityStep is one load, held once.
type CapacityStep struct {
	Number      int      `json:"number"`
	LoadRPS     float64  `json:"load_rps"`
	AtS         float64  `json:"at_s"` // begin of the hold
	Seconds     float64  `json:"seconds"`
	Result      string   `json:"result"` // passed, failed, undecided, limited; unfinished when the run ended in it
	Gate        string   `json:"gate,omitempty"`
	Reason      string   `json:"reason"`
	Requests    uint64   `json:"requests"`
	Failed      uint64   `json:"failed"`
	WireResets  uint64   `json:"wire_resets"`
	P99MS       *float64 `json:"p99_ms"`
	AchievedRPS float64  `json:"achieved_rps"`
}

// The outcomes of one load, and the status of a search.
const (
	StepPassed    = "passed"
	StepFailed    = "failed"
	StepUndecided = "undecided"
	StepLimited   = "limited" // this machine was the limit

	CapacityFound     = "found"
	CapacityAtLeast   = "at-least" // the search's end, or this machine's, was reached first
	CapacityBelow     = "below"    // the first load failed
	CapacityUndecided = "undecided"
)

// StepUnfinished is the result of a load during which the run ended.
const StepUnfinished = "unfinished"

// TargetCapacity is how much a target can take, by three measures. Loads are
// those of all targets, as everywhere.
type TargetCapacity struct {
	RPS            *float64       `json:"rps"`             // the least that was reached; null: none was
	Binding        string         `json:"binding"`         // faults, goodput or latency; empty: none
	RecommendedRPS *float64       `json:"recommended_rps"` // 0.8 of the lower end of its interval
	AtLeastRPS     float64        `json:"at_least_rps"`    // the highest load that was sent
	Faults         *CapacityLimit `json:"faults"`          // reset capacity: beyond it more than 0.1 % fail or are reset; null: not reached
	Goodput        *CapacityLimit `json:"goodput"`         // successes a second stop growing there; null: not reached
	Latency        *CapacityLimit `json:"latency"`         // the 99th percentile starts to climb there; null: not reached
}

// CapacityLimit is one measure with its 95 % interval.
type CapacityLimit struct {
	RPS     float64 `json:"rps"`
	LowRPS  float64 `json:"low_rps"`
	HighRPS float64 `json:"high_rps"`
}

// IdleSweep is how long connections to a target live without a request.
type IdleSweep struct {
	End     string    `json:"end"`      // closed, reset, closed on use, reset on use, no answer on use; alive; or unknown
	FromS   float64   `json:"from_s"`   // times that were tried
	ToS     float64   `json:"to_s"`     //
	AliveS  *float64  `json:"alive_s"`  // the longest time after which a connection still served
	GoneS   *float64  `json:"gone_s"`   // the shortest after which one did not; null: all did
	ClientS *float64  `json:"client_s"` // the profile's client closes its own after this; null: never
	Tries   []IdleTry `json:"tries"`
	Summary string    `json:"summary"` // in a sentence
	Advice  string    `json:"advice,omitempty"`
	Error   string    `json:"error,omitempty"`
}

// IdleTry is one connection that was held idle.
type IdleTry struct {
	PlannedS float64 `json:"planned_s"`
	LastedS  float64 `json:"lasted_s"`
	End      string  `json:"end"`
}
