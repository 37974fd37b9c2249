// Package meter keeps the numbers of a run for those who watch it from outside. It counts
// nothing itself: it adds up the windows that are recorded, so that at the end its totals
// are those of the report. What it keeps is bounded by the targets and the workers of the
// run, whatever comes; labels have few values, and text of others is cut.
//
// It is not for how numbers leave: see meter/expose and meter/push.
package meter

import (
	"strconv"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

// Local is the worker of a run that one machine sends, and of what that machine reads.
const Local = profiles.LocalHost

const (
	// mostTargets and mostPairs bound what is told one by one: targets, and workers by
	// targets. What is beyond is told as one, and no count is lost.
	mostTargets = 100
	mostPairs   = 400
	// mostStages and mostGates bound what is told of a profile.
	mostStages = 50
	mostGates  = 50
)

// Plan is what is known before the run.
type Plan struct {
	Run      string // id
	Name     string // of the profile
	Label    string
	Rampload string // version
	Engine   string
	Started  time.Time // when the load begins
	Targets  []string
	Interval time.Duration // of windows
	Stages   []Stage
	Gates    []string // expressions
}

// Stage is one stage of the load.
type Stage struct {
	Start, End time.Duration
	Kind, Text string
}

// Meter keeps a run. Its methods may be called from several goroutines, and take no
// longer than their own work.
type Meter struct {
	plan      Plan
	now       func() time.Time
	since     time.Time
	catalogue map[string]probe.Definition

	mu        sync.Mutex
	workers   []string // in the order in which they came
	counts    map[pair]*counts
	resources map[place]reading
	senders   map[sender]uint64
	leftOut   uint64
	at        time.Duration // of the last window
	begun     bool
	stages    []Stage
	gates     []report.GateResult
	over      *report.Report // nil: it goes on
}

// pair is a worker and a target.
type pair struct {
	worker string
	target int
}

// New returns the meter of a run that has not begun.
func New(p Plan) *Meter {
	m := &Meter{
		plan: p, now: time.Now, since: time.Now(), catalogue: map[string]probe.Definition{},
		counts: map[pair]*counts{}, resources: map[place]reading{}, senders: map[sender]uint64{}, stages: p.Stages,
	}
	for _, d := range probe.Catalogue() {
		m.catalogue[d.Name] = d
	}
	return m
}

// Tap returns a recorder that passes all on to another and lets the meter see it. sends
// says that this machine sends the load: the windows of workers come by [Meter.Window].
func (m *Meter) Tap(to session.Recorder, sends bool) session.Recorder { return tap{to, m, sends} }

type tap struct {
	session.Recorder
	meter *Meter
	sends bool
}

// Window passes a window on.
func (t tap) Window(w attack.Window) {
	t.Recorder.Window(w)
	if t.sends {
		t.meter.Window(Local, w)
	}
}

// Samples passes readings on.
func (t tap) Samples(s []probe.Sample) {
	t.Recorder.Samples(s)
	t.meter.Samples(Local, s)
}

// Event passes an event on.
func (t tap) Event(e probe.Event) {
	t.Recorder.Event(e)
	t.meter.Event(Local, e)
}

// Window takes a window that a worker recorded.
func (m *Meter) Window(worker string, w attack.Window) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun = true
	if m.plan.Interval > 0 {
		m.at = max(m.at, time.Duration(w.Index+1)*m.plan.Interval)
	}
	m.countsOf(worker, int(w.Target)).add(w, max(1, int(time.Second/max(m.plan.Interval, 1))))
}

// countsOf are the counts that a worker's windows of a target go to.
func (m *Meter) countsOf(worker string, target int) *counts {
	known := false
	for _, w := range m.workers {
		known = known || w == worker
	}
	told := min(len(m.plan.Targets), mostTargets+1)
	switch {
	case known:
	case (len(m.workers)+1)*told <= mostPairs || len(m.workers) == 0:
		m.workers = append(m.workers, worker)
	default:
		worker = others
	}
	key := pair{worker, min(target, mostTargets)}
	c := m.counts[key]
	if c == nil {
		c = &counts{}
		m.counts[key] = c
	}
	return c
}

// Stages takes the stages of a load that was changed by hand.
func (m *Meter) Stages(stages []Stage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stages = stages
}

// Gates takes how gates were judged so far.
func (m *Meter) Gates(gates []report.GateResult) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gates = gates
}

// Over takes the report of the run.
func (m *Meter) Over(r *report.Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over, m.gates = r, r.Gates
}

// Snapshot returns the run as it is now. It is the caller's, and not to be changed.
func (m *Meter) Snapshot() family.Snapshot {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	b := &builder{run: m.plan.Run, index: map[string]int{}, seen: map[string]bool{}}
	m.tellRun(b)
	perSecond := 1.0
	if m.plan.Interval > 0 {
		perSecond = float64(time.Second) / float64(m.plan.Interval)
	}
	workers := m.workers
	if len(workers) == 0 {
		workers = []string{Local}
	}
	for _, worker := range append(workers[:len(workers):len(workers)], others) {
		for t := range min(len(m.plan.Targets), mostTargets+1) {
			c := m.counts[pair{worker, t}]
			switch {
			case c == nil && worker == others:
				continue
			case c == nil:
				c = &counts{}
			}
			name := others
			if t < mostTargets {
				name = m.plan.Targets[t]
			}
			c.tell(b, worker, name, perSecond)
		}
	}
	m.tellHosts(b)
	if m.over != nil {
		tellReport(b, m.over)
	}
	return family.Snapshot{At: now, Since: m.since, Families: b.out}
}

// tellRun adds the series of the run itself.
func (m *Meter) tellRun(b *builder) {
	at := func(pairs ...string) []family.Label { return b.labels(Local, pairs...) }
	p := m.plan
	b.gauge("rampload_run_info", "The run: its profile, its label, and what carries it out.", 1, at("name", p.Name, "label", p.Label, "version", p.Rampload, "engine", p.Engine))
	b.gauge("rampload_run_start_timestamp_seconds", "When the load begins.", float64(p.Started.UnixMilli())/1e3, at())
	state := "baseline"
	switch {
	case m.over != nil:
		state = "over"
	case m.begun:
		state = "load"
	}
	for _, s := range []string{"baseline", "load", "over"} {
		b.gauge("rampload_run_state", "1 of the state that the run is in: baseline, load or over.", truth(s == state), at("state", s))
	}
	b.gauge("rampload_run_elapsed_seconds", "Time since the load began.", m.at.Seconds(), at())
	for i, s := range m.stages[:min(len(m.stages), mostStages)] {
		now := m.begun && m.over == nil && m.at > s.Start && m.at <= s.End
		b.gauge("rampload_stage", "1 of the stage of the load that goes on.", truth(now), at("stage", strconv.Itoa(i+1), "kind", s.Kind, "load", s.Text))
	}
	m.tellGates(b)
}

// tellGates adds what is known of the gates.
func (m *Meter) tellGates(b *builder) {
	for _, expr := range m.plan.Gates[:min(len(m.plan.Gates), mostGates)] {
		result := report.GateUndecided
		for _, g := range m.gates {
			if g.Expr == expr {
				result = g.Result
			}
		}
		for _, r := range []string{report.GatePassed, report.GateFailed, report.GateUndecided} {
			b.once("rampload_gate", "1 of the result of a gate: passed, failed, or undecided so far.", truth(r == result), b.labels(Local, "gate", expr, "result", r))
		}
	}
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
