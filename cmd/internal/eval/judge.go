package eval

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// Judgement is how one analysis of one case compares with the truth.
type Judgement struct {
	Verdict    diagnose.Verdict
	Cause      string
	Host       string
	Resource   string
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
	Place                Place

	Onset Onset
}

// Place says whether a right verdict names the right host and resource.
type Place int8

// The places. NotAsked: the verdict is not right, or the scenario expects no
// host and no resource.
const (
	NotAsked Place = iota
	RightPlace
	WrongPlace
)

// Onset compares the onset found with the time from which the injector did harm
// that went on (see sustained). Numbers are NaN where there is nothing to compare.
type Onset struct {
	Status  diagnose.OnsetStatus
	Windows float64 // when the first faults of the onset happened less the begin of the harm by the injector's clock, in windows
	First   float64 // the same, of the very first harm
	Due     float64 // onset found less when the first request that the harm befell was due: both as the log has them
	Percent float64 // of the offered load at the begin of the harm
	Width   float64 // of the interval, in windows
	Covered bool    // the interval, as late as its first faults were, holds the begin of the harm by the injector's clock
	Expect  int     // load of the onset within the scenario's computed bounds: 1 yes, -1 no, 0 no bounds, or the injector itself did its harm outside of them
}

// Judge compares what was concluded from a log with the truth of its case.
func Judge(c Case, log *runlog.Log, r diagnose.Result) Judgement {
	top := r.Findings[0]
	j := Judgement{Verdict: top.Verdict, Cause: top.Cause, Host: top.Host, Resource: top.Resource, Confidence: top.Confidence, Rank: rank(c, r)}
	kind := c.Kind()
	named := slices.Contains(c.Causes, top.Cause)
	j.Disturbed = top.Verdict == diagnose.GeneratorLimited && kind != Generator
	j.Abstained = j.Disturbed || top.Verdict == diagnose.Ambiguous || top.Verdict == diagnose.Unexplained || top.Verdict == diagnose.Inconclusive
	switch kind {
	case Control:
		// Nothing fails, but some are late for a reason: then it is right to say so, and why.
		j.Right = top.Verdict == diagnose.Healthy || top.Verdict == diagnose.Degraded && named && slices.Contains(c.Causes, string(diagnose.Degraded))
	case Unseen:
		j.Right = top.Verdict == diagnose.Unexplained || top.Verdict == diagnose.Inconclusive || named
	case Generator:
		j.Right = named && top.Verdict == diagnose.GeneratorLimited
	default:
		j.Right = named
	}
	if j.Right && (kind == Fault || kind == Generator) {
		j.Place = place(c, top)
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
		if res.Metric.Name != c.Resource || c.Host != "" && res.Metric.Host != c.Host || generatorOwn(res.Metric) != (c.Kind() == Generator) {
			continue
		}
		seen++
		if res.Verdict == diagnose.RuledOut || res.Verdict == diagnose.Headroom {
			excluded++
		}
	}
	return seen > 0 && excluded == seen
}

// sameLimit are the metrics that tell of the same limit as a resource: its
// exhaustion counters, and what of a process is held against its cgroup's limit.
var sameLimit = map[string][]string{
	probe.ListenQueue:  {probe.ListenOverflows, probe.ListenDrops},
	probe.SynQueue:     {probe.ReqQueueFullDrop},
	probe.CgroupCPU:    {probe.CPUThrottled, probe.ProcessCPU},
	probe.CgroupMemory: {probe.OOMKills, probe.RSS},
	probe.Conntrack:    {probe.ConntrackDrop, probe.ConntrackInsertFail},
}

// isResource reports whether a metric tells of the limit that was reached.
func (c Case) isResource(host, name string) bool {
	return c.Resource != "" && (name == c.Resource || slices.Contains(sameLimit[c.Resource], name)) && (c.Host == "" || host == c.Host)
}

// place tells whether a right verdict also names the host and what ran out there.
func place(c Case, f diagnose.Finding) Place {
	right := (c.Host == "" || f.Host == c.Host) && (c.Resource == "" || c.isResource(f.Host, f.Resource))
	switch {
	case c.Host == "" && c.Resource == "":
		return NotAsked
	case right:
		return RightPlace
	}
	return WrongPlace
}

// judgeOnset compares the headline onset of the first finding's target.
func judgeOnset(c Case, log *runlog.Log, r diagnose.Result) Onset {
	out := Onset{Status: diagnose.NoOnset, Windows: math.NaN(), First: math.NaN(), Due: math.NaN(), Percent: math.NaN(), Width: math.NaN()}
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
	within := func(load float64) bool { return load >= c.LoadLow && load <= c.LoadHigh }
	if c.LoadLow > 0 {
		out.Expect = -1
		if within(o.Load.Value) {
			out.Expect = 1
		}
	}
	if c.Truth.First.IsZero() {
		return out
	}
	window := log.Header.Interval.Seconds()
	due := func(harm time.Time) float64 {
		return dueOf(log, harm.Sub(log.Header.Started)).Seconds()
	}
	harm := due(sustained(c.Truth))
	begin := sustained(c.Truth).Sub(log.Header.Started).Seconds()
	first := c.Truth.First.Sub(log.Header.Started).Seconds()
	event := o.At.Value + o.EventDelay
	out.Windows, out.First, out.Due = (event-begin)/window, (event-first)/window, (o.At.Value-harm)/window
	out.Width = (o.At.High - o.At.Low) / window
	at := math.Floor(begin / window)
	out.Covered = at >= math.Floor((o.At.Low+o.EventDelay)/window) && at <= math.Floor((o.At.High+o.EventDelay)/window)
	if load := offered(log.Header.Stages, begin-o.EventDelay); load > 0 {
		out.Percent = 100 * (o.Load.Value - load) / load
	}
	if load := offered(log.Header.Stages, harm); load > 0 {
		// The bounds are those of a limit. On a ramp its reserve, such as the tokens
		// in a bucket, lasts until the load is beyond them: then they say nothing of
		// the onset.
		if !within(load) {
			out.Expect = 0
		}
	}
	return out
}

// dueOf returns when the first request was due that a harm befell: onsets are
// dated by that, and the injector dates what it did. A harm can strike at any
// time of a request's life: a lost packet at its begin, a reset at its end, an
// answer that comes after the client gave up in between. So what failed and was
// under way at the harm was befallen, within the resolution of the injector's
// clock; one kill fails many requests in the same instant, in no order, of which
// the one due first dates the onset. When nothing under way failed it is the
// first failure that was due in the 3 s after it, and without any the time of
// the harm itself.
func dueOf(log *runlog.Log, harm time.Duration) time.Duration {
	const resolution, late = 250 * time.Millisecond, 3 * time.Second
	underWay, after := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for _, f := range log.Failures {
		if !f.Fault.Failure() || f.Phase == attack.PhaseIdle || f.End < harm-resolution || f.Due > harm+late {
			continue
		}
		if f.Due <= harm+resolution {
			underWay = min(underWay, f.Due)
		} else {
			after = min(after, f.Due)
		}
	}
	switch {
	case underWay < math.MaxInt64:
		return underWay
	case after < math.MaxInt64:
		return after
	}
	return harm
}

// sustained returns when the harm began that went on: harm is cut where there was
// none for two seconds, and the begin of the part with most of it is the time
// that a sustained rise is to be found at. Single harms before it are no onset.
func sustained(t lab.Truth) time.Time {
	const silence = 2 * time.Second
	begin, most := t.First, int64(0)
	var start, last time.Time
	n := int64(0)
	for _, p := range t.Log {
		if last.IsZero() || p.At.Sub(last) > silence {
			start, n = p.At, 0
		}
		if start.Before(t.First) {
			start = t.First // the log is in tenths of seconds
		}
		last, n = p.At, n+p.N
		if n > most {
			begin, most = start, n
		}
	}
	return begin
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
