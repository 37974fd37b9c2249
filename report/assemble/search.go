package assemble

import (
	"fmt"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/search"
)

// Search is what the profile of a log searched for.
type Search struct {
	Stage profiles.Search
	Until []profiles.Gate // what each load had to hold
}

// withSteps returns the log with the loads of its search as stages: what was
// planned is only that there is a search.
func withSteps(log *runlog.Log) *runlog.Log {
	if len(log.Steps) == 0 {
		return log
	}
	out := *log
	out.Header.Stages = nil
	add := func(kind string, start, end time.Duration, from, to float64) {
		if end > start {
			out.Header.Stages = append(out.Header.Stages, runlog.Stage{
				Text: fmt.Sprintf("%s to %s", format.Rate(from), format.Rate(to)),
				Kind: kind, Start: start, End: end, From: from, To: to,
			})
		}
	}
	at := time.Duration(0)
	for _, s := range log.Steps {
		end := s.End
		if end == 0 {
			end = max(s.Hold, lastWindow(log))
		}
		add("hold", at, s.Start, 0, 0)
		add("ramp", s.Start, s.Hold, 0, s.Load)
		add("hold", s.Hold, end, s.Load, s.Load)
		at = end
	}
	return &out
}

// lastWindow is the end of the last window.
func lastWindow(log *runlog.Log) time.Duration {
	var last time.Duration
	for _, windows := range log.Windows {
		if n := len(windows); n > 0 {
			last = max(last, time.Duration(windows[n-1].Index+1)*log.Header.Interval)
		}
	}
	return last
}

// capacity makes the search again from its steps. It is nil without a search.
func capacity(log *runlog.Log, series *report.Series, asked *Search, result diagnose.Result) *report.Capacity {
	if asked == nil {
		return nil
	}
	out := &report.Capacity{Precision: asked.Stage.Precision, Until: []string{}, Steps: []report.CapacityStep{}}
	for _, g := range asked.Until {
		out.Until = append(out.Until, g.Text)
	}
	judge := search.Judge{
		Gates: asked.Until, Series: series,
		Connections: log.Header.Generator.Connections, MaxInFlight: log.Header.Generator.MaxInFlight,
	}
	s := search.New(asked.Stage)
	failed := map[float64]bool{}
	for _, step := range log.Steps {
		row := heldStep(log, series, step)
		if step.Drained == 0 {
			row.Result, row.Reason = report.StepUnfinished, "the run ended in it"
			out.Steps = append(out.Steps, row)
			continue
		}
		v := judge.Judge(step.Load, index(log, step.Hold), index(log, step.End))
		s.Add(step.Load, v)
		row.Result, row.Gate, row.Reason = v.Result, v.Gate, v.Reason
		failed[step.Load] = failed[step.Load] || v.Result == report.StepFailed
		out.Steps = append(out.Steps, row)
	}
	found := s.Result()
	out.Status, out.Complete = found.Status, found.Done
	if found.Load > 0 {
		out.RPS = number(found.Load)
		low := 0.0
		for _, row := range out.Steps {
			if row.Result == report.StepPassed && row.LoadRPS <= found.Load && !failed[row.LoadRPS] {
				low = max(low, row.LoadRPS)
			}
		}
		out.LowRPS = number(low)
	}
	if found.Over > 0 {
		out.HighRPS = number(found.Over)
		out.Binding = binding(out.Steps, found, result)
	}
	return out
}

func index(log *runlog.Log, t time.Duration) int { return int(t / log.Header.Interval) }

// heldStep counts what was due while a load was held.
func heldStep(log *runlog.Log, series *report.Series, step attack.Step) report.CapacityStep {
	from, to := index(log, step.Hold), index(log, step.End)
	if step.End == 0 {
		to = series.Len()
	}
	from, to = min(max(from, 0), series.Len()), min(max(to, 0), series.Len())
	row := report.CapacityStep{Number: step.Number, LoadRPS: step.Load, AtS: step.Hold.Seconds()}
	if to <= from {
		return row
	}
	var latency attack.Histogram
	var sent uint64
	for _, points := range series.Points {
		for _, p := range points[from:to] {
			row.Requests += p.Requests
			row.Failed += p.Failures
			row.WireResets += p.WireResets
			sent += p.Sent
			latency = latency.Merge(p.Latency)
		}
	}
	row.Seconds = (time.Duration(to-from) * series.Interval).Seconds()
	row.AchievedRPS = float64(sent) / row.Seconds
	row.P99MS = quantileMS(latency, 0.99)
	return row
}

// binding says what the lowest load that did not pass broke: the last step that
// decided so.
func binding(steps []report.CapacityStep, found search.Result, result diagnose.Result) *report.Binding {
	b := &report.Binding{Result: found.Why}
	for _, row := range steps {
		if row.LoadRPS == found.Over && row.Result == found.Why {
			b.Gate, b.Reason = row.Gate, row.Reason
		}
	}
	if len(result.Findings) == 0 {
		return b
	}
	first := result.Findings[0]
	blames := first.Verdict == diagnose.Explains || first.Verdict == diagnose.Ambiguous
	if found.Why == report.StepFailed && blames || found.Why == report.StepLimited && first.Verdict == diagnose.GeneratorLimited {
		b.Cause = first.Cause
	}
	return b
}

// searchGate is the search as a gate: passed when a load is known to pass, failed
// when the first is known to fail.
func searchGate(c *report.Capacity) report.GateResult {
	g := report.GateResult{
		Expr: "search until " + strings.Join(c.Until, ", "), Value: c.RPS, Unit: "rps",
		Result: report.GateUndecided, Reason: bindingText(c),
	}
	switch {
	case !c.Complete:
		g.Reason = "the run ended before the search did"
		if c.RPS != nil {
			g.Reason += fmt.Sprintf("; so far %s passes", format.Rate(*c.RPS))
		}
	case c.Status == report.CapacityFound || c.Status == report.CapacityAtLeast:
		g.Result = report.GatePassed
	case c.Status == report.CapacityBelow:
		g.Result = report.GateFailed
	case c.Binding == nil || c.Binding.Result != report.StepLimited:
		g.Reason = undecidedSearch(c)
	}
	return g
}

// bindingText says what the lowest load did that does not pass.
func bindingText(c *report.Capacity) string {
	b := c.Binding
	if b == nil {
		return "every load passes"
	}
	load := format.Rate(*c.HighRPS)
	if b.Result == report.StepLimited {
		return "at " + load + " " + b.Reason
	}
	if c.Status == report.CapacityBelow {
		load = "the first load, " + load + ","
	}
	gate := ""
	if len(c.Until) > 1 && b.Gate != "" {
		gate = " " + b.Gate
	}
	return fmt.Sprintf("%s does not pass%s: %s", load, gate, b.Reason)
}

// undecidedSearch says why nothing is known, by the highest load that looked well.
func undecidedSearch(c *report.Capacity) string {
	best := -1
	for i, row := range c.Steps {
		if row.Result == report.StepUndecided && (best < 0 || row.LoadRPS >= c.Steps[best].LoadRPS) && (c.HighRPS == nil || row.LoadRPS < *c.HighRPS) {
			best = i
		}
	}
	if best < 0 {
		return "no load was known to pass"
	}
	return fmt.Sprintf("no load is known to pass; at %s %s: hold loads longer", format.Rate(c.Steps[best].LoadRPS), c.Steps[best].Reason)
}
