package signals

import (
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/says"
)

// observeSaidDown asks whether a proxy says that it had no server for failed requests, and
// that it took the servers out for what they answered to its checks, while none of them
// ended: they were there to be asked. Where they answered its checks too late, requests that
// were passed on must have been served: checks wait behind these.
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
		case says.BadCheck(x.Line.Text), says.LateCheck(x.Line.Text) && c.Status(502)+c.Status(503) >= 0.95:
			check = x
		}
	}
	if refused == nil || check == nil {
		return
	}
	f.SetAt(evidence.OutOfUse, evidence.Yes, refused.Line.First, refused.Source, "%s, and no process of %s ended", refused.Text, c.Hops[i].Place())
	f.SetAt(evidence.TroubleBefore, evidence.Yes, check.Line.First, check.Source, "%s", check.Text)
}
