package diagnose

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// truth is what an observation says. Not observed is not "no".
type truth int8

const (
	no      truth = -1
	unknown truth = 0
	yes     truth = 1
)

// clue is one question to the record whose answer bears on causes.
type clue int

// The clues, by where they are seen.
const (
	// The faults.
	mostlyResets clue = iota
	someResets
	mostlyEOF
	someEOF
	someRefused
	onlyTimeouts
	someTimeouts
	badGateway // most failures are 5xx over connections without any fault
	gatewayTimeout
	rateStatus // 429
	shedStatus // 503
	earlyStatus
	streamResets
	tlsFaults

	// The phase and the connection.
	innerMatch // resets behind the proxy fell together with the failures
	inDial
	dialResets // resets, not refusals, in answer to a handshake
	inTLS
	inWrite
	inAwait
	inBody
	reusedOnly
	freshOnly
	idleGap   // only connections that had rested longer than some time
	idleTight // and hardly longer
	retransmitted
	loopback
	poolFull

	// The course over load and time.
	risesWithLoad
	constantShare
	excessFails // what succeeds stays constant
	latencyFirst
	nearTimeout
	atOnce
	inBursts
	restingLoad // the load comes in bursts and lets connections rest
	connectionsCapped
	wentAway // the port refused connections for a while, and answered again

	// The kernel of the serving host, and the packets.
	sentUnread
	sentLinger
	sentOnExit
	sentLate
	sentNoSocket
	sentFromListener
	sentInvalidSyn
	sentNone
	clientSent
	strayReset
	bothEnds
	pathTTL
	forgedPacket
	livePacket

	// Processes.
	died
	diedWithFaults
	diedOnClock
	diedAtLoad
	workersDied
	diedOfItself // by a fault or with an error, not by somebody's signal
	hungBefore
	outOfMemory

	// Counters and limits of the serving host.
	overflowed
	embryonic
	abortTimeouts
	lostRetransmits
	synsLost
	retransAlways
	conntrackInvalid
	descriptorsFull
	processorFull
	processorBusy // of the serving process itself
	conntrackFull
	queueFull
	closeWaitRises
	upstreamIdle
	clues
)

// fact is the answer to a clue, with what was seen.
type fact struct {
	is     truth
	text   string
	source string
	at     *float64
}

type facts [clues]fact

func (f *facts) set(c clue, is truth, source, format string, args ...any) {
	f[c] = fact{is: is, source: source, text: fmt.Sprintf(format, args...)}
}

func (f *facts) setAt(c clue, is truth, at float64, source, format string, args ...any) {
	f.set(c, is, source, format, args...)
	f[c].at = &at
}

// when turns an observation into an answer: yes above one bound, no below
// another, between them it is left open.
func when(v, isNo, isYes float64) truth {
	switch {
	case math.IsNaN(v):
		return unknown
	case v >= isYes:
		return yes
	case v <= isNo:
		return no
	}
	return unknown
}

func isTrue(b bool) truth {
	if b {
		return yes
	}
	return no
}

// observe answers all clues for one hop. The client's own view exists for the
// first hop only; of the leg behind a proxy it sees statuses.
func (c *investigation) observe(h hop) *facts {
	f := &facts{}
	c.observeCourse(f, h)
	if h.index == 0 {
		c.observeFaults(f)
		c.observeConnections(f)
	} else {
		fives := c.fives() / max(c.parts.failed, 1)
		f.set(badGateway, when(fives, 0.2, 0.5), "client", "%s of the failures were 5xx over connections without a fault", percent(fives))
		f.set(gatewayTimeout, f.statusShare(c, 504), "client", "%s of failed requests were answered 504", percent(c.status(504)))
		f.set(shedStatus, f.statusShare(c, 503), "client", "%s of failed requests were answered 503", percent(c.status(503)))
	}
	if h.index == 0 && len(c.hops) > 1 {
		c.observeInner(f)
	}
	c.observeWire(f, h)
	c.observeProcesses(f, h)
	c.observeHost(f, h)
	return f
}

func (f *facts) statusShare(c *investigation, code uint16) truth {
	return when(c.status(code), 0.05, 0.5)
}

// status returns the share of failed requests with a status.
func (c *investigation) status(code uint16) float64 {
	return c.statuses[code] / max(c.parts.failed, 1)
}

func (c *investigation) observeFaults(f *facts) {
	p := c.parts
	if p.failed == 0 {
		return
	}
	resets := p.share(attack.Reset, attack.BrokenPipe) + p.eofWithReset/p.failed
	if resets > 1 {
		resets = 1
	}
	ends := max(0, p.share(attack.EOF)-p.eofWithReset/p.failed)
	timeouts := p.share(attack.Timeout)
	f.set(mostlyResets, when(resets, 0.2, 0.5), "client", "%s of the failures were resets", percent(resets))
	f.set(someResets, when(resets, 0.005, 0.05), "client", "%s of the failures were resets", percent(resets))
	f.set(mostlyEOF, when(ends, 0.2, 0.5), "client", "%s of the failures were closed without a reset", percent(ends))
	f.set(someEOF, when(ends, 0.01, 0.1), "client", "%s of the failures were closed without a reset", percent(ends))
	f.set(someRefused, when(p.share(attack.Refused), 0.005, 0.05), "client", "%s of the failures were refused connections", percent(p.share(attack.Refused)))
	f.set(someTimeouts, when(timeouts, 0.005, 0.05), "client", "%s of the failures were timeouts", percent(timeouts))
	f.set(onlyTimeouts, isTrue(timeouts >= 0.9 && p.wire <= 0.02*p.failed), "client", "%s of the failures were timeouts, without resets", percent(timeouts))
	f.set(streamResets, when(p.share(attack.HTTP2Reset), 0.05, 0.5), "client", "%s of the failures were HTTP/2 stream resets", percent(p.share(attack.HTTP2Reset)))
	f.set(tlsFaults, when(p.share(attack.TLS), 0.05, 0.5), "client", "%s of the failures were TLS handshakes", percent(p.share(attack.TLS)))
	fives := c.fives() / p.failed
	f.set(badGateway, when(fives, 0.2, 0.5), "client", "%s of the failures were 5xx over connections without a fault", percent(fives))
	f.set(gatewayTimeout, f.statusShare(c, 504), "client", "%s of failed requests were answered 504", percent(c.status(504)))
	f.set(rateStatus, f.statusShare(c, 429), "client", "%s of the failures were answered 429", percent(c.status(429)))
	f.set(shedStatus, f.statusShare(c, 503), "client", "%s of the failures were answered 503", percent(c.status(503)))
	fours := c.fours()
	f.set(earlyStatus, isTrue(fours >= 3 && fours >= 0.02*p.failed), "client", "%s answers with a 4xx status came beside the resets", commas(fours))

	early := p.cell[attack.Reset][attack.PhaseDial] / p.failed
	f.set(dialResets, when(early, 0.05, 0.5), "client", "%s of the failures were resets while connecting", percent(early))
	phase := func(name string, ph ...attack.Phase) (float64, string) {
		n := 0.0
		for _, x := range ph {
			n += p.phase[x]
		}
		s := n / p.failed
		return s, fmt.Sprintf("%s of the failures came %s", percent(s), name)
	}
	for _, x := range []struct {
		clue    clue
		no, yes float64
		name    string
		phases  []attack.Phase
	}{
		{inDial, 0.1, 0.5, "while connecting", []attack.Phase{attack.PhaseDial, attack.PhaseDNS}},
		{inTLS, 0.1, 0.5, "in the TLS handshake", []attack.Phase{attack.PhaseTLS}},
		{inWrite, 0.03, 0.15, "while the request was being written", []attack.Phase{attack.PhaseWrite}},
		{inAwait, 0.1, 0.5, "while waiting for the response", []attack.Phase{attack.PhaseAwait}},
		{inBody, 0.1, 0.5, "in the middle of the response", []attack.Phase{attack.PhaseBody}},
	} {
		share, text := phase(x.name, x.phases...)
		f.set(x.clue, when(share, x.no, x.yes), "client", "%s", text)
	}
}

func (c *investigation) fives() float64 {
	n := 0.0
	for code, k := range c.statuses {
		if code >= 500 {
			n += k
		}
	}
	return min(n, c.parts.fault[attack.Status])
}

func (c *investigation) fours() float64 {
	n := 0.0
	for code, k := range c.statuses {
		if code >= 400 && code < 500 && code != 429 {
			n += k
		}
	}
	return n
}

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
	c.observeIdle(f)
	var valid, again float64
	for _, x := range c.failures {
		if x.Info.Valid {
			valid++
			if x.Info.TotalRetrans > 0 || x.Info.Retransmits > 0 || x.Info.Lost > 0 {
				again++
			}
		}
	}
	if valid >= 5 {
		f.set(retransmitted, when(again/valid, 0.05, 0.3), "client", "%s of the failed connections had retransmitted", percent(again/valid))
	}
}

// observeIdle asks whether failures befall connections that had rested longer
// than some time, as a timeout of the peer or of the path makes them.
func (c *investigation) observeIdle(f *facts) {
	var gaps []float64
	all := 0.0
	for _, x := range c.failures {
		if x.Phase == attack.PhaseIdle || x.Phase <= attack.PhaseTLS || !x.Fault.Failure() || x.Fault == attack.Status {
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
	failedAbove, failedBelow := 0.95*float64(len(gaps)), 0.05*float64(len(gaps))
	rateAbove := failedAbove / (failedAbove + above)
	rateBelow := (failedBelow + 0.5) / (failedBelow + below + 1)
	text := fmt.Sprintf("failed connections had rested %s to %s; of those that had rested so long %s failed, of the others %s",
		wordSeconds(at), wordSeconds(long), percent(rateAbove), percent(failedBelow/max(1, failedBelow+below)))
	switch {
	case at >= 0.02 && rateAbove >= 0.02 && rateAbove >= 8*rateBelow && below+above >= 10:
		f.set(idleGap, yes, "client", "%s", text)
		c.idleFrom = at
		// A peer that closes leaves nothing older behind; a path that forgets does.
		f.set(idleTight, when(-(long-at)/at, -0.5, -0.2), "client", "failed connections had rested %s to %s", wordSeconds(at), wordSeconds(long))
	case rateAbove < 3*rateBelow && below+above >= 10:
		f.set(idleGap, no, "client", "failures do not depend on how long a connection had rested")
	default:
		f.set(idleGap, unknown, "client", "%s", text)
	}
}

func (c *investigation) observeWire(f *facts, h hop) {
	v := c.watchWire(h, c.from, c.to)
	c.wires = append(c.wires, v)
	host := h.host
	src := "kernel of " + host
	resets := c.parts.wire
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
	}
	if v.traced {
		share := func(x clue, reasons []string, words string) {
			if v.sent == 0 {
				return
			}
			n := v.part(reasons...) * v.sent
			is := unknown
			if v.sent >= 3 {
				is = when(n/v.failed(resets), 0.05, 0.2)
			}
			f.set(x, is, src, "%s of %s resets sent by %s: %s", commas(n), commas(v.sent), host, words)
			if is == yes && v.first >= 0 {
				at := v.first
				f[x].at = &at
			}
		}
		share(sentUnread, []string{"ABORT_ON_CLOSE"}, "closed with unread data"+v.byWhom())
		share(sentLate, []string{"ABORT_ON_DATA"}, "data came after the process had closed")
		share(sentNoSocket, []string{"NO_SOCKET"}, "nobody listened")
		share(sentInvalidSyn, []string{"INVALID_SYN"}, "the listener refused the handshake")
		if v.sent >= 3 {
			n := 0.0
			for s, k := range v.states {
				if strings.HasPrefix(s, "FLAGS") && strings.HasSuffix(s, "LISTEN") {
					n += k
				}
			}
			f.set(sentFromListener, when(n/v.sent, 0.05, 0.3), src, "%s of %s resets sent by %s: a segment of a connection that it did not know", commas(n), commas(v.sent), host)
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
			f.set(bothEnds, isTrue(v.inbound >= 0.3*v.arrived && v.inbound >= 3 && v.client < 0.5*v.inbound), "kernel of "+host,
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

func (c *investigation) observeProcesses(f *facts, h hop) {
	deaths := c.deaths(h)
	c.dead = append(c.dead, deaths)
	src := "processes of " + h.host
	watched := c.watchesProcess(h)
	if state, _, ok := c.a.status(h.has, "process"); ok && state != probe.Measured {
		watched = false // ends may have been missed
	}
	var mine []death
	for _, d := range deaths {
		if d.at >= c.from-3 {
			mine = append(mine, d)
		}
	}
	away := c.absences(h)
	if len(away) > 0 {
		f.setAt(wentAway, yes, away[0].at, "client", "connections were refused for a while, %s, and then accepted again", count(float64(len(away)), "time"))
	}
	if len(mine) == 0 && !watched && len(away) > 0 {
		c.observeRhythm(f, away, "client")
		f[diedOnClock].source, f[diedAtLoad].source = "client", "client"
	}
	if len(mine) == 0 {
		if watched {
			for _, x := range []clue{died, diedWithFaults, diedOnClock, diedAtLoad, workersDied, hungBefore} {
				f.set(x, no, src, "%s", "no process ended")
			}
		}
		c.observeMemory(f, h, deaths)
		return
	}
	d := mine[0]
	f.setAt(died, yes, d.at, src, "%s (pid %d) ended%s, %s in all", orThe(d.process), d.pid, why(d.why), count(float64(len(mine)), "time"))
	near, all := c.failuresNear(deaths)
	if all >= 3 {
		f.setAt(diedWithFaults, when(near/all, 0.3, 0.6), d.at, src, "%s of %s failures came while %s was gone", commas(near), commas(all), orThe(d.process))
	}
	workers, single := 0, 0
	for _, d := range mine {
		switch {
		case d.others >= 2:
			workers++
		case d.others == 0:
			single++
		}
	}
	of := fmt.Sprintf("%d of %s", workers, count(float64(len(mine)), "process"))
	switch {
	case 2*workers > len(mine):
		f.set(workersDied, yes, src, "%s that ended were one of several of their name", of)
	case 2*single > len(mine):
		f.set(workersDied, no, src, "%s", "the process was the only one of its name")
	}
	c.observeEnds(f, mine, src)
	c.observeRhythm(f, deaths, src)
	c.observeHang(f, mine, src)
	c.observeMemory(f, h, deaths)
}

// observeEnds asks whether processes ended of themselves.
func (c *investigation) observeEnds(f *facts, deaths []death, src string) {
	self, signalled := 0, 0
	for _, d := range deaths {
		why := strings.ToUpper(d.why)
		switch {
		case strings.Contains(why, "SIGKILL"), strings.Contains(why, "SIGTERM"), strings.Contains(why, "SIGINT"):
			signalled++
		case strings.Contains(why, "SIG"), strings.Contains(why, "EXIT STATUS") && !strings.Contains(why, "EXIT STATUS 0"):
			self++
		}
	}
	switch {
	case self > signalled:
		f.set(diedOfItself, yes, src, "%d of %d ended by a fault or with an error (%s)", self, len(deaths), deaths[0].why)
	case signalled > self:
		f.set(diedOfItself, no, src, "%d of %d were ended by a signal (%s)", signalled, len(deaths), deaths[0].why)
	}
}

// observeRhythm tells restarts on a clock from those at a load: a clock begins
// when the service does, and a load is reached once.
func (c *investigation) observeRhythm(f *facts, deaths []death, src string) {
	first := deaths[0].at
	var gaps []float64
	for i := 1; i < len(deaths); i++ {
		gaps = append(gaps, deaths[i].at-deaths[i-1].at)
	}
	mean, cv := meanCV(gaps)
	regular := len(gaps) >= 2 && cv < 0.25 && mean > 1
	switch {
	case regular && first <= 1.8*mean:
		f.set(diedOnClock, yes, src, "every %s from %s on, whatever the load", wordSeconds(mean), wordSeconds(first))
		f.set(diedAtLoad, no, src, "%s", "processes ended on a clock")
	case len(gaps) >= 1 && first > 2.5*mean:
		f.set(diedOnClock, no, src, "%s", "the first end came late, then one after the other")
		f.setAt(diedAtLoad, yes, first, src, "the first end came at %s/s, then one after the other", commas(c.a.loadAt(first)))
	case len(gaps) == 0 && first > 0.35*c.a.duration():
		f.setAt(diedAtLoad, unknown, first, src, "it ended once, at %s/s", commas(c.a.loadAt(first)))
	}
}

// observeHang asks whether the service had stopped answering before it ended.
func (c *investigation) observeHang(f *facts, deaths []death, src string) {
	hung, seen := 0, 0
	done := make([]float64, len(c.a.offered)+1)
	busy := make([]float64, len(c.a.offered)+1)
	for _, w := range c.t.windows {
		if w.Index < 0 || int(w.Index) >= len(done) {
			continue
		}
		busy[w.Index] += float64(w.InFlight)
		for _, cell := range w.Cells {
			if cell.Fault == attack.None {
				done[w.Index] += float64(cell.Attempts)
			}
		}
	}
	last := -1
	for _, d := range deaths {
		i := int(d.at/c.a.step) - 1 // the last whole window before it
		if i < 8 || i >= len(done) || i-last < 4 {
			continue
		}
		last = i
		usual := sum(done[:i]) / float64(i)
		if usual < 2 {
			continue
		}
		seen++
		if done[i]+done[i-1] <= 0.2*usual && busy[i] > 0 {
			hung++
		}
	}
	if seen > 0 {
		f.setAt(hungBefore, isTrue(2*hung >= seen), deaths[0].at, src, "in %d of %d cases nothing had been answered for half a second before", hung, seen)
	}
}

// absences returns the stretches in which the port refused connections, by the
// client's record, each at most 5 s and followed by successes.
func (c *investigation) absences(h hop) []death {
	if h.index > 0 {
		return nil
	}
	var out []death
	for _, x := range c.failures {
		if x.Fault != attack.Refused {
			continue
		}
		at := x.End.Seconds()
		if n := len(out); n > 0 && at-out[n-1].back < 0.75 {
			out[n-1].back = at
			continue
		}
		out = append(out, death{at: at, back: at})
	}
	return slices.DeleteFunc(out, func(d death) bool {
		after := c.a.window(d.back) + 1
		return d.back-d.at > 5 || sum(c.t.ok[min(after, c.a.n):min(after+8, c.a.n)]) == 0
	})
}

func (c *investigation) observeMemory(f *facts, h hop, deaths []death) {
	for _, d := range deaths {
		if d.oom {
			f.setAt(outOfMemory, yes, d.at, "processes of "+h.host, "the kernel killed %s (pid %d) for memory", orThe(d.process), d.pid)
			return
		}
	}
	watched := c.watchesProcess(h) || len(c.watchedPIDs(h)) > 0
	for _, r := range c.a.resources {
		if r.metric.Name != probe.OOMKills || r.counter == nil || !h.has(r.metric.Host) {
			continue
		}
		n := r.counter.between(c.from-3, c.to+1)
		near := slices.ContainsFunc(deaths, func(d death) bool { return r.counter.between(d.at-1.5, d.at+1.5) > 0 })
		switch {
		case n == 0:
			f.set(outOfMemory, no, "kernel counters of "+h.host, "%s", "nothing was killed for memory")
		case near || !watched:
			f.setAt(outOfMemory, yes, r.counter.start.at, "kernel counters of "+h.host, "%s for memory", count(n, "kill"))
			return
		}
	}
}

// shares reports whether a host is the first hop or the machine that it is part
// of.
func (c *investigation) shares(host string) bool { return c.hops[0].has(host) }

// watchesProcess reports whether a serving process of the hop was read.
func (c *investigation) watchesProcess(h hop) bool {
	for _, r := range c.a.resources {
		if m := r.metric; m.Process != "" && h.has(m.Host) && !generatorOwn(m) {
			return true
		}
	}
	return false
}

func (c *investigation) observeHost(f *facts, h hop) {
	src := "kernel counters of " + h.host
	rises := func(x clue, name string, least float64, words string) {
		if n, ok := c.counted(h, name); ok {
			f.set(x, isTrue(n >= least), src, words, commas(n))
		}
	}
	rises(overflowed, probe.ListenOverflows, 3, "the accept queue overflowed %s times")
	rises(embryonic, probe.EmbryonicRsts, 3, "%s half-open connections were reset")
	rises(abortTimeouts, probe.AbortOnTimeout, 3, "%s connections were given up after retransmissions")
	rises(conntrackInvalid, probe.ConntrackInvalid, 3, "%s packets belonged to no tracked connection")
	c.observeLoss(f, h)
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
		case probe.CPU, probe.ProcessCPU, probe.CgroupCPU:
			mark(processorFull)
		case probe.ListenQueue:
			mark(queueFull)
		case probe.CloseWait:
			if n := len(r.value); n > 8 {
				f.set(closeWaitRises, isTrue(r.peak >= 10 && r.peak >= 4*(1+r.value[0])), "probe of "+r.metric.Host, "CLOSE_WAIT rose to %s", commas(r.peak))
			}
		}
	}
}

// observeConntrack asks whether a connection table was full anywhere on the way.
func (c *investigation) observeConntrack(f *facts) {
	most, src := math.NaN(), ""
	for _, r := range c.a.resources {
		if r.metric.Name == probe.Conntrack && !c.servesOther(r.metric.Host) && !(r.most < most) {
			most, src = r.most, r.metric.Host
		}
	}
	f.set(conntrackFull, when(most, 0.8, 0.97), "probe of "+src, "the connection table was at most %s full", percent(most))
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
	f.set(retransAlways, isTrue(segments >= 20 && segments >= 0.002*requests && early >= 0.05*segments), src, "%s segments were retransmitted, %s of them in the first third of the load", commas(segments), commas(early))
	if lost, _, ok := total(probe.LostRetransmit); ok && segments >= 10 {
		f.set(lostRetransmits, when(lost/segments, 0.1, 0.4), src, "%s of %s retransmissions were lost too", commas(lost), commas(segments))
	}
	if syns, _, ok := total(probe.SynRetrans); ok && segments >= 10 {
		f.set(synsLost, when(syns/segments, 0.3, 0.8), src, "%s of %s retransmissions were SYNs", commas(syns), commas(segments))
	}
}

func orThe(process string) string {
	if process == "" {
		return "the process"
	}
	return process
}

func why(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
