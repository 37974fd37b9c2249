package assemble

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

func onsets(log *runlog.Log, result diagnose.Result, target string) (headline report.Onset, all []report.Onset, recovery *float64) {
	headline, all = report.Onset{Status: report.OnsetNone}, []report.Onset{}
	for _, t := range result.Targets {
		if t.Name != target {
			continue
		}
		for _, o := range t.Onsets {
			all = append(all, onset(log.Header, o))
		}
		if len(all) > 0 {
			headline = all[0]
		}
		if t.Recovery != nil {
			recovery = number(t.Recovery.Value)
		}
		break
	}
	return headline, all, recovery
}

// detectable is the smallest rise that would have been found on a target; nil where none
// would.
func detectable(result diagnose.Result, target string) (share, seconds *float64) {
	for _, t := range result.Targets {
		switch {
		case t.Name != target || t.DetectableFor <= 0: // not known
		case t.MinDetectable < 1:
			return number(t.MinDetectable), number(t.DetectableFor)
		default:
			return nil, number(t.DetectableFor)
		}
	}
	return nil, nil
}

// longDelay is how long faults have to come after they were due to be told.
const longDelay = 0.5

func onset(h runlog.Header, o diagnose.Onset) report.Onset {
	out := report.Onset{
		Status:   report.OnsetStatus(o.Status),
		Fault:    o.Fault.String(),
		Before:   o.Before,
		BeforeOf: o.BeforeOf,
		Note:     o.Note,
	}
	if o.Status == diagnose.NoOnset {
		out.UpperBound = number(o.UpperBound)
		return out
	}
	at, load := o.Interval(), o.LoadInterval()
	out.AtS, out.LowS, out.HighS = number(at.Value), number(at.Low), number(at.High)
	out.LoadRPS, out.LoadLowRPS, out.LoadHighRPS = number(load.Value), number(load.Low), number(load.High)
	if o.Coverage > 0 {
		out.Coverage = number(o.Coverage)
	}
	out.LoadUnit = loadUnit(h.StageAt(time.Duration(o.At.Value * float64(time.Second))))
	if o.Constant > 0 {
		out.ConstantRPS = number(o.Constant)
	}
	if o.EventDelay >= longDelay {
		out.DelayS = number(o.EventDelay)
	}
	if o.AfterOf > 0 {
		out.RateAfter = number(float64(o.After) / float64(o.AfterOf))
	}
	return out
}

func resources(result diagnose.Result) []report.Resource {
	out := make([]report.Resource, 0, len(result.Resources))
	for _, r := range result.Resources {
		d, _ := r.Metric.Def()
		limit := limitOf(r.Metric, r.Limit)
		row := report.Resource{
			Host: r.Metric.Host, Process: r.Metric.Process, PID: int(r.Metric.PID),
			Name: r.Metric.Name, Instance: r.Metric.Instance, Kind: d.Kind.String(), Unit: d.Unit,
			Limit: number(limit), Verdict: string(r.Verdict), Reason: r.Reason,
		}
		if r.Verdict != diagnose.NotMeasured {
			row.Peak = number(r.Peak)
			if limit > 0 && !d.Cumulative {
				row.Utilisation = number(r.Peak / limit)
			}
		}
		if r.Saturated != nil {
			row.SaturatedAtS, row.LoadRPS = number(r.Saturated.Value), number(r.Load)
		}
		if r.Lag != nil {
			row.LagS = number(r.Lag.Value)
		}
		if r.Posterior > 0 {
			row.Score = number(r.Posterior)
		}
		out = append(out, row)
	}
	return out
}

func resourceLabel(m probe.Metric) string {
	return report.Resource{Host: m.Host, Process: m.Process, PID: int(m.PID), Name: m.Name, Instance: m.Instance}.Label()
}

func findings(result diagnose.Result) []report.Finding {
	out := make([]report.Finding, 0, len(result.Findings))
	for _, f := range result.Findings {
		row := report.Finding{
			Target: f.Target, Verdict: string(f.Verdict), Cause: f.Cause, Tier: f.Tier, Mechanism: f.Mechanism, Host: f.Host, Process: f.Process,
			PID: int(f.PID), Resource: f.Resource, Confidence: finite(f.Confidence), Summary: f.Summary,
			Evidence: []report.Evidence{}, RuledOut: []report.RuledOut{}, Advice: append([]string{}, f.Advice...),
		}
		if f.Idle > 0 {
			row.IdleS = number(f.Idle)
		}
		for _, e := range f.Evidence {
			ev := report.Evidence{Source: e.Source, Text: e.Text}
			if e.At != nil {
				ev.AtS = number(e.At.Seconds())
			}
			row.Evidence = append(row.Evidence, ev)
		}
		for _, x := range f.RuledOut {
			row.RuledOut = append(row.RuledOut, report.RuledOut{What: x.What, Reason: x.Reason})
		}
		for _, m := range f.Nearest {
			row.Nearest = append(row.Nearest, resourceLabel(m))
		}
		out = append(out, row)
	}
	if len(out) == 0 {
		// The verdict is always present.
		out = append(out, report.Finding{
			Verdict: string(diagnose.Inconclusive), Summary: "Nothing was concluded from this run.",
			Evidence: []report.Evidence{}, RuledOut: []report.RuledOut{}, Advice: []string{},
		})
	}
	return out
}

func generator(log *runlog.Log, result diagnose.Result) report.Generator {
	g := result.Generator
	out := report.Generator{Limited: g.Limited, CPU: number(g.CPU)}
	if g.LagP99 >= 0 && len(log.Windows) > 0 {
		out.LagMSP99 = number(float64(g.LagP99) / float64(time.Millisecond))
	}
	if g.Limited {
		out.Reason, out.AtS, out.LoadRPS = g.Reason, number(g.At.Seconds()), number(g.Load)
	}
	if t := log.Trailer; t != nil && t.Ended > 0 && len(t.Sources) > 0 {
		var spent time.Duration
		for _, s := range t.Sources {
			if here(log.Header, s.Source.Host) {
				spent += s.CPU
			}
		}
		out.ProbesCPUPercent = number(100 * spent.Seconds() / probed(log).Seconds())
	}
	return out
}

// probed is how long the probes looked: from the baseline before the load to the
// last reading behind it.
func probed(log *runlog.Log) time.Duration {
	from, to := time.Duration(0), log.Trailer.Ended
	for _, s := range log.Series {
		if n := len(s.At); n > 0 {
			from, to = min(from, s.At[0]), max(to, s.At[n-1])
		}
	}
	return to - from
}

// here reports whether a host is the generator's machine.
func here(h runlog.Header, name string) bool {
	if name == localHost {
		return true
	}
	for _, host := range h.Hosts {
		if host.Name == name {
			return host.SameAs == localHost
		}
	}
	return false
}

const localHost = profiles.LocalHost

func sources(log *runlog.Log) []report.Source {
	out := []report.Source{}
	if log.Trailer == nil {
		return out
	}
	for _, s := range log.Trailer.Sources {
		out = append(out, report.Source{Host: s.Source.Host, Source: s.Source.Name, State: string(s.State), Reason: s.Reason})
	}
	return append(out, unseen(log)...)
}

// unseen are the sources of the generator's own that lack something: what it did not
// wait for, and names that could not be looked up again. Each is named by its target.
func unseen(log *runlog.Log) []report.Source {
	var out []report.Source
	for i, windows := range log.Windows {
		var unawaited, lookups uint64
		for _, w := range windows {
			unawaited += w.Unawaited
			lookups += w.LookupFailures
		}
		if i >= len(log.Header.Targets) {
			break
		}
		add := func(what, reason string) {
			out = append(out, report.Source{
				Host: profiles.LocalHost, Source: what + " " + log.Header.Targets[i].Name,
				State: string(probe.Partial), Reason: reason,
			})
		}
		if unawaited > 0 {
			add("connections to", fmt.Sprintf("%s connections that the target closed were not watched for a reset behind the close: too many ended at once for the file descriptors that rampload may open", format.Count(unawaited)))
		}
		if lookups > 0 {
			add("addresses of", fmt.Sprintf("the name could not be looked up again %s times: the addresses known before were used", format.Count(lookups)))
		}
	}
	return out
}

func warnings(log *runlog.Log, result diagnose.Result) []string {
	var out []string
	if log.Trailer == nil {
		out = append(out, "the run log has no end: the run was killed, and this is what it had recorded until then")
	} else if log.Truncated {
		out = append(out, "the end of the run log could not be read; what came before it is reported")
	}
	if log.Folded {
		out = append(out, "the run is long: it was read in windows of "+format.Seconds(log.Header.Interval.Seconds())+", and no time in it is told more exactly")
	}
	var dropped uint64
	for _, windows := range log.Windows {
		for _, w := range windows {
			dropped += w.FailuresDropped
		}
	}
	if dropped > 0 {
		out = append(out, fmt.Sprintf("%s failed attempts were counted but not kept one by one", format.Count(dropped)))
	}
	if log.Header.Generator.SkipVerify {
		out = append(out, "certificates of the targets were not verified (tls skip-verify)")
	}
	out = append(out, log.Header.Generator.Ineffective...)
	return append(out, result.Warnings...)
}

// maxEvents bounds the events of one kind, so that thousands of RSTs do not
// displace the one kill for memory.
const maxEvents = 200

func events(log *runlog.Log) (out []report.Event, leftOut int) {
	out = []report.Event{}
	kept := map[probe.EventKind]int{}
	for _, e := range log.Events {
		if e.Kind == probe.LogLine || e.Kind == probe.TraceRead || e.Kind == probe.Answered || e.Kind == probe.StreamsOpen || e.Kind == probe.StreamsAnswered || e.Kind == probe.StreamsShare {
			continue // summed where they belong to failures
		}
		if e.Kind == probe.AddressHeld && (e.At < 0 || e.Reason == probe.HeldBefore) {
			continue // it always did
		}
		if kept[e.Kind] == maxEvents {
			leftOut++
			continue
		}
		kept[e.Kind]++
		row := report.Event{
			AtS: e.At.Seconds(), Kind: e.Kind.String(), Host: e.Host, Process: e.Process, PID: int(e.PID),
			Local: address(e.Local), Remote: address(e.Remote), Reason: e.Reason, State: e.State, Count: max(1, e.Count),
		}
		switch {
		case e.Kind == probe.Gap:
			row.Text = fmt.Sprintf("%s was silent for %s", e.Source.Name, format.Seconds(e.Value))
		case e.Kind == probe.ClockStep:
			row.Text = fmt.Sprintf("the wall clock moved by %s", format.Seconds(e.Value))
		case e.Comm != "" && e.Process == "":
			row.Text = e.Comm
		}
		out = append(out, row)
	}
	for _, m := range log.Marks {
		out = append(out, report.Event{AtS: m.At.Seconds(), Kind: report.EventMark, Count: 1, Text: m.Text})
	}
	slices.SortStableFunc(out, func(a, b report.Event) int { return cmp.Compare(a.AtS, b.AtS) })
	return out, leftOut
}

func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// headrooms returns what was left of every resource that a gate asks for, over time.
func headrooms(log *runlog.Log, gates []profiles.Gate) []report.Headroom {
	var out []report.Headroom
	for _, s := range log.Series {
		asked := slices.ContainsFunc(gates, func(g profiles.Gate) bool { return g.Metric == profiles.GateHeadroom && g.Of == s.Metric.Name })
		if !asked {
			continue
		}
		d, known := s.Metric.Def()
		if !known || d.Kind != probe.HardLimit && d.Kind != probe.Utilisation {
			continue
		}
		h := report.Headroom{Name: s.Metric.Name, Host: s.Metric.Host, Process: s.Metric.Process, Instance: s.Metric.Instance}
		missing := limitOf(s.Metric, math.NaN())
		for i, at := range s.At {
			limit := s.Limit[i]
			if math.IsNaN(limit) {
				limit = missing
			}
			free := 1 - s.Value[i]/limit
			if math.IsNaN(free) || math.IsInf(free, 0) {
				continue
			}
			h.At = append(h.At, at)
			h.Free = append(h.Free, free)
		}
		if len(h.At) > 0 {
			out = append(out, h)
		}
	}
	return out
}
