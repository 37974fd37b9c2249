// Package waiting sees where requests stand: for every service of a network namespace
// how many requests it has not accepted, not read and not answered, and for every
// process how many requests it has out to each of its peers, with the age of the oldest.
// It asks the kernel alone (sock_diag with tcp_info) and knows no protocol: of two ends
// that take turns, the one that spoke last waits for the other.
//
// The process of a socket is found by its inode. A service that nobody named is found by
// its listener; see [Sampler.Services].
//
// It reads no packets, and says nothing of processes but who holds which sockets
// (probe/host reads them). On other systems than Linux [New] returns a
// [probe.Unsupported].
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
	// Budget is the share of one core that reading may cost; 0 means 0.008. What takes
	// longer is read less often, but every two and a half seconds where that costs half a
	// percent at most, and at least every fifteen.
	Budget float64
	// Sharing is shared by the samplers of one machine; nil: there is one.
	Sharing *Sharing
}

// Sharing is what the samplers of one machine have in common: their budget. The zero value is ready to use; its
// methods may be called from any goroutine.
// They share what is known of who holds which sockets, too.
type Sharing struct {
	open atomic.Int64

	mu     sync.Mutex
	owners owners
}

// among returns how many samplers share a budget.
func (s *Sharing) among() float64 { return float64(max(s.open.Load(), 1)) }

// atLeastEvery bounds how rarely a dear reading comes: rarer ones would show nothing of
// a load of a minute. With 20,000 sockets a reading takes 75 ms, and comes every twelve
// seconds.
const atLeastEvery = 15 * time.Second

// As many hosts share the budget as are watched here. Each is still read so often that an
// outage of some seconds is not missed, as long as its readings are cheap.
const (
	soonEnough = 2500 * time.Millisecond
	cheap      = 0.005 // of one core
)

// rest returns how long to wait after a reading of some cost.
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

// Service is a listener of the namespace that has or had connections, with the
// processes that hold it, the first one started first. PIDs is empty where they are
// not known.
type Service struct {
	Addr netip.AddrPort
	Name string // of the first process, as people call it
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
	queued        uint32 // bytes that came in and were not read
	info          tcpInfo
	hasInfo       bool
}

// tcpInfo is what is read of struct tcp_info. Ages are of the last time at which data
// was sent, data came in, and an acknowledgement came in; they are as coarse as the
// kernel's clock ticks (4 ms and less).
type tcpInfo struct {
	sent, received, acknowledged time.Duration
	retransmits                  uint8         // of what is not acknowledged now
	unacked                      uint32        // segments
	in, out                      uint32        // segments of data
	bytesIn                      uint64        // of data
	rtt                          time.Duration // smoothed; 0: not known
}

// resends reports whether what this end sent was not acknowledged, and sent again.
func (c *conn) resends() bool { return c.info.unacked > 0 && c.info.retransmits > 0 }

// ofLate is how long ago an acknowledgement is that the kernel's round trip is still of now.
const ofLate = 2 * time.Second

// roundTrip returns how long the packets of a connection are under way and back, as far as
// it sent something of late; ok is false where it is not known. It is of the network and of
// the other end's kernel, which may delay an acknowledgement by up to 200 ms, and never of
// its process.
func (c *conn) roundTrip() (d time.Duration, ok bool) {
	i := c.info
	return i.rtt, c.hasInfo && i.rtt > 0 && i.out > 0 && i.acknowledged <= ofLate && i.sent <= ofLate
}

// quickAcks is how many segments a Linux receiver acknowledges at once before it
// begins to wait for something to send with the acknowledgement (TCP_MAX_QUICKACKS).
const quickAcks = 16

// asks reports whether the last word was this end's, and for how long it has waited:
// a request is out, and nothing has come back.
func (c *conn) asks() (time.Duration, bool) {
	i := c.info
	switch {
	case !c.hasInfo || i.out == 0:
		return 0, false
	case i.in == 0 || i.sent < i.received:
		return i.sent, true
	case i.sent == i.received:
		// Both in one tick of the clock. An answer brings the acknowledgement with it;
		// one that came later was for a request that has no answer yet.
		// Where each is one segment, one more of them is out than has come in.
		return i.sent, i.unacked > 0 || i.acknowledged < i.sent || i.out > i.in
	}
	return 0, false
}

// owes reports whether the last word was the other end's, and for how long: a request
// came in, and nothing has been answered.
func (c *conn) owes() (time.Duration, bool) {
	i := c.info
	switch {
	case !c.hasInfo || i.in == 0:
		return 0, false
	case i.out == 0 || i.received < i.sent:
		return i.received, true
	case i.sent == i.received:
		// Both in one tick. The acknowledgement of an answer comes later, or, of the
		// first ones, at once.
		answered := i.in <= i.out && (i.unacked > 0 || i.acknowledged < i.sent || i.in+i.out <= quickAcks)
		return i.received, !answered
	}
	return 0, false
}

// unread reports whether bytes came in that the process has not read. The end of a
// stream counts as one.
func (c *conn) unread() bool {
	if c.state == closeWait {
		return c.queued > 1
	}
	return c.queued > 0
}
