package eval

import (
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// Judgement is how one analysis of one case compares with the truth.
type Judgement struct {
	Verdict    diagnose.Verdict
	Cause      string
	Confidence float64

	Right bool // the verdict is what it should be
	Rank  int  // place of the first right cause among the causes named, from 1; 0: not named
	// Abstained: no cause was claimed: ambiguous, unexplained, inconclusive, or the
	// generator was the limit though the scenario leaves it alone (Disturbed).
	Abstained, Disturbed bool
	WrongExplains        bool // a cause was claimed, and it is wrong
	Missed               bool // a fault was called healthy
	RuledOut             bool // the true cause or its resource was ruled out
	FalseOnset           bool // a control has an onset, or faults from the start

	Onset Onset
}

// Onset compares the onset found with the first harm that the injector counted.
// Numbers are NaN where there is nothing to compare.
type Onset struct {
	Status  diagnose.OnsetStatus
	Windows float64 // onset found less first harm, in windows
	Percent float64 // of the offered load at the first harm
	Width   float64 // of the interval, in windows
	Covered bool    // the interval holds the first harm
	Expect  int     // load of the onset within the scenario's computed bounds: 1 yes, -1 no, 0 no bounds
}

// Judge compares what was concluded from a log with the truth of its case.
func Judge(c Case, log *runlog.Log, r diagnose.Result) Judgement {
	top := r.Findings[0]
	j := Judgement{Verdict: top.Verdict, Cause: top.Cause, Confidence: top.Confidence, Rank: rank(c, r)}
	kind := c.Kind()
	named := slices.Contains(c.Causes, top.Cause)
	j.Disturbed = top.Verdict == diagnose.GeneratorLimited && kind != Generator
	j.Abstained = j.Disturbed || top.Verdict == diagnose.Ambiguous || top.Verdict == diagnose.Unexplained || top.Verdict == diagnose.Inconclusive
	switch kind {
	case Control:
		j.Right = top.Verdict == diagnose.Healthy
	case Unseen:
		j.Right = top.Verdict == diagnose.Unexplained || top.Verdict == diagnose.Inconclusive || named
	case Generator:
		j.Right = named && top.Verdict == diagnose.GeneratorLimited
	default:
		j.Right = named
	}
	j.WrongExplains = top.Verdict == diagnose.Explains && !named
	j.Missed = top.Verdict == diagnose.Healthy && kind != Control
	j.RuledOut = (kind == Fault || kind == Generator) && ruledOut(c, r)
	if kind == Control {
		for _, t := range r.Targets {
			for _, o := range t.Onsets {
				if o.Status == diagnose.Found || o.Status == diagnose.LeftCensored {
					j.FalseOnset = true
				}
			}
		}
	}
	j.Onset = judgeOnset(c, log, r)
	return j
}

// rank returns the place of the first right cause among the distinct causes of
// the findings that name one.
func rank(c Case, r diagnose.Result) int {
	var named []string
	for _, f := range r.Findings {
		if f.Cause == "unexplained" && c.Causes[0] != "unexplained" || slices.Contains(named, f.Cause) {
			continue
		}
		named = append(named, f.Cause)
		if slices.Contains(c.Causes, f.Cause) {
			return len(named)
		}
	}
	return 0
}

// exclusions are the groups of causes that findings rule out as one, by the
// words with which they do.
var exclusions = map[string][]string{
	"the path": {
		"path-", "conntrack-", "nat-ports", "rst-injection", "packet-loss", "network-outage", "mtu-black-hole", "failover",
	},
	"crash or restart": {"process-crash", "worker-", "ungraceful-restart", "upstream-process-crash", "upstream-worker-"},
	"generator":        {"client-cpu", "client-ephemeral-ports", "client-file-descriptors"},
}

// ruledOut reports whether the analysis excludes the true cause: a finding rules
// it out, or all readings of the resource that ran out are judged to have had
// room or another time. A cause that is among the first three named is not.
func ruledOut(c Case, r diagnose.Result) bool {
	top := r.Findings[0]
	if place := rank(c, r); place > 0 && place <= 3 {
		return false
	}
	for _, x := range top.RuledOut {
		for group, causes := range exclusions {
			if strings.HasPrefix(x.What, group) && startsWithAny(c.Causes[0], causes) {
				return true
			}
		}
	}
	if c.Resource == "" {
		return false
	}
	seen, excluded := 0, 0
	for _, res := range r.Resources {
		if !c.isResource(res.Metric.Host, res.Metric.Name) || generatorOwn(res.Metric) != (c.Kind() == Generator) {
			continue
		}
		seen++
		if res.Verdict == diagnose.RuledOut || res.Verdict == diagnose.Headroom {
			excluded++
		}
	}
	return seen > 0 && excluded == seen
}

// isResource reports whether a metric is the one that ran out.
func (c Case) isResource(host, name string) bool {
	return c.Resource != "" && name == c.Resource && (c.Host == "" || host == c.Host)
}

// judgeOnset compares the headline onset of the first finding's target.
func judgeOnset(c Case, log *runlog.Log, r diagnose.Result) Onset {
	out := Onset{Status: diagnose.NoOnset, Windows: math.NaN(), Percent: math.NaN(), Width: math.NaN()}
	var o *diagnose.Onset
	for i, t := range r.Targets {
		if (t.Name == r.Findings[0].Target || r.Findings[0].Target == "") && len(t.Onsets) > 0 {
			o = &r.Targets[i].Onsets[0]
			break
		}
	}
	if o == nil {
		return out
	}
	out.Status = o.Status
	if o.Status != diagnose.Found {
		return out
	}
	if c.LoadLow > 0 {
		out.Expect = -1
		if o.Load.Value >= c.LoadLow && o.Load.Value <= c.LoadHigh {
			out.Expect = 1
		}
	}
	if c.Truth.First.IsZero() {
		return out
	}
	window := log.Header.Interval.Seconds()
	harm := c.Truth.First.Sub(log.Header.Started).Seconds()
	// Onsets are dated by when their requests were due; the injector dates what it
	// did. A request that times out was harmed about when it arrived.
	delay := 0.0
	if o.Fault != attack.Timeout {
		delay = o.EventDelay
	}
	out.Windows = (o.At.Value + delay - harm) / window
	out.Width = (o.At.High - o.At.Low) / window
	out.Covered = harm >= o.At.Low+delay && harm <= o.At.High+delay
	if due := offered(log.Header.Stages, harm-delay); due > 0 {
		out.Percent = 100 * (o.Load.Value - due) / due
	}
	return out
}

// offered returns the scheduled load at a time, NaN where it is no rate.
func offered(stages []runlog.Stage, at float64) float64 {
	for _, s := range stages {
		from, to := s.Start.Seconds(), s.End.Seconds()
		if at < from || at > to || to <= from {
			continue
		}
		switch s.Kind {
		case "ramp":
			return s.From + (s.To-s.From)*(at-from)/(to-from)
		case "hold", "staircase":
			return s.From
		}
	}
	return math.NaN()
}
