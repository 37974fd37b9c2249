// Package schedule turns the stages of a profile into due times. It is pure: no
// clock, no randomness but a seed, no I/O, and it is exact: counts and due times
// of a soak of days come from integer arithmetic, so nothing drifts.
//
// It does not send, sleep or know targets beyond their shares (see [Mix]).
//
// # The arithmetic
//
// The offered rate r(t) of the stages ramp, hold, staircase and connections is
// piecewise linear. Its integral I(t) is kept as a whole number of units of
// 1/U requests, U = 2e15: with rates as millionths of a request per second and
// time in nanoseconds, a linear piece from µ0 to µ1 of length T has
//
//	U·I(τ) = 2·µ0·τ + ⌊(µ1-µ0)·τ²/T⌋
//
// which is whole and exact at the end of every piece (τ = T). Request n, from
// 0, is due in the nanosecond in which the integral passes n:
//
//	Due(n) = min{t : I(t+1ns) > n}      Count(t) = ⌈I(t+1ns)⌉
//
// so the first request of a hold is due at its start, a hold of 10/s for 1s
// has exactly 10, none at its end, and a stage at 0/s has none.
package schedule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"github.com/rampload/rampload/profiles"
)

const (
	unit      = 2_000_000_000_000_000 // units of the integral per request
	microRate = 1_000_000             // rates are held in millionths per second

	maxRate   = 10_000_000 // requests per second
	maxLength = 90 * 24 * time.Hour
	maxPieces = 10_000_000 // steps of staircases and bursts
)

// Schedule is the due times of all stages. It is immutable: use it from any
// number of goroutines. Times are since the start of the load.
type Schedule struct {
	stages []stage
	pieces []piece
	end    time.Duration
	total  uint64

	integral u128 // of the rate over all stages
}

// stage is one stage of the profile and where it lies. It lasts as long as it was
// planned, unless it was cut.
type stage struct {
	profiles.Stage
	start  time.Duration
	length time.Duration
}

// New returns the schedule of the stages. The seed decides the jitter of
// bursts: the same seed gives the same schedule. perConnection is the rate of
// each held connection of connections stages, in requests per second.
//
// Rates are taken to a millionth of a request per second. The error names the
// stage by its position from 1.
func New(stages []profiles.Stage, seed uint64, perConnection float64) (*Schedule, error) {
	s, err := new(Schedule).extend(stages, seed, perConnection)
	if err == nil && len(s.stages) == 0 {
		err = fmt.Errorf("schedule load: no stages")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// extend returns a schedule that goes on with the stages where this one ends.
// Its counts and due times before that are the same.
func (sched *Schedule) extend(stages []profiles.Stage, seed uint64, perConnection float64) (*Schedule, error) {
	sched = &Schedule{stages: slices.Clip(sched.stages), pieces: slices.Clip(sched.pieces), end: sched.end, integral: sched.integral}
	base := sched.integral
	for _, st := range stages {
		begin, i := sched.end, len(sched.stages)
		pieces, length, err := split(st, rand.New(rand.NewPCG(seed, uint64(i))), perConnection)
		if err == nil && length <= 0 {
			err = fmt.Errorf("length %v is not above zero", length)
		}
		if err == nil && length > maxLength-sched.end {
			err = fmt.Errorf("the load is longer than %v", maxLength)
		}
		if err == nil && len(sched.pieces)+len(pieces) > maxPieces {
			err = fmt.Errorf("more than %d steps and bursts", maxPieces)
		}
		if err != nil {
			return nil, fmt.Errorf("schedule load stage %d: %w", i+1, err)
		}
		sched.stages = append(sched.stages, stage{st, begin, length})
		switch st.(type) {
		case profiles.Burst, profiles.Max:
			// Whole requests only: what is left of a fraction falls to the
			// stage after.
			base = mul64(ceilCount(base), unit)
		}
		for _, p := range pieces {
			p.start += begin
			p.base = base
			p.first = ceilCount(base)
			base = base.add(p.whole())
			sched.pieces = append(sched.pieces, p)
		}
		sched.end += length
	}
	sched.integral = base
	sched.total = ceilCount(base)
	return sched, nil
}

// at returns the piece that holds time t: the last that starts at or before it.
func (sched *Schedule) at(t time.Duration) *piece {
	i := sort.Search(len(sched.pieces), func(i int) bool { return sched.pieces[i].start > t })
	return &sched.pieces[i-1]
}

// Count returns how many requests are due in [0, t]: the numbers below it.
// Requests of closed-loop stages have no due time and are not in it.
func (sched *Schedule) Count(t time.Duration) uint64 {
	if t < 0 {
		return 0
	}
	if t >= sched.end {
		return sched.total
	}
	p := sched.at(t)
	return ceilCount(p.base.add(p.integral(t - p.start + 1)))
}

// Total returns how many requests the whole schedule has.
func (sched *Schedule) Total() uint64 { return sched.total }

// Due returns when request n, from 0, is due, and false when the schedule has
// no such request. It never decreases with n; Count(Due(n)) > n and, a
// nanosecond earlier, Count is at most n. It costs well under a microsecond and
// allocates nothing.
func (sched *Schedule) Due(n uint64) (time.Duration, bool) {
	if n >= sched.total {
		return 0, false
	}
	// The last piece that begins with request n or an earlier one holds n:
	// pieces without requests before it begin with n+1 at the earliest, and of
	// those that begin with n only the last is not empty.
	i := sort.Search(len(sched.pieces), func(i int) bool { return sched.pieces[i].first > n })
	p := &sched.pieces[i-1]
	if p.burst > 0 {
		return p.start, true
	}
	return p.start + p.inverse(mul64(n, unit).sub(p.base)), true // n >= p.first, so nothing wraps
}

// Rate returns the offered rate at t in requests per second; in a burst stage
// the mean rate of its bursts. It is 0 outside the schedule and in closed-loop
// stages, which offer what the target takes: see [Schedule.MaxAt].
func (sched *Schedule) Rate(t time.Duration) float64 {
	if t < 0 || t >= sched.end {
		return 0
	}
	i, _ := sched.StageAt(t)
	if st, ok := sched.stages[i].Stage.(profiles.Burst); ok {
		return float64(st.Size) / st.Every.Seconds()
	}
	p := sched.at(t)
	share := float64(t-p.start) / float64(p.length)
	return (float64(p.from) + (float64(p.to)-float64(p.from))*share) / microRate
}

// End returns the length of the whole schedule.
func (sched *Schedule) End() time.Duration { return sched.end }

// StageAt returns the index of the stage at t and the time since it began. A
// time before the schedule gives the first stage, one after it the last.
func (sched *Schedule) StageAt(t time.Duration) (index int, since time.Duration) {
	i := sort.Search(len(sched.stages), func(i int) bool { return sched.stages[i].start > t })
	i = max(i-1, 0)
	return i, t - sched.stages[i].start
}

// StageSpan returns when a stage begins and ends.
func (sched *Schedule) StageSpan(index int) (start, end time.Duration) {
	st := sched.stages[index]
	return st.start, st.start + st.length
}

// Conns returns how many connections a connections stage wants held at t, and
// false when no such stage is on.
func (sched *Schedule) Conns(t time.Duration) (int, bool) {
	if t < 0 || t >= sched.end {
		return 0, false
	}
	i, since := sched.StageAt(t)
	st, ok := sched.stages[i].Stage.(profiles.Connections)
	if !ok {
		return 0, false
	}
	share := float64(since) / float64(st.For)
	return int(math.Round(float64(st.From) + float64(st.To-st.From)*share)), true
}

// ConnsAfter returns when the number of connections that are wanted held changes
// next after t, or begins or ceases to be of any; false when it never does.
func (sched *Schedule) ConnsAfter(t time.Duration) (time.Duration, bool) {
	first := 0
	if t >= 0 {
		if t >= sched.end {
			return 0, false
		}
		i, since := sched.StageAt(t)
		if st, ok := sched.stages[i].Stage.(profiles.Connections); ok {
			start, next := sched.StageSpan(i)
			if rise := st.To - st.From; rise != 0 {
				now, _ := sched.Conns(t)
				step := math.Copysign(0.5, float64(rise))
				// Rounding goes on at the half; a nanosecond more is past it.
				at := time.Duration((float64(now-st.From)+step)/float64(rise)*float64(st.For)) + 1
				next = min(next, start+max(at, since+1))
			}
			return next, true
		}
		first = i + 1
	}
	for _, st := range sched.stages[first:] {
		if _, ok := st.Stage.(profiles.Connections); ok {
			return st.start, true
		}
	}
	return 0, false
}

// MaxAt reports whether a closed-loop stage is on at t, and when it ends.
func (sched *Schedule) MaxAt(t time.Duration) (end time.Duration, on bool) {
	if t < 0 || t >= sched.end {
		return 0, false
	}
	i, _ := sched.StageAt(t)
	if _, ok := sched.stages[i].Stage.(profiles.Max); !ok {
		return 0, false
	}
	_, end = sched.StageSpan(i)
	return end, true
}

// MaxAfter returns the first closed-loop stage that ends after t, and false when
// there is none.
func (sched *Schedule) MaxAfter(t time.Duration) (index int, start, end time.Duration, ok bool) {
	for i, st := range sched.stages {
		end := st.start + st.length
		if _, ok := st.Stage.(profiles.Max); ok && end > t {
			return i, st.start, end, true
		}
	}
	return 0, 0, 0, false
}
