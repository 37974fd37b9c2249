package profiles

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

// Stage is one part of the load: a [Ramp], [Hold], [Staircase], [Burst], [Max] or
// [Connections], which send it, a [Search], which finds it, or an [Idle], which sends
// none. The types of this package are all there are; they are values that can be compared.
type Stage interface {
	// Kind is the name of the stage's type in run logs and reports, such as "ramp".
	Kind() string
	// String describes the stage to a person: "ramp 50/s to 2,000/s over 2m".
	String() string
	// Duration is the length of the stage. That of a Search and of an Idle stage is an
	// estimate: what they find decides.
	Duration() time.Duration
	// Lasting is the stage over another length. A Staircase, a Search and an Idle stage
	// stay as they are: what they go through is their length.
	Lasting(d time.Duration) Stage
	// Ends returns the offered load in requests per second at the beginning and at the
	// end of the stage, held connections each at perConnection. Those of a search are
	// the bounds of its loads; a closed loop has none.
	Ends(perConnection float64) (from, to float64)
	// MaxRate returns the highest offered load of the stage in requests per second,
	// bursts averaged over their gap, and held connections each at perConnection
	// requests per second. It is false for a closed loop (Max): nobody knows.
	MaxRate(perConnection float64) (rate float64, ok bool)
	// Scaled is the stage with its rates, the sizes of its bursts and its numbers of held
	// connections multiplied. Counts are rounded, and stay at least 1 where they were.
	Scaled(factor float64) Stage
}

// Load is the stages of a profile, one after the other.
type Load []Stage

// First returns the first stage of a type, and false if there is none.
func First[S Stage](stages []Stage) (S, bool) {
	for _, s := range stages {
		if found, ok := s.(S); ok {
			return found, true
		}
	}
	var none S
	return none, false
}

// Duration returns the length of the load.
func (p Profile) Duration() time.Duration {
	var sum time.Duration
	for _, s := range p.Load {
		d := s.Duration()
		if sum > math.MaxInt64-d {
			return math.MaxInt64
		}
		sum += d
	}
	return sum
}

// MaxRate returns the highest offered load of the profile in requests per
// second over all targets (see [Stage]), and false when a stage is a closed loop,
// which has none.
func (p Profile) MaxRate() (rate float64, ok bool) {
	ok = true
	for _, s := range p.Load {
		r, known := s.MaxRate(p.Client.PerConnection)
		rate, ok = max(rate, r), ok && known
	}
	return rate * p.PerArrival(), ok
}

// Scale returns the profile with every stage of its load [Stage] Scaled by the
// factor. Gates stay: they are what is demanded, not what is sent.
func Scale(p Profile, factor float64) Profile {
	p = p.Clone()
	for i, s := range p.Load {
		p.Load[i] = s.Scaled(factor)
	}
	return p
}

// scaleRate keeps nine decimals, so that 0.1 of 2000/s is 200/s and prints so.
func scaleRate(rate, factor float64) float64 {
	scaled := rate * factor
	if rounded := math.Round(scaled*1e9) / 1e9; rounded != 0 && !math.IsInf(rounded, 0) {
		return rounded
	}
	return scaled
}

func scaleCount(n int, factor float64) int {
	if n == 0 {
		return 0
	}
	return max(1, int(math.Round(min(float64(n)*factor, math.MaxInt32))))
}

// perSecond writes a rate for people: "2,000/s".
func perSecond(rate float64) string { return grouped(rate) + "/s" }

// grouped writes a number with its thousands apart and at most three decimals.
func grouped(v float64) string {
	whole, fraction, point := strings.Cut(strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64), ".")
	if whole = spelling.Thousands(whole); point {
		return whole + "." + fraction
	}
	return whole
}
