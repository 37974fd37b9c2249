// Package roster says which of many connections takes the next attempt, where each carries
// several, and which has been idle the longest. Nothing in it takes longer with more
// connections. It knows none of them: a member stands for one. It locks nothing, which is
// for its caller.
package roster

import "time"

// Member is one connection. It may be moved to nowhere else.
type Member[T any] struct {
	Of   T
	Busy int // attempts on it

	at         int // in members; -1: it is in none
	listed     bool
	idle       bool
	since      time.Duration
	prev, next *Member[T] // among those that are idle
}

// Idle reports whether the member is idle, as [Roster.Rest] has it.
func (m *Member[T]) Idle() bool { return m.idle }

// Roster is the members. Those that were seen to be full stand behind the others, so that
// nobody looks at them again before they may have room. The zero value is empty.
type Roster[T any] struct {
	members []*Member[T]
	roomy   int // of members, that may have room
	turn    int

	head, tail *Member[T] // those that are idle, the longest first
	resting    int64
	starts     time.Duration // sum of the times since when those are
	total      time.Duration // idle time of all that are not idle any more
}

// compared is how many members are compared for one attempt.
const compared = 32

// Add takes a member in.
func (r *Roster[T]) Add(m *Member[T]) {
	m.at, m.listed = len(r.members), true
	r.members = append(r.members, m)
	r.Changed(m)
}

// Remove takes a member out, if it is in.
func (r *Roster[T]) Remove(m *Member[T], now time.Duration) {
	r.Wake(m, now)
	if !m.listed {
		return
	}
	if m.at < r.roomy {
		r.fill(m)
	}
	last := len(r.members) - 1
	r.swap(m, last)
	r.members[last] = nil
	r.members = r.members[:last]
	m.listed = false
}

// Changed notes that a member may have room.
func (r *Roster[T]) Changed(m *Member[T]) {
	if m.listed && m.at >= r.roomy {
		r.swap(m, r.roomy)
		r.roomy++
	}
}

// fill notes that a member has none.
func (r *Roster[T]) fill(m *Member[T]) {
	r.roomy--
	r.swap(m, r.roomy)
}

func (r *Roster[T]) swap(m *Member[T], at int) {
	other := r.members[at]
	r.members[m.at], r.members[at] = other, m
	other.at, m.at = m.at, at
}

// Find returns the member that is to take an attempt, nil if none has room, which room
// tells of each. Is one idle, that: the one that was used last, or, in turn, the one that
// has been so the longest, so that all of them are used. Else the least busy of some.
func (r *Roster[T]) Find(inTurn bool, room func(T) int) *Member[T] {
	m := r.tail
	if inTurn {
		m = r.head
	}
	for range compared {
		if m == nil {
			break
		}
		if room(m.Of) > 0 {
			return m
		}
		if inTurn {
			m = m.next
		} else {
			m = m.prev
		}
	}
	var best *Member[T]
	if inTurn {
		r.turn++
	}
	for i := 0; i < r.roomy && (best == nil || i < compared); {
		m := r.members[(r.turn+i)%r.roomy]
		if m.Busy >= room(m.Of) {
			r.fill(m)
			continue
		}
		if i++; best == nil || m.Busy < best.Busy {
			best = m
		}
		if inTurn {
			break
		}
	}
	if r.roomy > compared && !inTurn {
		r.turn++ // so that each of many gets its share
	}
	return best
}

// Rest notes that a member is idle from now on.
func (r *Roster[T]) Rest(m *Member[T], now time.Duration) {
	m.idle, m.since = true, now
	m.prev, m.next = r.tail, nil
	if r.tail != nil {
		r.tail.next = m
	} else {
		r.head = m
	}
	r.tail = m
	r.resting++
	r.starts += now
}

// Wake notes that a member is idle no more, if it was.
func (r *Roster[T]) Wake(m *Member[T], now time.Duration) {
	if !m.idle {
		return
	}
	if m.prev != nil {
		m.prev.next = m.next
	} else {
		r.head = m.next
	}
	if m.next != nil {
		m.next.prev = m.prev
	} else {
		r.tail = m.prev
	}
	m.idle, m.prev, m.next = false, nil, nil
	r.resting--
	r.starts -= m.since
	r.total += max(now-m.since, 0)
}

// Oldest returns the member that has been idle the longest, and since when; nil: none is.
func (r *Roster[T]) Oldest() (m *Member[T], since time.Duration) {
	if r.head == nil {
		return nil, 0
	}
	return r.head, r.head.since
}

// Stats returns how many are idle, and for how long members have been so, all together.
func (r *Roster[T]) Stats(now time.Duration) (idle int64, sum time.Duration) {
	return r.resting, r.total + time.Duration(r.resting)*now - r.starts
}
