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
		if n := len(c.spells()); n >= 2 {
			f.set(inBursts, yes, "client", "%s in which nearly everything failed, and nearly nothing between them", count(float64(n), "spell"))
		}
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
	c.observeCrowd(f)
	c.observeQueueTimeout(f)
	if h.index == 0 {
		c.observeCliff(f)
		if f[allFail].is == yes && f[queueTimeout].is == yes {
			f.set(heldOff, yes, "client", "%s, and nothing else from then on", f[queueTimeout].text)
		}
		c.observeServed(f)
		c.observeMeanwhile(f)
		c.observeBlackout(f)
		c.observeLateCloses(f)
		c.observeSlowBody(f)
		c.observeInstant(f)
		c.observePool(f)
	}
}

// observeCrowd asks whether many connections were open when faults began. What
// runs out with concurrency (descriptors, slots, threads) needs many; a rate can
// be exceeded by requests that meet nobody.
func (c *investigation) observeCrowd(f *facts) {
	if c.onset.Status != Found {
		return
	}
	at := c.a.window(c.at)
	if at < 4 {
		return
	}
	// Of HTTP/2 many requests share a connection.
	if c.multiplexed() {
		n := quantileOf(c.t.inFlight[at-4:at+1], 0.5)
		f.set(crowded, when(n, 6, 20), "client", "%s in flight when it began", count(n, "request"))
		return
	}
	n := quantileOf(c.t.open[at-4:at+1], 0.5)
	if n == 0 {
		return // a connection for every request, or nobody counted them
	}
	f.set(crowded, when(n, 6, 20), "client", "%s open when it began", count(n, "connection"))
}

// multiplexed reports whether requests share connections, as HTTP/2 faults tell: then
// the pool of connections does not bound them.
func (c *investigation) multiplexed() bool {
	return c.t.total.fault[attack.HTTP2Reset]+c.t.total.fault[attack.HTTP2GoAway] > 0
}

// observeCliff asks whether nearly everything fails from the onset on, and at
// once: a policy that goes on to refuse whoever has exceeded it.
func (c *investigation) observeCliff(f *facts) {
	if c.onset.Status != Found || c.parts.failed < 20 {
		return
	}
	share := c.parts.failed / max(c.parts.attempts, 1)
	rest := c.t.compose(c.a.window(c.at+0.5)+1, c.a.n)
	if rest.attempts >= 20 {
		share = max(share, rest.failed/rest.attempts)
		f.set(allFail, isTrue(rest.ok == 0), "client", "%s of %s attempts succeeded from soon after it began to the end", commas(rest.ok), commas(rest.attempts))
	}
	took := c.durations(func(x *attack.Failure) bool { return connectionFault(x) && x.Fault != attack.Timeout })
	quick := len(took) >= 10 && quantileOf(took, 0.5) <= 0.5*c.answerTime()
	f.set(cliff, isTrue(share >= 0.85 && quick), "client", "%s of the attempts fail from the onset on, half of them within %s",
		percent(share), wordSeconds(finite(quantileOf(took, 0.5), 0)))
}

// observeServed asks whether a target's only request fails and is answered, both
// often, from the onset on: then what it asks for cannot be why it fails.
func (c *investigation) observeServed(f *facts) {
	if c.t.info.Requests != 1 || c.onset.Status == Transient || c.onset.Status == Periodic || c.parts.failed < 20 {
		return
	}
	share := c.parts.ok / max(c.parts.attempts, 1)
	f.set(sameServed, when(share, 0.05, 0.15), "client", "the one request of %s fails and is answered: %s were answered in the same time", c.name(), percent(share))
}

// observeLateCloses asks whether connections were closed without a response after
// requests had waited for long: for their turn, until a time limit of the service.
func (c *investigation) observeLateCloses(f *facts) {
	took := c.durations(func(x *attack.Failure) bool {
		return x.Fault == attack.EOF && x.Phase == attack.PhaseAwait && connectionFault(x)
	})
	if len(took) < 3 || float64(len(took)) < 0.5*float64(len(c.failures)) {
		return
	}
	middle := quantileOf(took, 0.5)
	if len(took) < 8 {
		middle = slices.Min(took) // of few, all must have waited
	}
	f.set(closedLate, when(middle/max(c.answerTime(), 0.05), 1.5, 4), "client", "connections were closed without a response after requests had waited %s", wordSeconds(middle))
}

// observeSlowBody asks whether responses that broke off had taken longer than
// whole ones take at light load: they did not get through in time.
func (c *investigation) observeSlowBody(f *facts) {
	took := c.durations(func(x *attack.Failure) bool { return x.Phase == attack.PhaseBody && connectionFault(x) })
	usual := c.answerTime()
	if len(took) < 5 || usual == 0 {
		return
	}
	least := 2.0
	if quantileOf(took, 0.9)-quantileOf(took, 0.1) <= 0.2*quantileOf(took, 0.5) {
		least = 1.3 // all after the same time: a time limit
	}
	f.set(slowBody, when(quantileOf(took, 0.5)/usual, 1.2, least), "client", "responses broke off after %s, whole ones take %s at light load",
		wordSeconds(quantileOf(took, 0.5)), wordSeconds(usual))
}

// durations returns how long the failures that count had taken, in seconds.
func (c *investigation) durations(counts func(*attack.Failure) bool) []float64 {
	var took []float64
	for _, x := range c.failures {
		if counts(x) {
			took = append(took, (x.End - x.Start).Seconds())
		}
	}
	return took
}

// observeQueueTimeout asks whether refusals all took the same time, and longer
// than answers do: requests waited for a place until a timeout of the service.
func (c *investigation) observeQueueTimeout(f *facts) {
	middle, late := c.lateRefusals()
	switch usual := c.answerTime(); {
	case math.IsNaN(middle):
	case late:
		f.set(queueTimeout, yes, "client", "refusals all took %s: requests waited until a timeout", wordSeconds(middle))
	case middle < 0.5*usual, middle < 0.02:
		f.set(queueTimeout, no, "client", "refusals came after %s, at once", wordSeconds(middle))
		if c.status(503) >= 0.5 {
			f.set(shedAtOnce, yes, "client", "%s of the failures were answered 503, after %s", percent(c.status(503)), wordSeconds(middle))
		}
	}
}

// lateRefusals returns the median time after which requests were refused (503, or
// the connection closed while they waited), in seconds, NaN with too few, and
// whether nearly all took just that, longer than answers do.
func (c *investigation) lateRefusals() (median float64, late bool) {
	took := c.durations(func(x *attack.Failure) bool {
		return x.Fault == attack.Status && (x.Status == 500 || x.Status == 503) ||
			connectionFault(x) && x.Fault != attack.Timeout && x.Phase == attack.PhaseAwait
	})
	if len(took) < 8 {
		return math.NaN(), false
	}
	median = quantileOf(took, 0.5)
	tight := quantileOf(took, 0.9)-quantileOf(took, 0.1) <= 0.1*median
	return median, tight && median >= max(0.05, 1.2*c.answerTime())
}

// answerTime returns the median time to an expected answer at light load, in
// seconds; 0 without any.
func (c *investigation) answerTime() float64 {
	var all attack.Histogram
	for _, w := range c.t.windows {
		if t := (float64(w.Index) + 0.5) * c.a.step; c.onset.Status != Found || t < 0.7*c.at {
			all = all.Merge(w.FromSend)
		}
	}
	if all.Total() == 0 {
		return 0
	}
	v, _ := all.Quantile(0.5)
	return microseconds(v).Seconds()
}

// observeConstancy asks whether the share of failures is the same in all thirds
// of the load.
func (c *investigation) observeConstancy(f *facts) {
	t, n := c.t, c.a.n
	all := sum(t.attempts)
	failed, what := t.failed, "of the attempts fail"
	if t.total.failed < 5 && t.total.restless() {
		failed, what = t.resting(), "as many resets of resting connections as attempts come"
	}
	var rates [3]float64
	done, part := 0.0, 0
	var y, e float64
	for i := range n {
		y += failed[i]
		e += t.attempts[i]
		done += t.attempts[i]
		if done >= all*float64(part+1)/3 || i == n-1 {
			rates[part] = y / max(e, 1)
			y, e = 0, 0
			if part++; part == 3 {
				break
			}
		}
	}
	least, most := slices.Min(rates[:]), slices.Max(rates[:])
	enough := sum(failed) >= 8
	switch {
	case !enough:
	case sum(failed) > 0.6*all: // a resource full from the start looks the same
	case most <= 2.5*least, most-least <= 3*math.Sqrt(most/max(all/3, 1)) && least > 0:
		f.set(constantShare, yes, "client", "%s %s at every load: %s, %s, %s in the thirds of the run",
			percent(sum(failed)/max(all, 1)), what, percent(rates[0]), percent(rates[1]), percent(rates[2]))
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
	at, end := c.at, c.a.seconds(float64(c.a.window(c.a.rampEnd())))
	var light, near, beyond attack.Histogram
	for _, w := range c.t.windows {
		t := (float64(w.Index) + 0.5) * c.a.step
		switch {
		case t >= 0.5 && t < 0.5*at && t < at-2:
			light = light.Merge(w.FromSend)
		case t >= at-1.25 && t < at+0.25:
			near = near.Merge(w.FromSend)
		case t >= c.onset.At.High+1 && t < end:
			beyond = beyond.Merge(w.FromSend)
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
	if b, ok := beyond.Quantile(0.5); ok && beyond.Total() >= 20 {
		is := when(float64(b)/max(float64(l), 1), 1.1, 1.3)
		if is == yes && microseconds(b-l) < 8*time.Millisecond {
			is = unknown
		}
		f.set(queued, is, "client", "what succeeded took %s at light load, %s beyond the onset, as behind a queue",
			wordSeconds(microseconds(l).Seconds()), wordSeconds(microseconds(b).Seconds()))
	}
	if timeout := c.a.log.Header.Generator.Timeout; timeout > 0 {
		share := microseconds(slow).Seconds() / timeout.Seconds()
		f.set(nearTimeout, when(share, 0.15, 0.5), "client", "a tenth of the answers took %s and more just before the onset, of a timeout of %s",
			wordSeconds(microseconds(slow).Seconds()), wordSeconds(timeout.Seconds()))
	}
}

// observePool asks whether the client's own pool was full at the onset, and
// whether the number of open connections stopped at a limit that is not its own.
func (c *investigation) observePool(f *facts) {
	g := c.a.log.Header.Generator
	at := c.a.window(c.at)
	if g.Connections > 0 && !c.multiplexed() {
		n, all := 0, 0
		for _, w := range c.t.windows {
			if i := int(w.Index); i >= at-4 && i <= at+4 {
				all++
				if attack.Waiting(w.InFlight, g.Connections, 0) {
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
		f.set(connectionsCapped, isTrue(spread <= max(2, 0.1*mid) && mid >= before), "client",
			"open connections stayed at %s from the onset on", commas(mid))
	}
}

func quantileOf(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return quantileOfSorted(s, q)
}

func quantileOfSorted(v []float64, q float64) float64 { return v[int(q*float64(len(v)-1)+0.5)] }

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
