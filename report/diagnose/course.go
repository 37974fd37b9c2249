package diagnose

import (
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
)

// observeCourse answers how failures go with load and time.
func (c *investigation) observeCourse(f *facts, h hop) {
	o := c.onset
	all := c.t.total
	if all.failed == 0 || o == nil {
		return
	}
	switch o.Status {
	case Found:
		before := float64(o.Before) / max(1, float64(o.BeforeOf))
		after := float64(o.After) / max(1, float64(o.AfterOf))
		f.setAt(risesWithLoad, isTrue(before <= 0.1*after), c.at, "client", "%s of %s before %s/s, %s of %s from there on",
			commas(float64(o.Before)), commas(float64(o.BeforeOf)), commas(o.Load.Value), commas(float64(o.After)), commas(float64(o.AfterOf)))
		f.set(constantShare, no, "client", "%s", f[risesWithLoad].text)
	case Transient, Periodic:
		f.set(constantShare, no, "client", "%s", o.Note)
		f.set(inBursts, yes, "client", "%s", o.Note)
	default:
		c.observeConstancy(f)
	}
	for _, s := range c.a.log.Header.Stages {
		if s.Kind == "burst" {
			f.set(restingLoad, yes, "client", "the load came in bursts and let connections rest")
		}
	}
	c.observeExcess(f)
	c.observeLatency(f)
	if h.index == 0 {
		c.observeInstant(f)
		c.observePool(f)
	}
}

// observeConstancy asks whether the share of failures is the same in all thirds
// of the load.
func (c *investigation) observeConstancy(f *facts) {
	t, n := c.t, c.a.n
	all := sum(t.attempts)
	var rates [3]float64
	var counts [3]float64
	done, part := 0.0, 0
	var y, e float64
	for i := range n {
		y += t.failed[i]
		e += t.attempts[i]
		done += t.attempts[i]
		if done >= all*float64(part+1)/3 || i == n-1 {
			rates[part], counts[part] = y/max(e, 1), y
			y, e = 0, 0
			if part++; part == 3 {
				break
			}
		}
	}
	least, most := slices.Min(rates[:]), slices.Max(rates[:])
	enough := sum(t.failed) >= 8
	switch {
	case !enough:
	case most <= 2.5*least, most-least <= 3*math.Sqrt(most/max(all/3, 1)) && least > 0:
		f.set(constantShare, yes, "client", "%s of the attempts fail at every load: %s, %s, %s in the thirds of the run",
			percent(sum(t.failed)/max(all, 1)), percent(rates[0]), percent(rates[1]), percent(rates[2]))
		f.set(risesWithLoad, no, "client", "%s", f[constantShare].text)
	case most >= 4*max(least, 1/max(all/3, 1)):
		f.set(constantShare, no, "client", "the share of failures differs: %s, %s, %s in the thirds of the run", percent(rates[0]), percent(rates[1]), percent(rates[2]))
	}
}

// observeExcess asks whether what succeeds stays constant while the load grows:
// a limit that turns the rest away.
func (c *investigation) observeExcess(f *facts) {
	if c.onset.Status != Found && c.onset.Status != LeftCensored {
		return
	}
	from, end := c.a.window(c.onset.At.High)+1, c.a.window(c.a.rampEnd())
	if end-from < 8 {
		return
	}
	third := (end - from) / 3
	rate := func(i, j int) (ok, load float64) {
		seconds := float64(j-i) * c.a.step
		return sum(c.t.ok[i:j]) / seconds, sum(c.a.load[i:j]) / float64(j-i)
	}
	ok1, load1 := rate(from, from+third)
	ok2, load2 := rate(end-third, end)
	if ok1 <= 0 || load2 < 1.08*load1 {
		return
	}
	// 0: successes stay; 1: they grow as the load does.
	growth := (ok2/ok1 - 1) / (load2/load1 - 1)
	is := unknown
	switch {
	case growth > -0.35 && growth < 0.3:
		is = yes
	case growth > 0.6 || growth < -1:
		is = no
	}
	f.set(excessFails, is, "client", "from %s/s to %s/s offered, %s/s and %s/s succeeded", commas(load1), commas(load2), commas(ok1), commas(ok2))
}

// observeLatency compares the latency of successes before the onset with that of
// the light load, and with the client's timeout.
func (c *investigation) observeLatency(f *facts) {
	if c.onset.Status != Found {
		return
	}
	at := c.at
	var light, near attack.Histogram
	for _, w := range c.t.windows {
		t := (float64(w.Index) + 0.5) * c.a.step
		switch {
		case t >= 0.5 && t < 0.5*at && t < at-2:
			light = light.Merge(w.FromSend)
		case t >= at-1.25 && t < at+0.25:
			near = near.Merge(w.FromSend)
		}
	}
	if light.Total() < 20 || near.Total() < 20 {
		return
	}
	l, _ := light.Quantile(0.5)
	n, _ := near.Quantile(0.5)
	slow, _ := near.Quantile(0.9)
	ratio := float64(n) / max(float64(l), 1)
	is := when(ratio, 1.3, 2)
	if is == yes && microseconds(n-l) < 8*time.Millisecond {
		is = unknown
	}
	f.set(latencyFirst, is, "client", "median latency %s at light load, %s just before the onset",
		wordSeconds(microseconds(l).Seconds()), wordSeconds(microseconds(n).Seconds()))
	if timeout := c.a.log.Header.Generator.Timeout; timeout > 0 {
		share := microseconds(slow).Seconds() / timeout.Seconds()
		f.set(nearTimeout, when(share, 0.15, 0.5), "client", "a tenth of the answers took %s and more just before the onset, of a timeout of %s",
			wordSeconds(microseconds(slow).Seconds()), wordSeconds(timeout.Seconds()))
	}
}

// observeInstant asks whether most open connections failed at one instant and
// nothing failed otherwise.
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
				lost[w.Index] += k
				all += k
			}
		}
	}
	if all < 2 {
		return
	}
	best := 0
	for i := 1; i < n; i++ {
		if lost[i]+lost[i+1] > lost[best]+lost[best+1] {
			best = i
		}
	}
	k := lost[best] + lost[best+1]
	held := 0.0
	if best > 0 {
		held = open[best-1]
	}
	if held < 2 {
		return
	}
	f.setAt(atOnce, isTrue(k >= 0.5*held && k >= 0.6*all), c.a.seconds(float64(best)), "client", "%s connections failed at one instant, of %s open; %s of all", commas(k), commas(held), percent(k/all))
}

// observePool asks whether the client's own pool was full at the onset, and
// whether the number of open connections stopped at a limit that is not its own.
func (c *investigation) observePool(f *facts) {
	g := c.a.log.Header.Generator
	at := c.a.window(c.at)
	if g.Connections > 0 {
		n, all := 0, 0
		for _, w := range c.t.windows {
			if i := int(w.Index); i >= at-4 && i <= at+4 {
				all++
				if w.InFlight >= int64(0.98*float64(g.Connections)) {
					n++
				}
			}
		}
		if all > 0 {
			f.set(poolFull, isTrue(2*n >= all), "client", "all %d connections of the client's pool were in use", g.Connections)
		}
	}
	if c.onset.Status != Found || at+8 >= c.a.n || at < 8 {
		return
	}
	end := c.a.window(c.a.rampEnd())
	if end <= at+8 {
		return
	}
	after := slices.Clone(c.t.open[at+2 : end])
	slices.Sort(after)
	mid := after[len(after)/2]
	spread := after[len(after)*9/10] - after[len(after)/10]
	before := quantileOf(c.t.open[max(0, at-16):at-4], 0.5)
	if mid < 4 || g.Connections > 0 && mid >= 0.95*float64(g.Connections) {
		return
	}
	if start := quantileOf(c.t.open[:8], 0.5); start < 0.75*mid {
		f.set(connectionsCapped, isTrue(spread <= max(2, 0.08*mid) && mid >= before), "client",
			"open connections stayed at %s from the onset on", commas(mid))
	}
}

func quantileOf(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return s[int(q*float64(len(s)-1)+0.5)]
}

func meanCV(v []float64) (mean, cv float64) {
	if len(v) == 0 {
		return 0, 0
	}
	mean = sum(v) / float64(len(v))
	ss := 0.0
	for _, x := range v {
		ss += (x - mean) * (x - mean)
	}
	if len(v) < 2 || mean == 0 {
		return mean, 0
	}
	return mean, math.Sqrt(ss/float64(len(v)-1)) / math.Abs(mean)
}
