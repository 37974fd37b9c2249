// Package agenda says when connections that are to be held are to be opened: those that
// are due, and those that came to nothing and are tried again.
package agenda

import "time"

// A connection to hold that came to nothing is tried again after First, and after twice
// as long each further time, up to First<<(levels-1), 6.4 s: as careful clients do, each
// for itself. What is due for the first time does not wait for it.
const (
	First  = 100 * time.Millisecond
	levels = 7
)

// Opening is a connection that ought to be opened.
type Opening struct {
	At    time.Duration // when it is due
	Tries uint8         // that came to nothing before, in a row
}

// Agenda is the openings that have not begun. The zero value has none; the caller locks.
type Agenda struct {
	due   []Opening         // for the first time, or to replace one that served
	again [levels][]Opening // by their wait, so that each is in order of time
}

// Add adds n openings that are due at a time.
func (a *Agenda) Add(n int, due time.Duration) {
	for range n {
		a.due = append(a.due, Opening{At: due})
	}
}

// Retry adds an opening that came to nothing so many times before this one.
func (a *Agenda) Retry(now time.Duration, tries uint8) {
	level := min(int(tries), levels-1)
	a.again[level] = append(a.again[level], Opening{At: now + First<<level, Tries: min(tries, levels) + 1})
}

// Waiting returns how many openings wait for a further try.
func (a *Agenda) Waiting() int {
	n := 0
	for _, list := range a.again {
		n += len(list)
	}
	return n
}

// Next returns when the first of the waiting is due; ok is false if none waits.
func (a *Agenda) Next() (next time.Duration, ok bool) {
	for _, list := range a.again {
		if len(list) > 0 && (!ok || list[0].At < next) {
			next, ok = list[0].At, true
		}
	}
	return next, ok
}

// Ripen makes those due whose wait is over.
func (a *Agenda) Ripen(now time.Duration) {
	for i := range a.again {
		for list := a.again[i]; len(list) > 0 && list[0].At <= now; list = a.again[i] {
			a.due, a.again[i] = append(a.due, list[0]), list[1:]
		}
	}
}

// Trim forgets openings beyond so many: others have opened connections, or fewer are
// wanted. Those that wait the longest go first.
func (a *Agenda) Trim(n int) {
	for i := levels - 1; i >= 0; i-- {
		extra := min(max(a.Waiting()-n, 0), len(a.again[i]))
		a.again[i] = a.again[i][extra:]
	}
	if most := max(n-a.Waiting(), 0); len(a.due) > most {
		a.due = a.due[:most]
	}
}

// Take returns the next opening that is due; one that replaces a connection that served
// is due now.
func (a *Agenda) Take(now time.Duration) Opening {
	if len(a.due) == 0 {
		return Opening{At: now}
	}
	out := a.due[0]
	a.due = a.due[1:]
	return out
}
