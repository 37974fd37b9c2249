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

// observeKept asks whether a hop is a cache that goes on serving an error of the hops behind it,
// after these have recovered. They gave the error for a while, then stopped, and answer well
// though they are asked. The hop's answer must be theirs word for word, or say that it comes from
// a cache: a circuit breaker, or a balancer that took a server out, writes an error of its own.
func observeKept(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const (
		near      = 2.0  // seconds at most between the onset and the first such answer from behind
		settle    = 1.0  // seconds until the last such answer from behind has reached the client
		leastSeen = 3    // such answers from behind; fewer may be unrelated
		leastTime = 3    // seconds for which the hop must go on
		allStatus = 0.95 // share of the failures that are a status
		mostKept  = 0.5  // share of the later failures that the hop's own answers must explain
		lateShare = 0.3  // share of all failures that come after those behind recovered
	)
	nextSeen := h.Index+1 < len(c.Hops) && !c.Hops[h.Index+1].Assumed
	if !nextSeen || len(c.Run.Targets) > 1 || c.Onset.Status != evidence.Found || c.Parts.Share(attack.Status) < allStatus {
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
	offOnset := first < c.Onset.At.Low-near || first > c.Onset.At.High+near
	if times < leastSeen || offOnset || !fromCache(c) && !sameWords(own, behind) {
		return
	}
	from, end := last+settle, c.Run.Duration()
	kept, _, _ := during(own, from, end)
	failed := evidence.Sum(c.Target.Failed[c.Run.Window(from):])
	next := c.Hops[h.Index+1]
	// The next hop has not answered with the error since, so each request that reached it since
	// was answered well.
	well := arrived(c, next, behind, from, end)
	if well < leastAsked {
		seen, err := gather.AnsweredWell(c, next.Index, from, end)
		well = math.Max(0, seen-2*err) // the lower bound of a sample, two standard errors
	}
	enoughFailed := failed >= gather.LeastRefused && failed >= lateShare*c.Parts.Failed
	if end-from < leastTime || !enoughFailed || kept < mostKept*failed || well < leastAsked {
		return
	}
	f.SetAt(evidence.KeptAnswer, evidence.Yes, last, "answers on the wire", "%s answered %d until %s, and then none of about %s requests so; %s went on to answer %d, %s times, with what it had kept",
		next.Place(), status, format.Seconds(last), format.Number(math.Round(well)), h.Place(), status, format.Number(failed))
	for _, x := range []evidence.Clue{evidence.OwnError, evidence.WroteStatus, evidence.ErrsItself, evidence.AnsweredOther} {
		f[x] = evidence.Fact{} // the error is another's, and was true once
	}
}

// leastAsked is how many requests in a row a hop must have answered well to count as recovered.
const leastAsked = 20

// arrived returns how many requests reached the ports of a hop that gave the answers, between two
// times in seconds, as the kernel counts them; 0 where it does not.
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

// during counts the lines within a time, and returns when the first and the last were written,
// in seconds; first is +Inf without one.
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

// longestName is the number of words of the longest status line: "431 Request Header Fields Too
// Large" (RFC 6585 §5).
const longestName = 6

// sameWords reports whether a hop answers word for word what a hop behind it answers. An answer
// that is only the name of its status does not count, as any server would write that.
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

// fromCache reports whether most failed answers say that they come from a cache: by Cache-Status
// (RFC 9211), by Age (RFC 9111 §5.1), or by the fields that caches used before these.
func fromCache(c *evidence.Case) bool {
	const least, most = 5, 0.8 // answers read; share of them
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
	return read >= least && cached >= most*read
}
