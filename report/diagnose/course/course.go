// Package course answers how failures depend on load and time, as the client sees it: whether they rise
// with the load, come in spells or at one instant, what waits before they begin and what is served
// during them. It knows no host and no cause.
package course

import (
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// Observe answers the clues about the course of failures for one hop. What the client sees is about the
// first hop.
func Observe(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	o := c.Onset
	all := c.Target.Total
	if all.Failed == 0 || o == nil {
		return
	}
	switch o.Status {
	case evidence.Found:
		if n := len(evidence.Spells(c)); n >= 2 {
			f.Set(evidence.InBursts, evidence.Yes, "client", "%s in which nearly everything failed, and nearly nothing between them", format.Counted(float64(n), "spell"))
		}
		before := float64(o.Before) / max(1, float64(o.BeforeOf))
		after := float64(o.After) / max(1, float64(o.AfterOf))
		rises := evidence.IsTrue(before <= 0.1*after)
		if o.Constant > 0 && rises == evidence.Yes {
			rises = evidence.Unknown // the load was the same all the time, before and after the onset
		}
		f.SetAt(evidence.RisesWithLoad, rises, c.At, "client", "%s of %s before %s/s, %s of %s from there on",
			format.Number(float64(o.Before)), format.Number(float64(o.BeforeOf)), format.Number(o.Load.Value), format.Number(float64(o.After)), format.Number(float64(o.AfterOf)))
		f.Set(evidence.ConstantShare, evidence.No, "client", "%s", f[evidence.RisesWithLoad].Text)
	case evidence.Transient, evidence.Periodic:
		f.Set(evidence.ConstantShare, evidence.No, "client", "%s", o.Note)
		f.Set(evidence.InBursts, evidence.Yes, "client", "%s", o.Note)
	default:
		observeConstancy(c, f)
	}
	for _, s := range c.Run.Log.Header.Stages {
		if s.Kind == "burst" {
			f.Set(evidence.RestingLoad, evidence.Yes, "client", "the load came in bursts and let connections rest")
		}
	}
	observeExcess(c, f)
	observeLatency(c, f)
	observeCrowd(c, f)
	observeQueueTimeout(c, f)
	observeSteadyRate(c, f)
	if h.Index == 0 {
		observeCliff(c, f)
		if f[evidence.AllFail].Is == evidence.Yes && f[evidence.QueueTimeout].Is == evidence.Yes {
			f.Set(evidence.HeldOff, evidence.Yes, "client", "%s, and nothing else from then on", f[evidence.QueueTimeout].Text)
		}
		observeServed(c, f)
		observeMeanwhile(c, f)
		observeBlackout(c, f)
		observeLateCloses(c, f)
		observeSlowBody(c, f)
		observeInstant(c, f)
		observePool(c, f)
	}
}

// observeCrowd asks whether many connections were open at the onset. Descriptors, slots and threads run
// out by concurrency; a rate can be exceeded by requests that come one after the other.
func observeCrowd(c *evidence.Case, f *evidence.Facts) {
	if c.Onset.Status != evidence.Found {
		return
	}
	at := c.Run.Window(c.At)
	if at < 4 {
		return
	}
	// With HTTP/2 many requests share a connection.
	if c.Multiplexed() {
		n := evidence.QuantileOf(c.Target.InFlight[at-4:at+1], 0.5)
		f.Set(evidence.Crowded, evidence.When(n, 6, 20), "client", "%s in flight when it began", format.Counted(n, "request"))
		return
	}
	n := evidence.QuantileOf(c.Target.Open[at-4:at+1], 0.5)
	if n == 0 {
		return // there is a connection for every request, or they were not counted
	}
	f.Set(evidence.Crowded, evidence.When(n, 6, 20), "client", "%s open when it began", format.Counted(n, "connection"))
}

// observeCliff asks whether since the onset nearly everything fails, and without a wait: a policy that
// goes on refusing a client once it has exceeded a limit.
func observeCliff(c *evidence.Case, f *evidence.Facts) {
	if c.Onset.Status != evidence.Found || c.Parts.Failed < 20 {
		return
	}
	share := c.Parts.Failed / max(c.Parts.Attempts, 1)
	rest := c.Target.Compose(c.Run.Window(c.At+0.5)+1, c.Run.N)
	if rest.Attempts >= 20 {
		share = max(share, rest.Failed/rest.Attempts)
		f.Set(evidence.AllFail, evidence.IsTrue(rest.Ok == 0), "client", "%s of %s attempts succeeded from soon after it began to the end", format.Number(rest.Ok), format.Number(rest.Attempts))
	}
	took := c.Durations(func(x *attack.Failure) bool { return evidence.ConnectionFault(x) && x.Fault != attack.Timeout })
	quick := len(took) >= 10 && evidence.QuantileOf(took, 0.5) <= 0.5*c.AnswerTime()
	f.Set(evidence.Cliff, evidence.IsTrue(share >= 0.85 && quick), "client", "%s of the attempts fail from the onset on, half of them within %s",
		format.Percent(share), format.Seconds(words.Finite(evidence.QuantileOf(took, 0.5), 0)))
}

// observeServed asks whether, since the onset, a target's only request both fails and succeeds often. Then
// what it asks for is not the reason.
func observeServed(c *evidence.Case, f *evidence.Facts) {
	if c.Target.Info.Requests != 1 || c.Onset.Status == evidence.Transient || c.Onset.Status == evidence.Periodic || c.Parts.Failed < 20 {
		return
	}
	share := c.Parts.Ok / max(c.Parts.Attempts, 1)
	f.Set(evidence.SameServed, evidence.When(share, 0.05, 0.15), "client", "the one request of %s fails and is answered: %s were answered in the same time", c.Name(), format.Percent(share))
}

// observeLateCloses asks whether connections were closed without a response after a long wait: requests
// waited for their turn until a time limit of the service.
func observeLateCloses(c *evidence.Case, f *evidence.Facts) {
	took := c.Durations(func(x *attack.Failure) bool {
		return x.Fault == attack.EOF && x.Phase == attack.PhaseAwait && evidence.ConnectionFault(x)
	})
	if len(took) < 3 || float64(len(took)) < 0.5*float64(len(c.Failures)) {
		return
	}
	middle := evidence.QuantileOf(took, 0.5)
	if len(took) < 8 {
		middle = slices.Min(took) // with few failures, all must have waited
	}
	f.Set(evidence.ClosedLate, evidence.When(middle/max(c.AnswerTime(), 0.05), 1.5, 4), "client", "connections were closed without a response after requests had waited %s", format.Seconds(middle))
}

// observeSlowBody asks whether responses that broke off had taken longer than whole ones do at light load:
// the link was too slow for them.
func observeSlowBody(c *evidence.Case, f *evidence.Facts) {
	took := c.Durations(func(x *attack.Failure) bool { return x.Phase == attack.PhaseBody && evidence.ConnectionFault(x) })
	usual := c.AnswerTime()
	if len(took) < 5 || usual == 0 {
		return
	}
	least := 2.0
	if evidence.QuantileOf(took, 0.9)-evidence.QuantileOf(took, 0.1) <= 0.2*evidence.QuantileOf(took, 0.5) {
		least = 1.3 // all broke off after the same time: a time limit
	}
	f.Set(evidence.SlowBody, evidence.When(evidence.QuantileOf(took, 0.5)/usual, 1.2, least), "client", "responses broke off after %s, whole ones take %s at light load",
		format.Seconds(evidence.QuantileOf(took, 0.5)), format.Seconds(usual))
}

// observeQueueTimeout asks whether all refusals took the same time, longer than answers do: requests
// waited for a place until a timeout of the service.
func observeQueueTimeout(c *evidence.Case, f *evidence.Facts) {
	middle, late := evidence.LateRefusals(c)
	switch usual := c.AnswerTime(); {
	case math.IsNaN(middle):
	case late:
		f.Set(evidence.QueueTimeout, evidence.Yes, "client", "refusals all took %s: requests waited until a timeout", format.Seconds(middle))
	case middle < 0.5*usual, middle < 0.02:
		f.Set(evidence.QueueTimeout, evidence.No, "client", "refusals came after %s, at once", format.Seconds(middle))
		if c.Fives() >= 0.5*c.Parts.Failed {
			observeNoQueue(c, f, middle)
		}
		if c.Status(503) >= 0.5 {
			f.Set(evidence.ShedAtOnce, evidence.Yes, "client", "%s of the failures were answered %s, after %s", format.Percent(c.Status(503)), c.Answered(503), format.Seconds(middle))
		}
	}
}

// observeNoQueue asks whether nothing waited while requests were refused. Behind a full queue requests are
// served all the time, and late.
func observeNoQueue(c *evidence.Case, f *evidence.Facts, took float64) {
	var served, refused float64 // in windows in which most requests are refused
	for i := c.Run.Window(c.From); i < c.Run.N; i++ {
		if t := c.Target; t.Failed[i] >= 3 && t.Failed[i] >= 0.5*t.Attempts[i] {
			served, refused = served+t.Ok[i], refused+t.Failed[i]
		}
	}
	switch {
	case refused >= 20 && served <= 0.1*refused && refused >= 0.5*c.Parts.Failed:
		f.Set(evidence.NothingWaited, evidence.Yes, "client", "for a while nearly all was refused after %s, and %s of %s served: no queue refuses all", format.Seconds(took), format.Number(served), format.Number(served+refused))
	case f[evidence.LatencyFirst].Is == evidence.No && f[evidence.Queued].Is == evidence.No:
		f.Set(evidence.NothingWaited, evidence.Yes, "client", "refusals came after %s, and what succeeded took no longer than ever: nothing waited", format.Seconds(took))
	}
}

// observeConstancy asks whether the share of failures is the same in each third of the load.
func observeConstancy(c *evidence.Case, f *evidence.Facts) {
	t, n := c.Target, c.Run.N
	all := evidence.Sum(t.Attempts)
	failed, what := t.Failed, "of the attempts fail"
	if t.Total.Failed < 5 && t.Total.Restless() {
		failed, what = t.Resting(), "as many resets of resting connections as attempts come"
	}
	var rates [3]float64
	done, part := 0.0, 0
	var y, e float64
	for i := range n {
		y += failed[i]
		e += t.Attempts[i]
		done += t.Attempts[i]
		if done >= all*float64(part+1)/3 || i == n-1 {
			rates[part] = y / max(e, 1)
			y, e = 0, 0
			if part++; part == 3 {
				break
			}
		}
	}
	least, most := slices.Min(rates[:]), slices.Max(rates[:])
	enough := evidence.Sum(failed) >= 8
	switch {
	case !enough:
	case evidence.Sum(failed) > 0.6*all: // a resource full from the start looks the same
	case most <= 2.5*least, most-least <= 3*math.Sqrt(most/max(all/3, 1)) && least > 0:
		f.Set(evidence.ConstantShare, evidence.Yes, "client", "%s %s at every load: %s, %s, %s in the thirds of the run",
			format.Percent(evidence.Sum(failed)/max(all, 1)), what, format.Percent(rates[0]), format.Percent(rates[1]), format.Percent(rates[2]))
		f.Set(evidence.RisesWithLoad, evidence.No, "client", "%s", f[evidence.ConstantShare].Text)
	case most >= 4*max(least, 1/max(all/3, 1)):
		f.Set(evidence.ConstantShare, evidence.No, "client", "the share of failures differs: %s, %s, %s in the thirds of the run", format.Percent(rates[0]), format.Percent(rates[1]), format.Percent(rates[2]))
	}
}

// observeExcess asks whether the rate of successes stays constant while the load grows: a limit that
// refuses the rest.
func observeExcess(c *evidence.Case, f *evidence.Facts) {
	if c.Onset.Status != evidence.Found && c.Onset.Status != evidence.LeftCensored {
		return
	}
	from, end := c.Run.Window(c.Onset.At.High)+1, c.Run.Window(c.Run.RampEnd())
	if end-from < 8 {
		return
	}
	third := (end - from) / 3
	rate := func(i, j int) (ok, load float64) {
		seconds := float64(j-i) * c.Run.Step
		return evidence.Sum(c.Target.Ok[i:j]) / seconds, evidence.Sum(c.Run.Load[i:j]) / float64(j-i)
	}
	ok1, load1 := rate(from, from+third)
	ok2, load2 := rate(end-third, end)
	if ok1 <= 0 || load2 < 1.08*load1 {
		return
	}
	// 0: successes stay constant; 1: they grow as the load does.
	growth := (ok2/ok1 - 1) / (load2/load1 - 1)
	is := evidence.Unknown
	switch {
	case growth > -0.35 && growth < 0.3:
		is = evidence.Yes
	case growth > 0.6 || growth < -1:
		is = evidence.No
	}
	f.Set(evidence.ExcessFails, is, "client", "from %s/s to %s/s offered, %s/s and %s/s succeeded", format.Number(load1), format.Number(load2), format.Number(ok1), format.Number(ok2))
}

// observeSteadyRate asks whether since the onset the same number of requests was served in every second,
// without a wait, though the load grew. A limit that counts requests does so. A full service passes as
// many as it can work off, which varies, and takes longer.
func observeSteadyRate(c *evidence.Case, f *evidence.Facts) {
	if f[evidence.NothingWaited].Is != evidence.Yes || c.Parts.Failed < 0.05*c.Parts.Attempts {
		return
	}
	k := max(1, int(1/c.Run.Step+0.5))
	var served []float64
	from := c.Run.Window(c.Onset.At.High+1) + 1
	for i := from; i+k <= c.Run.Window(c.Run.RampEnd()); i += k {
		served = append(served, evidence.Sum(c.Target.Ok[i:i+k])/(float64(k)*c.Run.Step))
	}
	if len(served) < 5 || c.Run.LoadAt(c.Run.RampEnd()-1) < 1.15*c.Run.Load[from] {
		return
	}
	mean, cv := evidence.MeanCV(served)
	f.Set(evidence.SteadyRate, evidence.IsTrue(mean >= 5 && cv <= 0.02), "client", "%s/s were served in every second from then on (to within %s), whatever was offered, and none waited", format.Number(mean), format.Percent(cv))
}

// observeLatency compares the latency of successes before the onset with that of
// the light load, and with the client's timeout.
func observeLatency(c *evidence.Case, f *evidence.Facts) {
	if c.Onset.Status != evidence.Found {
		return
	}
	at, end := c.At, c.Run.Seconds(float64(c.Run.Window(c.Run.RampEnd())))
	var light, near, beyond attack.Histogram
	for _, w := range c.Target.Windows {
		t := (float64(w.Index) + 0.5) * c.Run.Step
		switch {
		case t >= 0.5 && t < 0.5*at && t < at-2:
			light = light.Merge(w.FromSend)
		case t >= at-1.25 && t < at+0.25:
			near = near.Merge(w.FromSend)
		case t >= c.Onset.At.High+1 && t < end:
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
	is := evidence.When(ratio, 1.3, 2)
	if is == evidence.Yes && words.Microseconds(n-l) < 8*time.Millisecond {
		is = evidence.Unknown
	}
	f.Set(evidence.LatencyFirst, is, "client", "median latency %s at light load, %s just before the onset",
		format.Seconds(words.Microseconds(l).Seconds()), format.Seconds(words.Microseconds(n).Seconds()))
	if b, ok := beyond.Quantile(0.5); ok && beyond.Total() >= 20 {
		is := evidence.When(float64(b)/max(float64(l), 1), 1.1, 1.3)
		if is == evidence.Yes && words.Microseconds(b-l) < 8*time.Millisecond {
			is = evidence.Unknown
		}
		f.Set(evidence.Queued, is, "client", "what succeeded took %s at light load, %s beyond the onset, as behind a queue",
			format.Seconds(words.Microseconds(l).Seconds()), format.Seconds(words.Microseconds(b).Seconds()))
	}
	if timeout := c.Run.Log.Header.Generator.Timeout; timeout > 0 {
		share := words.Microseconds(slow).Seconds() / timeout.Seconds()
		f.Set(evidence.NearTimeout, evidence.When(share, 0.15, 0.5), "client", "a tenth of the answers took %s and more just before the onset, of a timeout of %s",
			format.Seconds(words.Microseconds(slow).Seconds()), format.Seconds(timeout.Seconds()))
	}
}

// observePool asks whether the client's own pool was full at the onset, and
// whether the number of open connections stopped at a limit that is not its own.
func observePool(c *evidence.Case, f *evidence.Facts) {
	g := c.Run.Log.Header.Generator
	at := c.Run.Window(c.At)
	if g.Connections > 0 && !c.Multiplexed() {
		n, all := 0, 0
		for _, w := range c.Target.Windows {
			if i := int(w.Index); i >= at-4 && i <= at+4 {
				all++
				if attack.Waiting(w.InFlight, g.Connections, 0) {
					n++
				}
			}
		}
		if all > 0 {
			f.Set(evidence.PoolFull, evidence.IsTrue(2*n >= all), "client", "all %d connections of the client's pool were in use", g.Connections)
		}
	}
	if c.Onset.Status != evidence.Found || at+8 >= c.Run.N || at < 8 {
		return
	}
	end := c.Run.Window(c.Run.RampEnd())
	if end <= at+8 {
		return
	}
	after := slices.Clone(c.Target.Open[at+2 : end])
	slices.Sort(after)
	mid := after[len(after)/2]
	spread := after[len(after)*9/10] - after[len(after)/10]
	before := evidence.QuantileOf(c.Target.Open[max(0, at-16):at-4], 0.5)
	if mid < 4 || g.Connections > 0 && mid >= 0.95*float64(g.Connections) {
		return
	}
	if g.Connections == 0 && c.Run.LoadAt(c.Run.RampEnd()-1) < 1.15*c.Run.Load[at] {
		return // with a connection for each request, the number open is only rate times latency
	}
	if start := evidence.QuantileOf(c.Target.Open[:8], 0.5); start < 0.75*mid {
		f.Set(evidence.ConnectionsCapped, evidence.IsTrue(spread <= max(2, 0.1*mid) && mid >= before), "client",
			"open connections stayed at %s from the onset on", format.Number(mid))
	}
}
