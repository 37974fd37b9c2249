package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/judge"
	"github.com/rampload/rampload/report/render/layout"
)

// facts are the lines below the verdict: for a fault where it begins, why, and
// what to do; for a pass what it proves and what it does not.
func facts(r *report.Report) []layout.Fact {
	word, _, _ := verdict(r)
	f := firstFinding(r)
	if word == wordNotRun {
		return adviceFact(f)
	}
	if f.Verdict == "healthy" {
		return passFacts(r, word)
	}
	var out []layout.Fact
	if f.Verdict == "generator-limited" {
		out = append(out, limitFacts(r, f)...)
	} else {
		if t, ok := target(r, f.Target); ok {
			if line := onsetLine(r, t); line != "" {
				out = append(out, layout.Fact{Label: "onset", Lines: []string{line}})
			}
			if line := crossingLine(r, t); line != "" {
				out = append(out, layout.Fact{Label: "crossing", Lines: []string{line}})
			}
			if t.RecoveryRPS != nil {
				out = append(out, layout.Fact{Label: "recovered", Lines: []string{"on the way down the faults ended at " + load(r, t.RecoveryRPS, nil)}})
			}
		}
		out = append(out, causeFacts(r, f)...)
	}
	out = append(out, notAgain(wayFacts(r), out)...)
	if line := ruledOut(r, f); line != "" {
		out = append(out, layout.Fact{Label: "ruled out", Lines: []string{line}})
	}
	out = append(out, generatorFact(r)...)
	return append(out, adviceFact(f)...)
}

// generatorFact shows what this machine spent: the reason to believe that it was
// not the limit, or to doubt it.
func generatorFact(r *report.Report) []layout.Fact {
	g := r.Generator
	label := "generator"
	var out []layout.Fact
	if len(r.Watched) > 0 {
		label, g.LagMSP99 = "rampload", nil
		out = trafficFact(r)
	}
	var parts []string
	if g.CPU != nil {
		parts = append(parts, "cpu "+format.Percent(*g.CPU))
	}
	if g.LagMSP99 != nil {
		parts = append(parts, "sent late by "+layout.Millis(g.LagMSP99)+" (p99)")
	}
	if g.ProbesCPUPercent != nil {
		parts = append(parts, "probes took "+format.Percent(*g.ProbesCPUPercent/100)+" of a core")
	}
	if len(parts) == 0 {
		return out
	}
	return append(out, layout.Fact{Label: label, Lines: []string{strings.Join(parts, ", ")}})
}

// trafficFact says how the load was counted that rampload did not send.
func trafficFact(r *report.Report) []layout.Fact {
	var lines []string
	for _, c := range r.Watched {
		s := c.String()
		if len(r.Watched) > 1 {
			s = c.Target + ": " + s
		}
		lines = append(lines, s)
	}
	return []layout.Fact{{Label: "traffic", Lines: lines}}
}

func adviceFact(f report.Finding) []layout.Fact {
	if len(f.Advice) == 0 {
		return nil
	}
	return []layout.Fact{{Label: "fix", Lines: f.Advice}}
}

func onsetLine(r *report.Report, t report.Target) string {
	o := t.Onset
	var s string
	switch o.Status {
	case report.OnsetFound, report.OnsetPassing, report.OnsetPeriodic:
		if o.LoadRPS == nil {
			return ""
		}
		s = load(r, o.LoadRPS, o.AtS)
		if o.LoadLowRPS == nil || o.LoadHighRPS == nil || format.Number(*o.LoadLowRPS) != format.Number(*o.LoadHighRPS) {
			s += " (" + loadInterval(r, o.LoadLowRPS, o.LoadHighRPS, o.AtS) + ")"
		}
		s += " at " + layout.Seconds(o.AtS)
		if o.ConstantRPS != nil {
			s = fmt.Sprintf("after %s of a constant %s", layout.Seconds(o.AtS), load(r, o.ConstantRPS, o.AtS))
		}
		if len(r.Watched) > 0 && o.AtS != nil {
			s = layout.Seconds(o.AtS) + " into the watch"
			if o.LowS != nil && o.HighS != nil {
				s += " (" + layout.Interval(o.LowS, o.HighS) + ")"
			}
			s += ", " + clockAt(r, *o.AtS) + " UTC, at " + load(r, o.LoadRPS, o.AtS)
		}
		if o.DelayS != nil {
			s += ", when the requests were due that failed " + layout.Seconds(o.DelayS) + " later"
		}
		if o.BeforeOf > 0 {
			s += fmt.Sprintf("; before: %s of %s", format.Count(o.Before), format.Count(o.BeforeOf))
		}
		if o.RateAfter != nil {
			s += "; after: " + format.Percent(*o.RateAfter)
		}
	case report.OnsetFromStart:
		s = "there from the start of the load"
		if len(r.Watched) > 0 {
			s = "there before the watch began"
		} else if o.LoadHighRPS != nil {
			s += ": at or below " + load(r, o.LoadHighRPS, new(float64))
		}
		if o.RateAfter != nil {
			s += "; " + format.Percent(*o.RateAfter) + " all along"
		}
	default:
		return lateLine(r, t)
	}
	if o.Note != "" {
		s += "; " + o.Note
	}
	return s
}

// lateLine says why there is no onset of failures that began when the load was nearly over,
// and what would tell; empty where they did not.
func lateLine(r *report.Report, t report.Target) string {
	const enough = 10.0 // seconds after which a rise is told from a spell
	if t.Crossing == nil || t.Crossing.AtS == nil || len(r.Watched) > 0 {
		return ""
	}
	left := min(r.Profile.DurationS, r.Ended.Sub(r.Started).Seconds()) - *t.Crossing.AtS
	if left <= 0 || left >= enough {
		return ""
	}
	lasted, more := format.Seconds(math.Round(left)), format.Seconds(math.Ceil(enough-left))
	if *t.Crossing.AtS < 1 {
		return fmt.Sprintf("none proven: failures came all along, but for %s only, as a spell may; let the load last %s more", lasted, more)
	}
	return fmt.Sprintf("none proven: failures came in the last %s of the load only, as a spell may; let it go on for %s more from there", lasted, more)
}

// crossingLine says where failures pass the share of the gate; empty where it is not proven
// that they do.
func crossingLine(r *report.Report, t report.Target) string {
	c := t.Crossing
	if c == nil || c.AtS == nil || c.LoadRPS == nil {
		return ""
	}
	s := fmt.Sprintf("failures pass %s at ", format.FinePercent(c.Share))
	if c.LoadLowRPS != nil && c.LoadHighRPS != nil && *c.LoadLowRPS == *c.LoadHighRPS { // at a constant load
		s += layout.Seconds(c.AtS)
		if c.LowS != nil && c.HighS != nil {
			s += fmt.Sprintf(" (%s-%s s)", format.Fine(*c.LowS), format.Fine(*c.HighS))
		}
		return s
	}
	return s + load(r, c.LoadRPS, c.AtS) + " (" + loadInterval(r, c.LoadLowRPS, c.LoadHighRPS, c.AtS) + ") at " + layout.Seconds(c.AtS)
}

func causeFacts(r *report.Report, f report.Finding) []layout.Fact {
	var lines []string
	label := "cause"
	switch f.Verdict {
	case "explains":
		lines = append(lines, causeLine(f))
	case "ambiguous":
		label = "candidates"
		if lines = candidates(r, f.Target); len(lines) == 1 {
			label = "candidate"
		}
	case "degraded":
		lines = append(lines, causeLine(f))
	case "unexplained":
		lines = append(lines, "unexplained: no limit that was watched was reached when it began")
		if s := depth(f); s != "" {
			lines = append(lines, s)
		}
	default:
		lines = append(lines, "not decided: "+f.Verdict)
	}
	return []layout.Fact{{Label: label, Lines: append(lines, evidence(f, 5)...)}}
}

// candidates lists the causes of a target that fit, most likely first.
func candidates(r *report.Report, target string) []string {
	var out []string
	for _, f := range r.Findings {
		if f.Verdict == "ambiguous" && f.Target == target {
			out = append(out, causeLine(f))
		}
	}
	return out[:min(3, len(out))]
}

// causeLine names a cause: "listen-backlog on payments-1, confidence 0.97".
func causeLine(f report.Finding) string {
	s := f.Cause
	if f.Host != "" {
		s += " on " + f.Host
	}
	return fmt.Sprintf("%s, confidence %.2f", s, f.Confidence)
}

// depth says where a fault of unknown cause lies and of what kind it is, as far as
// either is known: "somewhere on the server: exhausted"; empty where neither is.
func depth(f report.Finding) string {
	where := map[report.Tier]string{
		report.TierClient: "on this machine", report.TierPath: "somewhere on the path", report.TierProxy: "somewhere on the proxy",
		report.TierServer: "somewhere on the server", report.TierUpstream: "somewhere behind the first host",
	}[f.Tier]
	if where == "" || f.Mechanism == "" {
		return where + string(f.Mechanism)
	}
	return where + ": " + string(f.Mechanism)
}

func score(r report.Resource) float64 {
	if r.Score == nil {
		return 0
	}
	return *r.Score
}

func evidence(f report.Finding, most int) []string {
	var out []string
	for _, e := range f.Evidence {
		if e.Text == "" {
			continue
		}
		if len(out) == most {
			return append(out, fmt.Sprintf("%d more in the report", len(f.Evidence)-most))
		}
		out = append(out, e.Text)
	}
	return out
}

func limitFacts(r *report.Report, f report.Finding) []layout.Fact {
	var lines []string
	g := r.Generator
	if g.Reason != "" {
		s := g.Reason
		if g.AtS != nil {
			s += ", at " + layout.Seconds(g.AtS)
			if g.LoadRPS != nil {
				s += " (" + load(r, g.LoadRPS, g.AtS) + ")"
			}
		}
		lines = append(lines, s)
	}
	seen := slices.DeleteFunc(evidence(f, 5), func(text string) bool { return text == g.Reason })
	out := []layout.Fact{{Label: "limit", Lines: append(lines, seen...)}}
	for _, t := range r.Targets {
		if line := onsetLine(r, t); line != "" {
			out = append(out, layout.Fact{Label: "onset", Lines: []string{t.Name + ": " + line}})
		}
	}
	return out
}

// passFacts say how much a clean run proves, and how little.
func passFacts(r *report.Report, word string) []layout.Fact {
	var out, proved []layout.Fact
	most := reached(r)
	up := load(r, &most, nil)
	var lines []string
	for _, t := range r.Targets {
		if t.Requests == 0 {
			lines = append(lines, t.Name+": nothing, no request ended")
			continue
		}
		s := fmt.Sprintf("at most %s of requests fail up to %s (%s of %s did, 95%%)", format.Bound(judge.ShareAtMost(t.Failed, t.Requests)),
			up, format.Count(t.Failed), format.Count(t.Requests))
		if together := judge.OfTogether(t.Requests); t.Failed == 0 && together >= 1.5 {
			s += fmt.Sprintf("; %s if up to %.0f fail together", format.Bound(judge.CleanAtMost(t.Requests)), together)
		}
		if len(r.Targets) > 1 {
			s = t.Name + ": " + s
		}
		lines = append(lines, s)
	}
	proved = []layout.Fact{{Label: "proved", Lines: lines}}
	out = append(out, proved...)
	if lines := detectable(r); len(lines) > 0 {
		out = append(out, layout.Fact{Label: "no onset", Lines: lines})
	}
	if line := nearest(r); line != "" {
		out = append(out, layout.Fact{Label: "nearest", Lines: []string{line}})
	}
	untested := "above " + up
	if top := r.Profile.MaxRPS; top != nil && r.Totals.AchievedRPSMax < 0.9**top { // a ramp is at its top for a moment only
		untested += fmt.Sprintf(", although the profile asks for %s", load(r, top, nil))
	}
	if r.Totals.Unsent > 0 {
		requests := "requests"
		if r.Totals.Unsent == 1 {
			requests = "request"
		}
		untested += fmt.Sprintf("; %s %s could not be sent", format.Count(r.Totals.Unsent), requests)
	}
	out = append(out, layout.Fact{Label: "not tested", Lines: []string{untested}})
	out = append(out, generatorFact(r)...)
	if seen := notSeen(r); len(seen) > 0 && isPass(word) {
		out = append(out, layout.Fact{Label: "not seen", Lines: seen})
	}
	return out
}

// detectable says which rise would have been seen on each target without an onset.
func detectable(r *report.Report) []string {
	var lines []string
	for _, t := range r.Targets {
		if t.Requests == 0 || t.Onset.Status != report.OnsetNone || t.DetectableS == nil {
			continue
		}
		s := "too few requests to see where a rise begins"
		if t.MinDetectable != nil {
			s = fmt.Sprintf("a rise to %s lasting %s would have been seen", format.Percent(*t.MinDetectable), format.Seconds(*t.DetectableS))
		}
		if len(r.Targets) > 1 {
			s = t.Name + ": " + s
		}
		lines = append(lines, s)
	}
	return lines
}

// nearest names what the finding says came nearest to its limit.
func nearest(r *report.Report) string {
	var words []string
	for _, label := range firstFinding(r).Nearest {
		i := slices.IndexFunc(r.Resources, func(res report.Resource) bool { return res.Label() == label && res.Utilisation != nil })
		if i >= 0 {
			words = append(words, nearness(r.Resources[i]))
		}
	}
	return strings.Join(words, "; ")
}

func nearness(r report.Resource) string {
	s := fmt.Sprintf("%s: %s", located(r), format.Percent(*r.Utilisation))
	if r.Unit != "share" {
		s += fmt.Sprintf(" of %s", layout.InUnit(r.Limit, r.Unit))
	}
	return s
}

// maxRuledOut bounds the short list below the verdict.
const maxRuledOut = 8

// ruledOut lists what did not cause it in short: the fullest first, then what is
// no resource.
func ruledOut(r *report.Report, f report.Finding) string {
	var rows []report.Resource
	for _, res := range r.Resources {
		if (res.Verdict == "ruled-out" || res.Verdict == "headroom") && res.Utilisation != nil && res.Host != profiles.LocalHost && tells(res) {
			rows = append(rows, res)
		}
	}
	slices.SortStableFunc(rows, func(a, b report.Resource) int {
		return cmp.Or(-cmp.Compare(*a.Utilisation, *b.Utilisation), cmp.Compare(a.Label(), b.Label()))
	})
	var items []string
	listed := map[string]bool{}
	for _, res := range rows {
		if listed[res.Name] || res.Name == f.Resource {
			continue // the fullest of its name stands for the others
		}
		if res.Name == "time-wait" && f.Resource == "ephemeral-ports" {
			continue // far from a limit of its own, it is what holds the ports
		}
		listed[res.Name] = true
		s := title(res) + " "
		switch {
		case res.Kind == "hard-limit" && res.Unit != "bytes":
			s += layout.InUnit(res.Peak, res.Unit) + "/" + layout.InUnit(res.Limit, res.Unit)
		default:
			s += format.Percent(*res.Utilisation)
		}
		if wasFull(res) && res.LagS != nil {
			if *res.LagS < 0 {
				s += " (later)"
			} else {
				s += " (long before)"
			}
		}
		items = append(items, s)
	}
	for _, x := range f.RuledOut {
		if !namesResource(r, x.What) {
			items = append(items, x.What)
		}
	}
	more := len(items) - maxRuledOut
	if more > 0 {
		items = items[:maxRuledOut]
	}
	if !r.Generator.Limited && f.Verdict != "generator-limited" && !slices.Contains(items, "generator") && len(r.Watched) == 0 {
		items = append(items, "generator")
	}
	s := strings.Join(items, ", ")
	if more > 0 {
		s += fmt.Sprintf(", and %d more", more)
	}
	return s
}

// tells reports whether a resource may have to do with the load, by how much of it was in
// use.
func tells(res report.Resource) bool {
	return res.Utilisation == nil || probe.Tells(res.Name, *res.Utilisation)
}

func namesResource(r *report.Report, what string) bool {
	for _, res := range r.Resources {
		if strings.Contains(what, res.Name) || strings.Contains(what, title(res)) {
			return true
		}
	}
	return false
}
