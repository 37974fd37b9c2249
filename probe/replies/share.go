package replies

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"time"
)

// Factors that mix the ends of a connection into a number: a golden ratio of 2^32, and those
// of the last step of MurmurHash3.
const (
	mixAddresses = 0x9e3779b1
	mixFirst     = 0x85ebca6b
	mixSecond    = 0xc2b2ae35
)

// mix makes of a connection's two ends a number that is the same for both directions, and in
// all runs. The kernel's filter does the same: see [rules.choose].
func mix(a, b netip.AddrPort) uint32 {
	h := (words(a.Addr())+words(b.Addr()))*mixAddresses + uint32(a.Port()) + uint32(b.Port())
	h ^= h >> 16
	h *= mixFirst
	h ^= h >> 13
	h *= mixSecond
	return h ^ h>>16
}

// words adds up an address, four bytes at a time.
func words(a netip.Addr) (sum uint32) {
	for b := a.AsSlice(); len(b) >= 4; b = b[4:] {
		sum += binary.BigEndian.Uint32(b)
	}
	return sum
}

// chosen reports whether a connection is one of the 2^level-th part that is followed. What is
// chosen at a level is so at all lower ones: what is known of it stays right when the share
// changes.
func chosen(a, b netip.AddrPort, level uint) bool { return mix(a, b)>>(32-level) == 0 }

// Bounds of the share of connections that is followed.
const (
	// maxFrames is how many packets are read in a second, as each costs about half a
	// microsecond.
	maxFrames = 16000

	lowest  = 16              // level
	calm    = 3 * time.Second // how long it must be quiet before more is followed
	longest = time.Minute     // so, where following more was too much
)

// share decides how many of all HTTP/2 connections are followed, so that no more packets are
// read in a second than allowed. It falls at once, and rises by steps when it is quiet: at
// longer and longer intervals where each attempt is too much, as with one connection that is
// too much by itself. It is for one goroutine.
type share struct {
	budget int // packets in a second
	level  uint

	packets int           // since
	from    time.Duration //
	quiet   time.Duration // for how long more could be followed
	wait    time.Duration // for how long it has to be so
	calm    time.Duration // so, at first
	raised  time.Duration

	least   uint          // the highest level of the run
	first   time.Duration // when it was not 0 for the first time
	last    time.Duration // and for the last time
	partial time.Duration // how long it was not 0
}

// newShare follows all, at most budget packets a second; 0 stands for what is usual.
func newShare(budget int, quiet, now time.Duration) share {
	s := share{budget: budget, calm: quiet, from: now, raised: now - longest}
	if s.budget == 0 {
		s.budget = maxFrames
	}
	if s.calm == 0 {
		s.calm = calm
	}
	s.wait = s.calm
	return s
}

// value is the share, from 0 to 1.
func (s *share) value() float64 { return math.Ldexp(1, -int(s.level)) }

// read takes how many packets came until now, lost ones among them, and reports whether less
// is to be followed from now on. full says that there is no room for one more connection.
func (s *share) read(packets int, lost, full bool, now time.Duration) (lowered bool) {
	if s.level > 0 {
		s.partial += now - max(s.last, s.first)
		s.last = now
	}
	s.packets += packets
	if s.packets <= s.budget && !lost && !full {
		return false
	}
	over := (now - s.from).Seconds()
	rate := float64(s.packets) / max(over, 0.05)
	steps := uint(1)
	if more := rate / float64(s.budget); more > 2 {
		steps = uint(bits.Len(uint(min(more, 16))))
	}
	if now-s.raised > 2*s.wait {
		s.wait = s.calm
	} else {
		s.wait = min(2*s.wait, longest)
	}
	if s.least == 0 {
		s.first = now
	}
	s.level = min(s.level+steps, lowest)
	s.least = max(s.least, s.level)
	s.last = now
	s.packets, s.from, s.quiet = 0, now, 0
	return true
}

// second ends a second, and reports whether more is to be followed from now on: twice as many
// packets, and connections, would be well within what is allowed.
func (s *share) second(connections int, now time.Duration) (raised bool) {
	few := 2*s.packets <= s.budget*3/4 && 2*connections <= maxMultiplexed*3/4
	s.quiet += now - s.from
	s.packets, s.from = 0, now
	if s.level == 0 || !few {
		s.quiet = 0
	}
	if s.level == 0 || s.quiet < s.wait {
		return false
	}
	s.level--
	s.quiet, s.raised = 0, now
	return true
}

// missing says what was not followed; empty for nothing.
func (s *share) missing() string {
	if s.least == 0 {
		return ""
	}
	return fmt.Sprintf("HTTP/2 came faster than it is read (%d packets a second): for %s between %s and %s of the run a part of its connections was followed, chosen by their ports and addresses, 1 of %d at least; numbers of all are estimated from those",
		s.budget, s.partial.Round(time.Second/10), s.first.Round(time.Second/10), s.last.Round(time.Second/10), 1<<s.least)
}
