package diagnose

import (
	"slices"

	"github.com/rampload/rampload/attack"
)

// observeMeanwhile asks whether others were answered as ever when attempts began to
// wait until their timeout: then it was not the whole network or service that was
// away.
func (c *investigation) observeMeanwhile(f *facts) {
	from := c.a.window(c.from)
	if from < 8 {
		return
	}
	usual := sum(c.t.ok[max(0, from-20):from]) / max(1e-9, sum(c.a.load[max(0, from-20):from])) // answered for each request offered
	var all, served float64
	for _, x := range c.failures {
		if x.Fault != attack.Timeout {
			continue
		}
		i := c.a.window(x.Start.Seconds()) // whoever comes later may find it back again
		j := min(i+2, c.a.n)
		all++
		if sum(c.t.ok[i:j]) >= 0.5*usual*sum(c.a.load[i:j]) {
			served++
		}
	}
	if all >= 5 && usual > 0 {
		f.set(servedMeanwhile, when(served/all, 0.2, 0.7), "client", "when %s of %s attempts began to wait in vain, others were answered as ever", commas(served), commas(all))
	}
}

// observeBlackout asks whether nothing at all was answered for a while: a queue or a
// table that is full still serves some.
func (c *investigation) observeBlackout(f *facts) {
	if c.onset.Status != Found && c.onset.Status != Transient {
		return
	}
	var dark, tried, answered float64
	first := -1.0
	for _, s := range c.spells() {
		if s.to < c.from {
			continue
		}
		// Who comes in its later half may wait until it is over.
		p := c.t.compose(c.a.window(s.from+1e-9), c.a.window((s.from+s.to)/2)+1)
		dark, tried, answered = dark+s.to-s.from, tried+p.attempts, answered+p.ok
		if first < 0 {
			first = s.from
		}
	}
	if tried < 10 {
		return
	}
	f.setAt(blackout, isTrue(dark >= 1 && answered <= 0.02*tried), first, "client", "for %s nothing was answered: %s of the first %s attempts in it were",
		wordSeconds(dark), commas(answered), commas(tried))
}

// observeInstant asks whether most open connections failed at one instant, each
// of them once, and nothing failed otherwise. More failures than there were
// connections are of new ones too, and so no loss of what was open.
func (c *investigation) observeInstant(f *facts) {
	n := len(c.a.offered)
	lost := make([]float64, n+1)
	open := make([]float64, n+1)
	all := 0.0
	for _, w := range c.t.windows {
		if w.Index < 0 || int(w.Index) >= n {
			continue
		}
		open[w.Index] = float64(w.Open)
		for _, cell := range w.Cells {
			if cell.Fault.Failure() && cell.Fault != attack.Status && cell.Phase > attack.PhaseTLS || cell.Phase == attack.PhaseIdle {
				k := float64(max(cell.WireResets, cell.Attempts))
				at := w.Index
				if cell.Fault == attack.Timeout && cell.DueWindow >= 0 && cell.DueWindow < at {
					at = cell.DueWindow // it was dead when the wait began
				}
				lost[at] += k
				all += k
			}
		}
	}
	if all < 2 {
		return
	}
	// Instants of two windows, the largest first, in each of which half of what was
	// open broke, and no more than was open.
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
		around := sum(lost[max(0, best-4):best]) + sum(lost[min(best+2, n):min(best+6, n)])
		if had < 2 || broke < 0.5*had || broke > 2*had || around > 0.2*broke {
			break // new connections were not fine at once
		}
		share += broke / all
		left[best], left[best+1] = 0, 0
	}
	if held < 2 {
		return
	}
	f.setAt(atOnce, isTrue(share >= 0.6 && f[allFail].is != yes), c.a.seconds(float64(at)), "client", "%s connections failed at one instant, of %s open; %s of all failed so", commas(k), commas(held), percent(share))
}

// spell is a stretch of time, in seconds, in which nearly everything failed.
type spell struct{ from, to float64 }

// spells returns the stretches in which nearly everything failed, each ended by
// better times; none if many windows were neither good nor bad.
func (c *investigation) spells() []spell {
	var out []spell
	bad, between, all := 0, 0.0, 0.0
	for i := range c.a.n {
		if c.t.attempts[i] < 4 {
			continue
		}
		all++
		switch share := c.t.failed[i] / c.t.attempts[i]; {
		case share >= 0.8:
			bad++
			continue
		case share > 0.1:
			between++
			continue
		}
		if bad >= 2 {
			out = append(out, spell{c.a.seconds(float64(i - bad)), c.a.seconds(float64(i))})
		}
		bad = 0
	}
	if between > 0.15*all {
		return nil
	}
	return out
}
