// Package waiting reads where requests stand: for each service of a network namespace how many requests
// it has not accepted, not read and not answered; for each process how many requests it has out to each
// of its peers, with the age of the oldest. It asks only the kernel (sock_diag with tcp_info) and knows
// no protocol: of two ends that take turns, the one that sent last waits for the other.
//
// The process of a socket is found by the socket's inode. A service that the profile does not name is
// found by its listener; see [Sampler.Services].
//
// It reads no packets, and of processes only which sockets they hold (see probe/host for the rest). On
// other systems than Linux [New] returns a [probe.Unsupported].
package waiting

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/netns"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// Options say where a sampler reads and whose name its readings carry.
type Options struct {
	// Host is the name of the watched host in the profile; empty means "local".
	Host string
	// Clock gives readings their time.
	Clock probe.Clock
	// Namespace is the network namespace to read; zero means rampload's own.
	Namespace netns.Namespace
	// Budget is the share of one core that readings may cost; 0 means 0.008. Expensive readings are
	// taken less often: still every 2.5 s where that costs at most 0.5 % of a core, and every 15 s
	// whatever they cost.
	Budget float64
	// Sharing is common to all samplers of one machine; nil where there is one sampler.
	Sharing *Sharing
}

// Sharing is what the samplers of one machine have in common: the budget, and which process holds which
// socket. The zero value is ready to use, and its methods are safe for concurrent use.
type Sharing struct {
	open atomic.Int64

	mu     sync.Mutex
	owners owners
}

// among returns how many samplers share a budget.
func (s *Sharing) among() float64 { return float64(max(s.open.Load(), 1)) }

// atLeastEvery is the longest time between two readings, so that a load of one minute has some. With
// 20,000 sockets a reading takes 75 ms and comes every 12 s.
const atLeastEvery = 15 * time.Second

// All hosts that are watched from here share the budget. Each is still read so often that an outage
// of some seconds is not missed, as long as its readings are cheap.
const (
	soonEnough = 2500 * time.Millisecond
	cheap      = 0.005 // of one core
)

// rest returns how long to wait after a reading, by what it cost.
func (o Options) rest(cost time.Duration) time.Duration {
	shared := time.Duration(float64(cost) * o.Sharing.among() / (0.8 * o.budget()))
	return min(shared, max(soonEnough, time.Duration(float64(cost)/cheap)), atLeastEvery)
}

func (o Options) host() string {
	if o.Host == "" {
		return "local"
	}
	return o.Host
}

// budget is the share of one core for all that is read.
func (o Options) budget() float64 {
	if o.Budget <= 0 {
		return 0.008
	}
	return o.Budget
}

// Service is a listener of the namespace that has or had connections. PIDs are the processes that hold
// it, in the order of their start; empty where they are not known.
type Service struct {
	Addr netip.AddrPort
	Name string // name of the first process
	PIDs []int32
}

// The states of a TCP socket that are read.
const (
	established = sockdiag.Established
	synSent     = sockdiag.SynSent
	closeWait   = sockdiag.CloseWait
	listen      = sockdiag.Listen
)

// conn is one socket of a dump. Of a listener, queued is the length of its accept queue.
type conn struct {
	state         uint8
	local, remote netip.AddrPort
	inode         uint32 // 0: no process has accepted it
	uid           uint32
	queued        uint32 // bytes that came in and the process has not read
	info          tcpInfo
	hasInfo       bool
}

// tcpInfo is a part of struct tcp_info. Ages are of the last data sent, the last data received and the
// last acknowledgement received; their resolution is a kernel clock tick, at most 10 ms.
type tcpInfo struct {
	sent, received, acknowledged time.Duration
	retransmits                  uint8         // of the data not acknowledged now
	unacked                      uint32        // segments
	in, out                      uint32        // segments of data
	bytesIn                      uint64        // of data
	rtt                          time.Duration // smoothed; 0: not known
}

// resends reports whether what this end sent was not acknowledged, and sent again.
func (c *conn) resends() bool { return c.info.unacked > 0 && c.info.retransmits > 0 }

// ofLate is the age of the last acknowledgement up to which the kernel's round trip counts as current.
const ofLate = 2 * time.Second

// roundTrip returns the round trip of a connection's packets; ok is false where none was measured of
// late. It covers the network and the other end's kernel, which may delay an acknowledgement by up to
// 200 ms, and never the other end's process.
func (c *conn) roundTrip() (d time.Duration, ok bool) {
	i := c.info
	return i.rtt, c.hasInfo && i.rtt > 0 && i.out > 0 && i.acknowledged <= ofLate && i.sent <= ofLate
}

// quickAcks is how many segments of a new connection a Linux receiver acknowledges at once, before it
// begins to delay acknowledgements (TCP_MAX_QUICKACKS).
const quickAcks = 16

// asks reports whether this end sent last, so that a request is out, and for how long.
func (c *conn) asks() (time.Duration, bool) {
	i := c.info
	switch {
	case !c.hasInfo || i.out == 0:
		return 0, false
	case i.in == 0 || i.sent < i.received:
		return i.sent, true
	case i.sent == i.received:
		// Both ends sent in the same clock tick. An answer carries the acknowledgement of its request. An
		// acknowledgement that came after the answer is for a further request, which has none yet. Where
		// each message is one segment, one more has then gone out than has come in.
		return i.sent, i.unacked > 0 || i.acknowledged < i.sent || i.out > i.in
	}
	return 0, false
}

// owes reports whether the other end sent last, so that an answer is owed, and for how long.
func (c *conn) owes() (time.Duration, bool) {
	i := c.info
	switch {
	case !c.hasInfo || i.in == 0:
		return 0, false
	case i.out == 0 || i.received < i.sent:
		return i.received, true
	case i.sent == i.received:
		// Both ends sent in the same clock tick. The acknowledgement of an answer comes later, except for the
		// first answers of a connection, where it comes at once.
		answered := i.in <= i.out && (i.unacked > 0 || i.acknowledged < i.sent || i.in+i.out <= quickAcks)
		return i.received, !answered
	}
	return 0, false
}

// unread reports whether data came in that the process has not read. A FIN counts as one byte.
func (c *conn) unread() bool {
	if c.state == closeWait {
		return c.queued > 1
	}
	return c.queued > 0
}
