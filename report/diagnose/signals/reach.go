package signals

import (
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/reach"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// observeReach asks how far requests got that failed without a wait. Those that waited are followed by
// where they stand (observeWay).
func observeReach(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	if gather.IsStore(h.Process()) {
		f.Set(evidence.StoreHop, evidence.Yes, "processes of "+h.Host, "%s is a store", h.Process())
	}
	if c.Reach == nil || h.Node == nil || gather.RequestsWaited(c) || c.Parts.Failed < 20 {
		return
	}
	x, ok := reached(c, h)
	if !ok {
		return
	}
	if h.Index > 0 {
		came, known := x.Came()
		if known {
			f.Set(evidence.Came, evidence.IsTrue(came), "network of "+h.Host, "%s", broughtText(x, h))
		}
		observeTried(c, f, h, known && !came)
		observeEndsThem(c, f, h)
		observeEarlyEnd(c, f, h)
		observeLeftOut(c, f, h)
	}
	// A proxy that refuses an answer sends its callers a status of its own. One that just closes
	// their connections passes on that its own connection was closed.
	if i := h.Index + 1; i < len(c.Hops) && !c.Hops[i].Assumed && c.Parts.Share(attack.Status) >= 0.5 {
		var next evidence.Facts
		observeCaller(c, &next, c.Hops[i], kernels.WatchWire(c, c.Hops[i], c.From, c.To))
		if x := next[evidence.CallerEnds]; x.Is == evidence.Yes && next[evidence.CallerEndsAll].Is != evidence.Yes {
			f.Set(evidence.RefusesAnswer, evidence.Yes, x.Source, "%s", x.Text)
		}
	}
	deepest, stops := reach.Deepest(c.Reach, nodes(c))
	if deepest != h.Index {
		return
	}
	switch {
	case stops:
		observeTurnedAway(c, f, h)
	case h.Index > 0 && h.Index == len(c.Hops)-1 && len(h.Node.Next) == 0 && f[evidence.CallerEnds].Is != evidence.Yes && f[evidence.RefusedEarly].Is != evidence.Yes:
		if c.Hops[h.Index-1].Assumed {
			break // it is not known whether that one accepts its answers
		}
		share, err := x.Answered.Share()
		if share-2*err > 1.25 || share+2*err < 0.8 && share-2*err > 0.1 {
			clue := evidence.AnsweredOther
			if h.Index <= gather.FirstService(c) {
				if c.Parts.Share(attack.Status) < 0.5 {
					break // its answers are passed on, so callers without an answer got none from it
				}
				clue = evidence.ErrsItself
			}
			f.Set(clue, evidence.Yes, "network of "+h.Host, "%s answered a failed request with %s, a served one with %s, and asks nobody",
				h.Place(), format.Amount(x.Answered.Failed, "bytes"), format.Amount(x.Answered.Ok, "bytes"))
		}
	}
}

// observeLateAnswers asks whether the next hop answered requests that a proxy had given up, as many at
// any load: the proxy's kernel resets data that arrives on a connection it has closed.
func observeLateAnswers(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	i := h.Index + 1
	if i >= len(c.Hops) || c.Hops[i].Assumed || !evidence.IsProxy(h.Process()) || f[evidence.ConstantShare].Is != evidence.Yes {
		return
	}
	given := c.Statuses[504]
	v := kernels.WatchWire(c, c.Hops[i], c.From, c.To)
	if given < 20 || given < 0.5*c.Parts.Failed || v.Client < 0.7*given || v.Client > 1.3*given || v.Sent > 0.1*v.Client {
		return
	}
	f.Set(evidence.AnswersLate, evidence.Yes, "kernel of "+h.Host, "%s gave up %s requests (504), and refused %s answers of %s that came after it had closed the connection",
		h.Place(), format.Number(given), format.Number(v.Client), c.Hops[i].Place())
}

// observeRestingEnds asks whether a hop ended a few connections just when requests failed, under a load
// that leaves connections idle, while nothing else was wrong with it.
func observeRestingEnds(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	if h.Index > 0 && f[evidence.InnerMatch].Is == evidence.Yes && f[evidence.RestingLoad].Is == evidence.Yes && f[evidence.FreshBehind].Is != evidence.Yes &&
		f[evidence.Died].Is != evidence.Yes && c.Parts.Failed < 0.05*c.Parts.Attempts && c.Onset.Status != evidence.Found {
		f.Set(evidence.RestingEnds, evidence.Yes, "kernel of "+h.Host, "%s, %s of all requests, in a load that lets connections rest", f[evidence.InnerMatch].Text, format.Percent(c.Parts.Failed/max(1, c.Parts.Attempts)))
	}
}

// observeEarlyEnd asks whether connections to a hop, one for each request, were ended before the
// request: a failed request brings the hop fewer bytes than a whole one.
func observeEarlyEnd(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	x, _ := reached(c, h)
	share, err := x.Arrived.Share()
	if f[evidence.FreshBehind].Is == evidence.Yes && f[evidence.Came].Is == evidence.Yes && f[evidence.TriedInVain].Is != evidence.Yes && f[evidence.CallerEnds].Is != evidence.Yes &&
		share+2*err < 0.85 && share-err > 0.2 {
		f.Set(evidence.RefusedEarly, evidence.Yes, "network of "+h.Host, "a failed request brought %s to %s on a connection of its own, a served one %s: the connection ended before anything was asked",
			format.Amount(x.Arrived.Failed, "bytes"), h.Place(), format.Amount(x.Arrived.Ok, "bytes"))
	}
}

// observeCaller asks whether the hop before reset a connection to this one for each failed request,
// while this one ended none.
func observeCaller(c *evidence.Case, f *evidence.Facts, h evidence.Hop, v evidence.WireView) {
	before := c.Hops[h.Index-1]
	if !evidence.IsProxy(before.Process()) || gather.RequestsWaited(c) || c.Parts.Failed < 20 || v.Client < 0.7*c.Parts.Failed || v.Client > 1.5*c.Parts.Failed || v.Sent > 0.1*v.Client {
		return
	}
	matched, chance := kernels.MatchTimes(c, v.ClientTimes)
	if matched < 0.7 || 1-matched > 0.5*(1-chance) && chance < 0.9 {
		return
	}
	f.Set(evidence.CallerEnds, evidence.Yes, "kernel of "+before.Host, "%s itself ended %s to %s with a reset, %s of the failures together with one, and %s ended none",
		before.Place(), format.Counted(v.Client, "connection"), h.Place(), format.Percent(matched), h.Host)
	rest := c.Target.Compose(c.Run.Window(c.At)+1, c.Run.N)
	if c.Onset.Status == evidence.Found && rest.Attempts >= 20 && rest.Ok <= 0.01*rest.Attempts {
		f.Set(evidence.CallerEndsAll, evidence.Yes, "kernel of "+before.Host, "%s, whatever was asked, from then on", f[evidence.CallerEnds].Text)
	}
	if h.Station != nil && h.Station.Port%1000 == 443 {
		f.Set(evidence.TLSHop, evidence.Yes, "sockets", "%s is a port of TLS", h.Place())
	}
}

// broughtText says in words what a failed and a served request each brought to a hop.
func broughtText(x reach.Hop, h evidence.Hop) string {
	s := "a failed request brought " + format.Amount(max(0, x.Arrived.Failed), "bytes") + " to " + h.Place()
	if !math.IsNaN(x.Arrived.Ok) {
		s += ", a served one " + format.Amount(x.Arrived.Ok, "bytes")
	}
	return s
}

func nodes(c *evidence.Case) []*reach.Node {
	var out []*reach.Node
	for _, h := range c.Hops {
		out = append(out, h.Node)
	}
	return out
}

func reached(c *evidence.Case, h evidence.Hop) (reach.Hop, bool) {
	i := slices.IndexFunc(c.Reach, func(x reach.Hop) bool { return x.Node == h.Node })
	if i < 0 {
		return reach.Hop{}, false
	}
	return c.Reach[i], true
}

// observeTried asks whether the hop before tried to connect to this one for each failed request and
// failed, or did not try.
func observeTried(c *evidence.Case, f *evidence.Facts, h evidence.Hop, stays bool) {
	before := c.Hops[h.Index-1]
	tries, again := gather.PerRequest(c, before.Host, probe.AttemptFails), gather.PerRequest(c, before.Host, probe.SynRetrans)
	switch {
	case !tries.Known():
	case tries.Failed-2*tries.ErrFail > gather.MostTimes-0.1 && !(tries.Ok >= gather.Seldom):
		f.Set(evidence.TriedInVain, evidence.Yes, "kernel counters of "+before.Host, "%s tried %.1f connections in vain for each failed request, none for a served one", before.Host, tries.Failed)
	case stays && tries.Failed < gather.Seldom && !(again.Failed >= gather.Seldom):
		f.Set(evidence.NotAsked, evidence.Yes, "kernel counters of "+before.Host, "%s, and %s tried no connection for them: it was not asked", f[evidence.Came].Text, before.Host)
	}
}

// observeEndsThem asks whether the host of a hop ended a connection for each failed request, whether each
// request has a connection of its own, and whether the number of connections stopped growing.
func observeEndsThem(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	before := c.Hops[h.Index-1]
	mine, theirs := gather.PerRequest(c, h.Host, probe.TimeWait), gather.PerRequest(c, before.Host, probe.TimeWait)
	if fresh := words.Finite(mine.Ok, 0) + words.Finite(theirs.Ok, 0); mine.Known() && theirs.Known() {
		f.Set(evidence.FreshBehind, evidence.When(fresh, 0.3, 0.75), "kernel counters of "+h.Host, "each request had a connection of its own to %s", h.Place())
	}
	if ends := gather.EndsOf(c, h.Host); ends.WithFailures() {
		f.Set(evidence.EndsThem, evidence.Yes, "kernel counters of "+h.Host, "%s ended a connection for each failed request (%.1f), and for hardly any other (%.1f)", h.Host, ends.Failed, ends.Ok)
	}
	if n, flat := heldFlat(c, h); flat && f[evidence.FreshBehind].Is == evidence.Yes && f[evidence.TriedInVain].Is != evidence.Yes && f[evidence.Came].Is == evidence.Yes {
		f.Set(evidence.HeldFlat, evidence.Yes, "probe of "+h.Host, "established connections of %s stayed at %s from then on, while new ones went on coming and ended at once", h.Place(), format.Number(n))
	}
}

// heldFlat returns the number of connections that a listener held since the onset, if it stopped growing
// then though the load grew.
func heldFlat(c *evidence.Case, h evidence.Hop) (float64, bool) {
	if c.Onset.Status != evidence.Found {
		return 0, false
	}
	end := c.Run.RampEnd()
	third := (end - c.At) / 3
	if third < 1 {
		return 0, false
	}
	for _, s := range reach.Each(c.Run.Log, h.Host, probe.Established) {
		if i := strings.LastIndexByte(s.Metric.Instance, ':'); i < 0 || !c.Listens(s.Metric.Instance, h) {
			continue
		}
		mean := func(from, to float64) float64 {
			var v []float64
			for i, at := range s.At {
				if t := at.Seconds(); t >= from && t < to {
					v = append(v, s.Value[i])
				}
			}
			m, _ := evidence.MeanCV(v)
			return m
		}
		early, late, before := mean(c.At, c.At+third), mean(end-third, end), mean(0, c.At/2)
		rose := c.Run.LoadAt(end-third/2) / max(c.Run.LoadAt(c.At+third/2), 1)
		if late >= 3 && before <= 0.8*late && math.Abs(late-early) <= max(1, 0.2*early) && rose >= 1.15 {
			return late, true
		}
	}
	return 0, false
}

// observeTurnedAway asks whether the hop at which failed requests end answered them itself without asking
// the next hop, which lives.
func observeTurnedAway(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	if gather.Keeps(c, h) {
		return
	}
	next := c.Hops[h.Index+1]
	var probeOf evidence.Facts
	x, _ := reached(c, next)
	probeOf.Set(evidence.Came, evidence.No, "", "%s", broughtText(x, next))
	observeTried(c, &probeOf, next, true)
	if probeOf[evidence.NotAsked].Is != evidence.Yes || saidToEnd(c, h) {
		return
	}
	f.Set(evidence.TurnedAway, evidence.Yes, probeOf[evidence.NotAsked].Source, "%s answered them itself: %s", h.Place(), probeOf[evidence.NotAsked].Text)
	from, refused, served := outOfUse(c)
	if text, meaning := refusesItself(c, h); text != "" {
		if meaning == says.Rate {
			f.Set(evidence.OwnRule, evidence.Yes, "log of "+h.Process(), "%s", text)
		}
		return // it says why itself: that it does not ask is a consequence
	}
	if refused < 20 || refused < 0.5*c.Parts.Failed || c.Fives() < 0.5*c.Parts.Failed {
		return
	}
	f.SetAt(evidence.OutOfUse, evidence.Yes, from, "client", "from %s on %s of %s were refused at once, though %s was there and was not asked", format.Seconds(from), format.Number(refused), format.Number(refused+served), next.Place())
	if t := troubleOf(c, next, from); t.text != "" {
		f.Set(evidence.TroubleBefore, evidence.Yes, t.source, "%s", t.text)
		if t.lasting != 0 {
			f.Set(evidence.TroubleLasts, evidence.Yes, t.source, "%s", t.text)
		}
	} else if !next.Assumed {
		f.Set(evidence.NoTrouble, evidence.Yes, "client", "")
	}
}

// refusesItself returns what a hop's own log says where it says of most failed requests that it refused
// them for a reason of its own; empty where it does not.
func refusesItself(c *evidence.Case, h evidence.Hop) (text string, meaning says.Meaning) {
	for _, x := range c.Heard {
		if x.Line == nil || x.Line.By != "id" || x.Line.Replied() || x.Of != says.Writer || x.Share < 0.5 {
			continue
		}
		if at, ok := gather.Speaker(c, x.Line.Line); ok && at == h.Index {
			return x.Text, x.Meaning
		}
	}
	return "", says.None
}

// saidToEnd reports whether the callers of a hop say of most failed requests, by id, that it reset or
// closed their connection. Then it did not answer these.
func saidToEnd(c *evidence.Case, h evidence.Hop) bool {
	shares := map[string]float64{}
	for _, x := range c.Heard {
		if x.Line == nil || x.Line.By != "id" || x.Line.Replied() || x.Of != says.Behind || x.Meaning != says.Reset && x.Meaning != says.Closed {
			continue
		}
		if at, ok := gather.About(c, x); ok && at == h.Index {
			if shares[x.Line.Service] += x.Share; shares[x.Line.Service] >= 0.5 {
				return true
			}
		}
	}
	return false
}

// observeLeftOut asks whether the hop before stopped asking this one because of a trouble that lasts:
// then this hop is the cause, and not the one that stopped.
func observeLeftOut(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	before := c.Facts
	if len(before) != h.Index || before[h.Index-1][evidence.TroubleLasts].Is != evidence.Yes {
		return
	}
	from, _, _ := outOfUse(c)
	if t := troubleOf(c, h, from); t.lasting != 0 {
		f.SetAt(t.lasting, evidence.Yes, from, t.source, "%s; %s stopped asking it for a while then", t.text, c.Hops[h.Index-1].Place())
	}
}

// outOfUse returns the first time at which hardly anything was served, and how many requests were refused
// and served in all such times; NaN and 0 without one.
func outOfUse(c *evidence.Case) (from, refused, served float64) {
	from = math.NaN()
	run := 0
	for i := range c.Run.N {
		t := c.Target
		if t.Attempts[i] < 3 || t.Failed[i] < 0.9*t.Attempts[i] {
			run = 0
			continue
		}
		if run++; run == 2 && math.IsNaN(from) {
			from = c.Run.Seconds(float64(i - 1))
		}
		refused, served = refused+t.Failed[i], served+t.Ok[i]
	}
	if math.IsNaN(from) {
		return from, 0, 0
	}
	return from, refused, served
}
