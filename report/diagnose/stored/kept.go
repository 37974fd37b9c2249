package stored

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/format"
)

// observeKept asks whether a hop goes on to give an error that those behind it gave for a
// while and give no more, though they are asked and answer well: it keeps that answer, as a
// cache does, and the trouble that it tells of is over. That an error comes back word for word
// tells it from an own one, of a breaker that opened or a server that was taken out meanwhile.
func observeKept(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const (
		near   = 2.0 // seconds between the onset and the first such answer of those behind
		settle = 1.0 // what they answered last is on its way for a moment
		few    = 3
	)
	if h.Index+1 >= len(c.Hops) || c.Hops[h.Index+1].Assumed || len(c.Run.Targets) > 1 || c.Onset.Status != evidence.Found || c.Parts.Share(attack.Status) < 0.95 {
		return
	}
	status := commonStatus(c)
	var own, behind []*spoken.Line
	for _, l := range c.Run.Lines {
		if !l.Replied() || l.Status != status || status == 0 {
			continue
		}
		switch at, ok := gather.Replier(c, l); {
		case ok && at == h.Index:
			own = append(own, l)
		case ok && at > h.Index:
			behind = append(behind, l)
		}
	}
	times, first, last := during(behind, 0, math.Inf(1))
	if times < few || first < c.Onset.At.Low-near || first > c.Onset.At.High+near || !fromCache(c) && !sameWords(own, behind) {
		return
	}
	from, end := last+settle, c.Run.Duration()
	kept, _, _ := during(own, from, end)
	failed := evidence.Sum(c.Target.Failed[c.Run.Window(from):])
	next := c.Hops[h.Index+1]
	well := arrived(c, next, behind, from, end) // whatever it was asked then, it did not answer so
	if well < leastAsked {
		seen, err := gather.AnsweredWell(c, next.Index, from, end)
		well = math.Max(0, seen-2*err)
	}
	if end-from < few || failed < gather.LeastRefused || kept < 0.5*failed || failed < 0.3*c.Parts.Failed || well < leastAsked {
		return
	}
	f.SetAt(evidence.KeptAnswer, evidence.Yes, last, "answers on the wire", "%s answered %d until %s, and then none of about %s requests so; %s went on to answer %d, %s times, with what it had kept",
		next.Place(), status, format.Seconds(last), format.Number(math.Round(well)), h.Place(), status, format.Number(failed))
	for _, x := range []evidence.Clue{evidence.OwnError, evidence.WroteStatus, evidence.ErrsItself, evidence.AnsweredOther} {
		f[x] = evidence.Fact{} // another wrote it, when it was true
	}
}

// leastAsked is of how many requests a hop must have answered none with an error, to be well.
const leastAsked = 20

// arrived returns how many requests came in a time, as the kernel counts them, to where a hop
// had answered from; 0 where it does not.
func arrived(c *evidence.Case, h evidence.Hop, answers []*spoken.Line, from, to float64) (n float64) {
	for _, s := range c.Run.Log.Series {
		answered := func(l *spoken.Line) bool {
			return h.Has(c.Run.HostOf(l.Peer.Addr.Addr())) && strings.HasSuffix(s.Metric.Instance, ":"+strconv.Itoa(int(l.Peer.Addr.Port())))
		}
		if s.Metric.Name != probe.Arrived || !h.Has(s.Metric.Host) || !slices.ContainsFunc(answers, answered) {
			continue
		}
		begun, ended := math.NaN(), math.NaN()
		for i, at := range s.At {
			if t := at.Seconds(); t <= from || math.IsNaN(begun) {
				begun, ended = s.Value[i], s.Value[i]
			} else if t <= to {
				ended = s.Value[i]
			}
		}
		if d := ended - begun; d > 0 {
			n += d
		}
	}
	return n
}

// commonStatus returns the status of nearly all failures, 0 where they have several.
func commonStatus(c *evidence.Case) uint16 {
	for status := range c.Statuses {
		if status >= 400 && c.Status(status) >= 0.9 {
			return status
		}
	}
	return 0
}

// during adds up what some lines were said in a time, and says when first and last.
func during(lines []*spoken.Line, from, to float64) (times, first, last float64) {
	first = math.Inf(1)
	for _, l := range lines {
		for i, at := range l.At {
			if at >= from && at <= to && l.Count[i] > 0 {
				times, first, last = times+l.Count[i], min(first, at), max(last, at)
			}
		}
	}
	return times, first, last
}

// longestName is of how many words a status and its name are at most (431).
const longestName = 6

// sameWords reports whether a hop says what one behind it says, word for word, and more than
// a status' own name: that is everybody's.
func sameWords(own, behind []*spoken.Line) bool {
	for _, x := range own {
		for _, y := range behind {
			if x.Text == y.Text && len(strings.Fields(x.Text)) > longestName {
				return true
			}
		}
	}
	return false
}

// fromCache reports whether most failed answers that were read say that they come from a
// cache: by the fields of RFC 9211 and RFC 9111, or those that caches had before.
func fromCache(c *evidence.Case) bool {
	cached, read := 0.0, 0.0
	for _, x := range c.Failures {
		if x.Answer == nil || x.Fault != attack.Status {
			continue
		}
		read++
		says := strings.ToLower(x.Answer.Header("x-cache") + " " + x.Answer.Header("x-cache-status") + " " + x.Answer.Header("cf-cache-status") + " " + x.Answer.Header("cache-status"))
		age := x.Answer.Header("age")
		if strings.Contains(says, "hit") || strings.Contains(says, "stale") || age != "" && age != "0" {
			cached++
		}
	}
	return read >= 5 && cached >= 0.8*read
}
