package evidence

import (
	"fmt"
	"math"
)

// truth is what an observation says. Not observed is not "no".
type truth int8

const (
	No      truth = -1
	Unknown truth = 0
	Yes     truth = 1
)

// Clue is one question to the record whose answer bears on causes.
type Clue int

// The clues, by where they are seen.
const (
	// The faults.
	MostlyResets Clue = iota
	SomeResets
	MostlyEOF
	SomeEOF
	SomeRefused
	OnlyTimeouts
	WaitedInVain // timeouts of the client or of a gateway, for answers
	SomeTimeouts
	BadGateway // most failures are 5xx over connections without any fault
	GatewayTimeout
	RateStatus // 429
	ShedStatus // 503
	ShedAtOnce // 503, without a wait
	OwnError   // 500: the answering process could not do its work
	EarlyStatus
	SlowRequest // 408
	StreamResets
	GoneAway // HTTP/2 connections were ended with requests on them
	TlsFaults

	// The phase and the connection.
	InnerMatch // resets behind the proxy fell together with the failures
	InDial
	DialResets // resets, not refusals, in answer to a handshake
	DialTimeouts
	Unserved // connections that came up were never answered
	InTLS
	InWrite
	InAwait
	InBody
	StillComing // responses that were given up went on arriving: a queue held them
	SlowBody    // broken responses had taken longer than whole ones do at light load
	ReusedOnly
	FreshOnly
	IdleGap   // only connections that had rested longer than some time
	IdleTight // and hardly longer
	Retransmitted
	GapUnfilled // segments came in, but what was before them never did
	SameServed  // the very request that fails is often answered from the onset on as well
	Forgotten   // connections that timed out were no longer known to the serving kernel
	ClosedLate  // connections were closed without a response after a long wait
	Loopback
	PoolFull

	// The course over load and time.
	RisesWithLoad
	ConstantShare
	ExcessFails // what succeeds stays constant
	AllFail     // nothing at all succeeds from soon after the onset on
	HeldOff     // everything is refused from then on, after the same long wait
	Cliff       // hardly anything succeeds from the onset on, and failures come at once
	LatencyFirst
	Queued          // from the onset on what succeeds waits longer: there is a queue before what is full
	ServedMeanwhile // when attempts began to wait in vain, others were answered as ever
	Blackout        // for a while nothing at all was answered
	NearTimeout
	AtOnce
	InBursts
	AbortedAtOnce // a process that lives on aborted what was open, at one instant
	MarkedDown    // spells of 5xx began just when hosts behind had reset a connection
	RestingLoad   // the load comes in bursts and lets connections rest
	PeerCloses    // the other end also closed connections that rested, in good order
	Crowded       // many requests were in flight when it began
	QueueTimeout  // refusals all took the same long time
	ConnectionsCapped
	WentAway // the port refused connections for a while, and answered again

	// The kernel of the serving host, and the packets.
	SentUnread
	SentLinger
	SentOnExit
	SentLate
	SentNoSocket
	SentFromListener
	SentInvalidSyn
	SentNone
	ClientSent
	StrayReset
	BothEnds
	PathTTL
	SameTTL // resets came with the TTL of the connection: from the host itself
	ForgedPacket
	LivePacket
	Relayed // live sockets aborted that are not the serving host's: something between ends connections itself

	// What kernels themselves say they did with packets, as often as it takes to
	// explain the failures.
	FilterBeside    // a filter began to drop what a watched host sends another, on no connection of the target
	NotForwarded    // a host on the way, which the next one's packets came to, does not pass them on
	FilterDropped   // a rule of netfilter dropped them
	TrackingDropped // connection tracking had no room
	InsertFailed    // so for each failed request, though its table had: there was no port to translate to
	ReverseDropped  // the way back to the sender is another one
	TooBigDropped   // too big for the way on, or the word of that was dropped
	QueueDropped    // a listener of the serving host had no room
	PathRejected    // a REJECT rule between client and service reset connections
	HostRejected    // a REJECT rule on the serving host did
	AcceptedLate    // connections that had come up waited for the process
	ReadLate        // what had come in waited for the process

	// Processes.
	Died
	DiedWithFaults
	DiedOnClock
	DiedAtLoad
	WorkersDied
	LeftInOrder  // processes ended with exit status 0
	Killed       // somebody sent processes SIGKILL, and it was not for memory
	Retired      // processes left in good order while others of their name stayed
	DiedOfItself // by a fault or with an error, not by somebody's signal
	Terminated   // somebody asked processes to end (SIGTERM)
	GoneForGood  // nothing took the place of what ended
	HungBefore
	OutOfMemory
	Thrashing // memory was full, and tasks waited for it

	// Counters and limits of the serving host.
	Overflowed
	OverflowsCover // as often as connections failed to come up
	Embryonic
	AbortTimeouts
	LostRetransmits
	SynsLost
	Vanished // handshakes got no answer, and no queue of the serving host had dropped them
	RetransAlways
	RetransBegan // they began with the failures, at a load at which there had been none
	LinkDropped  // network interfaces dropped packets just when it began
	ConntrackInvalid
	DescriptorsFull
	Reserved // accepting stopped when only a reserve of descriptors was left
	ThreadsFull
	ProcessorFull
	ProcessorBusy // of the serving process itself
	ConntrackFull
	ConntrackFlat // it stopped growing far below its limit, when it began
	QueueFull
	UnixQueueFull // of a Unix socket, which no counter tells of
	CloseWaitRises
	UpstreamIdle
	PassedOn         // what the next host receives goes on growing with the load
	KnownProxy       // a process of the hop is known to pass requests on
	UnreadThroughout // closed with unread data at every load, by a service that lacked nothing
	PortsFull        // no local port was left towards the next hop
	SocketMemory     // the kernel had no memory left for sockets
	Stolen           // the hypervisor took the processor away

	// What was said.
	Answered           // nearly all failures are statuses, over connections that lived on: somebody answered
	Unbroken           // no connection ended under a request or at rest
	RefusedAll         // refusals only, and hardly any other fault: nobody listened
	NeverTaken         // not one connection came up in the whole run
	CertificateRefused // this side did not accept the certificate
	AlertTold          // the other side ended handshakes with a TLS alert
	AlertMismatch      // so, because it offers no version, cipher or protocol that this side does
	NameUnknown        // the name has no address, or nobody says which
	AddressAway        // one of several addresses takes no connection, the others do
	AddressMoved       // the address went to another machine when it began
	AddressLeft        // its host gave up the address that others go on asking, and nobody was seen to have it since
	AddressTaken       // so, and somebody else answers there
	AddressStale       // this hop goes on asking an address that the next one gave up, and somebody else answers there
	AddressContested   // two machines have the address, and it went from one to the other when it began
	TooLarge           // 413, 414, 431
	Unauthorized       // 401, 403
	SteadyAge          // connections break at one age
	OutlastsLoad       // failures go on far below the load at which they began
	RetriesAdd         // retries were a large part of what was sent

	// Where requests stand.
	Idle        // neither processor nor disk nor a queue is busy on the hop, and it owes answers
	StandsStill // nothing at all was answered from the onset to the end, and the process lived on
	OnDisk      // tasks waited for disks
	Starved     // ready, and without processor
	Paused      // all requests stood still again and again, and then were answered at once

	// Where the waiting ends, followed from hop to hop. The first says that a hop is a
	// victim: its requests wait for the next one.
	WaitsBehind
	StandsInside      // read, and not answered, and nothing runs
	StandsStuck       // so, and none of them is ever answered
	StandsQueued      // not accepted or not read, while all that could serve them are busy inside
	StandsCapped      // not accepted, beyond a number of connections that few threads hold
	StandsPooled      // on one of a fixed number of connections to the next hop
	PoolRests         // so, and nothing is asked on them: who holds them does nothing with them
	FewerPlaces       // it has fewer connections to what each request asks than requests inside, and most of them rest
	SessionsOpen      // the sessions of those connections are idle in transactions
	ProxyPooled       // so, at a proxy, which has no other use for them
	StandsUnprocessed // ready, and without processor
	OthersUse         // so, and it uses little of it itself: others do
	StandsOnDisk
	StandsStopped   // the process does not run at all
	StandsUnwatched // at somebody behind whom nobody watches
	StandsBetween   // between this hop and the next
	StandsDelayed   // so, and what is under way there takes long: it is not lost
	FileLocked      // its threads wait for a lock on a file
	OutputBlocked   // its threads write into a pipe or socket of the machine that nobody empties
	LockedStore     // so, and it is a store, which ends its sessions itself where they wait for each other
	StoreStands     // a database that has locks does nothing, and answers hardly anything: its sessions wait for something that they do not say
	SaysLocked      // its processes say of themselves that they wait for a lock
	EndedBeside     // a process of another hop ended just before it, and nothing took its place
	CutOff          // those before it had connections to it, and have none any more, and requests wait for one
	AskedByService  // it is asked by a service that is no proxy: what stands there is not the application itself
	AsksItself      // it waits for one before it, which waits for it
	SynsArrived     // connections that do not come up had reached the next hop's kernel, which holds them half open
	StandsUnreached // connections from this hop to the next do not come up at all
	StandsNewOnly   // most new connections to the next do not come up, and what came up is answered as ever
	CallersSend     // what this hop has begun to read has not come in completely: it waits for its callers
	NothingWaited   // what was refused was refused at once, and what was served took no longer than ever

	// How far requests got that failed at once, told from the traffic of every hop.
	Came          // they came to this hop
	TurnedAway    // this hop answered them itself, and did not even try to ask the next
	TriedInVain   // this hop tried to ask the next for each of them, and got no connection
	NotAsked      // they did not come to this hop, and nobody tried
	AnsweredOther // this hop, which asks nobody, answered them, with more or less than it answers others
	EndsThem      // this hop's host ended a connection for each of them, and none for others
	RefusedEarly  // connections to this hop were ended in their greeting, before anything was asked
	CallerEnds    // the hop before ended a connection to this one itself for each failed request, after an answer
	CallerEndsAll // so, for whatever it was asked, from then on
	RefusesAnswer // this proxy does not take answers of the next hop: it ends connections after them, or they were no errors
	TLSHop        // this hop speaks TLS, by its port
	ErrsItself    // the first service behind proxies answered what failed, in another size than usual
	SteadyRate    // just as many requests a second were let through, second by second, whatever was offered
	Unanswered    // no host on its network answers for the address that is asked
	FreshBehind   // every request to this hop has a connection of its own
	HeldFlat      // connections to this hop stopped growing when requests began to fail, and new ones go on coming
	OutOfUse      // nearly nothing was served, at once: the next hop is not asked any more
	TroubleBefore // and before that it had been in trouble
	TroubleLasts  // and it is in trouble still whenever it is asked
	NoTrouble     // and it is watched, and had been in none
	LateOut       // this hop is what others stopped asking, for it answers late
	FailingOut    // this hop is what others stopped asking, for it answers with errors
	Replied       // this hop is the deepest that answered failed requests with errors, read on the wire
	AnswersLate   // this proxy gave up requests that the next hop did answer, a while later
	RestingEnds   // this hop ended few connections, in a load that lets them rest, and nothing else is amiss
	StoreHop      // it is a database or another store, which has a number of connections and no rate

	// What answers to failed requests say, in words that known software chose for that.
	SaysFull         // a service behind takes no more connections
	SaysPool         // a pool of whoever wrote it has no place left
	SaysSlots        // whoever wrote it takes no more connections
	SaysQueue        // a queue before what stands behind is full
	SaysFiles        // no file descriptor was left
	SaysPorts        // no local port was left
	SaysMemory       // no memory was left
	SaysDisk         // no room on a disk was left
	SaysFileAccess   // the file system refused what was asked of it
	SaysLocking      // transactions waited for each other
	SaysUnknownName  // a name was not found
	SaysAway         // nobody listens behind
	SaysEnds         // those before it say that it ended connections instead of answering
	SaysBrokenBehind // a connection to what stands behind broke
	SaysRate         // a rate is exceeded
	SaysCredentials  // credentials are refused
	SaysBig          // it is too large
	SaysStoreFull    // a store behind has reached the memory that it may use
	SaysReadOnly     // what is behind may not be written to
	SaysIdentifiers  // a sequence or a column holds no higher number
	SaysSlowReader   // a broker gave up a client that reads too slowly
	SaysSchema       // a table or column is not as expected
	SaysForbidden    // the right to do it is missing
	SaysCertificate  // a certificate is not accepted, or was not shown
	SaysMismatch     // two ends have no version, cipher or protocol of TLS in common
	SaysWorkers      // no worker or thread is free
	SaysTracking     // the table of tracked connections is full
	SaysBacklog      // the queue of connections that nobody accepted is full
	SaysException    // code failed
	SaysShort        // a response was shorter than announced
	SaysStarting     // what is behind is starting, stopping or loading
	SaysSlow         // an answer from behind did not come in time
	SaysKilled       // a worker was ended because it did not answer
	SaysCrashed      // a process ended by a fault
	SaysBadAnswer    // an answer from behind was not taken
	SaysLate         // a store is busy with one command, or gave up one that took too long
	NamesAway        // it looks up names for others, and its process ended
	LoopHeld         // its one event loop is held, and takes and reads nothing meanwhile
	AskedMore        // more comes to it for each request that the client sends than did before
	Multiplied       // most of what it works on nobody waits for any more, and it is asked again and again
	SaysUnreached    // those before it say that connections to it did not come up in time, or that there is no way
	OwnRule          // its own log says of most failed requests that a rule of its own refused them
	WroteStatus      // most failures are statuses, and it was this hop that wrote them
	RetryAsked       // it may be tried again after a while: a policy
	ShortBody        // responses announce more than they bring, again and again the same
	BigRequests      // requests above a size fail, those below it do not
	BigResponses     // requests with responses above a size fail, others do not
	BigUnacked       // what is large was sent again and again, and never acknowledged

	// What the API server of a cluster told of pods.
	PodsKilled  // a container was killed for memory
	PodsOut     // pods that ran on were taken out of service
	PodsUpdated // a rolling update ended pods
	PodsEvicted // nodes ended pods
	ProbeKilled // a container was ended because its liveness probe failed

	// What happened when faults began, and to what.
	NobodyListens // the kernel of an inner hop refused for a listener that is not there
	DroppedInPart // a filter dropped some packets of connections whose others pass: it loses them
	LastWords     // a process that ended said just before what it lacked: its end follows from that
	Reloaded      // its processes were replaced in good order just before, once
	InTurn        // one of several instances after the other ended once and came back: somebody goes through them
	DeniesItself  // this hop answers all, or all of one kind, with an error itself from one moment on, and nothing is amiss with those behind
	KeptAnswer    // this hop goes on to give an error that those behind it gave, and give no more
	StoreEvicts   // this store began to throw entries out, and users who were signed in are not any more
	StoreForgets  // this store began to answer that nothing is there, to those that refuse users who were signed in
	StoreEmptied  // this store, which keeps what it has in memory, had ended just before users who were signed in were not any more
	StoreGone     // this store, which keeps what it has in memory, ended when failures began, and did not come back
	AskedInstead  // this hop is asked since for what was kept in such a store
	SessionsGone  // a store behind lost what this hop tells users by who are signed in
	OneKindAlways // one of several requests fails whenever it is sent, at every load
	NumClues
)

// Fact is the answer to a clue, with what was seen.
type Fact struct {
	Is     truth
	Text   string
	Source string
	At     *float64
}

type Facts [NumClues]Fact

func (f *Facts) Set(c Clue, is truth, source, format string, args ...any) {
	f[c] = Fact{Is: is, Source: source, Text: fmt.Sprintf(format, args...)}
}

func (f *Facts) SetAt(c Clue, is truth, at float64, source, format string, args ...any) {
	f.Set(c, is, source, format, args...)
	f[c].At = &at
}

// When turns an observation into an answer: yes above one bound, no below
// another, between them it is left open.
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

func IsTrue(b bool) truth {
	if b {
		return Yes
	}
	return No
}

func (f *Facts) StatusShare(c *Case, code uint16) truth {
	return When(c.Status(code), 0.05, 0.5)
}
