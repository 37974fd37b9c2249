// Package history follows a profile over releases: where faults begin, where they
// pass the share that a gate allows, what was carried, how late answers came and what
// was nearest its limit, and the release with which any of them changed. It is pure,
// and stands on report alone.
package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rampload/rampload/report"
)

// History is the runs of one profile and engine, the oldest first.
type History struct {
	Name        string   `json:"name"`
	Fingerprint string   `json:"fingerprint"`
	Engine      string   `json:"engine"`
	Targets     []string `json:"targets"`
	Runs        []Run    `json:"runs"`
	// Changes are where a release differs from the runs since the change before.
	Changes []Change `json:"changes"`
}

// Run is what one run came to.
type Run struct {
	File    string    `json:"file,omitempty"`
	Label   string    `json:"label,omitempty"`
	Commit  string    `json:"git_commit,omitempty"`
	Started time.Time `json:"started"`
	Verdict string    `json:"verdict"`
	Cause   string    `json:"cause,omitempty"`
	Exit    int       `json:"exit_code"`
	Targets []Values  `json:"targets"` // as History.Targets
	// Nearest is the watched resource of a target's host that had least left, Headroom
	// the share of its limit that was left.
	Nearest  string   `json:"nearest,omitempty"`
	Headroom *float64 `json:"headroom"`
}

// Values are the numbers of one target in one run. Loads are in requests per second
// over all targets.
type Values struct {
	Onset     Load     `json:"onset"`
	Crossing  Load     `json:"crossing"`
	Capacity  Load     `json:"capacity"`
	P99MS     *float64 `json:"p99_ms"`
	Resets    uint64   `json:"wire_resets"`
	FailShare *float64 `json:"failed_share"`
}

// Load is a load with its 95 % interval. A nil value was not measured; AtLeast says
// that it was not reached up to there.
type Load struct {
	RPS     *float64 `json:"rps"`
	LowRPS  *float64 `json:"low_rps"`
	HighRPS *float64 `json:"high_rps"`
	AtLeast bool     `json:"at_least,omitempty"`
}

// Change is a release with which a metric changed.
type Change struct {
	At     int      `json:"at"` // index of the release's first run
	Label  string   `json:"label,omitempty"`
	Commit string   `json:"git_commit,omitempty"`
	Target string   `json:"target,omitempty"`
	Metric string   `json:"metric"`
	Unit   string   `json:"unit"`
	Old    *float64 `json:"old"` // median of the runs before, since the last change
	New    *float64 `json:"new"`
	// OldAtLeast and NewAtLeast say that the value is a lower bound: no onset was reached.
	OldAtLeast bool `json:"old_at_least,omitempty"`
	NewAtLeast bool `json:"new_at_least,omitempty"`
	Worse      bool `json:"worse"`
	// Proven says that there were runs enough for a test; else the change lies outside
	// the spread that runs are taken to have.
	Proven bool   `json:"proven"`
	Cause  string `json:"cause,omitempty"` // "none to server-threads", where it changed too
}

// Entry is a report with the file that it came from.
type Entry struct {
	File   string
	Report *report.Report
}

// Of returns a history for each profile and engine, that with the latest run first.
func Of(entries []Entry) ([]History, error) {
	type key struct{ fingerprint, engine string }
	groups := map[key][]Entry{}
	for _, e := range entries {
		k := key{e.Report.Profile.Fingerprint, e.Report.Profile.Engine}
		groups[k] = append(groups[k], e)
	}
	var out []History
	for k, group := range groups {
		slices.SortStableFunc(group, func(a, b Entry) int {
			return cmp.Or(a.Report.Started.Compare(b.Report.Started), cmp.Compare(a.File, b.File))
		})
		h := History{Name: group[len(group)-1].Report.Name, Fingerprint: k.fingerprint, Engine: k.engine, Changes: []Change{}}
		for _, t := range group[len(group)-1].Report.Targets {
			h.Targets = append(h.Targets, t.Name)
		}
		for _, e := range group {
			h.Runs = append(h.Runs, runOf(e, h.Targets))
		}
		changes, err := changesOf(group)
		if err != nil {
			return nil, err
		}
		h.Changes = append(h.Changes, changes...)
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b History) int {
		last := func(h History) time.Time { return h.Runs[len(h.Runs)-1].Started }
		return cmp.Or(last(b).Compare(last(a)), cmp.Compare(a.Fingerprint, b.Fingerprint), cmp.Compare(a.Engine, b.Engine))
	})
	return out, nil
}

func runOf(e Entry, targets []string) Run {
	r := e.Report
	out := Run{File: e.File, Label: r.Label, Commit: r.Environment.GitCommit, Started: r.Started, Exit: r.ExitCode}
	if len(r.Findings) > 0 {
		out.Verdict, out.Cause = r.Findings[0].Verdict, r.Findings[0].Cause
	}
	for _, name := range targets {
		i := slices.IndexFunc(r.Targets, func(t report.Target) bool { return t.Name == name })
		if i < 0 {
			out.Targets = append(out.Targets, Values{})
			continue
		}
		out.Targets = append(out.Targets, valuesOf(r, r.Targets[i]))
	}
	for _, res := range r.Resources {
		limited := res.Kind == "hard-limit" || res.Kind == "utilisation"
		if !limited || res.Utilisation == nil || res.Host == "local" {
			continue
		}
		if left := max(0, 1-*res.Utilisation); out.Headroom == nil || left < *out.Headroom {
			out.Headroom, out.Nearest = &left, res.Label()
		}
	}
	return out
}

func valuesOf(r *report.Report, t report.Target) Values {
	v := Values{P99MS: t.LatencyMS.P99, Resets: t.WireResets}
	if t.Requests > 0 {
		v.FailShare = new(float64(t.Failed) / float64(t.Requests))
	}
	sent := &r.Totals.OfferedRPSMax
	if r.Generator.Limited && r.Generator.LoadRPS != nil {
		sent = r.Generator.LoadRPS
	}
	switch o := t.Onset; o.Status {
	case report.OnsetFound:
		v.Onset = Load{RPS: o.LoadRPS, LowRPS: o.LoadLowRPS, HighRPS: o.LoadHighRPS}
	case report.OnsetFromStart:
		v.Onset = Load{RPS: o.LoadRPS, LowRPS: new(0.0), HighRPS: o.LoadHighRPS}
	case report.OnsetNone, "":
		v.Onset = Load{RPS: sent, AtLeast: true}
	}
	if c := t.Crossing; c != nil {
		if c.AtS != nil {
			v.Crossing = Load{RPS: c.LoadRPS, LowRPS: c.LoadLowRPS, HighRPS: c.LoadHighRPS}
		} else {
			v.Crossing = Load{RPS: sent, AtLeast: true}
		}
	}
	switch c := t.Capacity; {
	case c == nil:
	case c.RPS != nil:
		v.Capacity = Load{RPS: c.RPS}
		for _, l := range []*report.CapacityLimit{c.Faults, c.Goodput, c.Latency} {
			if l != nil && l.RPS == *c.RPS {
				v.Capacity.LowRPS, v.Capacity.HighRPS = &l.LowRPS, &l.HighRPS
			}
		}
	default:
		v.Capacity = Load{RPS: new(c.AtLeastRPS), AtLeast: true}
	}
	return v
}

// release is the runs of one label in a row; a run without one is a release of its own.
type release struct {
	from int
	runs []*report.Report
}

func releasesOf(group []Entry) []release {
	var out []release
	for i, e := range group {
		if n := len(out); n > 0 && e.Report.Label != "" && out[n-1].runs[0].Label == e.Report.Label {
			out[n-1].runs = append(out[n-1].runs, e.Report)
			continue
		}
		out = append(out, release{i, []*report.Report{e.Report}})
	}
	return out
}

// changesOf compares each release with all runs since the last change, so that what is
// too small to be told from one release is told from several.
func changesOf(group []Entry) ([]Change, error) {
	releases := releasesOf(group)
	var out []Change
	since := slices.Clone(releases[0].runs)
	for _, rel := range releases[1:] {
		c, err := report.Compare(since, rel.runs, report.CompareOptions{})
		if err != nil {
			return nil, fmt.Errorf("compare %s with the runs before: %w", name(rel), err)
		}
		changed := false
		for _, m := range c.Metrics {
			var worse, proven bool
			switch m.Outcome {
			case report.Regression:
				worse, proven = true, true
			case report.Improvement:
				proven = true
			case report.IndicativeRegression:
				worse = true
			case report.IndicativeChange:
			default:
				continue
			}
			if !m.Primary && !proven {
				continue
			}
			changed = true
			out = append(out, Change{
				At: rel.from, Label: rel.runs[0].Label, Commit: rel.runs[0].Environment.GitCommit, Target: m.Target, Metric: m.Metric, Unit: m.Unit,
				Old: m.Old, New: m.New, OldAtLeast: m.OldAtLeast, NewAtLeast: m.NewAtLeast, Worse: worse, Proven: proven, Cause: causeChange(c),
			})
		}
		if changed {
			since = nil
		}
		since = append(since, rel.runs...)
	}
	return out, nil
}

func name(r release) string {
	if l := r.runs[0].Label; l != "" {
		return l
	}
	return "the run of " + r.runs[0].Started.UTC().Format("2006-01-02 15:04:05")
}

// causeChange says what the runs before and those of the release came to, if it differs.
func causeChange(c report.Comparison) string {
	old, new := most(c.OldCause), most(c.NewCause)
	if old == new {
		return ""
	}
	return old + " to " + new
}

// most returns what stands most often, the later one of equals.
func most(list []string) string {
	counts := map[string]int{}
	best := ""
	for _, s := range list {
		counts[s]++
		if counts[s] >= counts[best] {
			best = s
		}
	}
	if best == "" {
		return "none"
	}
	return best
}
