package moment

import (
	"fmt"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/format"
)

// observePart asks whether a filter dropped packets of connections that went on, and what was
// sent again mostly passed: a rule that shuts somebody out drops that too, and one for new
// connections drops nothing else. Where nothing but handshakes is sent again, they tell.
func observePart(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	is := func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }
	if !is(evidence.FilterDropped) || is(evidence.ExcessFails) || is(evidence.ConntrackInvalid) || is(evidence.IdleGap) {
		return
	}
	passed := ""
	switch again := f[evidence.LostRetransmits]; {
	case f[evidence.SynsLost].Is == evidence.No && again.Text != "" && again.Is != evidence.Yes:
		passed = again.Text
	case is(evidence.SynsLost) && h.Index == 0:
		passed = handshakesPassed(c, h)
	}
	if passed != "" {
		f.Set(evidence.DroppedInPart, evidence.Yes, f[evidence.FilterDropped].Source, "%s; %s: most of what was sent again passed", f[evidence.FilterDropped].Text, passed)
	}
}

// mostTries is how many packets of one handshake can be lost at most: the kernel sends a SYN
// seven times and a SYN-ACK six times.
const mostTries = 13

// handshakesPassed says by what it is known that parts of handshakes which a filter dropped
// passed when they were sent again; empty where it is not known. A client that has given up
// resets the half-open connection whose SYN-ACK reaches it late; one that is patient comes up,
// and then far more was dropped than the handshakes that failed consist of.
func handshakesPassed(c *evidence.Case, h evidence.Hop) string {
	const few = 10
	failed := c.Parts.Cell[attack.Timeout][attack.PhaseDial]
	again, known := kernels.Counted(c, h, probe.SynRetrans)
	if !known || again < few {
		return ""
	}
	all := kernels.DroppedToTarget(c)
	answers, _ := kernels.SumDropped(all, func(v kernels.Dropped) bool { return v.Filtered() && v.Packet == "SYN-ACK" })
	opens, _ := kernels.SumDropped(all, func(v kernels.Dropped) bool { return v.Filtered() && v.Packet == "SYN" })
	late, _ := kernels.Counted(c, h, probe.EmbryonicRsts)
	switch {
	case answers >= few && late >= 0.5*again:
		return fmt.Sprintf("%s of %s that were sent again reached clients which had given up, and reset them", format.Number(min(late, again)), format.Counted(again, "SYN-ACK"))
	case opens+answers >= few && opens+answers > mostTries*failed:
		return fmt.Sprintf("%s and no more did not come up", format.Counted(failed, "connection"))
	}
	return ""
}
