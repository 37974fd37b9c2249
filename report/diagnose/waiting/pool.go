package waiting

import "math"

// pool returns the next hop whose connections are all in use, each of them not for long,
// while requests that were read wait inside for one of them. Of several instances, those of
// the one at which they wait: what stands there and asks nobody waits for no connection.
func (s *Step) pool() *Behind {
	for i := range s.Behind {
		b := &s.Behind[i]
		if b.Streams != nil {
			continue // each carries many
		}
		if len(s.Hop.Instances) > 1 && !(b.WorstConnections >= 1 && b.WorstRequests >= inUse*b.WorstConnections) {
			continue
		}
		if b.Connections >= 1 && b.Requests >= inUse*b.Connections && s.Now.Served() >= 2*b.Connections && s.Now.Oldest >= 4*b.Median {
			return b
		}
	}
	return nil
}

// resting returns the next hop that a hop has connections to and asks nothing any more,
// though it did, while what it read stands inside, is more than it has connections for, and
// gets older: somebody holds those connections who does nothing with them. A thread that has
// a connection of its own may stand elsewhere, so there must be fewer of them.
func (s *Step) resting() *Behind {
	if s.Unfinished() || !(s.Now.Oldest >= math.Max(ageLeast, ageTimes*finite(s.Before.Oldest))) || !s.Now.OldestGrows {
		return nil
	}
	for i := range s.Behind {
		if b := &s.Behind[i]; s.fewer(b) && b.Rests() {
			return b
		}
	}
	return nil
}

// Fewer returns the next hop that requests asked and hardly do any more, on fewer connections
// than there are requests inside, though nothing is out on most of them: whether a thread
// waits for one of them, or does something else, cannot be seen.
func (s *Step) Fewer() *Behind {
	for i := range s.Behind {
		if b := &s.Behind[i]; s.fewer(b) {
			return b
		}
	}
	return nil
}

func (s *Step) fewer(b *Behind) bool {
	// One connection says nothing of a number: there may be no more because no more was wanted.
	return b.Streams == nil && b.Connections >= 2 && b.AskedBefore >= 1 && b.Asked <= 0.5*b.AskedBefore && b.Requests < 0.2*b.Connections &&
		s.Now.Served() >= 1.2*b.Connections && s.Now.Served() >= b.Connections+2
}

// Rests reports whether hardly anything is asked on connections on which much was.
func (b *Behind) Rests() bool {
	return b.Streams == nil && b.AskedBefore >= 1 && b.Asked <= 0.02*b.AskedBefore
}
