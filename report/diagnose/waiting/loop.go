package waiting

import (
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
)

// Loop reports whether one event loop serves the requests of a hop, and is held in a call.
// The sign of a held loop: one thread has many connections, and either leaves requests on
// them unread, or accepts and reads nothing while the requests it has read get older. Helper
// threads (node's worker pool) serve no connections and do not count.
func (s *Step) Loop() bool {
	const (
		many        = 8    // connections that one thread can only serve by a loop
		fewThreads  = 2    // the loop, and one for signals or timers
		unreadShare = 0.25 // of the connections; a loop that goes round reads them within milliseconds
	)
	n := s.Now
	one := n.Threads > 0 && n.Threads <= fewThreads || slices.Contains(loops, strings.ToLower(s.Hop.Process))
	if !one || !(n.Accepted >= many) || s.Unfinished() || n.Stopped >= 1 {
		return false
	}
	unread := finite(n.NotRead) >= unreadShare*n.Accepted
	still := n.OldestGrows && n.Runs <= mostOf*s.Before.Runs && n.NotAccepted+finite(n.NotRead) >= 1
	return unread || still
}

// loops are runtimes in which one thread serves all connections, whatever other threads the
// process has.
var loops = []string{"node", "nodejs", "deno", "bun"}

// OneByOne reports whether a held loop makes one call to the next hop at a time, and starts
// another when that ends. The age of the call in flight then does not show when the loop
// would give a call up.
func (s *Step) OneByOne(b *Behind) bool {
	const few = 2 // the call in flight, and the next one where a reading falls between two
	return s.Loop() && b != nil && b.Requests >= 1 && b.Requests <= few && b.Asked > 0
}

// Capped reports whether a hop keeps to a number of connections: it accepts no more, has far
// more connections than threads, and reads what comes on them. Were its threads all busy, it
// would have about as many connections as threads, or leave requests unread.
func (s *Step) Capped() bool {
	const many = 8 // connections; fewer may be one for each thread
	n := s.Now
	readsOn := n.NotAccepted > finite(n.NotRead)
	moreThanThreads := n.Threads > 0 && n.Accepted >= many && n.Accepted >= 2*n.Threads+2
	return s.State == report.StandsNotAccepted && n.NotAccepted >= 1 && readsOn && moreThanThreads && !s.Loop()
}
