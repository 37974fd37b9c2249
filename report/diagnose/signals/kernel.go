package signals

import (
	"math"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/passage"
	"github.com/rampload/rampload/report/diagnose/saturation"
	"github.com/rampload/rampload/report/format"
)

func observeWire(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	v := kernels.WatchWire(c, h, c.From, c.To)
	c.Wires = append(c.Wires, v)
	host := h.Host
	src := "kernel of " + host
	// A refusal is a reset too: of a kernel without a listener at the port, or of a filter.
	resets := c.Parts.Wire
	if refused := c.Parts.Fault[attack.Refused]; resets >= 3 || refused >= 8 {
		resets += refused
	}
	if h.Index > 0 {
		resets = v.Sent
	}
	if h.Index > 0 && v.Traced && v.Sent >= 3 && c.Parts.Failed >= 3 {
		matched, chance := kernels.MatchTimes(c, v.Times)
		is := evidence.Unknown
		switch {
		case matched >= 0.7 && 1-matched <= 0.3*(1-chance):
			is = evidence.Yes
		case matched < 0.2:
			is = evidence.No
		}
		f.Set(evidence.InnerMatch, is, src, "%s resets sent by %s; %s of the failures fell together with one", format.Number(v.Sent), host, format.Percent(matched))
		observeMarks(c, f, src)
	}
	if h.Index > 0 {
		observeCaller(c, f, h, v)
	}
	if v.Traced {
		share := func(x evidence.Clue, least float64, reasons []string, wording string) {
			if v.Sent == 0 {
				return
			}
			n := v.Part(reasons...) * v.Sent
			is := evidence.Unknown
			if v.Sent >= 3 {
				is = evidence.When(n/failed(v, resets), least/4, least)
			}
			f.Set(x, is, src, "%s of %s resets sent by %s: %s", format.Number(n), format.Number(v.Sent), host, wording)
			if is == evidence.Yes && v.First >= 0 {
				at := v.First
				f[x].At = &at
			}
		}
		share(evidence.SentUnread, 0.2, []string{"ABORT_ON_CLOSE"}, "closed with unread data"+ByWhom(v))
		// Hardly anything else makes data arrive at a closed socket, so a smaller share counts.
		share(evidence.SentLate, 0.08, []string{"ABORT_ON_DATA"}, "data came after the process had closed")
		share(evidence.SentNoSocket, 0.2, []string{"NO_SOCKET"}, "nobody listened")
		share(evidence.SentInvalidSyn, 0.2, []string{"INVALID_SYN"}, "the listener refused the handshake")
		if v.Sent >= 3 {
			n := 0.0
			for s, k := range v.States {
				if strings.HasPrefix(s, "FLAGS") && strings.HasSuffix(s, "LISTEN") {
					n += k
				}
			}
			f.Set(evidence.SentFromListener, evidence.When(n/v.Sent, 0.05, 0.3), src, "%s of %s resets sent by %s: a segment of a connection that it did not know", format.Number(n), format.Number(v.Sent), host)
			if given := c.Parts.Phase[attack.PhaseBody]; h.Index == 0 && f[evidence.InBody].Is == evidence.Yes {
				// Each segment that was still on the way draws an acknowledgement for a socket that is gone.
				f.Set(evidence.StillComing, evidence.When(n/max(given, 1), 1, 3), src, "%s segments acknowledged responses that %s had given up: they still waited on the way", format.Number(n), host)
			}
			// The client's FIN after a timeout meets no socket.
			if timeouts := c.Parts.Fault[attack.Timeout]; h.Index == 0 && f[evidence.OnlyTimeouts].Is == evidence.Yes && f[evidence.InDial].Is == evidence.No {
				f.Set(evidence.Forgotten, evidence.When(n/max(timeouts, 1), 0.1, 0.5), src, "%s of %s connections that timed out were unknown to the kernel of %s, which had sent neither FIN nor RST", format.Number(min(n, timeouts)), format.Number(timeouts), host)
			}
		}
		observeAborts(c, f, v, h, resets)
		if h.Index == 0 && resets >= 3 && !v.Lost {
			f.Set(evidence.SentNone, evidence.When(-v.Sent/resets, -0.5, -0.1), src, "%s resets came in, the kernel of %s sent %s", format.Number(resets), host, format.Number(v.Sent))
		}
	} else {
		observeAbortCounters(c, f, h, resets)
		if n, ok := kernels.Counted(c, h, probe.OutRsts); ok && h.Index == 0 && resets >= 3 {
			f.Set(evidence.SentNone, evidence.When(-n/resets, -0.5, -0.1), "kernel counters of "+host, "%s resets came in, %s counted %s sent (OutRsts)", format.Number(resets), host, format.Number(n))
		}
	}
	if v.Traced || c.Run.Observed(evidence.Hop{Host: evidence.LocalHost}, evidence.SourceTrace, probe.RSTSent) {
		sent := v.Client
		f.Set(evidence.ClientSent, evidence.IsTrue(sent >= 5 && sent >= 5*max(1, v.Arrived)), "kernel of "+evidence.LocalHost, "the client's side sent %s resets and took %s", format.Number(sent), format.Number(v.Arrived))
		// A socket that was closed after it had waited in vain refuses what comes for it.
		if late := v.ClientTo["ABORT_ON_DATA"] + v.ClientTo["TIMEWAIT_SOCKET"]; f[evidence.WaitedInVain].Is == evidence.Yes && late >= 5 {
			asker := evidence.LocalHost
			if h.Index > 0 {
				asker = c.Hops[h.Index-1].Host
			}
			f.Set(evidence.CameLate, evidence.When(late/max(1, c.Parts.Failed), 0.05, 0.3), "kernel of "+asker, "%s answers came after who had asked had given up", format.Number(late))
		}
		f.Set(evidence.StrayReset, evidence.IsTrue(v.Stray >= 3 && v.Stray >= 0.2*c.Parts.Failed), "kernel of "+evidence.LocalHost, "%s segments came from addresses that were never dialled", format.Number(v.Stray))
		if v.Inbound+v.Arrived >= 5 && v.Traced {
			f.Set(evidence.BothEnds, evidence.IsTrue(v.Arrived >= 3 && v.Inbound >= 0.3*v.Arrived && v.Inbound >= 3 && v.Client < 0.5*v.Inbound), "kernel of "+host,
				"both ends took resets: %s here, %s there", format.Number(v.Arrived), format.Number(v.Inbound))
		}
	}
	if v.Captured && v.Packets >= 3 {
		src := "packets"
		if known := v.TtlOdd + v.TtlSame; known >= 3 {
			f.Set(evidence.PathTTL, evidence.When(v.TtlOdd/known, 0.1, 0.5), src, "%s of %s resets had another TTL than the connection's SYN-ACK", format.Number(v.TtlOdd), format.Number(known))
			f.Set(evidence.SameTTL, evidence.When(v.TtlSame/known, 0.5, 0.9), src, "%s of %s resets had the TTL of the connection's SYN-ACK", format.Number(v.TtlSame), format.Number(known))
		}
		f.Set(evidence.ForgedPacket, evidence.When(v.Classes["injector"]/v.Packets, 0.05, 0.5), src, "%s of %s resets are no kernel's: forged", format.Number(v.Classes["injector"]), format.Number(v.Packets))
		f.Set(evidence.LivePacket, evidence.When(v.Classes["socket-aborted"]/v.Packets, 0.1, 0.5), src, "%s of %s resets came from live sockets that were aborted", format.Number(v.Classes["socket-aborted"]), format.Number(v.Packets))
	}
}

// failed returns how many connections resets ended: one connection may draw several resets, one for each
// segment that was still on the way.
func failed(v evidence.WireView, resets float64) float64 {
	if resets >= 3 {
		return resets
	}
	return max(v.Sent, 1)
}

// ByWhom names the process that sent resets in its own context.
func ByWhom(v evidence.WireView) string {
	best, most := "", 0.0
	for name, n := range v.Senders {
		if n > most || n == most && name < best {
			best, most = name, n
		}
	}
	if best == "" {
		return ""
	}
	return " by " + best
}

// observeMarks asks whether spells of 5xx began just after hosts behind the proxy had reset
// connections: a few resets made the proxy mark them down for a while.
func observeMarks(c *evidence.Case, f *evidence.Facts, src string) {
	spells := evidence.Spells(c)
	if len(spells) < 2 || f[evidence.BadGateway].Is != evidence.Yes {
		return
	}
	var times []float64
	for _, h := range c.Hops[1:] {
		times = append(times, kernels.WatchWire(c, h, c.From, c.To).Times...)
	}
	var begun, within, long float64
	for _, x := range spells {
		before := false
		for _, t := range times {
			before = before || t >= x.From-1 && t <= x.From+0.5
			if t > x.From+0.5 && t < x.To {
				within++
			}
		}
		if before {
			begun++
		}
		long += max(0, x.To-x.From-0.5)
	}
	// A host that is marked down gets no request, and so resets no connection.
	expected := float64(len(times)) * long / max(c.To-c.From, 1)
	if all := float64(len(spells)); begun >= 0.7*all && expected >= 3 && within <= 0.2*expected {
		f.Set(evidence.MarkedDown, evidence.Yes, src, "%s of %s spells of failures began when hosts behind the proxy had just reset some of %s connections in all: it takes them for dead for a while",
			format.Number(begun), format.Number(all), format.Number(float64(len(times))))
	}
}

// observeAborts separates the two meanings of reason TCP_STATE: SO_LINGER 0,
// which also counts in TCPAbortOnData, and connections of the accept queue that
// died with their listener, which does not.
func observeAborts(c *evidence.Case, f *evidence.Facts, v evidence.WireView, h evidence.Hop, resets float64) {
	if v.Sent < 3 {
		return
	}
	p := v.Part("STATE") * v.Sent / failed(v, resets)
	src := "kernel of " + h.Host
	counted, measured := kernels.Counted(c, h, probe.AbortOnData)
	states := v.Part("STATE") * v.Sent
	linger := measured && counted >= 0.3*states
	switch {
	case p <= 0.05:
		f.Set(evidence.SentLinger, evidence.No, src, "%s", "no reset was an abort by SO_LINGER 0")
		f.Set(evidence.SentOnExit, evidence.No, src, "%s", "no reset came of a closed listener")
	case p < 0.3:
	case !measured:
		f.Set(evidence.SentLinger, evidence.Unknown, src, "%s of %s resets sent by %s: an abort (TCP_STATE)", format.Number(states), format.Number(v.Sent), h.Host)
	case linger:
		f.Set(evidence.SentLinger, evidence.Yes, src, "%s of %s resets sent by %s: aborted with SO_LINGER 0%s", format.Number(states), format.Number(v.Sent), h.Host, ByWhom(v))
		f.Set(evidence.SentOnExit, evidence.No, src, "%s", "resets were aborts of the application")
	default:
		f.Set(evidence.SentOnExit, evidence.Yes, src, "%s of %s resets sent by %s: connections that nobody had accepted when the listener closed", format.Number(states), format.Number(v.Sent), h.Host)
		f.Set(evidence.SentLinger, evidence.No, src, "%s", "no reset was an abort by SO_LINGER 0")
	}
}

// observeAbortCounters answers the same from counters, where there is no trace. The kernel counts aborts
// by kind for the whole host, as a server and as a client.
func observeAbortCounters(c *evidence.Case, f *evidence.Facts, h evidence.Hop, resets float64) {
	if resets < 5 {
		return
	}
	src := "kernel counters of " + h.Host
	if n, ok := kernels.Counted(c, h, probe.AbortOnClose); ok {
		f.Set(evidence.SentUnread, evidence.When(n/resets, 0.05, 0.5), src, "TCPAbortOnClose grew by %s: connections closed with unread data", format.Number(n))
	}
	if n, ok := kernels.Counted(c, h, probe.AbortOnData); ok {
		f.Set(evidence.SentLinger, evidence.When(n/resets, 0.05, 0.5), src, "TCPAbortOnData grew by %s: connections aborted with SO_LINGER 0 or after close", format.Number(n))
	}
}

func observeHost(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	src := "kernel counters of " + h.Host
	rises := func(x evidence.Clue, name string, least float64, wording string) {
		if n, ok := kernels.Counted(c, h, name); ok {
			f.Set(x, evidence.IsTrue(n >= least), src, wording, format.Number(n))
		}
	}
	rises(evidence.Overflowed, probe.ListenOverflows, 3, "the accept queue overflowed %s times")
	if n, ok := kernels.Counted(c, h, probe.ListenOverflows); ok && h.Index == 0 {
		waited := c.Parts.Phase[attack.PhaseDial]
		if waited >= 10 {
			f.Set(evidence.OverflowsCover, evidence.When(n/waited, 0.2, 0.6), src, "the accept queue overflowed %s times, %s connections did not come up", format.Number(n), format.Number(waited))
		}
	}
	rises(evidence.Embryonic, probe.EmbryonicRsts, 3, "%s half-open connections were reset")
	rises(evidence.AbortTimeouts, probe.AbortOnTimeout, 3, "%s connections were given up after retransmissions")
	observeInvalid(c, f)
	observeVanished(c, f, h)
	passage.Loss(c, f, h)
	observeConntrack(c, f)
	busiest := math.NaN()
	for _, r := range c.Run.Resources {
		if m := r.Metric; (m.Name == probe.ProcessCPU || m.Name == probe.CgroupCPU) && m.Host == h.Host && !evidence.GeneratorOwn(m) && !(r.Most < busiest) {
			busiest = r.Most
		}
	}
	f.Set(evidence.ProcessorBusy, evidence.When(busiest, 0.4, 0.85), "probe of "+h.Host, "the serving processes used at most %s of the processor", format.Percent(busiest))
	for _, r := range c.Run.Resources {
		if evidence.GeneratorOwn(r.Metric) || r.Metric.Process != "" && r.Metric.Host != h.Host || r.Metric.Process == "" && !c.Run.SpeaksFor(r.Metric, h) ||
			r.Metric.Name == probe.ListenQueue && !c.Listens(r.Metric.Instance, h) {
			continue
		}
		ranOut := r.Full != nil && r.Full.At <= c.At+1
		text := ""
		if ranOut {
			text = r.Describe()
		}
		mark := func(x evidence.Clue) {
			if f[x].Is == evidence.Yes || !ranOut && c.Onset.Status != evidence.NoOnset && c.Run.GapAt(r, c.Onset.At) != nil {
				return
			}
			f.Set(x, evidence.IsTrue(ranOut), "probe of "+r.Metric.Host, "%s", text)
			if ranOut {
				at := r.Full.At
				f[x].At = &at
			}
		}
		switch r.Metric.Name {
		case probe.OpenFiles:
			mark(evidence.DescriptorsFull)
			if f[evidence.Overflowed].Is == evidence.Yes && saturation.KeepsReserve(c.Run, r) && r.Level.At <= c.At+1 {
				f.SetAt(evidence.Reserved, evidence.Yes, r.Level.At, "probe of "+r.Metric.Host, "%s and grew no more, while connections waited to be accepted", r.Describe())
			}
		case probe.Threads, probe.UserThreads, probe.CgroupPIDs:
			// A pool that was full long before did no harm.
			if !ranOut || c.At-r.Full.At < 3 {
				mark(evidence.ThreadsFull)
			}
		case probe.CPU, probe.ProcessCPU, probe.CgroupCPU:
			mark(evidence.ProcessorFull)
		case probe.ListenQueue:
			mark(evidence.QueueFull)
			if strings.HasPrefix(r.Metric.Instance, evidence.UnixSocket) && ranOut {
				f.Set(evidence.UnixQueueFull, evidence.Yes, "probe of "+r.Metric.Host, "%s", "") // the queue itself is the evidence
			}
		case probe.CloseWait:
			if n := len(r.Value); n > 8 {
				f.Set(evidence.CloseWaitRises, evidence.IsTrue(r.Peak >= 10 && r.Peak >= 4*(1+r.Value[0])), "probe of "+r.Metric.Host, "CLOSE_WAIT rose to %s", format.Number(r.Peak))
			}
		}
	}
}

// observeInvalid asks whether connection tracking anywhere on the way took packets for invalid while
// requests failed.
func observeInvalid(c *evidence.Case, f *evidence.Facts) {
	n, measured, where := 0.0, false, ""
	for _, r := range c.Run.Resources {
		if r.Metric.Name == probe.ConntrackInvalid && r.Counter != nil && r.Metric.Process == "" && !evidence.ServesOther(c, r.Metric.Host) {
			measured = true
			if k := r.Counter.Between(c.From-0.5, c.To+1); k > n || where == "" {
				n, where = k, r.Metric.Host
			}
		}
	}
	if measured {
		f.Set(evidence.ConntrackInvalid, evidence.IsTrue(n >= 3), "kernel counters of "+where, "%s packets belonged to no tracked connection", format.Number(n))
	}
}

// observeVanished asks whether handshakes got no answer though the serving host's queues had room: then
// they were dropped before it.
func observeVanished(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	waited := c.Parts.Cell[attack.Timeout][attack.PhaseDial]
	if h.Index > 0 || waited < 10 || c.Loopback {
		return
	}
	dropped, counted := 0.0, false
	for _, name := range []string{probe.ListenOverflows, probe.ListenDrops, probe.ReqQueueFullDrop} {
		if n, ok := kernels.Counted(c, h, name); ok {
			dropped, counted = max(dropped, n), true
		}
	}
	if counted {
		f.Set(evidence.Vanished, evidence.When(-dropped/waited, -0.3, -0.02), "kernel counters of "+h.Host, "%s handshakes got no answer, queues of %s dropped %s", format.Number(waited), h.Host, format.Number(dropped))
	}
}

// observeConntrack asks whether a connection tracking table was full anywhere on the way.
func observeConntrack(c *evidence.Case, f *evidence.Facts) {
	most, src := math.NaN(), ""
	for _, r := range c.Run.Resources {
		if r.Metric.Name != probe.Conntrack || evidence.ServesOther(c, r.Metric.Host) {
			continue
		}
		if !(r.Most < most) {
			most, src = r.Most, r.Metric.Host
		}
		if l := r.Level; l != nil && math.Abs(l.At-c.At) <= 4 && r.Most < 0.9 {
			f.SetAt(evidence.ConntrackFlat, evidence.Yes, l.At, "probe of "+r.Metric.Host, "the connections that %s tracks stopped growing at %s, of %s: translation may have had no port for more",
				r.Metric.Host, format.Number(r.Peak), format.Number(r.Limit))
		}
	}
	f.Set(evidence.ConntrackFull, evidence.When(most, 0.8, 0.97), "probe of "+src, "the connection table was at most %s full", format.Percent(most))
}
