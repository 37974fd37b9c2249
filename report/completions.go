package report

import (
	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// Completion counts what became of the transactions that a target accepted: completed,
// failed, lost and unknown ones add up to them.
type Completion struct {
	Target    string  `json:"target"`
	Accepted  uint64  `json:"accepted"`
	Completed uint64  `json:"completed"`
	Failed    uint64  `json:"failed"` // the service itself says so
	Lost      uint64  `json:"lost"`   // not done in time
	Unknown   Unknown `json:"unknown"`
	// LatencyMS is of those that were completed, from when their requests were due until
	// it was learnt; LoadRPS is the load from which on they are lost, null: none.
	LatencyMS Latency  `json:"latency_ms"`
	LoadRPS   *float64 `json:"load_rps"`
	Polls     *Polls   `json:"polls,omitempty"` // left out: the target was not asked
}

// Unknown counts transactions of which nobody knows what became, by why.
type Unknown struct {
	Unreachable uint64 `json:"unreachable"`  // nobody could be asked, or messages were missed, when their time was over
	Open        uint64 `json:"open"`         // the wait for them was over before their time was
	NotFollowed uint64 `json:"not_followed"` // too many were pending
	NotNamed    uint64 `json:"not_named"`    // the answer does not say where to ask
}

// Sum returns their number.
func (u Unknown) Sum() uint64 { return u.Unreachable + u.Open + u.NotFollowed + u.NotNamed }

// Polls counts those of a target.
type Polls struct {
	Sent   uint64                       `json:"sent"`
	Failed uint64                       `json:"failed"`
	Faults map[string]map[string]uint64 `json:"faults"` // by fault and phase
}

// Completions counts the transactions by the targets that stand for them.
func Completions(targets []Target) []Completion {
	var out []Completion
	for _, t := range targets {
		switch t.Part {
		case profiles.RoleCompletion:
			out = append(out, completionOf(t))
		case profiles.RoleStatus:
			if n := len(out); n > 0 && out[n-1].Target == t.Of {
				out[n-1].Polls = &Polls{Sent: t.Requests, Failed: t.Failed, Faults: t.Faults}
			}
		}
	}
	return out
}

// completionOf reads how transactions ended: see attack/completion.
func completionOf(t Target) Completion {
	c := Completion{Target: t.Of, Completed: t.OK, LatencyMS: t.LatencyMS}
	for phase, n := range t.Faults[attack.Canceled.String()] {
		switch phase {
		case attack.PhaseDial.String():
			c.Unknown.Unreachable += n
		case attack.PhaseWrite.String():
			c.Unknown.NotFollowed += n
		case attack.PhaseDNS.String():
			c.Unknown.NotNamed += n
		default:
			c.Unknown.Open += n
		}
	}
	for _, n := range t.Faults[attack.Timeout.String()] {
		c.Lost += n
	}
	c.Failed = t.Failed - min(c.Lost, t.Failed)
	c.Accepted = t.Requests + c.Unknown.Sum()
	if t.Onset.Status != OnsetNone && t.Onset.Fault == attack.Timeout.String() {
		c.LoadRPS = t.Onset.LoadRPS
	}
	return c
}
