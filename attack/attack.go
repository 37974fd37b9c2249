// Package attack holds the vocabulary of sending load: attempts, faults,
// phases, failures and windows, and the contract between a driver of load
// (Loader) and whoever records it (Sink). Adapters sit below it: schedule,
// wire, ramp, fault. It imports the standard library and profiles only.
//
// Every time in this package is a [time.Duration] since the start of the load
// on the generator's monotonic clock; a time before the load is negative.
package attack

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"time"
)

// Fault is the class of a failed attempt.
type Fault uint8

// The faults. None means success.
const (
	None           Fault = iota
	Reset                // RST from the peer: ECONNRESET
	Refused              // RST to our SYN: ECONNREFUSED
	EOF                  // FIN instead of (the rest of) a response
	BrokenPipe           // EPIPE: wrote to a connection that the peer had closed
	Timeout              // the attempt's time ran out, or ETIMEDOUT
	Unreachable          // EHOSTUNREACH, ENETUNREACH, EACCES from a filter
	DNS                  // the name did not resolve
	TLS                  // handshake or certificate failed, without a reset
	HTTP2Reset           // RST_STREAM
	HTTP2GoAway          // GOAWAY before the response
	Protocol             // malformed response
	Status               // complete response with an unexpected HTTP status
	Canceled             // the run was stopped; not a failure of the target
	PortsExhausted       // local: EADDRNOTAVAIL from connect, EADDRINUSE from bind
	FDsExhausted         // local: EMFILE, ENFILE
	NoBuffers            // local: ENOBUFS, ENOMEM
	faultEnd
)

// Faults is the number of faults, None included: arrays are indexed by Fault.
const Faults = int(faultEnd)

var faultNames = [Faults]string{
	"none", "reset", "refused", "eof", "broken-pipe", "timeout", "unreachable", "dns", "tls",
	"http2-reset", "http2-goaway", "protocol", "status", "canceled",
	"ports-exhausted", "fds-exhausted", "no-buffers",
}

// String returns the fault's name in reports and profiles.
func (f Fault) String() string {
	if int(f) < Faults {
		return faultNames[f]
	}
	return "invalid"
}

// ParseFault returns the fault of a name as [Fault.String] gives it.
func ParseFault(name string) (Fault, bool) {
	for i, n := range faultNames {
		if n == name {
			return Fault(i), true
		}
	}
	return None, false
}

// Local reports whether the generator itself caused the fault. A local fault is
// never counted as a failure of a target.
func (f Fault) Local() bool {
	return f == PortsExhausted || f == FDsExhausted || f == NoBuffers
}

// Failure reports whether the fault is the target's (or the path's) doing.
func (f Fault) Failure() bool { return f != None && f != Canceled && !f.Local() }

// Phase is where an attempt was when it ended.
type Phase uint8

// The phases.
const (
	PhaseDNS   Phase = iota
	PhaseDial        // connect()
	PhaseTLS         // handshake
	PhaseWrite       // writing the request
	PhaseAwait       // request written, response headers not complete
	PhaseBody        // response headers read, body not complete
	PhaseIdle        // pooled, no attempt in flight
	PhaseDone        // complete response
	phaseEnd
)

// Phases is the number of phases: arrays are indexed by Phase.
const Phases = int(phaseEnd)

var phaseNames = [Phases]string{"dns", "dial", "tls", "write", "await", "body", "idle", "done"}

// String returns the phase's name in reports.
func (p Phase) String() string {
	if int(p) < Phases {
		return phaseNames[p]
	}
	return "invalid"
}

// Conn is the state of the connection that an attempt used, as it was when the
// attempt ended. The zero value means that there was no connection.
type Conn struct {
	ID            uint64 // unique in a run, from 1
	Reused        bool   // served at least one request before this attempt
	Served        uint32 // complete responses before this attempt
	Age           time.Duration
	Idle          time.Duration // pooled without a request before this attempt
	Local, Remote netip.AddrPort
	RemoteIndex   uint16 // of Remote among the target's addresses, from 1; 0 without a connection
}

// TCPInfo is the kernel's view of a connection at the moment of a failure
// (Linux tcp_info; see tcp(7)). Valid is false where it could not be read: a
// failed dial has no descriptor any more, and other systems have no such call.
type TCPInfo struct {
	Valid        bool
	State        uint8 // TCP_CLOSE is 7: after an EOF it shows a RST behind the FIN
	Retransmits  uint8 // unacknowledged retransmissions in a row
	TotalRetrans uint32
	Lost         uint32
	Unacked      uint32 // 0 after a RST: the kernel has dropped them
	NotSent      uint32 // bytes
	OutOfOrder   uint32 // segments that came with a gap before them (Linux 5.4 and later; 0 before)
	RTT          time.Duration
	RTTVar       time.Duration
}

// Attempt is one try on the wire as it ended. It lives on the hot path only:
// drivers fold it into windows, and keep it as a Failure if it failed.
type Attempt struct {
	Request   uint64 // number of the request in the schedule, from 0
	Try       uint16 // 0 for the first
	Target    uint16 // index in the profile
	Endpoint  uint32 // index of the request in its target
	Last      bool   // no retry follows: the request ends as this attempt did
	Held      bool   // no request of the schedule: a connection that was to be held came to nothing
	Due       time.Duration
	Start     time.Duration // this try was sent (or began to dial)
	End       time.Duration
	Status    uint16 // 0 without a response
	Fault     Fault
	Detail    Detail // what the fault's protocol said of it
	Phase     Phase  // PhaseDone on success
	WireReset bool   // a RST was seen on the connection, now first reported
	Conn      Conn
	Info      TCPInfo
	Sent      uint32  // bytes of the request as it goes out, headers included; 0: not told
	Received  uint64  // bytes of the response's body
	Answer    *Answer // of a bounded sample of failures, nil for all others
	Reply     *Reply  // of the caller, takes the answer whole; nil: it is read and dropped
	Fill      *Fill   // of the driver: what the request is filled with; nil: nothing but what follows from its number
	// RetryAfter is how long the answer asks to wait before the next try; 0: it does not.
	RetryAfter time.Duration
}

// Fill is what a request is filled with beside what follows from its number: see
// attack/fill. The driver chooses it once for all tries.
type Fill struct {
	Rows    []int    // the row of each table of the profile
	Vars    []string // what a journey extracted
	Cookies string   // of a journey, as the value of a Cookie field; "": none
}

// Failure is a failed attempt kept whole as evidence. Idle resets are failures
// with Phase PhaseIdle and Request 0; so are, in other phases and with Held set,
// connections that were to be held and came to nothing.
type Failure struct{ Attempt }

// Cell counts what ended alike in one window. Attempts that ended in this
// window but were due in an earlier one keep their due window, so that failures
// can be held against the load that caused them (a timeout ends seconds later).
type Cell struct {
	DueWindow  int32  // index of the window in which the requests were due; idle: this window
	Remote     uint16 // index in Addresses of the target; 0 is "no connection"
	Fault      Fault
	Detail     Detail
	Phase      Phase
	Reused     bool
	Held       bool   // tries to open a connection to hold; see Window
	Attempts   uint64 // 0 for idle resets
	Requests   uint64 // attempts that were the last try of their request
	WireResets uint64 // connections on which a RST was first seen, busy or idle
}

// StatusCount counts complete responses with one HTTP status.
type StatusCount struct {
	Status uint16
	Count  uint64
}

// RequestCount counts the attempts of one request of a target, without those that were
// canceled and local faults.
type RequestCount struct {
	Endpoint uint32 // index of the request in its target
	Attempts uint64
	Failed   uint64
	Sent     uint64 // bytes of all attempts' requests, headers included
	Received uint64 // bytes of the bodies of successful responses
}

// CountedRequests is how many of a target's requests are counted one by one: those with
// the lowest numbers.
const CountedRequests = 100

// Window is what happened to one target in one interval: [Index·interval,
// (Index+1)·interval). Attempts are counted in the window in which they ended.
//
// A connection that a stage wants held and that comes to nothing (it is refused,
// times out, or the peer ends it before a request used it) is an attempt and a
// request that failed, one for each try, in cells of their own with Held set. No
// schedule asked for these requests, so Scheduled, Sent, Retries and InFlight do
// not have them: offered and achieved load are those of the schedule, and the
// requests of all other cells are those sent. Run logs of earlier releases have
// such tries as attempts only.
type Window struct {
	Target          uint16
	Index           int32
	Scheduled       uint64  // requests due in it
	Sent            uint64  // requests whose first try began in it
	Unsent          uint64  // requests due but never sent: max-in-flight, or the run was stopped
	Retries         uint64  // further tries that began in it
	Dials           uint64  // connections opened or tried to open
	Open            int64   // open connections at its end
	InFlight        int64   // requests in flight at its end
	IdleConnSeconds float64 // sum over pooled connections of time without a request
	Wanted          int64   // connections that a stage wants held at its end
	Undialled       int64   // of these, due and not even being opened at its end: the generator is behind
	Unawaited       uint64  // connections that ended with a FIN, closed without waiting for a RST behind it
	LookupFailures  uint64  // look-ups of the name that failed while addresses of before were used

	Cells    []Cell
	Statuses []StatusCount
	Requests []RequestCount // in order of Endpoint; none in records of earlier releases
	FromDue  Histogram      // µs, successful requests, from due time
	FromSend Histogram      // µs, successful requests, from the start of their last try
	Lag      Histogram      // µs, start of the first try less due time: schedule lag
	IdleAge  Histogram      // ms idle before a successful attempt on a reused connection
	Served   Histogram      // requests served before a successful attempt on a reused connection

	FailuresDropped uint64 // failures not kept whole because the window had too many
}

// Address is a remote address of a target that connections went to. The index
// of Cell.Remote counts from 1 in the order of Sink.Address calls for a target.
type Address struct {
	Target uint16
	Index  uint16
	Addr   netip.AddrPort
}

// Sink takes the record of a run. Calls come from one goroutine, off the hot
// path; what is passed is the sink's to keep.
type Sink interface {
	Address(Address)
	Window(Window) // in order of Index; one for each target and index
	Failure(Failure)
}

// Summary is what a loader knows at the end.
type Summary struct {
	Ended       time.Duration // last request answered or given up
	Interrupted bool          // the context ended before the schedule did
	UsedUp      string        // the table whose rows were all used: the load ended with the last of them
}

// Loader sends the load of a plan. Run returns when the schedule is done and
// every request has ended, or, after ctx is done: it stops sending within 100 ms,
// drains what is in flight for at most the client's timeout, and reports the
// rest of the schedule as neither scheduled nor unsent. All windows up to the
// end reach the sink before Run returns. An error means that the load could not
// be carried out at all; failures of targets are not errors. Run is called once.
type Loader interface {
	Run(ctx context.Context, sink Sink) (Summary, error)
}

// RunID identifies a run in the headers that its requests carry.
type RunID [8]byte

// NewRunID returns a random one.
func NewRunID() RunID {
	var id RunID
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return id
}

// String returns the 16 hex digits.
func (id RunID) String() string { return hex.EncodeToString(id[:]) }

// TransactionIDLen is the length of a transaction id: it is fixed, so that a
// compiled request is patched in place.
const TransactionIDLen = 33

// AppendTransactionID appends the value of X-Transaction-Id of a request: 16
// hex digits of the run, a dash, 16 hex digits of the request's number. Retries
// carry the same id.
func (id RunID) AppendTransactionID(b []byte, request uint64) []byte {
	b = appendHex16(b, binary.BigEndian.Uint64(id[:]))
	b = append(b, '-')
	return appendHex16(b, request)
}

// appendHex16 appends 16 hex digits, of which every request carries eighty.
func appendHex16(b []byte, v uint64) []byte {
	b = binary.BigEndian.AppendUint64(b, hex8(uint32(v>>32)))
	return binary.BigEndian.AppendUint64(b, hex8(uint32(v)))
}

// hex8 returns the eight hex digits of a number, the first in the highest byte.
func hex8(v uint32) uint64 {
	const ones = 0x0101010101010101
	x := uint64(v) // a digit a byte, from here on
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & (0xf * ones)
	letters := (x + 6*ones) >> 4 & ones // 1 where the digit is above 9
	return x + '0'*ones + letters*('a'-'9'-1)
}
