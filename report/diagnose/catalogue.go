package diagnose

import "github.com/rampload/rampload/probe"

// leg says where on the way of a request a cause sits.
type leg uint8

const (
	server leg = iota // a host that serves; of an inner hop the key gets the prefix "upstream-"
	proxy             // a host that passes requests on
	path              // between the client and the first host
)

// weight is what the answer to a clue adds to the logarithm of the odds of a
// cause. An unknown answer adds nothing.
type weight struct {
	clue    clue
	yes, no float64
}

// rule is one cause of the catalogue: which resource runs out, and which
// observations speak for and against it. The order follows that in which causes
// are told apart; scores decide, so that one missing source does not stop the
// others from speaking.
type rule struct {
	cause string
	leg   leg
	// gauges and counters date the cause: the resource that runs out, and the
	// counters that move only when it has. Without them it is dated by nothing.
	gauges   []string
	counters []string
	inferred bool // the limit shows only as a plateau of the gauges
	// elimination: what is left when nothing that the serving process can run out of
	// did. Unless it was watched, the cause is at most a candidate.
	elimination bool
	// rare is taken off where nothing measured it: kernels and defaults of today
	// seldom let it happen.
	rare float64
	// own: it is the serving process that ends connections. Unless something shows
	// that its host sent the resets, and not the path, it is at most a candidate.
	own bool
	// strict: what ran out alone does not make the cause worth considering.
	strict bool
	// any: at least one must be seen for the cause to be considered at all. Empty:
	// one of the resources must have been measured.
	any []clue
	// must: none of these may be answered with no.
	must    []clue
	weights []weight
	// says completes "…: " in a sentence about what happened.
	says string
}

// catalogue returns the causes that faults of a target can have. Those of the
// generator itself are found before any of these are asked (see generator).
func catalogue() []rule {
	return []rule{
		{
			cause: "server-file-descriptors", gauges: []string{probe.OpenFiles, probe.FileTable},
			weights: []weight{
				{crowded, 0.7, -0.5},
				{latencyFirst, -1, 0.2},
				{unserved, 0.3, -0.7},
				{someResets, 0.5, 0},
				{someEOF, 0.5, 0},
				{someTimeouts, 0.3, 0},
				{risesWithLoad, 1, -2},
				{excessFails, 0.7, 0},
				{onlyTimeouts, 0.5, 0},
				{closeWaitRises, 0.5, 0},
				{sentNone, -4, 0.5},
				{idleGap, -2, 0},
				{diedWithFaults, -3, 0.5},
				{inTLS, -0.5, 0},
				{atOnce, -1.5, 0},
				{sentUnread, 0.5, 0},
				{streamResets, -1, 0},
				{pathTTL, -3, 0.3},
				{outOfMemory, -2, 0},
			},
			says: "the process had no file descriptor left",
		},
		{
			cause: "server-connection-limit", inferred: true, elimination: true,
			gauges: []string{probe.OpenFiles, probe.Established, probe.Sockets, probe.Threads},
			any:    []clue{connectionsCapped, freshOnly, someEOF, mostlyResets},
			must:   []clue{risesWithLoad},
			weights: []weight{
				{crowded, 0, -2},
				{connectionsCapped, 2, -1},
				{freshOnly, 1, -1},
				{someEOF, 0.7, 0},
				{sentUnread, 0.7, -0.3},
				{excessFails, 0.5, -0.5},
				{descriptorsFull, -5, 0.5},
				{poolFull, -3, 0},
				{processorFull, -1.5, 0.3},
				{latencyFirst, -1, 0.5},
				{onlyTimeouts, -1.5, 0},
				{diedWithFaults, -4, 0.3},
				{sentNone, -4, 0},
				{overflowed, -1, 0},
				{idleGap, -3, 0},
				{inTLS, -2, 0},
				{sentLinger, -1, 0},
				{wentAway, -3, 0},
			},
			says: "the server took no connection beyond a number of its own",
		},
		{
			cause: "listen-backlog", gauges: []string{probe.ListenQueue}, counters: []string{probe.ListenOverflows, probe.ListenDrops},
			any: []clue{overflowed, queueFull, inDial, someTimeouts},
			weights: []weight{
				{overflowsCover, 1.5, -0.5},
				{unserved, 1, -1.2},
				{constantShare, -2, 0},
				{latencyFirst, 0.5, -0.7},
				{overflowed, 2, -4},
				{inDial, 1.5, -0.7},
				{dialResets, 2.5, 0},
				{sentInvalidSyn, 3, 0},
				{embryonic, 1, 0},
				{sentFromListener, 0.7, 0},
				{descriptorsFull, -4, 0.3},
				{diedWithFaults, -3, 0.3},
				{someEOF, -1, 0},
				{sentUnread, -1.5, 0},
				{sentLinger, -2, 0},
				{someTimeouts, 0.7, 0},
				{streamResets, -4, 0},
				{badGateway, -2, 0},
				{inWrite, -0.5, 0},
				{inBody, -2, 0},
				{wentAway, -2, 0},
			},
			says: "the accept queue was full: the service accepted too slowly for its backlog",
		},
		{
			cause: "syn-backlog", rare: 1, gauges: []string{probe.SynQueue}, counters: []string{probe.ReqQueueFullDrop},
			weights: []weight{
				{unserved, -1, 0.5},
				{constantShare, -2, 0},
				{latencyFirst, -0.5, 0},
				{inDial, 1.5, -3}, {overflowed, -2, 0.5}, {someTimeouts, 1, -1}, {descriptorsFull, -2, 0}, {someResets, -2, 0},
			},
			says: "the queue of half-open connections was full",
		},
		{
			cause: "server-memory-oom", counters: []string{probe.OOMKills}, gauges: []string{probe.CgroupMemory, probe.RSS, probe.Memory, probe.TCPMemory, probe.Orphans},
			any: []clue{outOfMemory}, strict: true,
			weights: []weight{
				{outOfMemory, 5, -5}, {died, 1, -2}, {diedWithFaults, 2, -1}, {someRefused, 0.5, 0},
			},
			says: "the kernel killed the process for memory",
		},
		{
			cause: "server-cpu-shedding", gauges: []string{probe.CgroupCPU, probe.ProcessCPU, probe.CPU}, counters: []string{probe.CPUThrottled},
			weights: []weight{
				{queueTimeout, -2, 0},
				{latencyFirst, 2, -3},
				{processorBusy, 1, -2.5},
				{onlyTimeouts, -3, 0},
				{sentUnread, 1, -0.5},
				{mostlyResets, 0.3, 0},
				{shedStatus, 2, 0},
				{excessFails, 0.7, -0.5},
				{diedWithFaults, -3, 0.3},
				{descriptorsFull, -2.5, 0.3},
				{constantShare, -3, 0},
				{sentNone, -4, 0},
				{idleGap, -3, 0},
				{overflowed, -0.7, 0},
				{sentLinger, -1, 0},
				{inTLS, -2, 0},
				{streamResets, -1, 0},
				{inDial, -1, 0.3},
			},
			says: "the processor was used up and the service dropped what it could not serve",
		},
		{
			cause: "client-timeout", elimination: true, any: []clue{onlyTimeouts, waitedInVain},
			weights: []weight{
				{gapUnfilled, -3, 0},
				{waitedInVain, 1.5, -4},
				{nearTimeout, 3, -2.5},
				{latencyFirst, 1, -1.5},
				{inAwait, 1, -3},
				{processorBusy, 1, 0},
				{closeWaitRises, 0.7, 0},
				{clientSent, 0.5, 0},
				{retransmitted, -2, 0.5},
				{risesWithLoad, 1, -1.5},
				{descriptorsFull, -7, 0.3},
				{overflowed, -2.5, 0.3},
				{queueFull, -2, 0},
				{hungBefore, -2, 0},
				{inBody, -1, 0},
				{excessFails, 0.3, 0},
				{poolFull, 0.5, 0},
				{lostRetransmits, -2, 0},
				{synsLost, -2, 0},
			},
			says: "answers took longer than the client waits",
		},
		{
			cause: "server-threads", gauges: []string{probe.Threads, probe.HostThreads, probe.CgroupPIDs}, counters: []string{probe.PIDsMaxHits},
			weights: []weight{
				{risesWithLoad, 0.3, -2}, {diedWithFaults, -1, 0}, {sentNone, -4, 0}, {idleGap, -2, 0}, {sentLinger, -1, 0}, {streamResets, -2, 0},
			},
			says: "no thread or process could be made",
		},
		{
			cause: "bandwidth-send-timeout", counters: []string{probe.QdiscDrops}, gauges: []string{probe.NetSent},
			any: []clue{inBody},
			weights: []weight{
				{slowBody, 1.5, -1.5},
				{inBody, 2, -3}, {sentLinger, 1, 0}, {risesWithLoad, 1, -1}, {latencyFirst, 1, -1}, {retransmitted, 0.5, 0}, {lostRetransmits, -2, 0.3},
			},
			says: "the link was full and responses were given up half sent",
		},
		{
			cause: "application-abort", own: true, any: []clue{someResets, someEOF, streamResets, badGateway, innerMatch},
			weights: []weight{
				{innerMatch, 1, 0},
				{constantShare, 3.5, -1.5},
				{sentLinger, 1.5, -0.7},
				{streamResets, 4, 0},
				{loopback, 0.5, 0},
				{inBody, 1, 0},
				{slowBody, -1.5, 0.3},
				{someRefused, -2, 0},
				{diedWithFaults, -4, 0},
				{sentNone, -5, 1},
				{sentUnread, -2, 0.3},
				{idleGap, -4, 0},
				{excessFails, -1.5, 0.3},
				{inDial, -2, 0},
				{livePacket, 1, 0},
				{pathTTL, -4, 1},
				{forgedPacket, -4, 0},
				{onlyTimeouts, -5, 0},
				{earlyStatus, -2, 0},
				{inWrite, -1, 0},
				{inTLS, -3, 0},
				{descriptorsFull, -1, 0},
				{queueFull, -0.5, 0},
				{inBursts, -2, 0},
				{atOnce, -3, 0},
				{sentInvalidSyn, -3, 0},
				{sentFromListener, -1, 0},
				{sentNoSocket, -2, 0},
				{connectionsCapped, -0.5, 0},
				{rateStatus, -4, 0},
				{shedStatus, -1.5, 0},
				{gatewayTimeout, -2, 0},
				{reusedOnly, -0.5, 0.3},
				{latencyFirst, -0.7, 0},
			},
			says: "the application itself aborts responses",
		},
		{
			cause: "early-response-unread-body", any: []clue{inWrite, earlyStatus},
			weights: []weight{
				{inWrite, 2.5, -1.5},
				{earlyStatus, 3, -2},
				{sentUnread, 1.5, -2},
				{constantShare, 1, -0.5},
				{sentNone, -4, 0},
				{idleGap, -3, 0},
				{descriptorsFull, -2, 0},
				{diedWithFaults, -3, 0},
				{reusedOnly, -0.5, 0},
				{badGateway, -4, 0},
				{latencyFirst, -1, 0},
			},
			says: "the server answered before it had read the request's body, and closed",
		},
		{
			cause: "process-crash", any: []clue{died, wentAway},
			weights: []weight{
				{leftInOrder, -3, 0.3},
				{died, 0, -4},
				{wentAway, 1.5, 0},
				{diedWithFaults, 3.5, -3},
				{diedAtLoad, 1.5, -1},
				{diedOfItself, 1, -0.3},
				{diedOnClock, -3, 0.7},
				{outOfMemory, -5, 0.3},
				{hungBefore, -2, 0.7},
				{someRefused, 0.7, 0},
				{sentNoSocket, 1, 0},
				{sentOnExit, 0.7, 0},
				{workersDied, -3, 0.3},
				{retired, -1, 0},
				{sentNone, -1, 0},
				{risesWithLoad, 0.5, 0},
			},
			says: "the process ended",
		},
		{
			cause: "worker-killed", any: []clue{died},
			weights: []weight{
				{leftInOrder, -2, 0},
				{killed, 1.5, -0.5},
				{diedWithFaults, 3, -3},
				{hungBefore, 2.5, -1.5},
				{workersDied, 2, -0.3},
				{retired, -1, 0},
				{diedOfItself, -1, 0.5},
				{mostlyEOF, 1, 0},
				{diedOnClock, -2.5, 0.3},
				{outOfMemory, -5, 0.3},
				{someTimeouts, 0.3, 0},
				{reusedOnly, -0.3, 0},
				{diedAtLoad, 0.5, 0},
			},
			says: "the process had stopped answering and was killed by its supervisor",
		},
		{
			cause: "worker-recycling", any: []clue{workersDied, retired}, must: []clue{workersDied},
			weights: []weight{
				{leftInOrder, 1, -0.5},
				{killed, -3, 0},
				{diedWithFaults, 2.5, -3},
				{workersDied, 1.5, -4},
				{retired, 2, -1},
				{reusedOnly, 1.5, -1.5},
				{sentUnread, 1, 0},
				{mostlyEOF, -0.5, 0},
				{hungBefore, -2.5, 0.5},
				{someRefused, -1.5, 0.3},
				{outOfMemory, -5, 0},
				{risesWithLoad, -0.5, 0.5},
			},
			says: "workers were replaced by fresh ones while connections were open",
		},
		{
			cause: "ungraceful-restart", any: []clue{died, wentAway},
			weights: []weight{
				{leftInOrder, 1, 0},
				{died, 0, -4},
				{wentAway, 1.5, 0},
				{diedWithFaults, 3.5, -3},
				{diedOnClock, 3, -2.5},
				{diedOfItself, -1.5, 0.3},
				{diedAtLoad, -1.5, 0.5},
				{outOfMemory, -5, 0.3},
				{hungBefore, -1.5, 0.3},
				{sentOnExit, 0.7, 0},
				{sentNoSocket, 0.5, 0},
				{workersDied, -4, 0.3},
				{retired, -1.5, 0},
				{someRefused, 0.3, 0},
			},
			says: "the process was restarted without letting its connections drain",
		},
		{
			cause: "tls-shedding", own: true, any: []clue{inTLS}, must: []clue{inTLS},
			weights: []weight{
				{inTLS, 4, -5},
				{sentUnread, 1, -0.3},
				{risesWithLoad, 1.5, -1},
				{descriptorsFull, -3, 0.3},
				{diedWithFaults, -3, 0},
				{sentNone, -4, 0.3},
				{tlsFaults, -3, 0},
				{pathTTL, -3, 0},
				{overflowed, -1, 0},
			},
			says: "connections were dropped before their TLS handshake",
		},
		{
			cause: "rate-limit-policy", elimination: true, own: true, any: []clue{excessFails, rateStatus, cliff},
			weights: []weight{
				{cliff, 2.5, 0},
				{crowded, -2, 0.5},
				{excessFails, 3, -2.5},
				{rateStatus, 5, 0},
				{risesWithLoad, 1, -3},
				{sentLinger, 1.5, -0.5},
				{latencyFirst, -2.5, 1},
				{sentNone, -4, 0.3},
				{descriptorsFull, -5, 0.5},
				{processorFull, -1, 0.5},
				{connectionsCapped, -2, 0},
				{died, -1, 0.3},
				{diedWithFaults, -4, 0},
				{overflowed, -2.5, 0},
				{onlyTimeouts, -3, 0},
				{idleGap, -3, 0},
				{sentUnread, -0.7, 0},
				{pathTTL, -4, 0.5},
				{loopback, 0.7, 0},
				{inTLS, -2.5, 0},
				{someRefused, -1, 0},
				{queueFull, -2, 0},
				{shedStatus, -0.5, 0},
				{someEOF, -0.5, 0},
				{dialResets, -3, 0},
				{badGateway, -3, 0},
			},
			says: "whatever exceeds a fixed rate is turned away",
		},
		{
			cause: "idle-timeout-race", own: true, any: []clue{idleGap, reusedOnly, sentLate},
			weights: []weight{
				{earlyStatus, -2.5, 0},
				{peerCloses, 0.5, -3},
				{idleGap, 5, -4},
				{idleTight, 1, -5},
				{reusedOnly, 1, -2.5},
				{restingLoad, 1, 0},
				{sentLate, 2, 0},
				{sentFromListener, 1, 0},
				{sentNone, -3.5, 0.7},
				{risesWithLoad, -1, 0.3},
				{diedWithFaults, -3, 0.3},
				{descriptorsFull, -1.5, 0},
				{pathTTL, -4, 0.5},
				{inWrite, 0.3, 0},
				{inBody, -2, 0},
				{onlyTimeouts, -3, 0},
				{inDial, -4, 0},
				{workersDied, -1, 0},
				{atOnce, -1, 0},
				{loopback, 0.7, 0},
			},
			says: "the server closes idle connections just when the client uses them again",
		},
		{
			cause: "path-idle-expiry", leg: path, any: []clue{idleGap}, must: []clue{idleGap},
			weights: []weight{
				{peerCloses, -2.5, 3},
				{idleGap, 3.5, -5},
				{idleTight, -0.5, 2.5},
				{loopback, -5, 0},
				{sentNone, 3.5, -3},
				{pathTTL, 2.5, -4},
				{reusedOnly, 0.5, -2},
				{onlyTimeouts, 2, 0},
				{sentLate, -3, 0},
				{sentFromListener, -1, 0},
			},
			says: "something on the path forgets connections that rest",
		},
		{
			cause: "path-reset", leg: path, any: []clue{someResets}, must: []clue{someResets},
			weights: []weight{
				{mostlyEOF, -4, 0},
				{constantShare, 3, -1.5},
				{sentNone, 4, -5},
				{pathTTL, 2.5, -4},
				{loopback, -5, 0},
				{idleGap, -5, 0},
				{forgedPacket, -2, 0.3},
				{livePacket, -3, 0},
				{bothEnds, -1.5, 0},
				{diedWithFaults, -3, 0},
				{inBody, 0.3, 0},
				{excessFails, -1.5, 0},
				{someEOF, -1.5, 0.3},
				{someRefused, -1, 0},
				{sentLinger, -3, 0},
			},
			says: "something on the path resets connections",
		},
		{
			cause: "path-rate-limit", leg: path, any: []clue{excessFails, risesWithLoad}, must: []clue{risesWithLoad},
			weights: []weight{
				{cliff, 1.5, 0},
				{mostlyEOF, -4, 0},
				{crowded, -1, 0.5},
				{excessFails, 2, -1.5},
				{risesWithLoad, 1, -3},
				{sentNone, 4, -4},
				{pathTTL, 2.5, -4},
				{onlyTimeouts, -1.5, 0},
				{loopback, -5, 0},
				{connectionsCapped, -1, 0},
				{latencyFirst, -2.5, 0.5},
				{forgedPacket, -1, 0},
				{someEOF, -1, 0},
				{dialResets, -2, 0},
				{descriptorsFull, -1, 0},
				{inDial, -0.5, 0.3},
				{livePacket, -3, 0},
				{idleGap, -3, 0},
				{sentLinger, -3, 0},
			},
			says: "something on the path turns away what exceeds a rate",
		},
		{
			cause: "path-connection-limit", leg: path, any: []clue{connectionsCapped, sentNone}, must: []clue{risesWithLoad},
			weights: []weight{
				{mostlyEOF, -4, 0},
				{crowded, 0, -1},
				{connectionsCapped, 2.5, -1},
				{inDial, 1, -1.5},
				{someRefused, 1, 0},
				{sentNone, 3, -4},
				{pathTTL, 2.5, -4},
				{onlyTimeouts, -1, 0},
				{loopback, -5, 0},
				{freshOnly, 0.7, -1},
				{overflowed, -2, 0},
				{descriptorsFull, -2, 0},
				{livePacket, -3, 0},
				{idleGap, -3, 0},
				{diedWithFaults, -3, 0},
			},
			says: "something on the path allows only a number of connections",
		},
		{
			cause: "host-firewall", leg: path, any: []clue{sentNone}, must: []clue{sentNone},
			weights: []weight{
				{sentNone, 4, -5}, {pathTTL, -4, 2.5}, {constantShare, 2, 0}, {risesWithLoad, 1.5, 0}, {forgedPacket, -2, 0.3}, {livePacket, -4, 0.3}, {loopback, 1.5, 0}, {bothEnds, -1.5, 0}, {idleGap, -1, 0},
			},
			says: "a packet filter on the serving host itself resets connections",
		},
		{
			cause: "rst-injection", leg: path, any: []clue{bothEnds, forgedPacket},
			weights: []weight{
				{bothEnds, 2.5, -1.5}, {forgedPacket, 3.5, -2}, {sentNone, 2, -4}, {loopback, -3, 0}, {livePacket, -2, 0}, {constantShare, 0.5, 0},
			},
			says: "resets are forged on the path and sent to both ends",
		},
		{
			cause: "conntrack-table", leg: path, gauges: []string{probe.Conntrack}, counters: []string{probe.ConntrackDrop, probe.ConntrackInsertFail},
			weights: []weight{
				{unserved, -1, 0.7},
				{constantShare, -2, 0},
				{conntrackFull, 1, -5}, {inDial, 1.5, -1.5}, {synsLost, 1.5, -1}, {someTimeouts, 1, -2}, {overflowed, -2, 0}, {descriptorsFull, -2, 0}, {sentUnread, -3, 0}, {diedWithFaults, -3, 0},
			},
			says: "the connection table was full",
		},
		{
			cause: "nat-ports", leg: path, counters: []string{probe.ConntrackInsertFail},
			weights: []weight{
				{unserved, -1, 0.7},
				{constantShare, -2, 0},
				{conntrackFull, -4, 1}, {inDial, 1.5, -2}, {synsLost, 1.5, -1}, {someTimeouts, 1, -2}, {overflowed, -2, 0}, {descriptorsFull, -2, 0},
			},
			says: "address translation had no port left",
		},
		{
			cause: "conntrack-invalid", leg: path, any: []clue{strayReset, conntrackInvalid},
			weights: []weight{
				{strayReset, 4, -2}, {conntrackInvalid, 1.5, -2}, {sentFromListener, 1, 0}, {clientSent, 1, 0}, {loopback, -2, 0}, {diedWithFaults, -2, 0},
			},
			says: "connection tracking did not know packets as its own and passed them on untranslated",
		},
		{
			cause: "packet-loss", leg: path,
			any: []clue{retransAlways, retransmitted, dialTimeouts},
			weights: []weight{
				{gapUnfilled, -1, 0},
				{retransAlways, 3, -3},
				{synsLost, -1.5, 0.3},
				{risesWithLoad, -1, 0.3},
				{retransmitted, 1.5, -1.5},
				{constantShare, 1.5, -1.5},
				{onlyTimeouts, 1.5, -1},
				{lostRetransmits, -1, 0.3},
				{overflowed, -1.5, 0},
				{someEOF, -2, 0},
				{sentUnread, -3, 0},
				{sentLinger, -3, 0},
				{loopback, -2, 0},
				{diedWithFaults, -2, 0},
				{inBody, -0.3, 0},
				{inBursts, -1, 0},
			},
			says: "packets are lost at every load",
		},
		{
			cause: "network-outage", leg: path, any: []clue{abortTimeouts, inBursts},
			weights: []weight{
				{abortTimeouts, 2, -0.5},
				{inBursts, 1.5, -2},
				{synsLost, -2, 0},
				{risesWithLoad, -1.5, 0},
				{retransmitted, 1.5, -1},
				{someTimeouts, 1, -2},
				{sentFromListener, 1, 0},
				{diedWithFaults, -4, 0.5},
				{loopback, -3, 0},
				{overflowed, -1, 0},
				{retransAlways, -1.5, 0.3},
				{descriptorsFull, -1.5, 0},
				{constantShare, -3, 0},
				{processorFull, -1, 0},
			},
			says: "the network was interrupted for a while",
		},
		{
			cause: "mtu-black-hole", leg: path, any: []clue{lostRetransmits, retransmitted, gapUnfilled}, must: []clue{someTimeouts},
			weights: []weight{
				{gapUnfilled, 3.5, 0},
				{lostRetransmits, 3, -2.5}, {onlyTimeouts, 1, -1}, {inDial, -3, 1}, {constantShare, 1, -0.5}, {synsLost, -2, 0.5}, {loopback, -4, 0}, {inBody, 1, 0}, {overflowed, -2, 0},
			},
			says: "full-size packets vanish on the path, small ones pass",
		},
		{
			cause: "failover", leg: path, any: []clue{atOnce}, must: []clue{atOnce},
			weights: []weight{
				{atOnce, 3, -4}, {died, -4, 1.5}, {someRefused, -2.5, 0.5}, {sentFromListener, 1.5, 0}, {sentNoSocket, 1, 0}, {abortTimeouts, -1.5, 0}, {outOfMemory, -4, 0}, {retransmitted, -1, 0.3}, {loopback, -1.5, 0},
			},
			says: "all connections were lost at one instant, and new ones were fine at once",
		},
		{
			cause: "proxy-ephemeral-ports", leg: proxy, gauges: []string{probe.EphemeralPorts},
			weights: []weight{
				{queueTimeout, -2, 0.5}, {badGateway, 2, -3}, {risesWithLoad, 1, -2}},
			says: "the proxy had no local port left towards its upstream",
		},
		{
			cause: "proxy-file-descriptors", leg: proxy, gauges: []string{probe.OpenFiles},
			weights: []weight{{badGateway, 1, 0}, {risesWithLoad, 1, -2}, {excessFails, 0.7, 0}, {someTimeouts, 0.3, 0}, {someResets, 0.3, 0}, {sentNone, -3, 0}, {diedWithFaults, -3, 0}, {idleGap, -2, 0}},
			says:    "the proxy had no file descriptor left",
		},
		{
			cause: "proxy-queue-limit", leg: proxy, any: []clue{shedStatus, gatewayTimeout},
			weights: []weight{
				{queueTimeout, 2.5, -2}, {shedStatus, 2, -1}, {gatewayTimeout, 1, 0}, {risesWithLoad, 1, -2}, {excessFails, 1, -1}, {upstreamIdle, 1.5, -2}, {died, -2, 0.3}},
			says: "the proxy let requests wait for the upstream until they timed out",
		},
	}
}
