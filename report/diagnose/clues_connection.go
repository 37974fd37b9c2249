package diagnose

import (
	"fmt"
	"slices"

	"github.com/rampload/rampload/attack"
)

func (c *investigation) observeConnections(f *facts) {
	p := c.parts
	f.set(loopback, isTrue(c.loopback), "client", "the target is on this machine: nothing lies between")
	// Which connections fail, held against how many of each kind there were.
	beyond := p.reused + p.fresh
	if beyond >= 5 {
		allReused, allFresh := p.okReused+p.reused, p.okFresh+p.fresh
		rate := beyond / max(1, allReused+allFresh)
		if expected := rate * allFresh; expected >= 5 || p.fresh > 0 {
			f.set(reusedOnly, when(-p.fresh/max(expected, 1), -0.3, -0.05), "client",
				"%s of %s failures hit reused connections, %s fresh ones", commas(p.reused), commas(beyond), commas(p.fresh))
		}
		if expected := rate * allReused; expected >= 5 || p.reused > 0 {
			f.set(freshOnly, when(-p.reused/max(expected, 1), -0.3, -0.05), "client",
				"%s of %s failures hit fresh connections", commas(p.fresh), commas(beyond))
		}
	}
	c.observeIdle(f, connectionFault)
	c.observePeerCloses(f)
	var valid, again float64
	for _, x := range c.failures {
		if x.Info.Valid {
			valid++
			if x.Info.TotalRetrans > 0 || x.Info.Retransmits > 0 || x.Info.Lost > 0 {
				again++
			}
		}
	}
	c.observeGaps(f)
	if valid >= 5 {
		f.set(retransmitted, when(again/valid, 0.05, 0.3), "client", "%s of the failed connections had retransmitted", percent(again/valid))
	}
}

// observeGaps asks whether answers that timed out had arrived in part, with their
// beginning missing. Kernels before 5.4 do not tell, so that none is no answer.
func (c *investigation) observeGaps(f *facts) {
	var waited, gaps float64
	for _, x := range c.failures {
		if x.Fault == attack.Timeout && x.Info.Valid && connectionFault(x) {
			waited++
			if x.Info.OutOfOrder > 0 {
				gaps++
			}
		}
	}
	if waited >= 5 && gaps >= 0.3*waited {
		f.set(gapUnfilled, yes, "client", "%s of %s answers that timed out had arrived in part: later segments came, those before them never did", commas(gaps), commas(waited))
	}
}

// connectionFault reports whether an established connection failed under a
// request; a stream or a status that is not expected leaves it whole.
func connectionFault(x *attack.Failure) bool {
	switch x.Fault {
	case attack.Status, attack.HTTP2Reset, attack.HTTP2GoAway:
		return false
	}
	return x.Phase != attack.PhaseIdle && x.Phase > attack.PhaseTLS && x.Fault.Failure()
}

// gatewayFault reports whether a gateway got no answer from further in. Its own
// connections rest as long as the client's do.
func gatewayFault(x *attack.Failure) bool {
	return x.Fault == attack.Status && (x.Status == 502 || x.Status == 504)
}

// observePeerCloses asks whether the other end closed connections in good order
// while they rested: then it has an idle timeout of its own, and what rests
// longer is gone before it is used again. What only forgets connections says
// nothing.
func (c *investigation) observePeerCloses(f *facts) {
	open := 0.0
	for i := len(c.t.windows) - 1; i >= 0 && open == 0; i-- {
		open = float64(c.t.windows[i].Open)
	}
	p := c.t.total
	dials := 0.0
	for _, w := range c.t.windows {
		dials += float64(w.Dials)
	}
	broken := p.failed - p.fault[attack.Status] - p.fault[attack.HTTP2Reset]
	failed := map[uint64]bool{}
	for _, x := range c.failures {
		if x.Phase != attack.PhaseIdle {
			failed[x.Conn.ID] = true
		}
	}
	for _, x := range c.failures {
		if x.Phase == attack.PhaseIdle && !failed[x.Conn.ID] {
			broken++ // reset while it rested, and not behind a failed request
		}
	}
	quiet := dials - broken - open
	if dials < 8 || broken < 4 || p.okReused < 0.1*p.ok {
		return
	}
	f.set(peerCloses, when(quiet/broken, 0.02, 0.1), "client", "of %s connections, %s broke, %s were open at the end, and %s had been closed in good order",
		commas(dials), commas(broken), commas(open), commas(max(0, quiet)))
}

// observeIdle asks whether failures befall connections that had rested longer
// than some time, as a timeout of the peer or of the path makes them.
func (c *investigation) observeIdle(f *facts, counts func(*attack.Failure) bool) {
	var gaps []float64
	all := 0.0
	for _, x := range c.failures {
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
			f.set(idleGap, no, "client", "failures hit connections that had not rested")
		}
		return
	}
	at := quantileOf(gaps, 0.05)
	if least := slices.Min(gaps); least >= 0.8*at {
		at = least // no stray among them
	}
	long := quantileOf(gaps, 0.95)
	var below, above float64
	for _, b := range c.idleAge {
		// A bucket's value is its highest, in milliseconds.
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
		secondsTo(at, long), percent(rateAbove), percent(failedBelow/max(1, failedBelow+below)))
	switch {
	case at >= 0.02 && rateAbove >= 0.02 && rateAbove >= 8*rateBelow && below+above >= 10:
		f.set(idleGap, yes, "client", "%s", text)
		c.idleFrom = at
		// A peer that closes leaves nothing older behind; a path that forgets does.
		f.set(idleTight, when(-(long-at)/at, -0.5, -0.2), "client", "failed connections had rested %s", secondsTo(at, long))
	case rateAbove < 3*rateBelow && below+above >= 10:
		f.set(idleGap, no, "client", "failures do not depend on how long a connection had rested")
	default:
		f.set(idleGap, unknown, "client", "%s", text)
	}
}

// secondsTo words a range of seconds, one number if both read the same.
func secondsTo(low, high float64) string {
	x, y := wordSeconds(low), wordSeconds(high)
	if x == y {
		return x
	}
	return x + " to " + y
}
