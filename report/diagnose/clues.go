package diagnose

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/attack"
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
	waitedInVain // timeouts of the client or of a gateway, for answers
	someTimeouts
	badGateway // most failures are 5xx over connections without any fault
	gatewayTimeout
	rateStatus // 429
	shedStatus // 503
	shedAtOnce // 503, without a wait
	ownError   // 500: the answering process could not do its work
	earlyStatus
	slowRequest // 408
	streamResets
	goneAway // HTTP/2 connections were ended with requests on them
	tlsFaults

	// The phase and the connection.
	innerMatch // resets behind the proxy fell together with the failures
	inDial
	dialResets // resets, not refusals, in answer to a handshake
	dialTimeouts
	unserved // connections that came up were never answered
	inTLS
	inWrite
	inAwait
	inBody
	stillComing // responses that were given up went on arriving: a queue held them
	slowBody    // broken responses had taken longer than whole ones do at light load
	reusedOnly
	freshOnly
	idleGap   // only connections that had rested longer than some time
	idleTight // and hardly longer
	retransmitted
	gapUnfilled // segments came in, but what was before them never did
	sameServed  // the very request that fails is often answered from the onset on as well
	forgotten   // connections that timed out were no longer known to the serving kernel
	closedLate  // connections were closed without a response after a long wait
	loopback
	poolFull

	// The course over load and time.
	risesWithLoad
	constantShare
	excessFails // what succeeds stays constant
	allFail     // nothing at all succeeds from soon after the onset on
	heldOff     // everything is refused from then on, after the same long wait
	cliff       // hardly anything succeeds from the onset on, and failures come at once
	latencyFirst
	queued          // from the onset on what succeeds waits longer: there is a queue before what is full
	servedMeanwhile // when attempts began to wait in vain, others were answered as ever
	blackout        // for a while nothing at all was answered
	nearTimeout
	atOnce
	inBursts
	abortedAtOnce // a process that lives on aborted what was open, at one instant
	markedDown    // spells of 5xx began just when hosts behind had reset a connection
	restingLoad   // the load comes in bursts and lets connections rest
	peerCloses    // the other end also closed connections that rested, in good order
	crowded       // many requests were in flight when it began
	queueTimeout  // refusals all took the same long time
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
	relayed // live sockets aborted that are not the serving host's: something between ends connections itself

	// Processes.
	died
	diedWithFaults
	diedOnClock
	diedAtLoad
	workersDied
	leftInOrder  // processes ended with exit status 0
	killed       // somebody sent processes SIGKILL, and it was not for memory
	retired      // processes left in good order while others of their name stayed
	diedOfItself // by a fault or with an error, not by somebody's signal
	terminated   // somebody asked processes to end (SIGTERM)
	goneForGood  // nothing took the place of what ended
	hungBefore
	outOfMemory
	thrashing // memory was full, and tasks waited for it

	// Counters and limits of the serving host.
	overflowed
	overflowsCover // as often as connections failed to come up
	embryonic
	abortTimeouts
	lostRetransmits
	synsLost
	vanished // handshakes got no answer, and no queue of the serving host had dropped them
	retransAlways
	linkDropped // network interfaces dropped packets just when it began
	conntrackInvalid
	descriptorsFull
	reserved // accepting stopped when only a reserve of descriptors was left
	threadsFull
	processorFull
	processorBusy // of the serving process itself
	conntrackFull
	conntrackFlat // it stopped growing far below its limit, when it began
	queueFull
	unixQueueFull // of a Unix socket, which no counter tells of
	closeWaitRises
	upstreamIdle
	passedOn // what the next host receives goes on growing with the load
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
		f.set(waitedInVain, when(c.status(504), 0.5, 0.9), "client", "%s", f[gatewayTimeout].text)
		f.set(shedStatus, f.statusShare(c, 503), "client", "%s of failed requests were answered 503", percent(c.status(503)))
		if fours := c.fours(); fours >= 3 && fours >= 0.02*c.parts.failed {
			f.set(earlyStatus, yes, "client", "%s answers with a 4xx status came beside the 5xx", commas(fours))
		}
		if fives > 0.5 {
			c.observeIdle(f, gatewayFault)
			if f[idleGap].is == no {
				f[idleGap] = fact{} // the gateway's own connections may have rested longer
			}
		}
	}
	if h.index == 0 && len(c.hops) > 1 {
		c.observeInner(f)
		c.observePassing(f)
	}
	c.observeWire(f, h)
	c.observeProcesses(f, h)
	if f[sentNone].is == yes && f[livePacket].is == yes {
		f[relayed] = fact{is: yes, source: f[livePacket].source, text: f[livePacket].text + ", and not of " + h.host}
	}
	if f[atOnce].is == yes && f[sentLinger].is == yes && f[died].is == no {
		f[abortedAtOnce] = f[atOnce]
	}
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
	if p.failed < 5 && p.restless() {
		text := count(p.idle, "reset") + " of connections without a request in flight"
		f.set(mostlyResets, yes, "client", "%s", text)
		f.set(someResets, yes, "client", "%s", text)
		// Answers that the profile expects can be early ones too.
		fours := c.fours()
		f.set(earlyStatus, isTrue(fours >= 3 && fours >= 0.5*p.idle), "client", "%s answers with a 4xx status came beside the resets", commas(fours))
		return
	}
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
	vain := (p.cell[attack.Timeout][attack.PhaseTLS] + p.cell[attack.Timeout][attack.PhaseAwait] + p.cell[attack.Timeout][attack.PhaseBody]) / p.failed
	f.set(waitedInVain, when(vain+c.status(504), 0.5, 0.9), "client", "%s of the failures were answers that did not come in time", percent(vain+c.status(504)))
	f.set(streamResets, when(p.share(attack.HTTP2Reset), 0.05, 0.5), "client", "%s of the failures were HTTP/2 stream resets", percent(p.share(attack.HTTP2Reset)))
	ended := p.share(attack.HTTP2GoAway)
	if seen := p.fault[attack.HTTP2GoAway]; seen == 0 || seen >= 10 && seen >= 0.005*p.attempts {
		// A few that cross a graceful end of their connection are no abort.
		f.set(goneAway, when(ended, 0.05, 0.5), "client", "%s of the failures were requests on HTTP/2 connections that the server ended (GOAWAY)", percent(ended))
	}
	f.set(tlsFaults, when(p.share(attack.TLS), 0.05, 0.5), "client", "%s of the failures were TLS handshakes", percent(p.share(attack.TLS)))
	fives := c.fives() / p.failed
	f.set(badGateway, when(fives, 0.2, 0.5), "client", "%s of the failures were 5xx over connections without a fault", percent(fives))
	f.set(gatewayTimeout, f.statusShare(c, 504), "client", "%s of failed requests were answered 504", percent(c.status(504)))
	f.set(rateStatus, f.statusShare(c, 429), "client", "%s of the failures were answered 429", percent(c.status(429)))
	f.set(shedStatus, f.statusShare(c, 503), "client", "%s of the failures were answered 503", percent(c.status(503)))
	f.set(ownError, f.statusShare(c, 500), "client", "%s of the failures were answered 500", percent(c.status(500)))
	f.set(slowRequest, f.statusShare(c, 408), "client", "%s of the failures were answered 408: the request did not arrive in time", percent(c.status(408)))
	fours := c.fours()
	f.set(earlyStatus, isTrue(fours >= 3 && fours >= 0.02*p.failed), "client", "%s answers with a 4xx status came beside the resets", commas(fours))

	early := p.cell[attack.Reset][attack.PhaseDial] / p.failed
	f.set(dialResets, when(early, 0.05, 0.5), "client", "%s of the failures were resets while connecting", percent(early))
	dialling := p.cell[attack.Timeout][attack.PhaseDial] / p.failed
	f.set(dialTimeouts, when(dialling, 0.05, 0.5), "client", "%s of the failures were timeouts while connecting", percent(dialling))
	if dialling >= 0.05 {
		waiting := (p.cell[attack.Timeout][attack.PhaseAwait] + p.cell[attack.Timeout][attack.PhaseWrite]) / p.failed
		f.set(unserved, when(waiting, 0.005, 0.03), "client", "%s of the failures were timeouts of connections that had come up", percent(waiting))
	}
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

// fives counts the failures that may have come from further in: every 5xx where
// the profile names a host behind the first, else those by which a gateway says
// that it got no answer. A 500 alone is the answering process's own.
func (c *investigation) fives() float64 {
	n := 0.0
	for code, k := range c.statuses {
		if code >= 500 && (len(c.hops) > 1 || code >= 502 && code <= 504) {
			n += k
		}
	}
	return min(n, c.parts.fault[attack.Status])
}

func (c *investigation) fours() float64 {
	n := 0.0
	for code, k := range c.statuses {
		if code >= 400 && code < 500 && code != 408 && code != 429 {
			n += k
		}
	}
	return n
}

// shares reports whether a host is the first hop or the machine that it is part
// of.
func (c *investigation) shares(host string) bool { return c.hops[0].has(host) }
