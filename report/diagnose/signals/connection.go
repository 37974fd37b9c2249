package signals

import (
	"fmt"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

func observeConnections(c *evidence.Case, f *evidence.Facts) {
	p := c.Parts
	f.Set(evidence.Loopback, evidence.IsTrue(c.Loopback), "client", "the target is on this machine: nothing lies between")
	// Which connections fail, compared with how many of each kind there were.
	beyond := p.Reused + p.Fresh
	if beyond >= 5 {
		allReused, allFresh := p.OkReused+p.Reused, p.OkFresh+p.Fresh
		rate := beyond / max(1, allReused+allFresh)
		if expected := rate * allFresh; expected >= 5 || p.Fresh > 0 {
			f.Set(evidence.ReusedOnly, evidence.When(-p.Fresh/max(expected, 1), -0.3, -0.05), "client",
				"%s of %s failures hit reused connections, %s fresh ones", format.Number(p.Reused), format.Number(beyond), format.Number(p.Fresh))
		}
		if expected := rate * allReused; expected >= 5 || p.Reused > 0 {
			f.Set(evidence.FreshOnly, evidence.When(-p.Reused/max(expected, 1), -0.3, -0.05), "client",
				"%s of %s failures hit fresh connections", format.Number(p.Fresh), format.Number(beyond))
		}
	}
	observeIdle(c, f, evidence.ConnectionFault)
	observePeerCloses(c, f)
	var valid, again float64
	for _, x := range c.Failures {
		if x.Info.Valid {
			valid++
			if x.Info.TotalRetrans > 0 || x.Info.Retransmits > 0 || x.Info.Lost > 0 {
				again++
			}
		}
	}
	observeGaps(c, f)
	if valid >= 5 {
		f.Set(evidence.Retransmitted, evidence.When(again/valid, 0.05, 0.3), "client", "%s of the failed connections had retransmitted", format.Percent(again/valid))
	}
}

// observeGaps asks whether answers that timed out had arrived in part, without their beginning. Kernels
// before 5.4 do not tell, so that no such answer is not "No".
func observeGaps(c *evidence.Case, f *evidence.Facts) {
	var waited, gaps float64
	for _, x := range c.Failures {
		if x.Fault == attack.Timeout && x.Info.Valid && evidence.ConnectionFault(x) {
			waited++
			if x.Info.OutOfOrder > 0 {
				gaps++
			}
		}
	}
	if waited >= 5 && gaps >= 0.3*waited {
		f.Set(evidence.GapUnfilled, evidence.Yes, "client", "%s of %s answers that timed out had arrived in part: later segments came, those before them never did", format.Number(gaps), format.Number(waited))
	}
}

// observePeerCloses asks whether the other end closed idle connections with a FIN: then it has an idle
// timeout of its own. A device on the path that forgets connections sends nothing.
func observePeerCloses(c *evidence.Case, f *evidence.Facts) {
	open := 0.0
	for i := len(c.Target.Windows) - 1; i >= 0 && open == 0; i-- {
		open = float64(c.Target.Windows[i].Open)
	}
	p := c.Target.Total
	dials := 0.0
	for _, w := range c.Target.Windows {
		dials += float64(w.Dials)
	}
	broken := p.Failed - p.Fault[attack.Status] - p.Fault[attack.HTTP2Reset]
	failed := map[uint64]bool{}
	for _, x := range c.Failures {
		if x.Phase != attack.PhaseIdle {
			failed[x.Conn.ID] = true
		}
	}
	for _, x := range c.Failures {
		if x.Phase == attack.PhaseIdle && !failed[x.Conn.ID] {
			broken++ // reset while idle, and not after a failed request
		}
	}
	quiet := dials - broken - open
	if dials < 8 || broken < 4 || p.OkReused < 0.1*p.Ok {
		return
	}
	f.Set(evidence.PeerCloses, evidence.When(quiet/broken, 0.02, 0.1), "client", "of %s connections, %s broke, %s were open at the end, and %s had been closed in good order",
		format.Number(dials), format.Number(broken), format.Number(open), format.Number(max(0, quiet)))
}

// observeIdle asks whether requests fail on connections that had been idle longer than some time, as an
// idle timeout of the peer or of the path makes them.
func observeIdle(c *evidence.Case, f *evidence.Facts, counts func(*attack.Failure) bool) {
	var gaps []float64
	all := 0.0
	for _, x := range c.Failures {
		if !counts(x) {
			continue
		}
		all++
		if x.Conn.Reused {
			gaps = append(gaps, x.Conn.Idle.Seconds())
		}
	}
	if len(gaps) < 4 || float64(len(gaps)) < 0.8*all {
		if all >= 4 {
			f.Set(evidence.IdleGap, evidence.No, "client", "failures hit connections that had not rested")
		}
		return
	}
	at := evidence.QuantileOf(gaps, 0.05)
	if least := slices.Min(gaps); least >= 0.8*at {
		at = least // without stray failures
	}
	long := evidence.QuantileOf(gaps, 0.95)
	var below, above float64
	for _, b := range c.IdleAge {
		// The value of a bucket is its upper bound, in milliseconds.
		if float64(b.Value)/1000 >= at {
			above += float64(b.Count)
		} else {
			below += float64(b.Count)
		}
	}
	failedBelow := 0.0
	for _, g := range gaps {
		if g < at {
			failedBelow++
		}
	}
	failedAbove := float64(len(gaps)) - failedBelow
	rateAbove := failedAbove / (failedAbove + above)
	rateBelow := (failedBelow + 0.5) / (failedBelow + below + 1)
	text := fmt.Sprintf("failed connections had rested %s; of those that had rested so long %s failed, of the others %s",
		words.SecondsTo(at, long), format.Percent(rateAbove), format.Percent(failedBelow/max(1, failedBelow+below)))
	switch {
	case at >= 0.02 && rateAbove >= 0.02 && rateAbove >= 8*rateBelow && below+above >= 10:
		f.Set(evidence.IdleGap, evidence.Yes, "client", "%s", text)
		c.IdleFrom = at
		// A peer that closes leaves no older connections; a path that forgets them does.
		f.Set(evidence.IdleTight, evidence.When(-(long-at)/at, -0.5, -0.2), "client", "failed connections had rested %s", words.SecondsTo(at, long))
	case rateAbove < 3*rateBelow && below+above >= 10:
		f.Set(evidence.IdleGap, evidence.No, "client", "failures do not depend on how long a connection had rested")
	default:
		f.Set(evidence.IdleGap, evidence.Unknown, "client", "%s", text)
	}
}
