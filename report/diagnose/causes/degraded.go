package causes

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
)

const (
	tailFrom    = 0.2   // seconds: the least that a retransmission costs on Linux (TCP_RTO_MIN)
	tailShare   = 0.005 // of the answers, to be worth a finding
	tailTimes   = 5.0   // of the median
	resentLeast = 20.0  // segments
)

// degraded tells of answers that came, but many of them late in a way that has a cause of
// its own: behind retransmissions, or because the whole process stood still. Nil: none.
func (c *Investigation) degraded(g evidence.GeneratorState) *Finding {
	var all attack.Histogram
	for _, w := range c.Target.Windows {
		all = all.Merge(w.FromSend)
	}
	total := float64(all.Total())
	if total < 200 || g.Limited {
		return nil
	}
	middle, _ := all.Quantile(0.5)
	high, _ := all.Quantile(0.99)
	typical, tail := words.Microseconds(middle).Seconds(), words.Microseconds(high).Seconds()
	late := 0.0
	for _, b := range all {
		if words.Microseconds(b.Value).Seconds() >= math.Max(tailFrom, tailTimes*typical) {
			late += float64(b.Count)
		}
	}
	if late < math.Max(10, tailShare*total) {
		return nil
	}
	tails := fmt.Sprintf("half of the answers took at most %s, one in a hundred %s and more; %s of %s took more than %s",
		words.WordSeconds(typical), words.WordSeconds(tail), words.Commas(late), words.Commas(total), words.WordSeconds(math.Max(tailFrom, tailTimes*typical)))
	why := ""
	cause, advice := "", ""
	resent := c.resent()
	stops := c.Stops()
	switch {
	case resent >= math.Max(resentLeast, 0.5*late):
		cause = "packet-loss"
		why = fmt.Sprintf("%s segments were sent again, and each costs its answer 0.2 s, 1 s or more", words.Commas(resent))
		advice = "look for the lossy link: interface errors and drops (ip -s link), queue drops (tc -s qdisc), a duplex or cable fault"
	case len(stops) >= 3:
		cause = "process-paused"
		longest := 0.0
		for _, s := range stops {
			longest = math.Max(longest, s.To-s.From)
		}
		why = fmt.Sprintf("%s nothing was answered for up to %s, and then what had waited was", words.Count(float64(len(stops)), "time"), words.WordSeconds(longest))
		if text := c.Way.Text(); text != "" {
			why += ". Meanwhile " + text
		}
		advice = "look for what stops all of the process: garbage collection, a blocked event loop, a frozen container; its log or a profile at those times tells"
	default:
		return nil
	}
	f := c.healthy(g)
	f.Verdict, f.Cause, f.Confidence = Degraded, cause, 0.9
	if k, ok := KindOf(cause); ok {
		f.Tier, f.Mechanism = k.Tier, k.Mechanism
	}
	f.Summary = fmt.Sprintf("%s answers late: %s. %s. %s", words.Capital(c.Name()), tails, words.Capital(why), f.Summary)
	f.Evidence = append(append([]Evidence{{Source: "client", Text: tails}, {Source: "kernel counters", Text: why}}, c.lateProcess()...), f.Evidence...)
	f.Advice = []string{advice}
	f.Resource, f.Host, f.Process, f.PID, f.Nearest = "", "", "", 0, nil
	if at, ok := c.Culprit(); ok && cause == "process-paused" {
		f.Host, f.Process = at.Host, at.Process()
	}
	return &f
}

// lateProcess tells where kernels saw connections or data wait for the process.
func (c *Investigation) lateProcess() (list []Evidence) {
	const late = 0.1 // seconds
	for _, h := range c.Hops {
		for _, one := range [][2]string{{"accept", "accepted"}, {"read", "read"}} {
			if w := c.Waits(h, one[0]); w.Slowest >= late {
				list = append(list, Evidence{Source: "kernel of " + h.Host, Text: w.Text(one[1]), At: words.Pointer(w.At)})
			}
		}
	}
	return list
}

// resent counts the segments that this machine or a serving host sent again; the larger,
// for both may be parts of one machine.
func (c *Investigation) resent() float64 {
	most := 0.0
	for _, r := range c.Run.Resources {
		if r.Metric.Name != probe.RetransSegs || r.Counter == nil || r.Metric.Process != "" {
			continue
		}
		if r.Metric.Host != evidence.LocalHost && !c.Run.SpeaksFor(r.Metric, c.Hops[0]) {
			continue
		}
		most = math.Max(most, r.Counter.Total)
	}
	return most
}
