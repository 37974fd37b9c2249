package waiting

import (
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
)

// Loop reports whether an event loop serves the requests of a hop, and is held: one thread has
// many connections, and takes or reads nothing of what comes while those that it has read get
// older or lie there. Threads that work for a loop, as node's, serve no connections.
func (s *Step) Loop() bool {
	const many, fewThreads, part = 8, 2, 0.25
	n := s.Now
	one := n.Threads > 0 && n.Threads <= fewThreads || slices.Contains(loops, strings.ToLower(s.Hop.Process))
	if !one || !(n.Accepted >= many) || s.Unfinished() || n.Stopped >= 1 {
		return false
	}
	unread := finite(n.NotRead) >= part*n.Accepted
	still := n.OldestGrows && n.Runs <= mostOf*s.Before.Runs && n.NotAccepted+finite(n.NotRead) >= 1
	return unread || still
}

// loops are runtimes in which one thread serves all connections, whatever others there are.
var loops = []string{"node", "nodejs", "deno", "bun"}

// OneByOne reports whether a held loop waits for one call to another hop at a time, and goes
// on to the next: how old that call is says nothing of when it is given up.
func (s *Step) OneByOne(b *Behind) bool {
	const few = 2
	return s.Loop() && b != nil && b.Requests >= 1 && b.Requests <= few && b.Asked > 0
}

// Capped reports whether a hop takes no more connections though it has far fewer threads
// than connections: then it is a number of connections that it keeps to, and not its
// threads that are all busy. Of those that it has it reads what comes.
func (s *Step) Capped() bool {
	return s.State == report.StandsNotAccepted && s.Now.NotAccepted >= 1 && s.Now.NotAccepted > finite(s.Now.NotRead) &&
		s.Now.Threads > 0 && s.Now.Accepted >= 8 && s.Now.Accepted >= 2*s.Now.Threads+2 && !s.Loop()
}
