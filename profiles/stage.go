package profiles

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// String returns the kind's name in messages.
func (k StageKind) String() string {
	names := [...]string{"ramp", "hold", "staircase", "burst", "max", "connections", "search", "idle"}
	if int(k) < len(names) {
		return names[k]
	}
	return "invalid"
}

// Steps returns the number of levels of a Staircase, From and To included: from
// 500/s to 1500/s by 100/s are 11. A last step that does not fit ends at To. It
// is 0 for other kinds and for a staircase without steps.
func (s Stage) Steps() int {
	const resolution = 1e6 // rates count in millionths of a request per second, so that rounding adds no step
	from, to, step := math.Round(s.From*resolution), math.Round(s.To*resolution), math.Round(s.Step*resolution)
	if s.Kind != Staircase || !(step > 0) {
		return 0
	}
	climbs := math.Ceil(math.Abs(to-from) / step)
	if !(climbs < 1e9) {
		return 0
	}
	return int(climbs) + 1
}

// Duration returns the length of the stage: For, and for a Staircase Every times
// its levels. That of a Search and of an Idle stage is an estimate: what they
// find decides.
func (s Stage) Duration() time.Duration {
	switch s.Kind {
	case Staircase:
	case Search:
		return s.searchDuration()
	case Idle:
		return s.idleDuration()
	default:
		return s.For
	}
	d := float64(s.Steps()) * float64(s.Every)
	if d >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(s.Steps()) * s.Every
}

// Ends returns the offered load in requests per second at the beginning and at
// the end of the stage, held connections each at perConnection. Those of a
// search are the bounds of its loads; a closed loop has none.
func (s Stage) Ends(perConnection float64) (from, to float64) {
	switch s.Kind {
	case Burst:
		rate, _ := s.MaxRate(perConnection)
		return rate, rate
	case Connections:
		return float64(s.FromConns) * perConnection, float64(s.ToConns) * perConnection
	case Max, Idle:
		return 0, 0
	}
	return s.From, s.To
}

// MaxRate returns the highest offered load of the stage in requests per second,
// bursts averaged over their gap, and held connections each at perConnection
// requests per second. It is false for a closed loop (Max): nobody knows.
func (s Stage) MaxRate(perConnection float64) (rate float64, ok bool) {
	switch s.Kind {
	case Max:
		return 0, false
	case Burst:
		if s.Every <= 0 {
			return 0, true
		}
		return float64(s.BurstSize) / s.Every.Seconds(), true
	case Connections:
		return float64(max(s.FromConns, s.ToConns)) * perConnection, true
	case Idle:
		return 0, true
	default:
		return max(s.From, s.To), true
	}
}

// String describes the stage to a person: "ramp 50/s to 2,000/s over 2m".
func (s Stage) String() string {
	over := FormatDuration(s.Duration())
	if s.Journeys && s.Kind == Ramp {
		return fmt.Sprintf("ramp %s to %s journeys/s over %s", grouped(s.From), grouped(s.To), over)
	} else if s.Journeys {
		return fmt.Sprintf("hold %s journeys/s for %s", grouped(s.From), over)
	}
	switch s.Kind {
	case Ramp:
		return fmt.Sprintf("ramp %s to %s over %s", perSecond(s.From), perSecond(s.To), over)
	case Hold:
		return fmt.Sprintf("hold %s for %s", perSecond(s.From), over)
	case Staircase:
		return fmt.Sprintf("staircase %s to %s by %s every %s, %s",
			perSecond(s.From), perSecond(s.To), perSecond(s.Step), FormatDuration(s.Every), over)
	case Burst:
		jitter := ""
		if s.Jitter > 0 {
			jitter = " +/- " + FormatDuration(s.Jitter)
		}
		return fmt.Sprintf("bursts of %s every %s%s for %s", grouped(float64(s.BurstSize)), FormatDuration(s.Every), jitter, over)
	case Max:
		return "as fast as the connections allow for " + over
	case Connections:
		if s.FromConns == s.ToConns {
			return fmt.Sprintf("hold %s connections for %s", grouped(float64(s.FromConns)), over)
		}
		return fmt.Sprintf("connections %s to %s over %s", grouped(float64(s.FromConns)), grouped(float64(s.ToConns)), over)
	case Search:
		return s.searchString()
	case Idle:
		return fmt.Sprintf("idle connections, %s to %s", FormatDuration(s.IdleFrom), FormatDuration(s.IdleTo))
	}
	return "invalid stage"
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
// second over all targets (see [Stage.MaxRate]), and false when a stage is a
// closed loop, which has none.
func (p Profile) MaxRate() (rate float64, ok bool) {
	ok = true
	for _, s := range p.Load {
		r, known := s.MaxRate(p.Client.PerConnection)
		rate, ok = max(rate, r), ok && known
	}
	return rate * p.PerArrival(), ok
}

// Scale returns the profile with every rate of its load multiplied by the
// factor: rates and steps of stages, sizes of bursts, numbers of held
// connections (counts are rounded, and stay at least 1 where they were). Gates
// stay: they are what is demanded, not what is sent.
func Scale(p Profile, factor float64) Profile {
	p = p.clone()
	for i := range p.Load {
		s := &p.Load[i]
		s.From, s.To, s.Step = scaleRate(s.From, factor), scaleRate(s.To, factor), scaleRate(s.Step, factor)
		s.BurstSize = scaleCount(s.BurstSize, factor)
		s.FromConns, s.ToConns = scaleCount(s.FromConns, factor), scaleCount(s.ToConns, factor)
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
	s := strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64)
	whole, fraction, point := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		return whole + "." + fraction
	}
	return whole
}
