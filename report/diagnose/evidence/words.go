package evidence

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

func (r *Resource) Headroom() string {
	if r.Def.Unit == "share" {
		return format.Percent(r.Peak)
	}
	return fmt.Sprintf("%s of %s (%s)", format.Amount(r.Peak, r.Def.Unit), format.Amount(r.Limit, r.Def.Unit), format.Percent(r.Most))
}

// Relative words a time against the onset.
func (question *Case) Relative(at float64) string {
	d := question.At - at
	word := "reset"
	if question.Onset.Fault != attack.Reset && question.Onset.Fault != attack.BrokenPipe {
		word = "failure"
	}
	switch {
	case question.Onset.Status == NoOnset || question.Onset.Status == LeftCensored:
		return "at " + format.Seconds(at)
	case math.Abs(d) < 0.05:
		return "with the first " + word
	case d > 0:
		return format.Seconds(d) + " before the first " + word
	}
	return format.Seconds(-d) + " after the first " + word
}

// RelativeOn is relative for a time of another host's clock.
func (question *Case) RelativeOn(host string, at float64) string {
	if e := question.Run.ClockError(host); e > MaxClockError {
		return fmt.Sprintf("at about %s of a clock that may be off by %s", format.Seconds(at), format.Seconds(2*e))
	}
	return question.Relative(at)
}

// Describe words what a resource reached: "open files 64 of 64".
func (r *Resource) Describe() string {
	what := Whose(r)
	if r.Metric.Process != "" && r.Metric.PID != 0 {
		what += fmt.Sprintf(" (pid %d)", r.Metric.PID)
	}
	if r.Metric.Instance != "" {
		what += " " + r.Metric.Instance
	}
	switch {
	case r.Def.Unit == "share":
		return fmt.Sprintf("%s at %s", what, format.Percent(r.Peak))
	case !math.IsNaN(r.Limit) && r.Full != nil:
		return fmt.Sprintf("%s %s of %s", what, format.Amount(max(r.Full.Value, min(r.Peak, r.Limit)), r.Def.Unit), format.Amount(r.Limit, r.Def.Unit))
	case r.Level != nil && r.Level.Pinned:
		return fmt.Sprintf("%s stayed at %s", what, format.Amount(r.Level.Value, r.Def.Unit))
	case !math.IsNaN(r.Limit):
		return fmt.Sprintf("%s %s of %s", what, format.Amount(r.Peak, r.Def.Unit), format.Amount(r.Limit, r.Def.Unit))
	}
	return fmt.Sprintf("%s %s", what, format.Amount(r.Peak, r.Def.Unit))
}

// LoadSpanText writes a load with its interval in the unit of the stage in which
// it was: "1,510/s (1,490-1,525)", "81 connections (60-82)".
func (run *Run) LoadSpanText(s Span, at float64) string {
	each := run.perConnection(at)
	if each == 0 {
		each = 1
	}
	low, high := format.Number(s.Low/each), format.Number(s.High/each)
	if low == high {
		return run.LoadText(s.Value, at)
	}
	return fmt.Sprintf("%s (%s-%s)", run.LoadText(s.Value, at), low, high)
}

// LoadText writes a load in the unit of the stage in which it was offered:
// requests per second, or the connections that were held.
func (run *Run) LoadText(rps, at float64) string {
	if each := run.perConnection(at); each > 0 {
		return format.Counted(math.Round(rps/each), "connection")
	}
	return format.Number(rps) + "/s"
}

// TopText is the highest load of the run in the unit of the stage in which it was.
func (run *Run) TopText() string { return run.LoadText(run.MaxLoad(), run.topAt()) }

// AchievedText is the highest load that was really sent, in the same unit: the
// planned one where a second at its peak came near it.
func (run *Run) AchievedText() string {
	sent, top := run.achieved(), 0.0
	for _, s := range run.Log.Header.Stages {
		top = max(top, s.From, s.To)
	}
	if sent >= 0.98*top && sent <= 1.02*top {
		sent = top
	}
	return run.LoadText(sent, run.topAt())
}

// perConnection is the rate of each connection that the stage at a time holds; 0
// where it sets a rate of requests.
func (run *Run) perConnection(at float64) float64 {
	return run.Log.Header.StageAt(words.Seconds(at)).PerConnection
}

// Whose names a resource and its process.
func Whose(r *Resource) string {
	s := strings.ReplaceAll(r.Metric.Name, "-", " ")
	if r.Metric.Process != "" {
		s += " of " + r.Metric.Process
	}
	return s
}

// Place names a resource, its process and its host.
func Place(r *Resource) string { return Whose(r) + " on " + r.Metric.Host }

// decisive are statements that say why, and not only what followed: a pool or a queue is
// full because of something, and so a connection breaks; a full disk is enough.
var decisive = [...]Clue{
	SaysFull, SaysFiles, SaysPorts, SaysMemory, SaysDisk, SaysFileAccess, SaysLocking, SaysUnknownName, SaysCredentials,
	SaysForbidden, SaysBig, SaysStoreFull, SaysReadOnly, SaysIdentifiers, SaysSlowReader, SaysSchema, SaysCertificate, SaysMismatch, SaysBadAnswer, SaysLate,
}

// Decisive returns the statements that say why.
func Decisive() []Clue { return slices.Clone(decisive[:]) }

// Decisive reports whether a clue is a statement that says why.
func (x Clue) Decisive() bool { return slices.Contains(decisive[:], x) }
