package render

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

// The words that a verdict begins with.
const (
	wordNotRun      = "NOT RUN"
	wordIncomplete  = "INCOMPLETE"
	wordInterrupted = "INTERRUPTED"
	wordAborted     = "ABORTED"
	wordFailed      = "FAILED"
	wordNoVerdict   = "NO VERDICT"
	wordFound       = "FOUND"    // faults were found, and no gate forbids them
	wordDegraded    = "DEGRADED" // nothing failed, but answers came late
	wordPassed      = "PASSED"
	wordHealthy     = "HEALTHY" // of a load that was watched: nothing was put to the test
)

// verdict returns the word and the sentence of the first line. Where the load was
// changed by hand, the line says so: it is not the profile that was judged.
func verdict(r *report.Report) (word string, m layout.Mark, headline string) {
	word, m, headline = concluded(r)
	if len(r.Hands) > 0 && word != wordNotRun {
		headline += "; the load was changed by hand"
	}
	return word, m, headline
}

// concluded is the verdict of the load that was sent. What happened to the run comes
// first, then the gates, then the finding.
func concluded(r *report.Report) (word string, m layout.Mark, headline string) {
	first := firstFinding(r)
	finding := findingHeadline(r, first)
	gate := func(result string) (report.GateResult, bool) {
		for _, g := range r.Gates {
			if g.Result == result {
				return g, true
			}
		}
		return report.GateResult{}, false
	}
	ran := format.Seconds(math.Round(r.Ended.Sub(r.Started).Seconds()))
	found := searchHeadline(r)
	if found != "" {
		finding = found
	}
	failed, isFailed := gate(report.GateFailed)
	open, isOpen := gate(report.GateUndecided)
	switch {
	case r.Error != "":
		return wordNotRun, layout.Bad, r.Error
	case r.Interrupted && slices.ContainsFunc(r.Hands, report.Hand.Stops): // the plan ends there: of what is left nothing is known
		return wordInterrupted, layout.Unsure, fmt.Sprintf("stopped after %s; until then %s", ran, finding)
	case r.Interrupted:
		return wordInterrupted, layout.Unsure, fmt.Sprintf("after %s of %s; until then %s", ran, format.Seconds(r.Profile.DurationS), finding)
	case !r.Complete:
		return wordIncomplete, layout.Unsure, fmt.Sprintf("the record ends after %s; until then %s", ran, finding)
	case r.Aborted != "" && drained(r):
		return wordFailed, layout.Bad, fmt.Sprintf("%s; everything had been sent when abort-if %s struck, while answers were awaited", finding, r.Aborted)
	case r.Aborted != "":
		return wordAborted, layout.Bad, fmt.Sprintf("after %s by abort-if %s: %s", ran, r.Aborted, finding)
	case idleOnly(r):
		return idleVerdict(r)
	case found != "" && isFailed && r.Capacity.Status != report.CapacityBelow:
		return wordFailed, layout.Bad, fmt.Sprintf("%s: %s; %s", failed.Expr, failed.Reason, found)
	case found != "" && !isFailed && !isOpen:
		return wordPassed, layout.Good, found
	case isFailed && !faulty(first):
		return wordFailed, layout.Bad, fmt.Sprintf("%s: %s", failed.Expr, failed.Reason)
	case isFailed:
		return wordFailed, layout.Bad, finding
	case first.Verdict == "generator-limited" && (isOpen || len(r.Gates) == 0):
		return wordNoVerdict, layout.Unsure, finding
	case isOpen && faulty(first):
		return wordNoVerdict, layout.Unsure, fmt.Sprintf("%s; %s could not be judged", finding, open.Expr)
	case isOpen:
		return wordNoVerdict, layout.Unsure, fmt.Sprintf("%s could not be judged: %s", open.Expr, open.Reason)
	case first.Verdict == "inconclusive" && len(r.Gates) == 0:
		return wordNoVerdict, layout.Unsure, finding
	case first.Verdict == "degraded":
		return wordDegraded, layout.Unsure, finding
	case len(r.Gates) == 0 && faulty(first):
		return wordFound, layout.Bad, finding
	case faulty(first):
		return wordPassed, layout.Good, "every gate holds; " + finding
	}
	if len(r.Watched) > 0 {
		return wordHealthy, layout.Good, finding
	}
	return wordPassed, layout.Good, finding
}

// drained reports whether all of the load had been sent before the run ended: an
// abort then stopped nothing but the wait for answers.
func drained(r *report.Report) bool {
	return r.Capacity == nil && r.Profile.DurationS > 0 && r.Ended.Sub(r.Started).Seconds() > r.Profile.DurationS+r.Windows.IntervalMS/1e3
}

// firstFinding is the verdict; a report always has one.
func firstFinding(r *report.Report) report.Finding {
	if len(r.Findings) == 0 {
		return report.Finding{Verdict: "inconclusive", Summary: "Nothing was concluded."}
	}
	return r.Findings[0]
}

// faulty reports whether a finding is about faults of a target.
func faulty(f report.Finding) bool {
	switch f.Verdict {
	case "explains", "ambiguous", "unexplained":
		return true
	}
	return false
}

func target(r *report.Report, name string) (report.Target, bool) {
	for _, t := range r.Targets {
		if t.Name == name {
			return t, true
		}
	}
	return report.Target{}, false
}

// findingHeadline puts a finding into one line: who fails from where, and why.
func findingHeadline(r *report.Report, f report.Finding) string {
	switch f.Verdict {
	case "generator-limited":
		s := causePhrase(f.Cause, "this machine")
		if r.Generator.LoadRPS != nil {
			s += " at " + load(r, r.Generator.LoadRPS, r.Generator.AtS)
		}
		name := f.Target
		if name == "" {
			name = targetNames(r)
		}
		return s + "; " + name + " not judged above"
	case "healthy":
		return healthyHeadline(r)
	case "degraded":
		s, _, _ := strings.Cut(f.Summary, ". ")
		return s
	}
	t, ok := target(r, f.Target)
	if !ok {
		return f.Summary
	}
	s := onsetPhrase(r, t)
	if len(r.Watched) > 0 && t.Requests == 0 && t.WireResets == 0 {
		return t.Name + ": no request was seen to come in while it was watched"
	}
	if p, ok := acceptedPhrases()[f.Cause]; ok && t.Part == profiles.RoleCompletion {
		return s + ": " + p
	}
	switch f.Verdict {
	case "explains":
		if f.Cause == unexpectedAnswers {
			return s + ": " + unlike(t)
		}
		return s + ": " + causePhrase(f.Cause, who(f))
	case "ambiguous":
		if len(candidates(r, f.Target)) == 1 {
			return s + ": one cause fits, but the evidence does not prove it: " + causePhrase(f.Cause, who(f))
		}
		return s + ": more than one cause fits, first " + causePhrase(f.Cause, who(f))
	case "unexplained":
		return s + ": nothing that was watched explains it"
	case "inconclusive":
		return s + ": too little was seen to say why"
	}
	return s
}

// onsetPhrase says where a target begins to fail: "payments resets from 1,510/s".
func onsetPhrase(r *report.Report, t report.Target) string {
	o := t.Onset
	s := t.Name + " " + faultPhrase(o.Fault)
	if o.Fault == "status" && unlike(t) != "" {
		s = t.Name + " gives answers that the profile does not expect,"
	}
	if later := asidePhrase(t); later != "" {
		s = later
	}
	if m := o.Mark; m != nil {
		return fmt.Sprintf("%s, %s after %q", onsetWords(r, t, s), format.Seconds(m.AfterS), m.Text)
	}
	return onsetWords(r, t, s)
}

// onsetWords puts into words when or at what load s began.
func onsetWords(r *report.Report, t report.Target, s string) string {
	o := t.Onset
	at := load(r, o.LoadRPS, o.AtS)
	if len(r.Watched) > 0 && o.AtS != nil { // its load was no plan: the time says more
		since := fmt.Sprintf("%s UTC, at %s", clockAt(r, *o.AtS), at)
		switch o.Status {
		case report.OnsetFound:
			return s + " since " + since
		case report.OnsetPassing:
			return s + " for a while from " + since
		}
	}
	if o.ConstantRPS != nil {
		after := fmt.Sprintf(" after %s of a constant %s", layout.Seconds(o.AtS), load(r, o.ConstantRPS, o.AtS))
		if o.Status == report.OnsetPassing {
			after = " for a while" + after
		}
		return s + after
	}
	switch o.Status {
	case report.OnsetFound:
		if perConnection(r, o.AtS) > 0 {
			at += " on"
		}
		return s + " from " + at
	case report.OnsetFromStart:
		return s + " from the start"
	case report.OnsetPassing:
		return s + " for a while at " + at
	case report.OnsetPeriodic:
		return s + " at regular intervals"
	}
	if t.Failed < 5 && t.WireResets > t.Failed {
		return fmt.Sprintf("%s: %s of %s requests failed, but %s resets came over connections at rest", t.Name, format.Count(t.Failed), format.Count(t.Requests), format.Count(t.WireResets-t.Failed))
	}
	if t.Failed > 0 || t.WireResets > 0 {
		return fmt.Sprintf("%s: %s of %s requests failed, without an onset", t.Name, format.Count(t.Failed), format.Count(t.Requests))
	}
	return t.Name + ": no failures"
}

func healthyHeadline(r *report.Report) string {
	most := reached(r)
	up := " up to " + load(r, &most, nil)
	if r.Totals.Failed == 0 && r.Totals.WireResets == 0 {
		return targetNames(r) + ": no failures" + up
	}
	return targetNames(r) + ": no lasting failures" + up
}

func targetNames(r *report.Report) string {
	switch n := len(r.Targets); n {
	case 0:
		return "no target"
	case 1:
		return r.Targets[0].Name
	case 2:
		return r.Targets[0].Name + " and " + r.Targets[1].Name
	default:
		return fmt.Sprintf("%d targets", n)
	}
}

// reached returns the highest load that was sent. Over one second of a ramp it
// is a little less than the schedule's end, which is what people know.
func reached(r *report.Report) float64 {
	sent := r.Totals.AchievedRPSMax
	if top := r.Profile.MaxRPS; top != nil && sent >= 0.98**top && sent <= *top*1.02 {
		return *top
	}
	return sent
}

// Finding is what a report found in one line, whatever became of its run: who fails from
// where, and why.
func Finding(r *report.Report) string { return findingHeadline(r, firstFinding(r)) }

// unexpectedAnswers is the cause of answers that came as ever, and are not what the profile
// expects.
const unexpectedAnswers = "unexpected-answers"

// unlike says why most failures of a target are none that the profile expects, where they are
// answers that came as ever: "check json id: wanted "43", got "42""; "" for all others.
func unlike(t report.Target) string {
	name, most, all := "", uint64(0), uint64(0)
	for detail, n := range t.Details["status"] {
		all += n
		of, _, _ := strings.Cut(detail, " ")
		if unlike := of == "check" || of == "extract" || of == "content" || detail == "server unexpected-reply"; unlike && (n > most || n == most && detail < name) {
			name, most = detail, n
		}
	}
	if 2*most < all || 2*most < t.Failed {
		return ""
	}
	for _, a := range t.Answers {
		if a.Detail == name && a.Why != "" {
			return a.Why
		}
	}
	return name
}
