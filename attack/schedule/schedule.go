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

// piece is a stretch of time with a linear rate, or one burst.
type piece struct {
	start  time.Duration
	length time.Duration // > 0
	from   uint64        // millionths of a request per second at start
	to     uint64        // and at start+length
	base   u128          // the integral at start
	first  uint64        // number of the first request due in it
	burst  uint64        // requests due at once at start; from and to are 0
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

// split returns the pieces of one stage, relative to its start, and its length.
func split(st profiles.Stage, random *rand.Rand, perConnection float64) ([]piece, time.Duration, error) {
	switch st := st.(type) {
	case profiles.Ramp:
		return linear(st.From, st.To, st.For)
	case profiles.Hold:
		return linear(st.Rate, st.Rate, st.For)
	case profiles.Connections:
		if st.From < 0 || st.To < 0 {
			return nil, 0, fmt.Errorf("a negative number of connections")
		}
		return linear(float64(st.From)*perConnection, float64(st.To)*perConnection, st.For)
	case profiles.Staircase:
		return stairs(st)
	case profiles.Burst:
		return bursts(st, random)
	case profiles.Max:
		return []piece{{length: st.For}}, st.For, nil
	case nil:
		return nil, 0, fmt.Errorf("there is no stage")
	}
	return nil, 0, fmt.Errorf("a stage of kind %s is not known beforehand", st.Kind())
}

func linear(from, to float64, length time.Duration) ([]piece, time.Duration, error) {
	a, err := micro(from)
	if err != nil {
		return nil, 0, err
	}
	b, err := micro(to)
	if err != nil {
		return nil, 0, err
	}
	return []piece{{length: length, from: a, to: b}}, length, nil
}

func stairs(st profiles.Staircase) ([]piece, time.Duration, error) {
	from, err := micro(st.From)
	if err != nil {
		return nil, 0, err
	}
	to, err := micro(st.To)
	if err != nil {
		return nil, 0, err
	}
	step, err := micro(st.Step)
	if err != nil {
		return nil, 0, err
	}
	if step == 0 || st.Every <= 0 {
		return nil, 0, fmt.Errorf("a staircase needs a step and a time for each above zero")
	}
	rise := max(from, to) - min(from, to)
	steps := (rise+step-1)/step + 1
	if steps > maxPieces {
		return nil, 0, fmt.Errorf("a staircase of %d steps, more than %d", steps, maxPieces)
	}
	if st.Every > maxLength/time.Duration(steps) {
		return nil, 0, fmt.Errorf("the load is longer than %v", maxLength)
	}
	pieces := make([]piece, steps)
	for i := range pieces {
		d := min(uint64(i)*step, rise) // the last step may be lower: it ends at To
		level := from + d
		if to < from {
			level = from - d
		}
		pieces[i] = piece{start: time.Duration(i) * st.Every, length: st.Every, from: level, to: level}
	}
	return pieces, time.Duration(steps) * st.Every, nil
}

func bursts(st profiles.Burst, random *rand.Rand) ([]piece, time.Duration, error) {
	switch {
	case st.Size < 0:
		return nil, 0, fmt.Errorf("a burst of %d requests", st.Size)
	case st.Every <= 0:
		return nil, 0, fmt.Errorf("bursts every %v", st.Every)
	case st.Jitter < 0 || st.Jitter >= st.Every:
		return nil, 0, fmt.Errorf("a jitter of %v is not below the %v between bursts", st.Jitter, st.Every)
	case st.For/st.Every > maxPieces/2:
		return nil, 0, fmt.Errorf("more than %d bursts", maxPieces/2)
	}
	var pieces []piece
	for at := time.Duration(0); at < st.For; {
		gap := st.Every
		if st.Jitter > 0 {
			gap += time.Duration(random.Int64N(2*int64(st.Jitter)+1)) - st.Jitter
		}
		if len(pieces) == maxPieces {
			return nil, 0, fmt.Errorf("more than %d bursts", maxPieces)
		}
		pieces = append(pieces, piece{start: at, length: min(gap, st.For-at), burst: uint64(st.Size)})
		at += gap
	}
	return pieces, st.For, nil
}

func micro(rate float64) (uint64, error) {
	if !(rate >= 0 && rate <= maxRate) {
		return 0, fmt.Errorf("a rate of %v/s is not between 0 and %d/s", rate, maxRate)
	}
	return uint64(math.Round(rate * microRate)), nil
}

func ceilCount(integral u128) uint64 {
	n, rest := integral.div(unit)
	if rest > 0 {
		n++
	}
	return n
}

// whole returns the integral over the whole piece.
func (p *piece) whole() u128 {
	if p.burst > 0 {
		return mul64(p.burst, unit)
	}
	return mul64(p.from+p.to, uint64(p.length))
}

// integral returns the integral from the piece's start to tau, in [0,length].
func (p *piece) integral(tau time.Duration) u128 {
	t, length := uint64(tau), uint64(p.length)
	if p.burst > 0 {
		if tau == 0 {
			return u128{}
		}
		return p.whole()
	}
	sum := mul64(2*p.from, t)
	if p.from == p.to {
		return sum
	}
	// |µ1-µ0|·τ²/T without overflow: |µ1-µ0|·τ = q·T + r, so it is q·τ + r·τ/T.
	up := p.to > p.from
	delta := max(p.from, p.to) - min(p.from, p.to)
	q, r := mul64(delta, t).div(length)
	part, rest := mul64(r, t).div(length)
	square := mul64(q, t).add(u128{lo: part})
	if up {
		return sum.add(square)
	}
	if rest > 0 { // ⌊-x⌋ = -⌈x⌉
		square = square.add(u128{lo: 1})
	}
	return sum.sub(square)
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

// inverse returns the least tau with integral(tau+1) > x. Floating point gives
// it to a few nanoseconds, the exact integral decides.
func (p *piece) inverse(x u128) time.Duration {
	last := p.length - 1
	tau := min(max(time.Duration(p.estimate(x)), 0), last)
	passed := func(t time.Duration) bool { return x.less(p.integral(t + 1)) }

	// Walk to the edge in growing steps, then halve between.
	low, high := time.Duration(-1), last // not passed at low, passed at high
	if passed(tau) {
		high = tau
		for step := time.Duration(1); ; step *= 2 {
			t := high - step
			if t < 0 {
				break
			}
			if !passed(t) {
				low = t
				break
			}
			high = t
		}
	} else {
		low = tau
		for step := time.Duration(1); ; step *= 2 {
			t := low + step
			if t >= last {
				break
			}
			if passed(t) {
				high = t
				break
			}
			low = t
		}
	}
	for high-low > 1 {
		mid := low + (high-low)/2
		if passed(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// estimate solves 2·µ0·τ + (µ1-µ0)·τ²/T = x. A falling rate is solved backwards
// from its end, where it is a rising one: that way nothing cancels.
func (p *piece) estimate(x u128) float64 {
	length := float64(p.length)
	low, high := float64(p.from), float64(p.to)
	area := x.float()
	if p.to < p.from {
		low, high = high, low
		area = p.whole().sub(x).float()
	}
	slope := (high - low) / length
	denominator := low + math.Sqrt(low*low+slope*area)
	if denominator == 0 {
		return 0
	}
	tau := area / denominator
	if p.to < p.from {
		return length - tau
	}
	return tau
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
