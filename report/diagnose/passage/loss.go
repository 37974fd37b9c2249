package passage

import (
	"slices"
	"sort"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/format"
)

// countersOf returns the kernel counters of a hop's hosts; for the first hop also the client's.
func countersOf(c *evidence.Case, h evidence.Hop, name string) []*evidence.Movement {
	var out []*evidence.Movement
	for _, r := range c.Run.Resources {
		if r.Metric.Name == name && r.Counter != nil && r.Metric.Process == "" && (c.Run.SpeaksFor(r.Metric, h) || h.Index == 0 && c.Run.SpeaksFor(r.Metric, evidence.Hop{Host: evidence.LocalHost}) && !c.Shares(evidence.LocalHost)) {
			out = append(out, r.Counter)
		}
	}
	return out
}

func sumOf(counters []*evidence.Movement) (n float64) {
	for _, m := range counters {
		n += m.Total
	}
	return n
}

// sumUntil is how much counters grew until a time, in seconds.
func sumUntil(counters []*evidence.Movement, until float64) (n float64) {
	for _, m := range counters {
		n += m.Between(0, until)
	}
	return n
}

// Loss reads the packets that interfaces dropped, and retransmissions.
func Loss(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	observeResent(c, f, h)
	observeLink(c, f, h)
}

// observeResent reads the counters of retransmissions.
func observeResent(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	src := "kernel counters"
	resent := countersOf(c, h, probe.RetransSegs)
	if len(resent) == 0 {
		return
	}
	segments, early := sumOf(resent), sumUntil(resent, c.Run.Duration()/3)
	requests := c.Target.Total.Attempts
	if timeout := c.Run.Log.Header.Generator.Timeout; f[evidence.DialTimeouts].Is == evidence.Yes && timeout > 0 && timeout <= time.Second && segments < 20 {
		return // the client gave up before its first SYN was retransmitted
	}
	many := segments >= 20 && segments >= 0.002*requests
	first := countersOf(c, h, probe.SynRetrans)
	syns := sumOf(first)
	// They begin with the failures or before them: at first a retransmitted request is only late.
	since := 0.0
	if many {
		since = float64(sort.Search(int(c.Run.Duration()), func(s int) bool { return sumUntil(resent, float64(s+1)) >= 0.05*segments }))
	}
	// At a load that passed before it is no queue that overflows.
	if c.Onset.Status == evidence.Found && many && since >= 4 && since <= c.At+2 && segments-syns >= 0.5*segments && c.Run.LoadAt(since) <= 1.03*c.Run.LoadAt(0.75*since) {
		f.SetAt(evidence.RetransBegan, evidence.Yes, since, src, "%s segments were retransmitted, nearly none of them before %s, at the same load", format.Number(segments), format.Seconds(since))
	} else if !asOftenBefore(c, resent) {
		f.Set(evidence.RetransAlways, evidence.IsTrue(many && early >= 0.05*segments), src, "%s segments were retransmitted, %s of them in the first third of the load", format.Number(segments), format.Number(early))
	}
	if lost := countersOf(c, h, probe.LostRetransmit); len(lost) > 0 && segments >= 20 {
		f.Set(evidence.LostRetransmits, evidence.When(sumOf(lost)/segments, 0.1, 0.4), src, "%s of %s retransmissions were lost too", format.Number(sumOf(lost)), format.Number(segments))
	}
	if len(first) > 0 && segments >= 10 {
		f.Set(evidence.SynsLost, evidence.When(syns/segments, 0.3, 0.8), src, "%s of %s retransmissions were SYNs", format.Number(syns), format.Number(segments))
	}
}

// asOftenBefore reports whether segments were retransmitted about as often while nothing failed as
// from the onset on. Then they do not make requests fail: they did not before.
func asOftenBefore(c *evidence.Case, resent []*evidence.Movement) bool {
	const (
		quiet = 4.0   // seconds at least before the onset
		least = 5     // segments in that time
		harm  = 0.001 // of the attempts in that time that failed, at most
		more  = 1.5   // times as many a second from the onset on, at most
	)
	at, end := c.Onset.At.Low, c.Run.Duration()
	if c.Onset.Status != evidence.Found || at < quiet || end-at < 1 {
		return false
	}
	well := c.Target.Compose(0, c.Run.Window(at))
	before, all := sumUntil(resent, at), sumUntil(resent, end)
	return before >= least && well.Failed <= harm*well.Attempts && (all-before)/(end-at) <= more*before/at
}

// observeLink asks whether network interfaces on the way began to drop packets at the onset.
func observeLink(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	begin := c.At
	if c.Onset.Status == evidence.Found {
		begin -= max(0, c.Onset.EventDelay) // requests that waited were lost before they failed
	}
	for _, r := range c.Run.Resources {
		m := r.Metric
		if m.Name != probe.NICDrops && m.Name != probe.QdiscDrops || r.Counter == nil || m.Instance == "lo" ||
			m.Host != evidence.LocalHost && !c.Run.SpeaksFor(m, h) && !slices.Contains(c.Routers, m.Host) && !passesOn(c, m.Host) {
			continue
		}
		what := "a network interface"
		if m.Name == probe.QdiscDrops {
			what = "the queue before a network interface"
		}
		if n := r.Counter.Between(begin-1, c.At+2); n >= 3 && begin >= 3 && r.Counter.Between(0, begin-1) == 0 {
			f.SetAt(evidence.LinkDropped, evidence.Yes, c.At, "kernel counters of "+m.Host, "%s of %s dropped %s, none before", what, m.Host, format.Counted(n, "packet"))
			return
		}
	}
}

// passesOn reports whether a host that the profile names for the target neither serves it nor runs a
// watched process: then it may forward packets between those that do.
func passesOn(c *evidence.Case, host string) bool {
	runs := slices.ContainsFunc(c.Run.Resources, func(r *evidence.Resource) bool { return r.Metric.Host == host && r.Metric.PID != 0 })
	return !runs && slices.Contains(c.Target.Info.Hosts, host) && !slices.ContainsFunc(c.Hops, func(h evidence.Hop) bool { return h.Has(host) })
}
