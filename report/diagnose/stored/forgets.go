package stored

import (
	"math"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// observeStoreGone asks whether a store that keeps in memory what is costly to get elsewhere ended
// when failures began, and stayed away: whoever asked it asks others since, as it did not before.
func observeStoreGone(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const more = 1.5 // times
	if c.Way == nil || h.Station == nil || c.Onset.Status != evidence.Found {
		return
	}
	// More is asked as more is sent: what is asked is compared by requests.
	load := perSecond(c, c.Way.From, c.Way.To) / max(perSecond(c, max(c.At-20, -5), c.At-0.5), 1)
	for _, asker := range c.Way.Steps {
		at := slices.IndexFunc(asker.Behind, func(b waiting.Behind) bool { return b.Hop == h.Station })
		if at < 0 {
			continue
		}
		for _, store := range asker.Behind {
			gone, d := gather.Gone(c, store.Hop, c.Onset.At.Low-gather.GoneBefore, c.Onset.At.High+gather.GoneAfter)
			if !gone || !(store.AskedBefore >= 1) || store.Asked > 0.1*load*store.AskedBefore {
				continue
			}
			i := slices.IndexFunc(asker.Behind, func(b waiting.Behind) bool {
				return b.Hop != store.Hop && b.Asked >= 1 && b.Asked >= more*load*words.Finite(b.AskedBefore, 0)
			})
			if i < 0 || asker.Behind[at].Hop != store.Hop && at != i {
				continue
			}
			clue := evidence.StoreGone
			if asker.Behind[at].Hop != store.Hop {
				clue = evidence.AskedInstead
			}
			f.SetAt(clue, evidence.Yes, d.At, "processes of "+store.Hop.Hosts()[0], "%s of %s ended%s at %s, and did not come back: %s asked it %s times a second, and asks %s for that since",
				d.Who(), store.Hop.Hosts()[0], words.Why(d.Why), format.Seconds(d.At), asker.Hop.Short(), format.Number(math.Round(store.AskedBefore)), asker.Behind[i].Hop.Place())
			return
		}
	}
}

// observeForgets asks, of failures that say "not signed in" to users who were, whether a store
// behind has lost what it was given: it says that it threw entries out, or it answers those
// that ask it that nothing is there, as it did not before. Then nobody's credentials are wrong.
func observeForgets(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	if c.Onset.Status != evidence.Found || c.Parts.Share(attack.Status) < 0.9 || notSignedIn(c) < 0.9*c.Parts.Failed {
		return
	}
	if gather.Keeps(c, h) {
		observeEvictions(c, f, h)
		if observeEmptied(c, f, h); f[evidence.StoreEmptied].Is == evidence.Yes {
			return
		}
		if text, ok := nothingThere(c, h); ok {
			f.SetAt(evidence.StoreForgets, evidence.Yes, c.At, "answers on the wire", "%s", text)
		}
		return
	}
	for _, store := range c.Hops {
		if !gather.Keeps(c, store) {
			continue
		}
		var of evidence.Facts
		observeEvictions(c, &of, store)
		observeEmptied(c, &of, store)
		text, empty := nothingThere(c, store)
		switch {
		case of[evidence.StoreEmptied].Is == evidence.Yes:
			f.Set(evidence.SessionsGone, evidence.Yes, of[evidence.StoreEmptied].Source, "%s", of[evidence.StoreEmptied].Text)
		case of[evidence.StoreEvicts].Is == evidence.Yes:
			f.Set(evidence.SessionsGone, evidence.Yes, of[evidence.StoreEvicts].Source, "%s", of[evidence.StoreEvicts].Text)
		case empty:
			f.Set(evidence.SessionsGone, evidence.Yes, "answers on the wire", "%s", text)
		}
	}
}

// notSignedIn counts the failures whose status says that the user has no session, or may not.
func notSignedIn(c *evidence.Case) (n float64) {
	for _, status := range []uint16{401, 403, 419, 440} {
		n += c.Statuses[status]
	}
	return n
}

// observeEvictions asks whether a store began to throw entries out before the failures did. One
// that does so all the time is full as caches are, and lost nothing that was missed before: it
// throws out more as more is asked, so that what it did before is compared by requests.
func observeEvictions(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const (
		least  = 20
		before = 10.0 // seconds: what was thrown out may be asked for only later
		quiet  = 2.0  // seconds at least without
		enough = 5    // that would have been thrown out meanwhile, had it done so all the time
	)
	for _, r := range c.Run.Resources {
		if r.Metric.Name != probe.StoreEvictions || r.Counter == nil || r.Counter.First == nil || !c.Run.SpeaksFor(r.Metric, h) {
			continue
		}
		split := max(c.At-before, min(r.Counter.From[0], c.At))
		earlier, since := r.Counter.Between(0, split), r.Counter.Between(split, c.To+1)
		led := r.Counter.Between(split, c.At+1)
		usual := since / max(sent(c, split, c.To), 1) * sent(c, 0, split)
		if since < math.Max(least, 0.1*c.Parts.Failed) || led < 1 || split < quiet || usual < enough || earlier > 0.2*usual {
			continue
		}
		f.SetAt(evidence.StoreEvicts, evidence.Yes, r.Counter.First.At, "probe of "+r.Metric.Host, "%s of %s threw %s out to make room for others, %s of them before %s",
			words.OrThe(h.Process()), r.Metric.Host, format.Counted(since+earlier, "key"), format.Number(earlier), format.Seconds(split))
		return
	}
}

// perSecond returns how many requests were sent a second in a time, in which what is asked of
// others was read as well: it may begin before the load.
func perSecond(c *evidence.Case, from, to float64) float64 {
	return sent(c, from, to) / max(to-from, 0.25)
}

// sent counts the requests that were sent in a time.
func sent(c *evidence.Case, from, to float64) float64 {
	first, last := c.Run.Window(from), c.Run.Window(to)
	return evidence.Sum(c.Run.Sent[min(max(first, 0), last):last])
}

// observeEmptied asks whether a store that keeps what it has in memory ended just before users who
// were signed in were not any more: what it had been given is gone with it. What ends beside it,
// as whoever checks it or reads its metrics, has nothing of that.
func observeEmptied(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	for _, d := range kernels.Deaths(c, h) {
		beside := h.Station != nil && h.Process() != "" && d.Process != h.Process()
		if d.Others > 0 || beside || !gather.InMemory(d.Process) || d.At < c.Onset.At.Low-gather.GoneBefore || d.At > c.Onset.At.High+gather.GoneAfter {
			continue
		}
		f.SetAt(evidence.StoreEmptied, evidence.Yes, d.At, "processes of "+h.Host, "%s ended%s at %s, and with it what it keeps in memory: from then on users who were signed in are not any more", d.Who(), words.Why(d.Why), format.Seconds(d.At))
		return
	}
}

// nothingThere says how often a store answered that nothing is there, where that began with
// the failures, and was about as often as they were. A cache has nothing for a share of what
// it is asked, the more the more that is: before and since are compared by requests.
func nothingThere(c *evidence.Case, h evidence.Hop) (text string, ok bool) {
	const leastSeen = 5 // of those that were counted, each of which stands for some
	var before, since, seen float64
	for _, e := range c.Run.Log.Events {
		at := e.At.Seconds()
		if e.Kind != probe.Answered || e.Reason != probe.NothingThere || at < 0 || at > c.To+evidence.JoinReach {
			continue
		}
		if index, known := gather.HopAt(c, e.Local); !known || index != h.Index {
			continue
		}
		if at < c.From {
			before += float64(e.Count)
			continue
		}
		since += float64(e.Count)
		seen += float64(e.Count) / math.Max(e.Value, 1)
	}
	quiet, loud := before/max(sent(c, 0, c.From), 1), since/max(sent(c, c.From, c.To), 1)
	if seen < leastSeen || since < 0.4*c.Parts.Failed || c.From < 3 || quiet > 0.2*loud {
		return "", false
	}
	return h.Place() + " answered about " + format.Number(since) + " times that nothing is there, and about " + format.Number(before) + " times before: what it was given for these users is gone", true
}
