package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/judge"
	"github.com/rampload/rampload/report/stats"
)

func judgeOnset(g profiles.Gate, e *evidence, in Judged) GateResult {
	r := GateResult{Unit: judge.UnitName(profiles.UnitRate), Result: GateUndecided}
	if len(e.targets) == 0 {
		r.Reason = fmt.Sprintf("no target is named %q", g.Of)
		return r
	}
	lowest, where := math.Inf(1), Onset{}
	target := ""
	for _, t := range e.targets {
		name := in.Series.Names[t]
		if len(in.Onsets[name]) == 0 {
			r.Reason = name + " was not scanned for an onset"
			return r
		}
		for _, o := range in.Onsets[name] {
			if o.Status == OnsetNone {
				continue
			}
			if in.LimitedAt != nil && o.AtS != nil && *o.AtS >= in.LimitedAt.Seconds() {
				continue // it may be this machine's own doing
			}
			low := 0.0
			if o.LoadLowRPS != nil {
				low = *o.LoadLowRPS
			} else if o.LoadRPS != nil && o.Status != OnsetFromStart {
				low = *o.LoadRPS
			}
			if low < lowest {
				lowest, where, target = low, o, name
			}
		}
	}
	if target != "" {
		r.Value = &lowest
		r.Reason = describeOnset(target, where)
		r.Result = GateFailed
		if g.Op.Holds(lowest, g.Value) {
			r.Result = GatePassed
		}
		return r
	}
	sent := in.Series.Achieved(e.end)
	r.Reason = "no onset up to " + format.Rate(math.Round(sent))
	switch {
	case e.missing != "":
		r.Reason = e.missing + "; so far no onset"
	case g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual:
		if why := e.unseen(in); why != "" {
			r.Reason += ", but " + why
			return r
		}
		r.Result = GatePassed
		r.Reason += "; a rise to " + format.Percent(materialRise) + " at " + format.Rate(g.Value) + " would have been found"
	default:
		r.Result = GateFailed // an onset was asked for, and there is none at that load
	}
	return r
}

// materialRise is the share of failures whose onset must have been found for "no
// onset" to prove anything.
const materialRise = 0.01

// holds that are tried, in seconds, for how long a load must be held.
var holdsToTry = []int{5, 10, 20, 30, 60, 120, 300, 600}

// unseen says why a rise to the material share at the gate's load might not have been
// found on one of its targets, and for how long to hold the load; empty: it would have.
func (e *evidence) unseen(in Judged) string {
	for _, t := range e.targets {
		r := e.rates(t)
		from := slices.IndexFunc(r.Load, func(l float64) bool { return l >= attack.FairShare*e.gate.Value })
		o := in.onsetOptions()
		if from >= 1 && stats.Finds(r, o, from, materialRise, stats.PowerWanted) {
			continue
		}
		name := ""
		if len(e.series.Names) > 1 {
			name = " on " + e.series.Names[t]
		}
		why := fmt.Sprintf("a rise to %s at %s%s might have been missed", format.Percent(materialRise), format.Rate(e.gate.Value), name)
		if from < 1 {
			return why + ": begin at a lower load"
		}
		each := r.Exposure[from]
		for i := from; i < len(r.Exposure); i++ {
			each = max(each, r.Exposure[i])
		}
		done := 0
		for _, seconds := range holdsToTry {
			for windows := int(float64(seconds) / r.Step); done < windows; done++ {
				r.Count, r.Exposure = append(r.Count, 0), append(r.Exposure, each)
				r.Load = append(r.Load, max(e.gate.Value, r.Load[from]))
			}
			if stats.Finds(r, o, from, materialRise, stats.PowerWanted) {
				return fmt.Sprintf("%s: hold %s for %s more, %s requests", why, format.Rate(e.gate.Value),
					format.Seconds(float64(seconds)), format.Number(math.Ceil(float64(done)*each)))
			}
		}
		return why + ": it has too few requests for an onset; gate on failures instead"
	}
	return ""
}

// rates are the failures of a target by window.
func (e *evidence) rates(target int) stats.Rates {
	r := stats.Rates{Step: e.series.Interval.Seconds()}
	for i := range e.end {
		p := &e.series.Points[target][i]
		r.Count = append(r.Count, float64(min(p.Failures, p.Requests)))
		r.Exposure = append(r.Exposure, float64(p.Requests))
		r.Load = append(r.Load, e.load(i))
	}
	return r
}

// onsetOptions are those of the scan for one fault class of each target.
func (in Judged) onsetOptions() stats.RiseOptions {
	return stats.RiseOptions{Alpha: 0.01 / float64(2*max(1, len(in.Series.Names))), Floor: 5e-4}
}

func describeOnset(target string, o Onset) string {
	if o.Status == OnsetFromStart {
		return target + ": " + o.Fault + " from the start of the load"
	}
	s := target + ": " + o.Fault
	switch o.Status {
	case OnsetPassing:
		s += " (passing)"
	case OnsetPeriodic:
		s += " (in bursts)"
	}
	if o.LoadRPS != nil {
		s += " from " + format.Rate(math.Round(*o.LoadRPS))
	}
	if o.LoadLowRPS != nil && o.LoadHighRPS != nil {
		s += fmt.Sprintf(" (%s to %s)", format.Number(math.Round(*o.LoadLowRPS)), format.Number(math.Round(*o.LoadHighRPS)))
	}
	return s
}
