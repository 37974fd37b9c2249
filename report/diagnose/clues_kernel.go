package diagnose

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

func (c *investigation) observeWire(f *facts, h hop) {
	v := c.watchWire(h, c.from, c.to)
	c.wires = append(c.wires, v)
	host := h.host
	src := "kernel of " + host
	// A refusal is a reset too: of a kernel with nobody listening, or of a filter.
	resets := c.parts.wire
	if refused := c.parts.fault[attack.Refused]; resets >= 3 || refused >= 8 {
		resets += refused
	}
	if h.index > 0 {
		resets = v.sent
	}
	if h.index > 0 && v.traced && v.sent >= 3 && c.parts.failed >= 3 {
		matched, chance := c.matchTimes(v.times)
		is := unknown
		switch {
		case matched >= 0.7 && 1-matched <= 0.3*(1-chance):
			is = yes
		case matched < 0.2:
			is = no
		}
		f.set(innerMatch, is, src, "%s resets sent by %s; %s of the failures fell together with one", commas(v.sent), host, percent(matched))
		c.observeMarks(f, src)
	}
	if v.traced {
		share := func(x clue, least float64, reasons []string, words string) {
			if v.sent == 0 {
				return
			}
			n := v.part(reasons...) * v.sent
			is := unknown
			if v.sent >= 3 {
				is = when(n/v.failed(resets), least/4, least)
			}
			f.set(x, is, src, "%s of %s resets sent by %s: %s", commas(n), commas(v.sent), host, words)
			if is == yes && v.first >= 0 {
				at := v.first
				f[x].at = &at
			}
		}
		share(sentUnread, 0.2, []string{"ABORT_ON_CLOSE"}, "closed with unread data"+v.byWhom())
		// Little else makes a closed socket take data: a smaller part counts.
		share(sentLate, 0.08, []string{"ABORT_ON_DATA"}, "data came after the process had closed")
		share(sentNoSocket, 0.2, []string{"NO_SOCKET"}, "nobody listened")
		share(sentInvalidSyn, 0.2, []string{"INVALID_SYN"}, "the listener refused the handshake")
		if v.sent >= 3 {
			n := 0.0
			for s, k := range v.states {
				if strings.HasPrefix(s, "FLAGS") && strings.HasSuffix(s, "LISTEN") {
					n += k
				}
			}
			f.set(sentFromListener, when(n/v.sent, 0.05, 0.3), src, "%s of %s resets sent by %s: a segment of a connection that it did not know", commas(n), commas(v.sent), host)
			if given := c.parts.phase[attack.PhaseBody]; h.index == 0 && f[inBody].is == yes {
				// Each segment that had waited on the way is acknowledged to a socket that is gone.
				f.set(stillComing, when(n/max(given, 1), 1, 3), src, "%s segments acknowledged responses that %s had given up: they still waited on the way", commas(n), host)
			}
			// The client's FIN behind a timeout finds nothing to end.
			if timeouts := c.parts.fault[attack.Timeout]; h.index == 0 && f[onlyTimeouts].is == yes && f[inDial].is == no {
				f.set(forgotten, when(n/max(timeouts, 1), 0.1, 0.5), src, "%s of %s connections that timed out were unknown to the kernel of %s, which had sent neither FIN nor RST", commas(min(n, timeouts)), commas(timeouts), host)
			}
		}
		c.observeAborts(f, v, h, resets)
		if h.index == 0 && resets >= 3 && !v.lost {
			f.set(sentNone, when(-v.sent/resets, -0.5, -0.1), src, "%s resets came in, the kernel of %s sent %s", commas(resets), host, commas(v.sent))
		}
	} else {
		c.observeAbortCounters(f, h, resets)
		if n, ok := c.counted(h, probe.OutRsts); ok && h.index == 0 && resets >= 3 {
			f.set(sentNone, when(-n/resets, -0.5, -0.1), "kernel counters of "+host, "%s resets came in, %s counted %s sent (OutRsts)", commas(resets), host, commas(n))
		}
	}
	if v.traced || c.a.observed(hop{host: localHost}, sourceTrace, probe.RSTSent) {
		sent := v.client
		f.set(clientSent, isTrue(sent >= 5 && sent >= 5*max(1, v.arrived)), "kernel of "+localHost, "the client's side sent %s resets and took %s", commas(sent), commas(v.arrived))
		f.set(strayReset, isTrue(v.stray >= 3 && v.stray >= 0.2*c.parts.failed), "kernel of "+localHost, "%s segments came from addresses that were never dialled", commas(v.stray))
		if v.inbound+v.arrived >= 5 && v.traced {
			f.set(bothEnds, isTrue(v.arrived >= 3 && v.inbound >= 0.3*v.arrived && v.inbound >= 3 && v.client < 0.5*v.inbound), "kernel of "+host,
				"both ends took resets: %s here, %s there", commas(v.arrived), commas(v.inbound))
		}
	}
	if v.captured && v.packets >= 3 {
		src := "packets"
		if known := v.ttlOdd + v.ttlSame; known >= 3 {
			f.set(pathTTL, when(v.ttlOdd/known, 0.1, 0.5), src, "%s of %s resets had another TTL than the connection's SYN-ACK", commas(v.ttlOdd), commas(known))
		}
		f.set(forgedPacket, when(v.classes["injector"]/v.packets, 0.05, 0.5), src, "%s of %s resets are no kernel's: forged", commas(v.classes["injector"]), commas(v.packets))
		f.set(livePacket, when(v.classes["socket-aborted"]/v.packets, 0.1, 0.5), src, "%s of %s resets came from live sockets that were aborted", commas(v.classes["socket-aborted"]), commas(v.packets))
	}
}

// failed returns how many resets ended a connection: one connection may draw
// several, one for each segment that was still on its way.
func (v wireView) failed(resets float64) float64 {
	if resets >= 3 {
		return resets
	}
	return max(v.sent, 1)
}

// matchTimes returns the share of failures that happened within 40 ms after one
// of the times, and the share that would by chance.
func (c *investigation) matchTimes(times []float64) (matched, chance float64) {
	const reach = 0.04
	times = slices.Clone(times)
	slices.Sort(times)
	n, all := 0.0, 0.0
	for _, x := range c.failures {
		if x.Phase == attack.PhaseIdle || !x.Fault.Failure() {
			continue
		}
		all++
		at := x.End.Seconds()
		if i, _ := slices.BinarySearch(times, at-reach); i < len(times) && times[i] <= at+reach/4 {
			n++
		}
	}
	// The part of the time that lies within reach of one of them.
	covered, end := 0.0, math.Inf(-1)
	for _, t := range times {
		covered += min(1.25*reach, t+1.25*reach-max(end, t))
		end = t + 1.25*reach
	}
	return n / max(all, 1), covered / max(c.to-c.from, 1)
}

// byWhom names the process that sent resets in its own context.
func (v wireView) byWhom() string {
	best, most := "", 0.0
	for name, n := range v.senders {
		if n > most || n == most && name < best {
			best, most = name, n
		}
	}
	if best == "" {
		return ""
	}
	return " by " + best
}

// observeMarks asks whether spells of 5xx began just when hosts behind the proxy
// had reset connections: a few made it take them for dead, for a while.
func (c *investigation) observeMarks(f *facts, src string) {
	spells := c.spells()
	if len(spells) < 2 || f[badGateway].is != yes {
		return
	}
	var times []float64
	for _, h := range c.hops[1:] {
		times = append(times, c.watchWire(h, c.from, c.to).times...)
	}
	var begun, within, long float64
	for _, x := range spells {
		before := false
		for _, t := range times {
			before = before || t >= x.from-1 && t <= x.from+0.5
			if t > x.from+0.5 && t < x.to {
				within++
			}
		}
		if before {
			begun++
		}
		long += max(0, x.to-x.from-0.5)
	}
	// What is taken for dead gets no request, and so resets none.
	expected := float64(len(times)) * long / max(c.to-c.from, 1)
	if all := float64(len(spells)); begun >= 0.7*all && expected >= 3 && within <= 0.2*expected {
		f.set(markedDown, yes, src, "%s of %s spells of failures began when hosts behind the proxy had just reset some of %s connections in all: it takes them for dead for a while",
			commas(begun), commas(all), commas(float64(len(times))))
	}
}

// observeAborts separates the two meanings of reason TCP_STATE: SO_LINGER 0,
// which also counts in TCPAbortOnData, and connections of the accept queue that
// died with their listener, which does not.
func (c *investigation) observeAborts(f *facts, v wireView, h hop, resets float64) {
	if v.sent < 3 {
		return
	}
	p := v.part("STATE") * v.sent / v.failed(resets)
	src := "kernel of " + h.host
	counted, measured := c.counted(h, probe.AbortOnData)
	states := v.part("STATE") * v.sent
	linger := measured && counted >= 0.3*states
	switch {
	case p <= 0.05:
		f.set(sentLinger, no, src, "%s", "no reset was an abort by SO_LINGER 0")
		f.set(sentOnExit, no, src, "%s", "no reset came of a closed listener")
	case p < 0.3:
	case !measured:
		f.set(sentLinger, unknown, src, "%s of %s resets sent by %s: an abort (TCP_STATE)", commas(states), commas(v.sent), h.host)
	case linger:
		f.set(sentLinger, yes, src, "%s of %s resets sent by %s: aborted with SO_LINGER 0%s", commas(states), commas(v.sent), h.host, v.byWhom())
		f.set(sentOnExit, no, src, "%s", "resets were aborts of the application")
	default:
		f.set(sentOnExit, yes, src, "%s of %s resets sent by %s: connections that nobody had accepted when the listener closed", commas(states), commas(v.sent), h.host)
		f.set(sentLinger, no, src, "%s", "no reset was an abort by SO_LINGER 0")
	}
}

// observeAbortCounters does what it can without the trace: the kernel counts
// aborts by kind for the whole host, both sides of it.
func (c *investigation) observeAbortCounters(f *facts, h hop, resets float64) {
	if resets < 5 {
		return
	}
	src := "kernel counters of " + h.host
	if n, ok := c.counted(h, probe.AbortOnClose); ok {
		f.set(sentUnread, when(n/resets, 0.05, 0.5), src, "TCPAbortOnClose grew by %s: connections closed with unread data", commas(n))
	}
	if n, ok := c.counted(h, probe.AbortOnData); ok {
		f.set(sentLinger, when(n/resets, 0.05, 0.5), src, "TCPAbortOnData grew by %s: connections aborted with SO_LINGER 0 or after close", commas(n))
	}
}

// counted returns by how much a counter of a hop grew while faults were there.
func (c *investigation) counted(h hop, name string) (float64, bool) {
	n, ok := 0.0, false
	for _, r := range c.a.resources {
		if r.metric.Name == name && r.counter != nil && r.metric.Process == "" && c.a.speaksFor(r.metric, h) {
			n, ok = n+r.counter.between(c.from-0.5, c.to+1), true
		}
	}
	return n, ok
}

func (c *investigation) observeHost(f *facts, h hop) {
	src := "kernel counters of " + h.host
	rises := func(x clue, name string, least float64, words string) {
		if n, ok := c.counted(h, name); ok {
			f.set(x, isTrue(n >= least), src, words, commas(n))
		}
	}
	rises(overflowed, probe.ListenOverflows, 3, "the accept queue overflowed %s times")
	if n, ok := c.counted(h, probe.ListenOverflows); ok && h.index == 0 {
		waited := c.parts.phase[attack.PhaseDial]
		if waited >= 10 {
			f.set(overflowsCover, when(n/waited, 0.2, 0.6), src, "the accept queue overflowed %s times, %s connections did not come up", commas(n), commas(waited))
		}
	}
	rises(embryonic, probe.EmbryonicRsts, 3, "%s half-open connections were reset")
	rises(abortTimeouts, probe.AbortOnTimeout, 3, "%s connections were given up after retransmissions")
	c.observeInvalid(f)
	c.observeVanished(f, h)
	c.observeLoss(f, h)
	c.observeLink(f, h)
	c.observeConntrack(f)
	busiest := math.NaN()
	for _, r := range c.a.resources {
		if m := r.metric; (m.Name == probe.ProcessCPU || m.Name == probe.CgroupCPU) && m.Host == h.host && !generatorOwn(m) && !(r.most < busiest) {
			busiest = r.most
		}
	}
	f.set(processorBusy, when(busiest, 0.4, 0.85), "probe of "+h.host, "the serving processes used at most %s of the processor", percent(busiest))
	for _, r := range c.a.resources {
		if generatorOwn(r.metric) || r.metric.Process != "" && r.metric.Host != h.host || r.metric.Process == "" && !c.a.speaksFor(r.metric, h) ||
			r.metric.Name == probe.ListenQueue && !c.listens(r.metric.Instance, h) {
			continue
		}
		ranOut := r.full != nil && r.full.at <= c.at+1
		text := ""
		if ranOut {
			text = r.describe()
		}
		mark := func(x clue) {
			if f[x].is == yes || !ranOut && c.onset.Status != NoOnset && c.a.gapAt(r, c.onset.At) != nil {
				return
			}
			f.set(x, isTrue(ranOut), "probe of "+r.metric.Host, "%s", text)
			if ranOut {
				at := r.full.at
				f[x].at = &at
			}
		}
		switch r.metric.Name {
		case probe.OpenFiles:
			mark(descriptorsFull)
			if f[overflowed].is == yes && c.a.keepsReserve(r) && r.level.at <= c.at+1 {
				f.setAt(reserved, yes, r.level.at, "probe of "+r.metric.Host, "%s and grew no more, while connections waited to be accepted", r.describe())
			}
		case probe.Threads, probe.UserThreads, probe.CgroupPIDs:
			// A pool that stood full for long before did no harm.
			if !ranOut || c.at-r.full.at < 3 {
				mark(threadsFull)
			}
		case probe.CPU, probe.ProcessCPU, probe.CgroupCPU:
			mark(processorFull)
		case probe.ListenQueue:
			mark(queueFull)
			if strings.HasPrefix(r.metric.Instance, unixSocket) && ranOut {
				f.set(unixQueueFull, yes, "probe of "+r.metric.Host, "%s", "") // the queue itself is the evidence
			}
		case probe.CloseWait:
			if n := len(r.value); n > 8 {
				f.set(closeWaitRises, isTrue(r.peak >= 10 && r.peak >= 4*(1+r.value[0])), "probe of "+r.metric.Host, "CLOSE_WAIT rose to %s", commas(r.peak))
			}
		}
	}
}

// observeInvalid asks whether connection tracking anywhere on the way took packets
// for nobody's while faults were there.
func (c *investigation) observeInvalid(f *facts) {
	n, measured, where := 0.0, false, ""
	for _, r := range c.a.resources {
		if r.metric.Name == probe.ConntrackInvalid && r.counter != nil && r.metric.Process == "" && !c.servesOther(r.metric.Host) {
			measured = true
			if k := r.counter.between(c.from-0.5, c.to+1); k > n || where == "" {
				n, where = k, r.metric.Host
			}
		}
	}
	if measured {
		f.set(conntrackInvalid, isTrue(n >= 3), "kernel counters of "+where, "%s packets belonged to no tracked connection", commas(n))
	}
}

// observeVanished asks whether handshakes got no answer though the serving host's
// queues had room: they were dropped before it.
func (c *investigation) observeVanished(f *facts, h hop) {
	waited := c.parts.cell[attack.Timeout][attack.PhaseDial]
	if h.index > 0 || waited < 10 || c.loopback {
		return
	}
	dropped, counted := 0.0, false
	for _, name := range []string{probe.ListenOverflows, probe.ListenDrops, probe.ReqQueueFullDrop} {
		if n, ok := c.counted(h, name); ok {
			dropped, counted = max(dropped, n), true
		}
	}
	if counted {
		f.set(vanished, when(-dropped/waited, -0.3, -0.02), "kernel counters of "+h.host, "%s handshakes got no answer, queues of %s dropped %s", commas(waited), h.host, commas(dropped))
	}
}

// observeConntrack asks whether a connection table was full anywhere on the way.
func (c *investigation) observeConntrack(f *facts) {
	most, src := math.NaN(), ""
	for _, r := range c.a.resources {
		if r.metric.Name != probe.Conntrack || c.servesOther(r.metric.Host) {
			continue
		}
		if !(r.most < most) {
			most, src = r.most, r.metric.Host
		}
		if l := r.level; l != nil && math.Abs(l.at-c.at) <= 4 && r.most < 0.9 {
			f.setAt(conntrackFlat, yes, l.at, "probe of "+r.metric.Host, "the connections that %s tracks stopped growing at %s, of %s: translation may have had no port for more",
				r.metric.Host, commas(r.peak), commas(r.limit))
		}
	}
	f.set(conntrackFull, when(most, 0.8, 0.97), "probe of "+src, "the connection table was at most %s full", percent(most))
}

// observeLink asks whether network interfaces on the way began to drop packets just
// when the faults began.
func (c *investigation) observeLink(f *facts, h hop) {
	for _, r := range c.a.resources {
		m := r.metric
		if m.Name != probe.NICDrops || r.counter == nil || m.Instance == "lo" ||
			m.Host != localHost && !c.a.speaksFor(m, h) && !slices.Contains(c.routers, m.Host) {
			continue
		}
		if n := r.counter.between(c.at-1, c.at+2); n >= 3 && r.counter.between(0, c.at-1) == 0 {
			f.setAt(linkDropped, yes, c.at, "kernel counters of "+m.Host, "a network interface of %s dropped %s, none before", m.Host, count(n, "packet"))
			return
		}
	}
}

// observeLoss reads the counters of retransmissions.
func (c *investigation) observeLoss(f *facts, h hop) {
	src := "kernel counters"
	total := func(name string) (n float64, early float64, ok bool) {
		for _, r := range c.a.resources {
			if r.metric.Name == name && r.counter != nil && r.metric.Process == "" && (c.a.speaksFor(r.metric, h) || h.index == 0 && c.a.speaksFor(r.metric, hop{host: localHost}) && !c.shares(localHost)) {
				n += r.counter.total
				early += r.counter.between(0, c.a.duration()/3)
				ok = true
			}
		}
		return n, early, ok
	}
	segments, early, ok := total(probe.RetransSegs)
	if !ok {
		return
	}
	requests := c.t.total.attempts
	if timeout := c.a.log.Header.Generator.Timeout; f[dialTimeouts].is == yes && timeout > 0 && timeout <= time.Second && segments < 20 {
		return // given up before the first SYN was sent again
	}
	f.set(retransAlways, isTrue(segments >= 20 && segments >= 0.002*requests && early >= 0.05*segments), src, "%s segments were retransmitted, %s of them in the first third of the load", commas(segments), commas(early))
	if lost, _, ok := total(probe.LostRetransmit); ok && segments >= 20 {
		f.set(lostRetransmits, when(lost/segments, 0.1, 0.4), src, "%s of %s retransmissions were lost too", commas(lost), commas(segments))
	}
	if syns, _, ok := total(probe.SynRetrans); ok && segments >= 10 {
		f.set(synsLost, when(syns/segments, 0.3, 0.8), src, "%s of %s retransmissions were SYNs", commas(syns), commas(segments))
	}
}
