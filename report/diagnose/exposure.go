package diagnose

import (
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/runlog"
)

// targetSeries are the counts of one target by the window in which requests were
// due, so that a fault is held against the load that caused it. Times at which
// faults happened come from the failures and the windows in which they ended.
type targetSeries struct {
	index   int
	info    runlog.Target
	windows []attack.Window

	attempts []float64 // ended well or in a fault of the target
	failed   []float64
	ok       []float64
	dials    []float64 // by the window in which they began
	local    []float64 // attempts that the generator itself failed
	inFlight []float64
	open     []float64
	faults   map[faultKey][]float64
	total    composition // of the whole load
}

// faultKey is one scanned series.
type faultKey struct {
	fault attack.Fault
	dial  bool // before the connection was up: name, dial, TLS
}

func (a *analysis) newTargetSeries(index int, info runlog.Target) *targetSeries {
	series := func() []float64 { return make([]float64, a.n) }
	t := &targetSeries{
		index: index, info: info, windows: a.log.Windows[index],
		attempts: series(), failed: series(), ok: series(), dials: series(), local: series(),
		inFlight: series(), open: series(), faults: make(map[faultKey][]float64),
	}
	for _, w := range t.windows {
		if i := int(w.Index); i >= 0 && i < a.n {
			t.dials[i] += float64(w.Dials)
			t.open[i] = float64(w.Open)
			t.inFlight[i] = float64(w.InFlight)
		}
		for _, c := range w.Cells {
			t.addCell(w.Index, c, a.n)
		}
	}
	t.total = t.compose(0, a.n)
	return t
}

func (t *targetSeries) addCell(index int32, c attack.Cell, n int) {
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
		t.ok[due] += count
	default:
		t.failed[due] += count
		k := faultKey{c.Fault, c.Phase <= attack.PhaseTLS}
		if t.faults[k] == nil {
			t.faults[k] = make([]float64, n)
		}
		t.faults[k][due] += count
	}
	t.attempts[due] += count
}

// resting returns the resets of connections without a request, by window.
func (t *targetSeries) resting() []float64 {
	out := make([]float64, len(t.attempts))
	for _, w := range t.windows {
		for _, cell := range w.Cells {
			if cell.Phase == attack.PhaseIdle && w.Index >= 0 && int(w.Index) < len(out) {
				out[w.Index] += float64(cell.WireResets)
			}
		}
	}
	return out
}

// exposure returns what a series of faults is counted against. Faults of dials
// are counted against dials where dials are common; where connections are reused
// and dialled again only because of the faults, against attempts.
func (t *targetSeries) exposure(k faultKey) (exposure []float64, name string) {
	name = "request"
	out := make([]float64, len(t.attempts))
	copy(out, t.attempts)
	if k.dial {
		name = "dial"
		first := 0
		for first < len(out) && t.faults[k][first] == 0 {
			first++
		}
		if dials, attempts := sum(t.dials[:first]), sum(t.attempts[:first]); dials >= 0.2*attempts && dials > 0 {
			copy(out, t.dials)
		}
	}
	// A dial is counted when it begins and its fault when its request was due.
	for i, y := range t.faults[k] {
		out[i] = max(out[i], y)
	}
	return out, name
}

// composition is what faults consist of.
type composition struct {
	attempts, failed, ok   float64
	wire, idle, local      float64 // connections; connections; attempts
	fault                  [attack.Faults]float64
	phase                  [attack.Phases]float64 // of failures
	cell                   [attack.Faults][attack.Phases]float64
	reused, fresh          float64 // failures beyond the dial
	okReused, okFresh      float64
	eofWithReset           float64
	byRemote, failedRemote map[uint16]float64
}

// compose counts what was due in the windows [from, to).
func (t *targetSeries) compose(from, to int) composition {
	c := composition{byRemote: make(map[uint16]float64), failedRemote: make(map[uint16]float64)}
	for _, w := range t.windows {
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
		c.idle += float64(cell.WireResets)
		return
	}
	if cell.Fault.Local() {
		c.local += n
		return
	}
	if cell.Fault == attack.Canceled {
		return
	}
	c.attempts += n
	c.wire += float64(cell.WireResets)
	c.byRemote[cell.Remote] += n
	if cell.Fault == attack.None {
		c.ok += n
		if cell.Reused {
			c.okReused += n
		} else {
			c.okFresh += n
		}
		return
	}
	c.failed += n
	c.failedRemote[cell.Remote] += n
	c.fault[cell.Fault] += n
	c.phase[cell.Phase] += n
	c.cell[cell.Fault][cell.Phase] += n
	if cell.Fault == attack.EOF && cell.WireResets > 0 {
		c.eofWithReset += min(n, float64(cell.WireResets))
	}
	if cell.Phase > attack.PhaseTLS {
		if cell.Reused {
			c.reused += n
		} else {
			c.fresh += n
		}
	}
}

// restless reports whether so many connections were reset without a request in
// flight that it needs an explanation. Where connections rest, a few are usual.
func (c composition) restless() bool { return c.idle >= 5 && c.idle >= 0.01*c.attempts }

// share returns the part of failures that are of the given faults.
func (c composition) share(faults ...attack.Fault) float64 {
	n := 0.0
	for _, f := range faults {
		n += c.fault[f]
	}
	return n / max(c.failed, 1)
}

// loadCurve returns the offered load of each window in requests per second over
// all targets: by the plan where a stage is a straight line, else the requests
// due, averaged over a second.
func (a *analysis) loadCurve() []float64 {
	load := make([]float64, len(a.offered))
	reach := max(1, int(math.Round(0.5/a.step)))
	for i := range load {
		from, to := max(0, i-reach), min(len(load)-1, i+reach)
		at := (float64(i) + 0.5) * a.step
		if s := stageAt(a.log.Header.Stages, at); s != nil {
			if v, ok := planned(*s, at); ok && a.offered[i] > 0 {
				load[i] = v
				continue
			}
			// An average does not reach across the stage's ends.
			from = max(from, int(math.Ceil(s.Start.Seconds()/a.step-1e-6)))
			to = min(to, int(math.Ceil(s.End.Seconds()/a.step-1e-6))-1)
		}
		to = min(to, max(a.n-1, i))
		n := 0.0
		for j := from; j <= to; j++ {
			load[i] += a.offered[j]
			n++
		}
		if n > 0 {
			load[i] /= n * a.step
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

func sum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}
