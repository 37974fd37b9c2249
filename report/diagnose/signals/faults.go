// Package signals answers the clues (evidence.Clue) from the recording of a run, each with what was
// seen. The rules in package causes weigh the answers.
package signals

import (
	"fmt"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/course"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/moment"
	"github.com/rampload/rampload/report/diagnose/passage"
	"github.com/rampload/rampload/report/diagnose/stored"
	"github.com/rampload/rampload/report/format"
)

// Observe answers all clues for one hop. Only for the first hop has the client a view of its own; of
// the hops behind a proxy it sees statuses.
func Observe(c *evidence.Case, h evidence.Hop) *evidence.Facts {
	f := &evidence.Facts{}
	course.Observe(c, f, h)
	if h.Index == 0 {
		observeFaults(c, f)
		observeConnections(c, f)
	} else {
		fives := c.Fives() / max(c.Parts.Failed, 1)
		f.Set(evidence.BadGateway, evidence.When(fives, 0.2, 0.5), "client", "%s of the failures were 5xx over connections without a fault", format.Percent(fives))
		f.Set(evidence.GatewayTimeout, f.StatusShare(c, 504), "client", "%s of failed requests were answered %s", format.Percent(c.Status(504)), c.Answered(504))
		f.Set(evidence.WaitedInVain, evidence.When(c.Status(504), 0.5, 0.9), "client", "%s", f[evidence.GatewayTimeout].Text)
		f.Set(evidence.ShedStatus, f.StatusShare(c, 503), "client", "%s of failed requests were answered %s", format.Percent(c.Status(503)), c.Answered(503))
		if fours := c.Fours(); fours >= 3 && fours >= 0.02*c.Parts.Failed {
			f.Set(evidence.EarlyStatus, evidence.Yes, "client", "%s answers with a 4xx status came beside the 5xx", format.Number(fours))
		}
		if fives > 0.5 {
			observeIdle(c, f, evidence.GatewayFault)
			if f[evidence.IdleGap].Is == evidence.No {
				f[evidence.IdleGap] = evidence.Fact{} // the gateway's own connections may have been idle longer
			}
		}
	}
	if h.Index == 0 && len(c.Hops) > 1 {
		observeInner(c, f)
		observePassing(c, f)
	}
	observeWire(c, f, h)
	passage.Elsewhere(c, f, h)
	observeProcesses(c, f, h)
	observePods(c, f, h)
	observeNeighbours(c, f, h)
	observeDeparture(c, f, h)
	if f[evidence.SentNone].Is == evidence.Yes && f[evidence.LivePacket].Is == evidence.Yes {
		f[evidence.Relayed] = evidence.Fact{Is: evidence.Yes, Source: f[evidence.LivePacket].Source, Text: f[evidence.LivePacket].Text + ", and not of " + h.Host}
	}
	if f[evidence.AtOnce].Is == evidence.Yes && f[evidence.SentLinger].Is == evidence.Yes && f[evidence.Died].Is == evidence.No {
		f[evidence.AbortedAtOnce] = f[evidence.AtOnce]
	}
	observeHost(c, f, h)
	passage.Dropped(c, f, h)
	observeSaid(c, f, h)
	observeAnswers(c, f, h)
	if h.Index == 0 {
		observeSizes(c, f)
	}
	lacked := f[evidence.DescriptorsFull].Is == evidence.Yes || f[evidence.ProcessorBusy].Is == evidence.Yes || f[evidence.ThreadsFull].Is == evidence.Yes || f[evidence.Died].Is == evidence.Yes
	if f[evidence.SentUnread].Is == evidence.Yes && f[evidence.RisesWithLoad].Is != evidence.Yes && !lacked &&
		c.Parts.Failed-c.Parts.Fault[attack.Timeout] < 0.1*(c.Parts.Idle+c.Parts.Wire) { // nearly every request had its answer, or was not waited for
		f[evidence.UnreadThroughout] = f[evidence.SentUnread]
	}
	observeStanding(c, f, h)
	passage.Unreached(c, f, h)
	observeTaken(c, f, h)
	observeReach(c, f, h)
	observeSaidDown(c, f, h)
	observeReplies(c, f, h)
	observeLateAnswers(c, f, h)
	observeRestingEnds(c, f, h)
	moment.Observe(c, f, h)
	stored.Observe(c, f, h)
	if f[evidence.OneKindAlways].Is == evidence.Yes && f[evidence.OwnError].Is == evidence.Yes && f[evidence.WroteStatus].Is == evidence.Yes && h.Index == gather.FirstService(c) && nothingBehind(c, h) {
		f[evidence.ErrsItself] = f[evidence.OneKindAlways]
	}
	return f
}

func observeFaults(c *evidence.Case, f *evidence.Facts) {
	p := c.Parts
	if p.Failed < 5 && p.Restless() {
		text := format.Counted(p.Idle, "reset") + " of connections without a request in flight"
		f.Set(evidence.MostlyResets, evidence.Yes, "client", "%s", text)
		f.Set(evidence.SomeResets, evidence.Yes, "client", "%s", text)
		// An answer that the profile expects may be an early one too.
		fours := c.Fours()
		f.Set(evidence.EarlyStatus, evidence.IsTrue(fours >= 3 && fours >= 0.5*p.Idle), "client", "%s answers with a 4xx status came beside the resets", format.Number(fours))
		return
	}
	if p.Failed == 0 {
		return
	}
	resets := p.Share(attack.Reset, attack.BrokenPipe) + p.EofWithReset/p.Failed
	if resets > 1 {
		resets = 1
	}
	ends := max(0, p.Share(attack.EOF)-p.EofWithReset/p.Failed)
	timeouts := p.Share(attack.Timeout)
	f.Set(evidence.MostlyResets, evidence.When(resets, 0.2, 0.5), "client", "%s of the failures were resets", format.Percent(resets))
	f.Set(evidence.SomeResets, evidence.When(resets, 0.005, 0.05), "client", "%s of the failures were resets", format.Percent(resets))
	f.Set(evidence.MostlyEOF, evidence.When(ends, 0.2, 0.5), "client", "%s of the failures were closed without a reset", format.Percent(ends))
	f.Set(evidence.SomeEOF, evidence.When(ends, 0.01, 0.1), "client", "%s of the failures were closed without a reset", format.Percent(ends))
	f.Set(evidence.SomeRefused, evidence.When(p.Share(attack.Refused), 0.005, 0.05), "client", "%s of the failures were refused connections", format.Percent(p.Share(attack.Refused)))
	f.Set(evidence.SomeTimeouts, evidence.When(timeouts, 0.005, 0.05), "client", "%s of the failures were timeouts", format.Percent(timeouts))
	f.Set(evidence.OnlyTimeouts, evidence.IsTrue(timeouts >= 0.9 && p.Wire <= 0.02*p.Failed), "client", "%s of the failures were timeouts, without resets", format.Percent(timeouts))
	vain := (p.Cell[attack.Timeout][attack.PhaseTLS] + p.Cell[attack.Timeout][attack.PhaseAwait] + p.Cell[attack.Timeout][attack.PhaseBody]) / p.Failed
	inVain := "answers that did not come in time"
	if c.Accepted() {
		inVain = "transactions that were not done in time"
	}
	f.Set(evidence.WaitedInVain, evidence.When(vain+c.Status(504), 0.5, 0.9), "client", "%s of the failures were %s", format.Percent(vain+c.Status(504)), inVain)
	f.Set(evidence.StreamResets, evidence.When(p.Share(attack.HTTP2Reset), 0.05, 0.5), "client", "%s of the failures were HTTP/2 stream resets", format.Percent(p.Share(attack.HTTP2Reset)))
	ended := p.Share(attack.HTTP2GoAway)
	if seen := p.Fault[attack.HTTP2GoAway]; agedOut(c) == 0 && (seen == 0 || seen >= 10 && seen >= 0.005*p.Attempts) {
		// A few requests that cross a graceful close are no abort, nor is a close at an age.
		f.Set(evidence.GoneAway, evidence.When(ended, 0.05, 0.5), "client", "%s of the failures were requests on HTTP/2 connections that the server ended (GOAWAY)", format.Percent(ended))
	}
	f.Set(evidence.TlsFaults, evidence.When(p.Share(attack.TLS), 0.05, 0.5), "client", "%s of the failures were TLS handshakes", format.Percent(p.Share(attack.TLS)))
	fives := c.Fives() / p.Failed
	f.Set(evidence.BadGateway, evidence.When(fives, 0.2, 0.5), "client", "%s of the failures were 5xx over connections without a fault", format.Percent(fives))
	f.Set(evidence.GatewayTimeout, f.StatusShare(c, 504), "client", "%s of failed requests were answered %s", format.Percent(c.Status(504)), c.Answered(504))
	f.Set(evidence.RateStatus, f.StatusShare(c, 429), "client", "%s of the failures were answered %s", format.Percent(c.Status(429)), c.Answered(429))
	f.Set(evidence.ShedStatus, f.StatusShare(c, 503), "client", "%s of the failures were answered %s", format.Percent(c.Status(503)), c.Answered(503))
	f.Set(evidence.OwnError, f.StatusShare(c, 500), "client", "%s of the failures were answered %s", format.Percent(c.Status(500)), c.Answered(500))
	f.Set(evidence.SlowRequest, f.StatusShare(c, 408), "client", "%s of the failures were answered 408: the request did not arrive in time", format.Percent(c.Status(408)))
	fours := c.Fours()
	f.Set(evidence.EarlyStatus, evidence.IsTrue(fours >= 3 && fours >= 0.02*p.Failed), "client", "%s answers with a 4xx status came beside the resets", format.Number(fours))

	early := p.Cell[attack.Reset][attack.PhaseDial] / p.Failed
	f.Set(evidence.DialResets, evidence.When(early, 0.05, 0.5), "client", "%s of the failures were resets while connecting", format.Percent(early))
	dialling := p.Cell[attack.Timeout][attack.PhaseDial] / p.Failed
	f.Set(evidence.DialTimeouts, evidence.When(dialling, 0.05, 0.5), "client", "%s of the failures were timeouts while connecting", format.Percent(dialling))
	if dialling >= 0.05 {
		waiting := (p.Cell[attack.Timeout][attack.PhaseAwait] + p.Cell[attack.Timeout][attack.PhaseWrite]) / p.Failed
		f.Set(evidence.Unserved, evidence.When(waiting, 0.005, 0.03), "client", "%s of the failures were timeouts of connections that had come up", format.Percent(waiting))
	}
	phase := func(name string, ph ...attack.Phase) (float64, string) {
		n := 0.0
		for _, x := range ph {
			n += p.Phase[x]
		}
		s := n / p.Failed
		return s, fmt.Sprintf("%s of the failures came %s", format.Percent(s), name)
	}
	for _, x := range []struct {
		clue    evidence.Clue
		no, yes float64
		name    string
		phases  []attack.Phase
	}{
		{evidence.InDial, 0.1, 0.5, "while connecting", []attack.Phase{attack.PhaseDial, attack.PhaseDNS}},
		{evidence.InTLS, 0.1, 0.5, "in the TLS handshake", []attack.Phase{attack.PhaseTLS}},
		{evidence.InWrite, 0.03, 0.15, "while the request was being written", []attack.Phase{attack.PhaseWrite}},
		{evidence.InAwait, 0.1, 0.5, "while waiting for the response", []attack.Phase{attack.PhaseAwait}},
		{evidence.InBody, 0.1, 0.5, "in the middle of the response", []attack.Phase{attack.PhaseBody}},
	} {
		share, text := phase(x.name, x.phases...)
		if c.Accepted() {
			text = "" // work that was accepted and is done later has no phases
		}
		f.Set(x.clue, evidence.When(share, x.no, x.yes), "client", "%s", text)
	}
}
