package evidence

import (
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/runlog"
)

// Target are the counts of one target by the window in which requests were
// due, so that a fault is held against the load that caused it. Times at which
// faults happened come from the failures and the windows in which they ended.
type Target struct {
	Index   int
	Info    runlog.Target
	Windows []attack.Window

	Attempts []float64 // ended well or in a fault of the target
	Failed   []float64
	Ok       []float64
	dials    []float64 // by the window in which they began
	local    []float64 // attempts that the generator itself failed
	InFlight []float64
	Open     []float64
	Faults   map[FaultKey][]float64
	Total    composition // of the whole load
}

// FaultKey is one scanned series.
type FaultKey struct {
	Fault attack.Fault
	Dial  bool // before the connection was up: name, dial, TLS
}

func (run *Run) newTargetSeries(index int, info runlog.Target) *Target {
	series := func() []float64 { return make([]float64, run.N) }
	t := &Target{
		Index: index, Info: info, Windows: run.Log.Windows[index],
		Attempts: series(), Failed: series(), Ok: series(), dials: series(), local: series(),
		InFlight: series(), Open: series(), Faults: make(map[FaultKey][]float64),
	}
	for _, w := range t.Windows {
		if i := int(w.Index); i >= 0 && i < run.N {
			t.dials[i] += float64(w.Dials)
			t.Open[i] = float64(w.Open)
			t.InFlight[i] = float64(w.InFlight)
		}
		for _, c := range w.Cells {
			t.addCell(w.Index, c, run.N)
		}
	}
	t.Total = t.Compose(0, run.N)
	return t
}

func (t *Target) addCell(index int32, c attack.Cell, n int) {
	due := int(min(max(c.DueWindow, 0), index))
	if due >= n || due < 0 {
		return
	}
	count := float64(c.Attempts)
	switch {
	case c.Phase == attack.PhaseIdle || c.Fault == attack.Canceled:
		return
	case c.Fault.Local():
		t.local[due] += count
		return
	case c.Fault == attack.None:
		t.Ok[due] += count
	default:
		t.Failed[due] += count
		k := FaultKey{c.Fault, c.Phase <= attack.PhaseTLS}
		if t.Faults[k] == nil {
			t.Faults[k] = make([]float64, n)
		}
		t.Faults[k][due] += count
	}
	t.Attempts[due] += count
}

// Resting returns the resets of connections without a request, by window.
func (t *Target) Resting() []float64 {
	out := make([]float64, len(t.Attempts))
	for _, w := range t.Windows {
		for _, cell := range w.Cells {
			if cell.Phase == attack.PhaseIdle && w.Index >= 0 && int(w.Index) < len(out) {
				out[w.Index] += float64(cell.WireResets)
			}
		}
	}
	return out
}

// Exposure returns what a series of faults is counted against. Faults of dials
// are counted against dials where dials are common; where connections are reused
// and dialled again only because of the faults, against attempts.
func (t *Target) Exposure(k FaultKey) (exposure []float64, name string) {
	name = "request"
	out := make([]float64, len(t.Attempts))
	copy(out, t.Attempts)
	if k.Dial {
		name = "dial"
		first := 0
		for first < len(out) && t.Faults[k][first] == 0 {
			first++
		}
		if dials, attempts := Sum(t.dials[:first]), Sum(t.Attempts[:first]); dials >= 0.2*attempts && dials > 0 {
			copy(out, t.dials)
		}
	}
	// A dial is counted when it begins and its fault when its request was due.
	for i, y := range t.Faults[k] {
		out[i] = max(out[i], y)
	}
	return out, name
}

// composition is what faults consist of.
type composition struct {
	Attempts, Failed, Ok   float64
	Wire, Idle, local      float64 // connections; connections; attempts
	Fault                  [attack.Faults]float64
	Phase                  [attack.Phases]float64 // of failures
	Cell                   [attack.Faults][attack.Phases]float64
	Reused, Fresh          float64 // failures beyond the dial
	OkReused, OkFresh      float64
	EofWithReset           float64
	Unlike, UnlikeReply    float64 // failures of answers that are not what is expected; those of protocols without a status
	byRemote, failedRemote map[uint16]float64
}

// Compose counts what was due in the windows [from, to).
func (t *Target) Compose(from, to int) composition {
	c := composition{byRemote: make(map[uint16]float64), failedRemote: make(map[uint16]float64)}
	for _, w := range t.Windows {
		for _, cell := range w.Cells {
			due := int(min(max(cell.DueWindow, 0), w.Index))
			if due >= from && due < to {
				c.add(cell)
			}
		}
	}
	return c
}

func (c *composition) add(cell attack.Cell) {
	n := float64(cell.Attempts)
	if cell.Phase == attack.PhaseIdle {
		c.Idle += float64(cell.WireResets)
		return
	}
	if cell.Fault.Local() {
		c.local += n
		return
	}
	if cell.Fault == attack.Canceled {
		return
	}
	c.Attempts += n
	c.Wire += float64(cell.WireResets)
	c.byRemote[cell.Remote] += n
	if cell.Fault == attack.None {
		c.Ok += n
		if cell.Reused {
			c.OkReused += n
		} else {
			c.OkFresh += n
		}
		return
	}
	c.Failed += n
	c.failedRemote[cell.Remote] += n
	c.Fault[cell.Fault] += n
	if UnlikeDetail(cell.Detail) {
		c.Unlike += n
		if cell.Detail == unlikeReply {
			c.UnlikeReply += n
		}
	}
	c.Phase[cell.Phase] += n
	c.Cell[cell.Fault][cell.Phase] += n
	if cell.Fault == attack.EOF && cell.WireResets > 0 {
		c.EofWithReset += min(n, float64(cell.WireResets))
	}
	if cell.Phase > attack.PhaseTLS {
		if cell.Reused {
			c.Reused += n
		} else {
			c.Fresh += n
		}
	}
}

// Restless reports whether so many connections were reset without a request in
// flight that it needs an explanation. Where connections rest, a few are usual.
func (c composition) Restless() bool { return c.Idle >= 5 && c.Idle >= 0.01*c.Attempts }

// Share returns the part of failures that are of the given faults.
func (c composition) Share(faults ...attack.Fault) float64 {
	n := 0.0
	for _, f := range faults {
		n += c.Fault[f]
	}
	return n / max(c.Failed, 1)
}

// loadCurve returns the offered load of each window in requests per second over
// all targets: by the plan where a stage is a straight line, else the requests
// due, averaged over a second.
func (run *Run) loadCurve() []float64 {
	load := make([]float64, len(run.Offered))
	reach := max(1, int(math.Round(0.5/run.Step)))
	for i := range load {
		from, to := max(0, i-reach), min(len(load)-1, i+reach)
		at := (float64(i) + 0.5) * run.Step
		if s := stageAt(run.Log.Header.Stages, at); s != nil {
			if v, ok := planned(*s, at); ok && run.Offered[i] > 0 {
				load[i] = v
				continue
			}
			// An average does not reach across the stage's ends.
			from = max(from, int(math.Ceil(s.Start.Seconds()/run.Step-1e-6)))
			to = min(to, int(math.Ceil(s.End.Seconds()/run.Step-1e-6))-1)
		}
		to = min(to, max(run.N-1, i))
		n := 0.0
		for j := from; j <= to; j++ {
			load[i] += run.Offered[j]
			n++
		}
		if n > 0 {
			load[i] /= n * run.Step
		}
	}
	return load
}

func stageAt(stages []runlog.Stage, seconds float64) *runlog.Stage {
	for i := range stages {
		if seconds >= stages[i].Start.Seconds() && seconds < stages[i].End.Seconds() {
			return &stages[i]
		}
	}
	return nil
}

func planned(s runlog.Stage, seconds float64) (float64, bool) {
	length := (s.End - s.Start).Seconds()
	if length <= 0 || s.From <= 0 && s.To <= 0 {
		return 0, false
	}
	switch s.Kind {
	case "hold":
		return s.From, true
	case "ramp":
		return s.From + (s.To-s.From)*(seconds-s.Start.Seconds())/length, true
	}
	return 0, false
}

func (t *Target) FaultsOf(f attack.Fault, window int) float64 {
	n := 0.0
	for _, dial := range []bool{false, true} {
		if v := t.Faults[FaultKey{f, dial}]; v != nil {
			n += v[window]
		}
	}
	return n
}
