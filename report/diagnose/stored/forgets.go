package stored

import (
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// observeStoreGone asks whether an in-memory store ended when failures began and stayed away, so
// that the hop that asked it asks another one instead. The fact is StoreGone where h is the
// store, and AskedInstead where h is the one asked instead.
func observeStoreGone(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const (
		more  = 1.5 // times as many requests to the one asked instead, for each that the client sends
		still = 0.1 // share of its requests above which the store is still asked
	)
	if c.Way == nil || h.Station == nil || c.Onset.Status != evidence.Found {
		return
	}
	// Hops ask more as the client sends more, so rates are compared with the client's.
	load := perSecond(c, c.Way.From, c.Way.To) / max(perSecond(c, max(c.At-20, -5), c.At-0.5), 1)
	for _, asker := range c.Way.Steps {
		at := slices.IndexFunc(asker.Behind, func(b waiting.Behind) bool { return b.Hop == h.Station })
		if at < 0 {
			continue
		}
		for _, store := range asker.Behind {
			gone, death := gather.Gone(c, store.Hop, c.Onset.At.Low-gather.GoneBefore, c.Onset.At.High+gather.GoneAfter)
			if !gone || !(store.AskedBefore >= 1) || store.Asked > still*load*store.AskedBefore {
				continue
			}
			instead := slices.IndexFunc(asker.Behind, func(b waiting.Behind) bool {
				return b.Hop != store.Hop && b.Asked >= 1 && b.Asked >= more*load*words.Finite(b.AskedBefore, 0)
			})
			isStore := h.Station == store.Hop
			if instead < 0 || !isStore && at != instead {
				continue
			}
			clue := evidence.StoreGone
			if !isStore {
				clue = evidence.AskedInstead
			}
			f.SetAt(clue, evidence.Yes, death.At, "processes of "+store.Hop.Hosts()[0], "%s of %s ended%s at %s, and did not come back: %s asked it %s times a second, and asks %s for that since",
				death.Who(), store.Hop.Hosts()[0], words.Why(death.Why), format.Seconds(death.At), asker.Hop.Short(), format.Number(math.Round(store.AskedBefore)), asker.Behind[instead].Hop.Place())
			return
		}
	}
}

// observeForgets asks, where failures say "not signed in" to users who were, whether a store has
// lost their sessions: it evicted entries or ended, or it began to answer that nothing is there.
// Then nobody's credentials are wrong. The facts are StoreEvicts, StoreEmptied and StoreForgets
// where h is the store, and SessionsGone where h is a hop that asks one.
func observeForgets(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const most = 0.9 // of the failures
	if c.Onset.Status != evidence.Found || c.Parts.Share(attack.Status) < most || notSignedIn(c) < most*c.Parts.Failed {
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
	if text, ok := asksToSignIn(c); ok {
		f.Set(evidence.AskedToSignIn, evidence.Yes, "answers", "%s", text)
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

// asksToSignIn returns an answer that asks users to sign in, where most of the failures that say
// "not signed in" were answered so. Such an answer tells that no session was found, and not that
// credentials were wrong: the session may be expired, or lost by whoever keeps it.
func asksToSignIn(c *evidence.Case) (text string, ok bool) {
	const most = 0.5 // of the failures
	asked := 0.0
	for _, a := range c.Said {
		if a.Fault == attack.Status.String() && noSession(a.Says) {
			text, asked = a.Says, asked+float64(a.Times)
		}
	}
	for _, l := range c.Run.Lines {
		if times, _, _ := during([]*spoken.Line{l}, c.From, c.To+1); l.Replied() && noSession(l.Text) && times > asked {
			text, asked = l.Text, times
		}
	}
	return text, asked >= most*notSignedIn(c)
}

// noSession reports whether words ask a user to sign in, or say that there is no session.
func noSession(words string) bool {
	low := strings.ToLower(words)
	return slices.ContainsFunc([]string{
		"please log in", "please login", "please sign in", "log in again", "sign in again", "login required", "not logged in", "not signed in",
		"no session", "session not found", "unknown session", "invalid session", "session expired", "session has expired",
	}, func(phrase string) bool { return strings.Contains(low, phrase) })
}

// notSignedIn counts the failures whose status says that the user has no session or no right.
func notSignedIn(c *evidence.Case) (n float64) {
	// 401 and 403 are of RFC 9110; 419 is Laravel's and 440 is IIS's for a session that expired.
	for _, status := range []uint16{401, 403, 419, 440} {
		n += c.Statuses[status]
	}
	return n
}

// observeEvictions asks whether a store began to evict entries shortly before the failures. A
// cache that is full evicts all the time, and the failures are no consequence of that. It evicts
// more as it is asked more, so evictions are compared for each request that the client sends.
func observeEvictions(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const (
		least  = 20   // evictions; fewer explain hardly any failure
		part   = 0.1  // of the failures; one lost session fails many requests of its user
		before = 10.0 // seconds by which evictions may precede the failures: an entry is missed when it is asked for next
		quiet  = 2.0  // seconds of readings that are needed from before that
		enough = 5    // evictions that those seconds should have had, had the store evicted as it does now
		usual  = 0.2  // share of these above which the store evicted all along
	)
	for _, r := range c.Run.Resources {
		if r.Metric.Name != probe.StoreEvictions || r.Counter == nil || r.Counter.First == nil || !c.Run.SpeaksFor(r.Metric, h) {
			continue
		}
		split := max(c.At-before, min(r.Counter.From[0], c.At))
		earlier, since := r.Counter.Between(0, split), r.Counter.Between(split, c.To+1)
		preceding := r.Counter.Between(split, c.At+1)
		expected := since / max(sent(c, split, c.To), 1) * sent(c, 0, split) // before the split, at the present rate
		tooFew := since < math.Max(least, part*c.Parts.Failed) || preceding < 1
		if tooFew || split < quiet || expected < enough || earlier > usual*expected {
			continue
		}
		f.SetAt(evidence.StoreEvicts, evidence.Yes, r.Counter.First.At, "probe of "+r.Metric.Host, "%s of %s threw %s out to make room for others, %s of them before %s",
			words.OrThe(h.Process()), r.Metric.Host, format.Counted(since+earlier, "key"), format.Number(earlier), format.Seconds(split))
		return
	}
}

// perSecond returns how many requests a second the client sent between two times, in seconds. The
// time may begin before the load, as the readings do that it is compared with.
func perSecond(c *evidence.Case, from, to float64) float64 {
	const window = 0.25 // seconds: the shortest time in which requests are counted
	return sent(c, from, to) / max(to-from, window)
}

// sent counts the requests that the client sent between two times, in seconds.
func sent(c *evidence.Case, from, to float64) float64 {
	first, last := c.Run.Window(from), c.Run.Window(to)
	return evidence.Sum(c.Run.Sent[min(max(first, 0), last):last])
}

// observeEmptied asks whether an in-memory store ended just before the failures, so that the
// sessions it held are lost. Other processes on its host, such as health checks and exporters,
// hold none.
func observeEmptied(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	for _, d := range kernels.Deaths(c, h) {
		another := h.Station != nil && h.Process() != "" && d.Process != h.Process()
		offOnset := d.At < c.Onset.At.Low-gather.GoneBefore || d.At > c.Onset.At.High+gather.GoneAfter
		if d.Others > 0 || another || offOnset || !gather.InMemory(d.Process) {
			continue
		}
		f.SetAt(evidence.StoreEmptied, evidence.Yes, d.At, "processes of "+h.Host, "%s ended%s at %s, and with it what it keeps in memory: from then on users who were signed in are not any more", d.Who(), words.Why(d.Why), format.Seconds(d.At))
		return
	}
}

// nothingThere says how often a store answered that nothing is there. ok is set where that began
// with the failures and was about as frequent. Any cache misses a share of what it is asked, so
// answers before and since are compared for each request that the client sends.
func nothingThere(c *evidence.Case, h evidence.Hop) (text string, ok bool) {
	const (
		leastSeen = 5   // answers that were read themselves; each stands for several
		asOften   = 0.4 // of the failures: a sample, and one answer may fail several requests
		usual     = 0.2 // of the present rate, above which the store missed as much before
		quiet     = 3   // seconds before the failures, to compare with
	)
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
	rateBefore, rateSince := before/max(sent(c, 0, c.From), 1), since/max(sent(c, c.From, c.To), 1)
	if seen < leastSeen || since < asOften*c.Parts.Failed || c.From < quiet || rateBefore > usual*rateSince {
		return "", false
	}
	return h.Place() + " answered about " + format.Number(since) + " times that nothing is there, and about " + format.Number(before) + " times before: what it was given for these users is gone", true
}
