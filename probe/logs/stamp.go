package logs

import (
	"time"

	"github.com/rampload/rampload/probe/logs/parse"
)

const (
	// tolerance is how long before it was read a line may have been written, by its own time:
	// beyond, that time is of something else, or nobody knows, and the time of reading counts.
	tolerance = 5 * time.Second
	// clockApart is how far a writer's clock must be behind to be another clock or zone, and
	// not a log that is written late.
	clockApart = time.Second
	// clockLines is how many lines tell how far a clock is off, clockTurn how long they do:
	// a clock may be set.
	clockLines = 3
	clockTurn  = 30 * time.Second
)

// writerClock is how far the clock of whoever writes a log is behind that of the run. A line
// is read some time after it was written, and never before: the line that came soonest tells
// the most of the clock, and what lies beyond that is how long the others were under way.
type writerClock struct {
	least, before time.Duration // of this turn and of the one before
	lines, older  int
	since         time.Duration
}

// take takes how long before it was read a line was written, by its own time.
func (w *writerClock) take(behind, now time.Duration) {
	if now-w.since >= clockTurn {
		w.before, w.older = w.least, w.lines
		w.lines, w.since = 0, now
	}
	if w.lines == 0 || behind < w.least {
		w.least = behind
	}
	w.lines++
}

// off returns what is to be added to the times of the writer; known is false as long as few
// lines have told of it. A clock that is hardly behind is right.
func (w *writerClock) off() (add time.Duration, known bool) {
	if w.lines+w.older < clockLines {
		return 0, false
	}
	add = w.least
	if w.older > 0 && (w.lines == 0 || w.before < add) {
		add = w.before
	}
	if add >= 0 && add < clockApart {
		add = 0
	}
	return add, true
}

// dated returns when a line was written, on the clock of the run: by its own time, less what
// its writer's clock is off, where that agrees with when it was read, else when it was read.
func (k *keeper) dated(e parse.Entry) time.Duration {
	at := k.arrived
	t, whole := parse.TimeOf(e.Time)
	if t.IsZero() {
		return at
	}
	own := t.Sub(k.clock.Start().Round(0))
	if whole {
		own += time.Second - time.Millisecond // or as much sooner
	}
	clock := k.clockOf(voiceClock{k.serviceOf(e), whole})
	clock.take(at-own, at)
	add, known := clock.off()
	late := at - own - add
	agrees := late > -clockApart && late < tolerance
	if !agrees || add.Abs() >= clockApart {
		k.skewed++
		if d := at - own; d.Abs() > k.off.Abs() {
			k.off = d
		}
	}
	if whole || !agrees || !known && late >= clockApart {
		return at
	}
	return min(own+add, at)
}

// voiceClock names a clock: of a service, and of its lines with whole seconds or of those
// with parts of one. A server and the application that it runs may share a log and differ in
// that: up to a second is cut off in the lines of one, and is not to be taken off the others.
type voiceClock struct {
	service string
	whole   bool
}

// clockOf returns the clock of a writer; many share one.
func (k *keeper) clockOf(of voiceClock) *writerClock {
	c := k.clocks[of]
	if c == nil && len(k.clocks) >= 2*maxVoices {
		of.service = ""
		c = k.clocks[of]
	}
	if c == nil {
		if k.clocks == nil {
			k.clocks = map[voiceClock]*writerClock{}
		}
		c = &writerClock{}
		k.clocks[of] = c
	}
	return c
}
