package evidence

import (
	"fmt"
	"math"
)

// truth is the answer to a clue. The zero value is Unknown: what was not observed is not "no".
type truth int8

const (
	No      truth = -1
	Unknown truth = 0
	Yes     truth = 1
)

// Clue is one yes-or-no question to the recording of a run. Its answer speaks for or against causes.
type Clue int

// The clues, by where they are seen. Clues about processes, queues and answers are asked of each hop;
// "this hop" is that hop.
const (
	// The faults.
	MostlyResets Clue = iota
	SomeResets
	MostlyEOF
	SomeEOF
	SomeRefused
	OnlyTimeouts
	WaitedInVain // most failures are timeouts of the client or of a gateway, waiting for an answer
	SomeTimeouts
	BadGateway // most failures are 5xx over connections without any fault
	GatewayTimeout
	RateStatus // 429
	ShedStatus // 503
	ShedAtOnce // 503, without a wait
	OwnError   // 500: the process that answered failed
	EarlyStatus
	SlowRequest // 408
	StreamResets
	GoneAway // HTTP/2 connections were ended with requests on them
	TlsFaults

	// The phase and the connection.
	InnerMatch // resets behind the proxy came at the times of the failures
	InDial
	DialResets // resets, not refusals, in answer to a handshake
	DialTimeouts
	Unserved // connections that came up were never answered
	InTLS
	InWrite
	InAwait
	InBody
	StillComing // bytes of responses went on arriving after these were given up: a queue on the way held them
	SlowBody    // broken responses had taken longer than complete ones do at light load
	ReusedOnly
	FreshOnly
	IdleGap   // only connections fail that had been idle longer than some time
	IdleTight // and they had been idle hardly longer than that
	Retransmitted
	GapUnfilled // segments arrived, but those before them never did
	SameServed  // the request that fails is also often answered well since the onset
	Forgotten   // the serving kernel no longer knew the connections that timed out
	CameLate    // answers came after who had asked had given up
	ClosedLate  // connections were closed without a response after a long wait
	Loopback
	PoolFull

	// The course over load and time.
	RisesWithLoad
	ConstantShare
	ExcessFails // the rate of successes stays constant, and what exceeds it fails
	AllFail     // nothing succeeds any more, from soon after the onset
	HeldOff     // since the onset everything is refused, after the same long wait
	Cliff       // since the onset hardly anything succeeds, and failures come without a wait
	LatencyFirst
	Queued          // since the onset successes take longer: there is a queue before what is full
	ServedMeanwhile // when attempts began to time out, others were still answered as before
	Blackout        // for a while nothing was answered
	NearTimeout
	AtOnce
	InBursts
	AbortedAtOnce // a process that lives on aborted its open connections at one instant
	MarkedDown    // spells of 5xx began just after a host behind had reset a connection
	RestingLoad   // the load comes in bursts and leaves connections idle between them
	PeerCloses    // the other end also closed idle connections in good order (FIN)
	Crowded       // many requests were in flight at the onset
	QueueTimeout  // all refusals took the same long time
	ConnectionsCapped
	WentAway // the port refused connections for a while, and answered again

	// The kernel of the serving host, and the packets.
	SentUnread
	SentLinger
	SentOnExit
	SentLate
	SentNoSocket
	SentFromListener
	KnownElsewhere // connections that a kernel reset as unknown were open on another machine
	SentInvalidSyn
	SentNone
	ClientSent
	StrayReset
	BothEnds
	PathTTL
	SameTTL // resets had the TTL of the connection's other packets: they came from the host itself
	ForgedPacket
	LivePacket
	Relayed // live sockets that are not the serving host's were aborted: something between ends connections itself

	// What kernels say they did with packets. Yes: often enough to explain the failures.
	FilterBeside    // a filter began to drop packets between two watched hosts, on no connection of the target
	NotForwarded    // a host on the way received packets for the next one and did not forward them
	FilterDropped   // a netfilter rule dropped packets
	TrackingDropped // connection tracking dropped packets, as its table was full
	InsertFailed    // connection tracking dropped packets of each failed request, though its table had room: no port was left to translate to
	ReverseDropped  // the reverse path filter dropped packets
	TooBigDropped   // packets were too big for the next link, or the ICMP message that says so was dropped
	QueueDropped    // a queue of a listener on the serving host was full
	PathRejected    // a REJECT rule on a host between client and service reset connections
	HostRejected    // a REJECT rule on the serving host reset connections
	AcceptedLate    // connections that had come up waited for the process to accept them
	ReadLate        // data that had arrived waited for the process to read it

	// Processes.
	Died
	DiedWithFaults
	DiedOnClock
	DiedAtLoad
	WorkersDied
	LeftInOrder  // processes ended with exit status 0
	Killed       // processes were sent SIGKILL, and not for lack of memory
	Retired      // processes left in good order while others of their name stayed
	DiedOfItself // processes ended by a fault or with an error, not by a signal sent to them
	Terminated   // processes were asked to end (SIGTERM)
	GoneForGood  // no process took the place of those that ended
	Ended        // somebody ended it by a signal to end, and no process took its place
	HungBefore
	OutOfMemory
	Thrashing // memory was full, and threads waited for it (pressure)

	// Counters and limits of the serving host.
	Overflowed
	OverflowsCover // queues overflowed as often as connections failed to come up
	Embryonic
	AbortTimeouts
	LostRetransmits
	SynsLost
	Vanished // handshakes got no answer, and no queue of the serving host dropped them
	RetransAlways
	RetransBegan // retransmissions began with the failures, at a load that had had none before
	LinkDropped  // network interfaces dropped packets at the onset
	ConntrackInvalid
	DescriptorsFull
	Reserved // accepting stopped when only a reserve of descriptors was left
	ThreadsFull
	ProcessorFull
	ProcessorBusy // of the serving process itself
	ConntrackFull
	ConntrackFlat // the table of tracked connections stopped growing at the onset, far below its limit
	QueueFull
	UnixQueueFull // the accept queue of a Unix socket was full; no kernel counter shows that
	CloseWaitRises
	UpstreamIdle
	PassedOn         // the traffic that reaches the next host goes on growing with the load
	KnownProxy       // a process of the hop is known to pass requests on
	UnreadThroughout // closed with unread data at every load, by a service that lacked nothing
	PortsFull        // no local port was left towards the next hop
	SocketMemory     // the kernel had no memory left for sockets
	Stolen           // the hypervisor took the processor away

	// What was said.
	Answered           // nearly all failures are statuses, on connections that stayed open: some service answered
	Unbroken           // no connection ended, under a request or idle
	RefusedAll         // nearly all faults are refusals: nothing listened
	NeverTaken         // not one connection came up in the whole run
	CertificateRefused // this side did not accept the certificate
	AlertTold          // the other side ended handshakes with a TLS alert
	AlertMismatch      // the alert says that the ends have no version, cipher or protocol in common
	NameUnknown        // the name has no address, or no name server answers
	AddressAway        // one of several addresses accepts no connection, and the others do
	AddressMoved       // the address moved to another machine at the onset
	AddressLeft        // this hop's host gave its address up while others go on asking it, and no host was seen to have it since
	AddressTaken       // this hop's host gave its address up, and another machine answers there
	AddressStale       // this hop goes on asking an address that the next hop gave up, and another machine answers there
	AddressContested   // two machines have the address, and packets for it went from one to the other at the onset
	TooLarge           // 413, 414, 431
	Unauthorized       // 401, 403
	SteadyAge          // connections break at the same age
	OutlastsLoad       // failures go on at loads far below that of the onset
	RetriesAdd         // retries were a large part of what was sent

	// Where requests stand.
	Idle        // the hop owes answers, and neither its processor nor its disks nor a queue is busy
	StandsStill // from the onset to the end nothing was answered, and the process lived on
	OnDisk      // threads waited for disks
	Starved     // threads were ready and had no processor
	Paused      // all requests stood still repeatedly, and then were answered all at once

	// Where the waiting ends, followed from hop to hop (package waiting). WaitsBehind says that a hop is
	// a victim: its requests wait for the next one. The others say where requests stand at the culprit.
	WaitsBehind
	StandsInside      // inside: read and not answered, while its threads are asleep
	StandsStuck       // inside, and none is answered any more
	StandsQueued      // not accepted or not read, while all threads that could serve them are busy inside
	StandsCapped      // not accepted, beyond a limit on connections: few threads have many of them
	StandsPooled      // waiting for one of a fixed number of connections to the next hop
	PoolRests         // waiting for such a connection, though nothing is asked on them: their holder does nothing with them
	FewerPlaces       // it has fewer connections to the next hop than requests inside, and most of them are idle
	SessionsOpen      // the database says that the sessions of those connections are idle in transactions
	ProxyPooled       // waiting for such a connection at a proxy, which has no other use for connections
	StandsUnprocessed // threads were ready and had no processor
	OthersUse         // ready and without processor, while it uses little processor itself: others take it
	StandsOnDisk
	StandsStopped   // the process does not run at all
	StandsUnwatched // at a hop behind it that nobody watches
	StandsBetween   // between this hop and the next
	StandsDelayed   // between this hop and the next, where packets take long and are not lost
	BodiesDelayed   // responses break off half received, and packets to the next hop and back take much longer
	RestedLost      // requests are lost on connections to the next hop that had rested, and not on the others
	FileLocked      // its threads wait for a lock on a file
	OutputBlocked   // its threads write into a pipe or local socket that nobody reads
	LockedStore     // its sessions wait for locks, and it is a store, which detects deadlocks itself and ends one of them
	StoreStands     // a database with locks does nothing and answers hardly anything: its sessions wait for something that they do not tell
	SaysLocked      // its processes say that they wait for a lock
	EndedBeside     // a process of another hop ended just before the onset, and no other took its place
	CutOff          // the hop before had connections to it and has none any more, while requests wait for one
	AskedByService  // a service that is no proxy asks it: so it is a dependency, and not the application
	AsksItself      // it waits for a hop before it, which waits for it
	SynsArrived     // the next hop's kernel has got the connections that do not come up, and holds them half open
	StandsUnreached // no connection from this hop to the next comes up
	StandsNewOnly   // most new connections to the next hop do not come up, and those that did are answered as before
	CallersSend     // requests that this hop has begun to read are incomplete: it waits for its callers
	NothingWaited   // requests were refused without a wait, and those served took no longer than before

	// How far requests got that failed without a wait, by the traffic of each hop.
	Came          // the failed requests came to this hop
	TurnedAway    // this hop answered them itself, without trying to ask the next
	TriedInVain   // this hop tried to connect to the next for each of them, and failed
	NotAsked      // they did not come to this hop, and the hop before did not try
	AnsweredOther // this hop asks nobody, and answered them with larger or smaller answers than others
	EndsThem      // this hop's host ended a connection for each of them, and none for other requests
	RefusedEarly  // connections to this hop were ended during their greeting, before a request
	CallerEnds    // for each failed request the hop before closed its connection to this one, after an answer
	CallerEndsAll // since the onset the hop before closes its connections to this one, for any request
	RefusesAnswer // this proxy refuses answers of the next hop: it closes connections after them, or they were no errors
	TLSHop        // this hop speaks TLS, by its port
	ErrsItself    // the first service behind the proxies answered the failed requests, with answers of another size than usual
	SteadyRate    // the same number of requests passed in every second, whatever load was offered
	Unanswered    // no host on the network has the address that is asked (ARP, neighbour discovery)
	FreshBehind   // every request to this hop has a connection of its own
	HeldFlat      // connections to this hop stopped growing when requests began to fail, while new ones go on arriving
	OutOfUse      // hardly anything was served, and without a wait: this hop does not ask the next any more
	TroubleBefore // the next hop had failed before that
	TroubleLasts  // the next hop still fails whenever it is asked
	UnreadBehind  // it answers instead of the hops behind it, and nobody read what those answered before
	NoTrouble     // the next hop is watched, and had not failed before
	LateOut       // others stopped asking this hop because it answers late
	FailingOut    // others stopped asking this hop because it answers with errors
	Replied       // this hop is the deepest whose error answers to failed requests were read on the wire
	AnswersLate   // the next hop answered requests after this proxy had given them up
	RestingEnds   // this hop ended a few connections, under a load that leaves them idle, and nothing else is wrong
	StoreHop      // it is a database or another store: it limits connections, and no rate

	// What answers and logs say, in the wordings of known software (package says).
	SaysFull         // a service behind accepts no more connections
	SaysPool         // the writer's pool is exhausted
	SaysSlots        // the writer accepts no more connections
	SaysQueue        // the queue before the next hop is full
	SaysFiles        // no file descriptor was left
	SaysPorts        // no local port was left
	SaysMemory       // no memory was left
	SaysDisk         // no room on a disk was left
	SaysFileAccess   // the file system refused what was asked of it
	SaysLocking      // transactions waited for each other
	SaysUnknownName  // a name was not found
	SaysAway         // nothing listens at the next hop
	SaysEnds         // its callers say that it closed connections instead of answering
	SaysBrokenBehind // a connection to the next hop broke
	SaysRate         // a rate is exceeded
	SaysCredentials  // credentials are refused
	SaysBig          // the request is too large
	SaysStoreFull    // a store behind has reached its memory limit
	SaysReadOnly     // a store behind is read-only
	SaysIdentifiers  // the type of a sequence or column holds no higher number
	SaysSlowReader   // a broker gave up a client that reads too slowly
	SaysSchema       // a table or column is not as expected
	SaysForbidden    // the user lacks the right
	SaysCertificate  // a certificate was not accepted, or none was sent
	SaysMismatch     // the ends have no TLS version, cipher or protocol in common
	SaysWorkers      // no worker or thread is free
	SaysTracking     // the connection tracking table is full
	SaysBacklog      // an accept queue is full
	SaysException    // code failed: a panic, a stack trace, an uncaught exception
	SaysShort        // a response was shorter than announced
	SaysStarting     // the next hop is starting, stopping or loading
	SaysSlow         // an answer of the next hop did not come in time
	SaysKilled       // a worker was killed because it did not answer
	SaysCrashed      // a process crashed
	SaysBadAnswer    // an answer of the next hop was not accepted
	SaysLate         // a store is busy with one command, or gave up one that took too long
	NamesAway        // it resolves names for others, and its process ended
	LoopHeld         // its one event loop is held in a call, and accepts and reads nothing
	AskedMore        // more requests come to it for each that the client sends than before
	Multiplied       // most requests that it works on were given up by the callers, which ask again
	SaysUnreached    // its callers say that connections to it did not come up in time, or that there is no route
	OwnRule          // its own log says of most failed requests that one of its rules refused them
	WroteStatus      // most failures are statuses, and this hop wrote them
	RetryAsked       // the answers ask to retry later (Retry-After): a policy
	ShortBody        // responses are shorter than they announce, by the same length again and again
	BigRequests      // requests above a size fail, and those below do not
	BigResponses     // requests with responses above a size fail, and others do not
	BigUnacked       // large requests were retransmitted and never acknowledged

	// What the API server of a Kubernetes cluster says about pods.
	PodsKilled  // a container was killed for memory
	PodsOut     // pods were taken out of service, and ran on
	PodsUpdated // a rolling update ended pods
	PodsEvicted // nodes evicted pods
	ProbeKilled // a container was killed because its liveness probe failed

	// What happened at the onset.
	NobodyListens // the kernel of an inner hop refused connections because nothing listens
	DroppedInPart // a filter dropped some packets of a connection and passed others: it acts as loss
	LastWords     // a process logged what it lacked just before it ended: its end is the consequence
	Reloaded      // its processes were replaced once, in good order, just before the onset
	InTurn        // instances ended and came back one after the other, each once: a rolling restart
	DeniesItself  // since the onset this hop itself answers all requests, or all of one kind, with an error, and the hops behind are well
	KeptAnswer    // this hop goes on serving an error that the hops behind gave and no longer give
	StoreEvicts   // this store began to evict entries, and users lost their sessions
	StoreForgets  // this store began to answer that nothing is there, and users lost their sessions
	StoreEmptied  // this in-memory store ended just before users lost their sessions
	StoreGone     // this in-memory store ended at the onset, and did not come back
	AskedInstead  // this hop is asked instead of a store that ended
	AskedToSignIn // users who were signed in are asked to sign in again: it finds no session of theirs
	SessionsGone  // a store behind lost the sessions of this hop's users
	OneKindAlways // one of several kinds of request fails whenever it is sent, at any load
	NumClues      // how many there are
)

// Fact is the answer to a clue, with the text and the source of what was seen. At is when, in
// seconds since the load began; nil where that is not one moment.
type Fact struct {
	Is     truth
	Text   string
	Source string
	At     *float64
}

// Facts are the answers to all clues at one hop, by Clue.
type Facts [NumClues]Fact

// Set answers a clue. format words what was seen, and source says where.
func (f *Facts) Set(c Clue, is truth, source, format string, args ...any) {
	f[c] = Fact{Is: is, Source: source, Text: fmt.Sprintf(format, args...)}
}

// SetAt is Set with the time of what was seen, in seconds since the load began.
func (f *Facts) SetAt(c Clue, is truth, at float64, source, format string, args ...any) {
	f.Set(c, is, source, format, args...)
	f[c].At = &at
}

// When turns a measurement into an answer: Yes from isYes on, No up to isNo, Unknown between them
// and for NaN.
func When(v, isNo, isYes float64) truth {
	switch {
	case math.IsNaN(v):
		return Unknown
	case v >= isYes:
		return Yes
	case v <= isNo:
		return No
	}
	return Unknown
}

// IsTrue returns Yes or No.
func IsTrue(b bool) truth {
	if b {
		return Yes
	}
	return No
}

// JoinEnd notes that somebody ended a process, and nothing took its place: its port refuses since.
func (f *Facts) JoinEnd() {
	refused := f[NobodyListens].Is == Yes || f[SomeRefused].Is == Yes
	if f[Terminated].Is == Yes && f[GoneForGood].Is == Yes && refused {
		f[Ended] = f[GoneForGood]
		f[Ended].Text = f[Terminated].Text + "; " + f[GoneForGood].Text
	}
}

// StatusShare says whether a status is that of most failures (Yes) or of hardly any (No).
func (f *Facts) StatusShare(c *Case, code uint16) truth {
	return When(c.Status(code), 0.05, 0.5)
}
