package attack

import (
	"net/netip"
	"time"

	"github.com/rampload/rampload/profiles"
)

// Client carries the attempts to one target: it owns the connections, and speaks
// the target's protocol. Drivers of load know this and no protocol. All methods
// are safe for concurrent use.
type Client interface {
	Sender
	// Compile encodes a request of the target once, for all its attempts. The error
	// says what of it cannot be sent.
	Compile(r profiles.Request) (Request, error)
	// Slot returns a place of its own for one attempt at a time, for closed loops:
	// a connection that nobody else uses, where the protocol has such.
	Slot() Slot
	// Stats returns the connections as they are.
	Stats() ClientStats
	// HoldAt keeps n connections open from now on, whatever the profile's limit of
	// connections says; 0 ends it. Those that are more than before were due at a time
	// of the clock: what is late is the generator's, and told by Stats and OnHold.
	HoldAt(n int, due time.Duration)
	// Drain ends the attempts that wait for a connection with Fault Canceled, and
	// lets none wait from now on. Those that have one go on.
	Drain()
	// Abort ends every attempt with Fault Canceled, and refuses new ones with it.
	// It does not wait for them.
	Abort()
	// Close ends what Abort ends, closes all connections, and returns when
	// everything has been reported. Slots must not be in use.
	Close() error
}

// Sender sends attempts.
type Sender interface {
	// Do sends one attempt and waits for its end. It reads Request, Try and Fill of a, fills
	// in Reply if there is one, sets Start, End, Status, Fault, Detail, Phase,
	// WireReset, RetryAfter, Conn and Info, and leaves the rest. It never sends twice and allocates nothing on the usual path.
	Do(r Request, a *Attempt)
}

// Slot is a [Sender] for one goroutine at a time.
type Slot interface {
	Sender
	// Close gives the slot's connection up.
	Close()
}

// Request is a request that its [Client] has compiled. It is immutable, and good
// for that client only.
type Request interface {
	// Repeatable reports whether sending it twice does no harm (RFC 9110 §9.2.2
	// calls such methods idempotent): it may be retried by default.
	Repeatable() bool
}

// ClientStats are the connections of a client.
type ClientStats struct {
	Dials           uint64  // connections opened or tried to open, since the client was made
	Open            int64   // connections in use, idle or being opened, now
	Idle            int64   // connections without an attempt, now
	Wanted          int64   // connections that are to be held, now
	Undialled       int64   // of these, due and not even being opened: the generator is behind
	Unawaited       uint64  // connections that ended with a FIN and were closed without waiting for a RST, for want of descriptors
	LookupFailures  uint64  // look-ups of the name that failed while addresses of before were used
	IdleConnSeconds float64 // time that connections spent without an attempt, since then
}

// ClientConfig is what a driver tells of the target that a client is for.
type ClientConfig struct {
	Target  uint16          // connections are numbered from Target·2^48+1
	Profile profiles.Target // its URL, requests and expected statuses
	Client  profiles.Client
	Data    []profiles.Table // that its requests are filled with
	Vars    []string         // of a journey, as login.token, in the order of Fill.Vars
	// Callback is the base of the URLs that the target is to call; see [profiles.Callback].
	Callback string
	RunID    RunID
	Tracing  Tracing
	// Clock gives the time since the start of the load. It must be monotonic, fast
	// and safe for concurrent use.
	Clock func() time.Duration
	// OnIdle takes what happened to a connection without an attempt in flight: a
	// RST, or, in a phase before idle, a connection to hold that came to nothing (Held),
	// or an address that refused while its attempt went on to another.
	// Calls come from one goroutine.
	OnIdle func(Attempt)
	// OnHold is told when a connection to hold begins to be opened, and when it was
	// due. It returns at once; calls may overlap. Nil: not told.
	OnHold func(due, start time.Duration)
	// OnAside takes what is counted beside requests, in any role but theirs and those of
	// completions, with Held set. It returns at once; calls may overlap. Nil: not told.
	OnAside func(profiles.Role, Attempt)
	// OnAddress is told each remote address before the first attempt that uses it
	// ends; index counts from 1. A Unix socket is the zero AddrPort. Calls do not
	// overlap.
	OnAddress func(index uint16, addr netip.AddrPort)
}

// Opener makes the client of a target. It opens no connection; an error is one of
// the configuration.
type Opener func(ClientConfig) (Client, error)
