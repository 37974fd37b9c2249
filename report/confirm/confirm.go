// Package confirm says whether an onset moved with a limit that was raised between two runs.
package confirm

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

// Outcomes of a confirmation.
const (
	Confirmed   = "confirmed"   // the onset moved away with the limit that was raised
	Refuted     = "refuted"     // the limit was raised and the onset stayed
	Unsettled   = "unsettled"   // what changed cannot tell
	NothingDone = "not-changed" // no suspected limit was raised
)

// raisedBy is how much larger a limit must be to count as raised.
const raisedBy = 1.05

// Result is what a second run of a profile says about one suspected
// resource of the first, after somebody changed something in between.
type Result struct {
	Target   string          `json:"target"`
	Resource report.Resource `json:"resource"` // as in the first run
	NewLimit *float64        `json:"new_limit"`
	Old      report.Onset    `json:"old"`
	New      report.Onset    `json:"new"`
	Outcome  string          `json:"outcome"`
	Summary  string          `json:"summary"`
}

// Compare compares a run after a fix with the run that made suspicions: for each
// target with an onset, and each resource that was called its cause or a
// candidate, whether the onset moved with the limit. Raising one limit alone
// settles what one run cannot: which of two resources that filled together was
// the cause. The result is empty when the first run suspected nothing. The error
// matches [report.ErrDifferent] when the runs are not of one profile and engine.
func Compare(before, after *report.Report) ([]Result, error) {
	if before.Profile.Fingerprint != after.Profile.Fingerprint {
		return nil, fmt.Errorf("confirm: %w: run the profile of the first report", report.ErrDifferent)
	}
	var out []Result
	for _, old := range before.Targets {
		if old.Onset.Status != report.OnsetFound && old.Onset.Status != report.OnsetFromStart {
			continue
		}
		renewed, ok := targetNamed(after, old.Name)
		if !ok {
			continue
		}
		raised := 0
		first := len(out)
		for _, r := range before.Resources {
			if r.Verdict != "cause" && r.Verdict != "candidate" {
				continue
			}
			c := Result{Target: old.Name, Resource: r, Old: old.Onset, New: renewed.Onset, NewLimit: limitOf(after, r)}
			if c.wasRaised() {
				raised++
			}
			out = append(out, c)
		}
		for i := range out[first:] {
			c := &out[first+i]
			c.settle(raised, loadReached(renewed))
		}
	}
	return out, nil
}

func (c *Result) wasRaised() bool {
	return c.NewLimit != nil && c.Resource.Limit != nil && *c.NewLimit > raisedBy**c.Resource.Limit
}

// settle draws the conclusion; raised is how many suspected limits were raised.
func (c *Result) settle(raised int, reached float64) {
	name := c.Resource.Name
	if c.Resource.Process != "" {
		name += " of " + c.Resource.Process
	}
	moved, decided, how := c.moved(reached)
	switch {
	case !decided:
		c.Outcome = Unsettled
		c.Summary = how + ": it says nothing about " + name
	case !c.wasRaised() && raised == 0 && moved:
		c.Outcome = Unsettled
		c.Summary = fmt.Sprintf("%s, although the limit of %s is as it was: something else changed", how, name)
	case !c.wasRaised() && raised == 0:
		c.Outcome = NothingDone
		c.Summary = fmt.Sprintf("the limit of %s is as it was, and %s: raise it and confirm again", name, how)
	case !c.wasRaised() && moved:
		c.Outcome = Refuted
		c.Summary = fmt.Sprintf("the limit of %s is as it was and yet %s: it was not the cause", name, how)
	case !c.wasRaised():
		c.Outcome = Unsettled
		c.Summary = fmt.Sprintf("the limit of %s is as it was: raise it alone and confirm again", name)
	case !moved:
		c.Outcome = Refuted
		c.Summary = fmt.Sprintf("the limit of %s was raised from %s to %s and %s: it was not the cause",
			name, format.Number(*c.Resource.Limit), format.Number(*c.NewLimit), how)
	case raised > 1:
		c.Outcome = Unsettled
		c.Summary = fmt.Sprintf("%s, but %d suspected limits were raised together: raise one at a time", how, raised)
	default:
		c.Outcome = Confirmed
		c.Summary = fmt.Sprintf("the limit of %s was raised from %s to %s and %s",
			name, format.Number(*c.Resource.Limit), format.Number(*c.NewLimit), how)
	}
}

// moved reports whether the onset went up beyond both intervals, or away, and
// whether the second run can tell.
func (c *Result) moved(reached float64) (moved, decided bool, how string) {
	high := math.Inf(1)
	if c.Old.LoadHighRPS != nil {
		high = *c.Old.LoadHighRPS
	}
	was := "the onset"
	if c.Old.LoadRPS != nil {
		was = "the onset at " + format.Rate(*c.Old.LoadRPS)
	}
	switch c.New.Status {
	case report.OnsetFound:
		now := "-"
		if c.New.LoadRPS != nil {
			now = format.Rate(*c.New.LoadRPS)
		}
		if c.New.LoadLowRPS != nil && *c.New.LoadLowRPS > high {
			return true, true, fmt.Sprintf("%s moved to %s", was, now)
		}
		return false, true, fmt.Sprintf("%s stayed (now %s)", was, now)
	case report.OnsetFromStart:
		return false, true, "failures are there from the start of the load"
	}
	if reached > high || math.IsInf(high, 1) && reached > 0 {
		return true, true, fmt.Sprintf("%s is gone up to %s", was, format.Rate(reached))
	}
	return false, false, fmt.Sprintf("this run reached only %s", format.Rate(reached))
}

// loadReached is the highest load that a run achieved.
func loadReached(t report.Target) float64 { return t.AchievedRPSMax }

func targetNamed(r *report.Report, name string) (report.Target, bool) {
	for _, t := range r.Targets {
		if t.Name == name {
			return t, true
		}
	}
	return report.Target{}, false
}

// limitOf returns the limit of the same resource in another run: of the same
// host and process name; a restarted process has another pid. Of several
// processes it is the smallest limit.
func limitOf(r *report.Report, like report.Resource) *float64 {
	var out *float64
	for _, x := range r.Resources {
		if x.Host == like.Host && x.Process == like.Process && x.Name == like.Name && x.Limit != nil &&
			(like.Instance == "" || x.Instance == like.Instance) && (out == nil || *x.Limit < *out) {
			out = x.Limit
		}
	}
	return out
}
