package signals

import (
	"math"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/format"
)

// AssumeUpstream adds the hop that gateway statuses are about, where the profile names none behind the
// first host.
func AssumeUpstream(c *evidence.Case) {
	_, late := evidence.LateRefusals(c)
	late = late && !kernels.WatchesProcess(c, c.Hops[0]) // a service that is no proxy refuses by itself
	if len(c.Hops) == 1 && (c.Status(502)+c.Status(504) >= 0.5 || late && c.Status(503) >= 0.5) && c.ProxyProcess(c.Hops[0]) == "" {
		c.Hops = append(c.Hops, evidence.Hop{Index: 1, Assumed: true})
	}
	for _, x := range c.Heard {
		if x.Share < 0.5 {
			continue
		}
		last := c.Hops[len(c.Hops)-1]
		index, ok := gather.About(c, x)
		switch {
		case ok || last.Assumed:
		case x.Line != nil && c.Run.Watches(x.Line.Host) && !slices.ContainsFunc(c.Hops, func(h evidence.Hop) bool { return h.Has(x.Line.Host) }):
			// Its log shows that requests come to it.
			c.Hops = append(c.Hops, evidence.Hop{Index: len(c.Hops), Host: x.Line.Host})
		case index == len(c.Hops) && x.Of == says.Behind && c.ProxyProcess(last) == "":
			c.Hops = append(c.Hops, evidence.Hop{Index: len(c.Hops), Assumed: true})
		}
	}
}

// observeInner asks whether the hosts behind a proxy had resources left when the proxy failed.
func observeInner(c *evidence.Case, f *evidence.Facts) {
	seen, full := false, ""
	for _, r := range c.Run.Resources {
		for _, h := range c.Hops[1:] {
			if r.Metric.Host != h.Host || r.Metric.Process == "" || r.Share == nil {
				continue
			}
			seen = true
			if r.Full != nil && r.Full.At <= c.At+1 {
				full = r.Describe()
			}
		}
	}
	switch {
	case full != "":
		f.Set(evidence.UpstreamIdle, evidence.No, "probe of "+c.Hops[1].Host, "%s", full)
	case seen:
		f.Set(evidence.UpstreamIdle, evidence.Yes, "probe of "+c.Hops[1].Host, "%s", "the hosts behind the proxy had room")
	}
}

// observePassing asks whether the traffic that reaches the host behind a proxy goes on growing with the
// load after the onset. If not, the proxy itself refuses the rest.
func observePassing(c *evidence.Case, f *evidence.Facts) {
	if c.Onset.Status != evidence.Found || c.Hops[1].Assumed {
		return
	}
	from, to := c.Onset.At.High, c.Run.RampEnd()
	more := c.Run.LoadAt(to-1)/c.Run.LoadAt(from+1) - 1
	if to-from < 4 || more < 0.1 {
		return
	}
	var early, late float64
	for _, r := range c.Run.Resources {
		if m := r.Metric; m.Name != probe.NetReceived || m.Host != c.Hops[1].Host || m.Instance == "lo" {
			continue
		}
		early += r.Growth(from, from+2)
		late += r.Growth(to-2, to)
	}
	if early == 0 || math.IsNaN(early+late) {
		return
	}
	f.Set(evidence.PassedOn, evidence.When((late/early-1)/more, 0.3, 0.6), "probe of "+c.Hops[1].Host, "load grew by %s from the onset on, what %s received by %s",
		format.Percent(more), c.Hops[1].Host, format.Percent(max(0, late/early-1)))
}
