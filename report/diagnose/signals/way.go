package signals

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// observeWay asks where the waiting ends: at this hop, and where in it, or behind it.
func observeWay(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	s := c.StepAt(h)
	if s == nil || c.Way.Culprit == nil {
		return
	}
	const src = "sockets"
	text := s.Text()
	if s != c.Way.Culprit {
		if s.Role == report.RoleVictim {
			f.Set(evidence.WaitsBehind, evidence.Yes, src, "%s", text)
		}
		return
	}
	f.Set(evidence.WaitsBehind, evidence.No, src, "%s", text)
	clues := map[report.Stand]evidence.Clue{
		report.StandsInside: evidence.StandsInside, report.StandsNotAccepted: evidence.StandsQueued, report.StandsPool: evidence.StandsPooled,
		report.StandsNoProcessor: evidence.StandsUnprocessed, report.StandsOnDisk: evidence.StandsOnDisk,
		report.StandsStill: evidence.StandsStopped, report.StandsNetwork: evidence.StandsBetween,
	}
	x, known := clues[s.State]
	switch {
	case s.Worst == nil:
		x = evidence.StandsUnwatched
		if len(c.Way.Walked) > 1 {
			text = c.Way.Walked[len(c.Way.Walked)-2].Text()
		}
	case !known:
		return
	case x == evidence.StandsPooled && evidence.IsProxy(s.Hop.Process):
		x = evidence.ProxyPooled
	case s.State == report.StandsInside && s.Stuck():
		x = evidence.StandsStuck
	}
	f.SetAt(x, evidence.Yes, c.Way.From, src, "%s", text)
	if s.Now.Locked >= 1 {
		f.Set(evidence.SaysLocked, evidence.Yes, "processes of "+h.Host, "%s", text)
	}
}
