package passage

import (
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/format"
)

// Unreached looks between a hop and the one before it, where that one says that connections do not come
// up. Its status then says just that, and not that another hop answered.
func Unreached(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	said := f[evidence.SaysUnreached].Is == evidence.Yes || f[evidence.Unanswered].Is == evidence.Yes
	stands := f[evidence.StandsUnreached].Is == evidence.Yes || f[evidence.StandsBetween].Is == evidence.Yes || f[evidence.StandsNewOnly].Is == evidence.Yes
	if said && h.Index > 0 {
		f[evidence.Answered], f[evidence.SomeTimeouts], f[evidence.OnlyTimeouts] = evidence.Fact{}, evidence.Fact{}, evidence.Fact{}
		if h.Station != nil {
			tellDropped(c, f, h, kernels.DroppedBehind(c, h.Station.Port), c.Fives())
		}
	}
	if stands {
		observeHalfOpen(c, f)
	}
	if f[evidence.RetransBegan].Is == evidence.Yes && evidence.IsProxy(h.Process()) && c.Statuses[502]+c.Statuses[504] >= 0.9*c.Parts.Failed {
		// It answers the same for requests that are lost on its way, or late.
		f[evidence.Answered], f[evidence.OnlyTimeouts] = evidence.Fact{}, evidence.Fact{}
	}
	if said || stands || h.Index == 0 && f[evidence.SomeTimeouts].Is == evidence.Yes {
		observeInsertFailed(c, f)
	}
}

// observeHalfOpen asks whether connections that do not come up had reached the next hop's kernel, which
// holds them half open: its SYN-ACKs do not get back, or too late.
func observeHalfOpen(c *evidence.Case, f *evidence.Facts) {
	const few = 3
	w := c.Way
	if w == nil || w.Culprit == nil || w.Culprit.To == nil || !(w.Culprit.To.Connecting >= 1) {
		return
	}
	for _, r := range c.Run.Resources {
		m := r.Metric
		if m.Name != probe.SynRecv || m.Process != "" || !slices.Contains(w.Culprit.To.Hop.Hosts(), m.Host) {
			continue
		}
		most, before := 0.0, 0.0
		for i, at := range r.At {
			switch {
			case at < c.From-1:
				before = max(before, r.Value[i])
			case at <= c.To+1:
				most = max(most, r.Value[i])
			}
		}
		if most >= max(few, 0.2*w.Culprit.To.Connecting) && most >= few*before {
			f.SetAt(evidence.SynsArrived, evidence.Yes, c.From, "sockets of "+m.Host, "the kernel of %s held %s meanwhile: what asked for them had come, and its answers did not get back in time",
				m.Host, format.Counted(most, "half-open connection"))
			return
		}
	}
}

// observeInsertFailed asks whether connection tracking on the way refused a connection for each failed
// request, and for hardly any other, though its table had room: no free port was left to translate to.
func observeInsertFailed(c *evidence.Case, f *evidence.Facts) {
	for _, x := range c.Run.Log.Header.Hosts {
		if evidence.ServesOther(c, x.Name) {
			continue
		}
		p := gather.PerRequest(c, x.Name, probe.ConntrackInsertFail)
		if tracking(c, x.Name) >= 0.9 || !p.Known() || p.Failed < gather.MostTimes || p.Failed-2*p.ErrFail < gather.Seldom || p.Failed < 2*p.Ok {
			continue
		}
		f.Set(evidence.InsertFailed, evidence.Yes, "kernel counters of "+x.Name,
			"connection tracking of %s had room, and refused %.1f new connections for each failed request: it had no port to translate them to", x.Name, p.Failed)
		return
	}
}
