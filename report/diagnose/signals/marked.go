package signals

import (
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/says"
)

// observeSaidDown asks whether a proxy says that it had no server for failed requests because its health
// checks failed, while none of the servers ended. Where the checks timed out, requests passed on around
// that time must have been served: otherwise the servers were slow, and checks waited like requests.
func observeSaidDown(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	i := h.Index + 1
	if f[evidence.OutOfUse].Is == evidence.Yes || i >= len(c.Hops) || c.Hops[i].Assumed || !evidence.IsProxy(h.Process()) || len(kernels.Deaths(c, c.Hops[i])) > 0 {
		return
	}
	var refused, check *evidence.Heard
	for k := range c.Heard {
		x := &c.Heard[k]
		if x.Line == nil || x.Line.Replied() || x.Meaning != says.NoServer {
			continue
		}
		if at, ok := gather.Speaker(c, x.Line.Line); !ok || at != h.Index {
			continue
		}
		switch {
		case x.Line.By == "id" && x.Share >= 0.5:
			refused = x
		case says.BadCheck(x.Line.Text), says.LateCheck(x.Line.Text) && servedAround(c, x.Line.First):
			check = x
		}
	}
	if refused == nil || check == nil {
		return
	}
	f.SetAt(evidence.OutOfUse, evidence.Yes, refused.Line.First, refused.Source, "%s, and no process of %s ended", refused.Text, c.Hops[i].Place())
	f.SetAt(evidence.TroubleBefore, evidence.Yes, check.Line.First, check.Source, "%s", check.Text)
}

// servedAround reports whether, of the requests sent around a time, hardly any waited and then failed.
func servedAround(c *evidence.Case, at float64) bool {
	const before, after, few = 5.0, 1.0, 0.02 // seconds; of those that were served
	first, last := c.Run.Window(max(at-before, 0)), c.Run.Window(at+after)
	served := evidence.Sum(c.Target.Ok[min(first, last):last])
	waited := 0.0
	for _, x := range c.Failures {
		if took := (x.End - x.Start).Seconds(); x.Start.Seconds() > at-before && x.Start.Seconds() < at+after && took >= lateFor(c) {
			waited++
		}
	}
	return served > 0 && waited <= max(3, few*served)
}
