package schedule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/rampload/rampload/profiles"
)

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
