package waiting

// pool returns the next hop to which all connections are in use, each for a short time, while
// requests that were read wait inside for one of them; nil for none. Of several instances it
// looks at the one with the most open requests: another may have connections to spare.
func (s *Step) pool() *Behind {
	for i := range s.Behind {
		b := &s.Behind[i]
		if b.Streams != nil {
			continue // HTTP/2: one connection carries many requests, see streams
		}
		worstInUse := b.WorstConnections >= 1 && b.WorstRequests >= inUse*b.WorstConnections
		if len(s.Hop.Instances) > 1 && !worstInUse {
			continue
		}
		allInUse := b.Connections >= 1 && b.Requests >= inUse*b.Connections
		// Requests far older than any call spent most of their time before the call.
		waitInside := s.Now.Served() >= 2*b.Connections && s.Now.Oldest >= 4*b.Median
		if allInUse && waitInside {
			return b
		}
	}
	return nil
}

// idlePool returns the next hop on whose connections nothing is asked any more, though it was,
// while this hop has read more requests than it has connections there, and these get older.
// So something holds the connections and does nothing with them. Nil for none. There must be
// fewer connections than requests: a thread with a connection of its own may be held elsewhere.
func (s *Step) idlePool() *Behind {
	if s.Unfinished() || !grown(s.Now.Oldest, s.Before.Oldest) || !s.Now.OldestGrows {
		return nil
	}
	for i := range s.Behind {
		if b := &s.Behind[i]; s.fewer(b) && b.Rests() {
			return b
		}
	}
	return nil
}

// Fewer returns the next hop that is hardly asked any more, though it was, and to which this
// hop has fewer connections than requests inside; nil for none. Most of the connections are
// idle, so the sockets do not show whether requests wait for one of them or for something else.
func (s *Step) Fewer() *Behind {
	for i := range s.Behind {
		if b := &s.Behind[i]; s.fewer(b) {
			return b
		}
	}
	return nil
}

// fewer is the condition of Fewer for one next hop.
func (s *Step) fewer(b *Behind) bool {
	// A single connection is no sign of a limit: perhaps no second one was wanted yet.
	several := b.Streams == nil && b.Connections >= 2
	hardlyAsked := b.AskedBefore >= 1 && b.Asked <= 0.5*b.AskedBefore && b.Requests < 0.2*b.Connections
	// Both a share and a number: with few connections, a share alone is less than one request.
	moreInside := s.Now.Served() >= 1.2*b.Connections && s.Now.Served() >= b.Connections+2
	return several && hardlyAsked && moreInside
}

// Rests reports whether next to nothing is asked any more on connections on which much was.
func (b *Behind) Rests() bool {
	return b.Streams == nil && b.AskedBefore >= 1 && b.Asked <= 0.02*b.AskedBefore
}
