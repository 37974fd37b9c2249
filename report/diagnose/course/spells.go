package course

import (
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/format"
)

// observeMeanwhile asks whether other requests were answered as before when attempts began to time out:
// then not the whole network or service was away.
func observeMeanwhile(c *evidence.Case, f *evidence.Facts) {
	from := c.Run.Window(c.From)
	if from < 8 {
		return
	}
	usual := evidence.Sum(c.Target.Ok[max(0, from-20):from]) / max(1e-9, evidence.Sum(c.Run.Load[max(0, from-20):from])) // successes for each request offered
	var all, served float64
	for _, x := range c.Failures {
		if x.Fault != attack.Timeout {
			continue
		}
		i := c.Run.Window(x.Start.Seconds()) // a request that comes later may find the service back
		j := min(i+2, c.Run.N)
		all++
		if evidence.Sum(c.Target.Ok[i:j]) >= 0.5*usual*evidence.Sum(c.Run.Load[i:j]) {
			served++
		}
	}
	if all >= 5 && usual > 0 {
		f.Set(evidence.ServedMeanwhile, evidence.When(served/all, 0.2, 0.7), "client", "when %s of %s attempts began to wait in vain, others were answered as ever", format.Number(served), format.Number(all))
	}
}

// observeBlackout asks whether nothing was answered for a while. A full queue or table still lets some
// requests pass.
func observeBlackout(c *evidence.Case, f *evidence.Facts) {
	if c.Onset.Status != evidence.Found && c.Onset.Status != evidence.Transient {
		return
	}
	var dark, tried, answered float64
	first := -1.0
	for _, s := range evidence.Spells(c) {
		if s.To < c.From {
			continue
		}
		// A request that comes in the later half may still be waiting at its end.
		p := c.Target.Compose(c.Run.Window(s.From+1e-9), c.Run.Window((s.From+s.To)/2)+1)
		dark, tried, answered = dark+s.To-s.From, tried+p.Attempts, answered+p.Ok
		if first < 0 {
			first = s.From
		}
	}
	if tried < 10 {
		return
	}
	f.SetAt(evidence.Blackout, evidence.IsTrue(dark >= 1 && answered <= 0.02*tried), first, "client", "for %s nothing was answered: %s of the first %s attempts in it were",
		format.Seconds(dark), format.Number(answered), format.Number(tried))
}

// observeInstant asks whether most open connections failed at one instant, each once, and nothing failed
// otherwise. More failures than connections include new connections: then not only the open ones were
// lost.
func observeInstant(c *evidence.Case, f *evidence.Facts) {
	n := len(c.Run.Offered)
	lost := make([]float64, n+1)
	open := make([]float64, n+1)
	all := 0.0
	for _, w := range c.Target.Windows {
		if w.Index < 0 || int(w.Index) >= n {
			continue
		}
		open[w.Index] = float64(w.Open)
		for _, cell := range w.Cells {
			if cell.Fault.Failure() && cell.Fault != attack.Status && cell.Phase > attack.PhaseTLS || cell.Phase == attack.PhaseIdle {
				k := float64(max(cell.WireResets, cell.Attempts))
				at := w.Index
				if cell.Fault == attack.Timeout && cell.DueWindow >= 0 && cell.DueWindow < at {
					at = cell.DueWindow // the connection was dead when the wait began
				}
				lost[at] += k
				all += k
			}
		}
	}
	if all < 2 {
		return
	}
	// Instants of two windows each, the largest first, in which at least half of the open connections
	// broke, and no more than were open.
	left, at, k, held, share := slices.Clone(lost), -1, 0.0, 0.0, 0.0
	for {
		best := 0
		for i := 1; i < n; i++ {
			if left[i]+left[i+1] > left[best]+left[best+1] {
				best = i
			}
		}
		broke, had := left[best]+left[best+1], 0.0
		if best > 0 {
			had = open[best-1]
		}
		if at < 0 {
			at, k, held = best, broke, had
		}
		around := evidence.Sum(lost[max(0, best-4):best]) + evidence.Sum(lost[min(best+2, n):min(best+6, n)])
		if had < 2 || broke < 0.5*had || broke > 2*had || around > 0.2*broke {
			break // new connections did not work at once
		}
		share += broke / all
		left[best], left[best+1] = 0, 0
	}
	if held < 2 {
		return
	}
	f.SetAt(evidence.AtOnce, evidence.IsTrue(share >= 0.6 && f[evidence.AllFail].Is != evidence.Yes), c.Run.Seconds(float64(at)), "client", "%s connections failed at one instant, of %s open; %s of all failed so", format.Number(k), format.Number(held), format.Percent(share))
}
