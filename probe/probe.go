// Package probe holds the vocabulary of watching hosts: metrics with limits,
// samples, events, and the contracts of the things that read them (Sampler,
// Watcher). Adapters sit below it: host, kernel, rst, and later prom and remote.
// It imports the standard library and profiles only, and knows nothing of load.
//
// Every time is a [time.Duration] since the start of the load, on the monotonic
// clock of the generator; a time before the load is negative.
package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Kind says how a metric may be read as evidence.
type Kind uint8

// The kinds.
const (
	HardLimit   Kind = iota // a use with a limit that refuses: files, ports, queue entries
	Utilisation             // a share in [0,1] of a capacity that slows: CPU
	Gauge                   // a level without a known limit
	Counter                 // exhaustion counter: cumulative, moves only when a limit was hit
	Symptom                 // moves because of resets, level or cumulative: never a cause
	Standing                // where requests and threads stand: nothing that could run out
)

// String returns the kind's name in reports.
func (k Kind) String() string {
	return [...]string{"hard-limit", "utilisation", "gauge", "counter", "symptom", "standing"}[k]
}

// Metric identifies a series. It is comparable, so it can key a map. Names,
// units and kinds come from the catalogue of this package (see Catalogue).
type Metric struct {
	Host     string // name of the host in the profile; the generator is "local"
	Process  string // as a person calls it: "payments", "nginx"; empty for the host
	PID      int32  // 0 for the host; the series of a restarted process is a new one
	Name     string // catalogue name: "open-files"
	Instance string // what of several: listener "*:8080", destination "10.0.0.2:80", "cpu3"
}

// Def returns the catalogue's definition of the metric, and false if the name is
// not in the catalogue.
func (m Metric) Def() (Definition, bool) { return Lookup(m.Name) }

// Reading is one value of one metric. Limit is NaN where none is known or none
// applies. A cumulative metric is read as its total since boot or start.
type Reading struct {
	Metric Metric
	Value  float64
	Limit  float64
}

// NoLimit is the Limit of a reading without one.
func NoLimit() float64 { return math.NaN() }

// Sample is a reading with the time at which it was read, on the clock of the
// host that it was read on.
type Sample struct {
	At time.Duration
	Reading
}

// Source says where readings or events come from, for the report's list of what
// was and was not measured.
type Source struct {
	Host string
	Name string // "host", "process payments", "sockets", "kernel counters", "reset trace" ...
}

// Sampler reads values. Sample calls emit for each reading before it returns, with
// the time at which it was read (see [Clock.Stamp]): nobody stamps it later. Its
// cost should be small and bounded. It is called by one goroutine at a
// time, at the session's rate. An error that matches [ErrUnsupported] ends the
// source with that reason; any other is a gap of one reading, and the next call
// tries again. Close releases what the sampler holds.
type Sampler interface {
	Source() Source
	Sample(ctx context.Context, emit func(Sample)) error
	Close() error
}

// EventSource is a [Sampler] that also notices events while it samples: a
// process that started or ended, an OOM kill. DrainEvents hands over the events
// noticed since the last call, oldest first, with their time on the run's clock,
// and forgets them. It is called by the goroutine that samples, after each
// Sample and once before Close.
type EventSource interface {
	DrainEvents(emit func(Event))
}

// PacedSource is a [Sampler] that can be read less often than others, and says how
// often.
type PacedSource interface {
	Every() time.Duration
}

// PartialSource is a [Sampler] or [Watcher] that can lack a part of what its
// source stands for: no conntrack module, another user's process. Missing
// returns what it could not measure so far, each once, nil if it measured
// everything; such a source is [Partial]. It is called as Sample is.
type PartialSource interface {
	Missing() []*Unsupported
}

// Watcher sees events. Watch blocks until ctx is done or the source fails, and
// returns nil after ctx is done; emit may be called from that goroutine only.
type Watcher interface {
	Source() Source
	Watch(ctx context.Context, emit func(Event)) error
}

// EventKind says what happened.
type EventKind uint8

// The event kinds.
const (
	RSTSent         EventKind = iota // tcp_send_reset: the kernel of Host sent a RST, with the reason
	RSTReceived                      // tcp_receive_reset: the kernel of Host took a RST
	RSTPacket                        // a captured RST, with its fingerprint
	Retransmit                       // tcp_retransmit_skb
	OOMKill                          // a process of Host was killed for memory
	ProcessStart                     // a watched process appeared or restarted
	ProcessExit                      // a watched process ended
	ClockStep                        // the wall clock jumped by Value seconds
	CounterRestart                   // a cumulative metric went backwards: restart of its owner
	Gap                              // a source was silent from At for Value seconds
	Lost                             // Count events of the source were lost
	RSTRejected                      // a REJECT rule of netfilter on Host sent a RST in the name of Local
	PacketDrop                       // the kernel of Host dropped Count packets on their way from Remote to Local
	Waited                           // Count packets waited for the process that serves Local's port, the slowest 1 % at least Value seconds
	LogLine                          // Process of Host wrote Reason into a log
	PodChange                        // State of the pod Process of Host became another, for Reason; see PodReady
	TraceRead                        // a store of traces was asked for that of one transaction
	NeighbourChange                  // the neighbour Remote of Host has the hardware address State now, and had Reason
	AddressHeld                      // Host has Local at an interface with the hardware address State; Value 0: no more
	Answered                         // about Count answers of the service at Local were no errors, as one of every Value of them tells; Reason NothingThere: those that a store answered with nothing
	StreamsOpen                      // Count streams of HTTP/2 from Remote to the service at Local have no answer, the oldest for Value seconds
	StreamsAnswered                  // Count streams from Remote to Local began to be answered in a second; Value at once at most, 0: not known
	StreamsShare                     // from At on Host follows the streams of a part of the HTTP/2 connections, Value of all of them (0 to 1); before the first, of all
)

var eventNames = [...]string{
	"rst-sent", "rst-received", "rst-packet", "retransmit", "oom-kill",
	"process-start", "process-exit", "clock-step", "counter-restart", "gap", "lost",
	"rst-rejected", "packet-drop", "waited", "log-line", "pod-change", "trace-read",
	"neighbour-change", "address-held",
	"answered", "streams-open", "streams-answered", "streams-share",
}

// HeldBefore is the Reason of an [AddressHeld] that a host had when it was first looked at.
const HeldBefore = "before"

// String returns the event kind's name in reports.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "invalid"
}

// Event is something that happened at a time. Only the fields that its Kind
// needs are set; Local and Remote are as seen by Host.
type Event struct {
	Kind    EventKind
	At      time.Duration
	Source  Source
	Host    string
	Process string
	PID     int32  // RSTSent: only in process context, else 0
	Comm    string //
	Local   netip.AddrPort
	Remote  netip.AddrPort
	Reason  string // kernel's reset reason ("TCP_STATE", "NO_SOCKET"), the sender's class (RSTPacket), or why a process ended
	State   string // TCP state of the socket that sent or took the RST ("TCP_ESTABLISHED", "TCP_LISTEN")
	Count   uint64 // how many events this one stands for; 0 means 1
	Value   float64
	Packet  *Packet
	Kernel  *Kernel
	Line    *Line
	Trace   *Trace
}

// Kernel is what only the kernel itself can tell of an event. What it did not tell
// is empty or 0.
type Kernel struct {
	Path      string // how it came to send the RST: "closed with unread data"; of a drop, the function that dropped
	Packet    string // PacketDrop: "SYN", "SYN-ACK", "RST", "FIN", "segment", "packet-too-big"
	TID       int32  // thread in whose context a RST was sent
	Owner     int32  // process that accepted or connected the socket, also where the kernel answered by itself
	OwnerComm string // name of its thread
	Container string // container or service of the socket: "docker 3f2a9c1b04de", "nginx.service"
	Netns     uint32 // inode of the network namespace, as in /proc/PID/ns/net
	Cookie    uint64 // of the network namespace, unique since boot
	Hook      string // where in netfilter: "FORWARD"
	Table     string // "filter"
	Chain     string // base chain
	Interface string
}

// Packet is the fingerprint of a captured RST, and of the SYN-ACK of its flow
// where that was seen (causes of a difference: see report/diagnose).
type Packet struct {
	FromPeer   bool  // it came to Host (else Host sent it)
	Flags      uint8 // TCP flags byte: RST 0x04, ACK 0x10
	Window     uint16
	IPID       uint16
	DF         bool // always true for IPv6, which nobody fragments on the way
	TTL        uint8
	SynAckTTL  uint8 // 0: not seen
	SynAckFlow bool  // SynAckTTL is of this very flow; else the sender's latest to anybody from the same port
	HasOptions bool
	Seq        uint32
}

// ErrUnsupported is matched by every error that says: cannot be measured here.
var ErrUnsupported = errors.New("not supported")

// Unsupported says what cannot be measured, why, and what would enable it. It
// matches [ErrUnsupported].
type Unsupported struct {
	What   string // "reset trace"
	Reason string // "tracefs is not readable"
	Needs  string // "root"; empty: nothing would help here
}

// Error returns "not measured: ..." with what it needs.
func (u *Unsupported) Error() string {
	if u.Needs == "" {
		return fmt.Sprintf("%s not measured: %s", u.What, u.Reason)
	}
	return fmt.Sprintf("%s not measured: %s; needs %s", u.What, u.Reason, u.Needs)
}

// Is matches ErrUnsupported.
func (u *Unsupported) Is(target error) bool { return target == ErrUnsupported }

// State is how well a source was measured.
type State string

// The states of a source.
const (
	Measured    State = "measured"
	Partial     State = "partial"
	NotMeasured State = "not-measured"
)

// Status is the state of a source at the end of a run. CPU is what reading it
// cost.
type Status struct {
	Source Source
	State  State
	Reason string
	CPU    time.Duration
	Reads  uint64
}

// Clock is the run's time base. The zero value is not useful.
type Clock struct{ start time.Time }

// NewClock returns a clock that reads 0 at start, which must carry a monotonic
// reading (be made by time.Now and Add).
func NewClock(start time.Time) Clock { return Clock{start} }

// Now returns the time since the start.
func (c Clock) Now() time.Duration { return time.Since(c.start) }

// At returns the run's time of an instant with a monotonic reading.
func (c Clock) At(t time.Time) time.Duration { return t.Sub(c.start) }

// together is how long readings that follow each other share a time, so that a run
// log keeps them as one record.
const together = time.Millisecond

// Stamp returns a function that gives each reading the time at which it is passed
// on, and hands it to emit. Readings within a millisecond share a time. The function
// belongs to one goroutine.
func (c Clock) Stamp(emit func(Sample)) func(Reading) {
	at, set := time.Duration(0), false
	return func(r Reading) {
		if now := c.Now(); !set || now-at >= together {
			at, set = now, true
		}
		emit(Sample{at, r})
	}
}

// Start returns the instant at which the clock reads 0.
func (c Clock) Start() time.Time { return c.start }
