package moment

import (
	"fmt"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/format"
)

// observePart asks whether a filter dropped packets of connections that went on, as most retransmissions
// passed. A rule that shuts a client out drops these too, and a rule for new connections drops no other
// packets. Where only handshakes are retransmitted, these decide.
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

// mostTries is how many packets of one handshake can be lost at most: by default Linux sends a SYN seven
// times (tcp_syn_retries 6) and a SYN-ACK six times (tcp_synack_retries 5).
const mostTries = 13

// handshakesPassed says in words what shows that dropped packets of handshakes passed when they were sent
// again; empty where nothing does. A client that has given up resets a half-open connection when its
// SYN-ACK arrives late. If the client is patient, connections come up, and far more packets were dropped
// than the failed handshakes can have had.
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
