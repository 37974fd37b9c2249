package profiles

import (
	"fmt"
	"math"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

// The stages that send load. Rates are requests per second over all targets.
type (
	// Ramp goes from one rate to another, linear in time.
	Ramp struct {
		From, To float64
		For      time.Duration
		Journeys bool // written as a number of journeys, of which there are nothing else
	}
	// Hold stays at a rate; at 0 it is a pause.
	Hold struct {
		Rate     float64
		For      time.Duration
		Journeys bool // as in Ramp
	}
	// Staircase goes from one rate to another in steps, each held for Every.
	Staircase struct {
		From, To float64
		Step     float64 // > 0 also when going down
		Every    time.Duration
	}
	// Burst sends Size requests at once every Every, ± up to Jitter.
	Burst struct {
		Size          int
		Every, Jitter time.Duration
		For           time.Duration
	}
	// Max is a closed loop: every connection is always busy.
	Max struct{ For time.Duration }
	// Connections holds open more and more connections, or fewer, each of which sends at
	// Client.PerConnection.
	Connections struct {
		From, To int
		For      time.Duration
	}
)

// Kind returns "ramp".
func (Ramp) Kind() string { return "ramp" }

// Duration returns For.
func (s Ramp) Duration() time.Duration { return s.For }

// Lasting is the same ramp over d.
func (s Ramp) Lasting(d time.Duration) Stage { s.For = d; return s }

// Ends returns From and To.
func (s Ramp) Ends(float64) (from, to float64) { return s.From, s.To }

// MaxRate returns the higher end.
func (s Ramp) MaxRate(float64) (float64, bool) { return max(s.From, s.To), true }

// Scaled multiplies both ends.
func (s Ramp) Scaled(factor float64) Stage {
	s.From, s.To = scaleRate(s.From, factor), scaleRate(s.To, factor)
	return s
}

// String is such as "ramp 50/s to 2,000/s over 2m".
func (s Ramp) String() string {
	if s.Journeys {
		return fmt.Sprintf("ramp %s to %s journeys/s over %s", grouped(s.From), grouped(s.To), spelling.FormatDuration(s.For))
	}
	return fmt.Sprintf("ramp %s to %s over %s", perSecond(s.From), perSecond(s.To), spelling.FormatDuration(s.For))
}

// Kind returns "hold".
func (Hold) Kind() string { return "hold" }

// Duration returns For.
func (s Hold) Duration() time.Duration { return s.For }

// Lasting is the same rate for d.
func (s Hold) Lasting(d time.Duration) Stage { s.For = d; return s }

// Ends returns the rate twice.
func (s Hold) Ends(float64) (from, to float64) { return s.Rate, s.Rate }

// MaxRate returns the rate.
func (s Hold) MaxRate(float64) (float64, bool) { return s.Rate, true }

// Scaled multiplies the rate.
func (s Hold) Scaled(factor float64) Stage {
	s.Rate = scaleRate(s.Rate, factor)
	return s
}

// String is such as "hold 2,000/s for 1m".
func (s Hold) String() string {
	if s.Journeys {
		return fmt.Sprintf("hold %s journeys/s for %s", grouped(s.Rate), spelling.FormatDuration(s.For))
	}
	return fmt.Sprintf("hold %s for %s", perSecond(s.Rate), spelling.FormatDuration(s.For))
}

// Kind returns "staircase".
func (Staircase) Kind() string { return "staircase" }

// Steps returns the number of levels, From and To included: from 500/s to 1500/s by
// 100/s are 11. A last step that does not fit ends at To. It is 0 without a step.
func (s Staircase) Steps() int {
	const resolution = 1e6 // rates count in millionths of a request per second, so that rounding adds no step
	from, to, step := math.Round(s.From*resolution), math.Round(s.To*resolution), math.Round(s.Step*resolution)
	if !(step > 0) {
		return 0
	}
	climbs := math.Ceil(math.Abs(to-from) / step)
	if !(climbs < 1e9) {
		return 0
	}
	return int(climbs) + 1
}

// Duration returns Every times the levels.
func (s Staircase) Duration() time.Duration {
	if float64(s.Steps())*float64(s.Every) >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(s.Steps()) * s.Every
}

// Lasting returns the staircase as it is.
func (s Staircase) Lasting(time.Duration) Stage { return s }

// Ends returns From and To.
func (s Staircase) Ends(float64) (from, to float64) { return s.From, s.To }

// MaxRate returns the higher end.
func (s Staircase) MaxRate(float64) (float64, bool) { return max(s.From, s.To), true }

// Scaled multiplies the ends and the step: the levels are as many.
func (s Staircase) Scaled(factor float64) Stage {
	s.From, s.To, s.Step = scaleRate(s.From, factor), scaleRate(s.To, factor), scaleRate(s.Step, factor)
	return s
}

// String is such as "staircase 500/s to 1,500/s by 100/s every 10s, 1m50s".
func (s Staircase) String() string {
	return fmt.Sprintf("staircase %s to %s by %s every %s, %s",
		perSecond(s.From), perSecond(s.To), perSecond(s.Step), spelling.FormatDuration(s.Every), spelling.FormatDuration(s.Duration()))
}

// Kind returns "burst".
func (Burst) Kind() string { return "burst" }

// Duration returns For.
func (s Burst) Duration() time.Duration { return s.For }

// Lasting is the same bursts for d.
func (s Burst) Lasting(d time.Duration) Stage { s.For = d; return s }

// Ends returns the mean rate twice.
func (s Burst) Ends(perConnection float64) (from, to float64) {
	rate, _ := s.MaxRate(perConnection)
	return rate, rate
}

// MaxRate returns the mean rate, 0 where there is no time between bursts.
func (s Burst) MaxRate(float64) (float64, bool) {
	if s.Every <= 0 {
		return 0, true
	}
	return float64(s.Size) / s.Every.Seconds(), true
}

// Scaled multiplies the size of the bursts.
func (s Burst) Scaled(factor float64) Stage {
	s.Size = scaleCount(s.Size, factor)
	return s
}

// String is such as "bursts of 40 every 500ms +/- 150ms for 25s".
func (s Burst) String() string {
	jitter := ""
	if s.Jitter > 0 {
		jitter = " +/- " + spelling.FormatDuration(s.Jitter)
	}
	return fmt.Sprintf("bursts of %s every %s%s for %s", grouped(float64(s.Size)), spelling.FormatDuration(s.Every), jitter, spelling.FormatDuration(s.For))
}

// Kind returns "max".
func (Max) Kind() string { return "max" }

// Duration returns For.
func (s Max) Duration() time.Duration { return s.For }

// Lasting is a closed loop for d.
func (Max) Lasting(d time.Duration) Stage { return Max{For: d} }

// Ends returns 0 twice: a closed loop offers what the target takes.
func (Max) Ends(float64) (from, to float64) { return 0, 0 }

// MaxRate returns false.
func (Max) MaxRate(float64) (float64, bool) { return 0, false }

// Scaled returns the stage as it is.
func (s Max) Scaled(float64) Stage { return s }

// String is such as "as fast as the connections allow for 10s".
func (s Max) String() string {
	return "as fast as the connections allow for " + spelling.FormatDuration(s.For)
}

// Kind returns "connections".
func (Connections) Kind() string { return "connections" }

// Duration returns For.
func (s Connections) Duration() time.Duration { return s.For }

// Lasting is the same numbers of connections over d.
func (s Connections) Lasting(d time.Duration) Stage { s.For = d; return s }

// Ends returns the rates of all connections together.
func (s Connections) Ends(perConnection float64) (from, to float64) {
	return float64(s.From) * perConnection, float64(s.To) * perConnection
}

// MaxRate returns that of the most connections.
func (s Connections) MaxRate(perConnection float64) (float64, bool) {
	return float64(max(s.From, s.To)) * perConnection, true
}

// Scaled multiplies the numbers of connections, not what each sends.
func (s Connections) Scaled(factor float64) Stage {
	s.From, s.To = scaleCount(s.From, factor), scaleCount(s.To, factor)
	return s
}

// String is such as "connections 100 to 10,000 over 2m".
func (s Connections) String() string {
	if s.From == s.To {
		return fmt.Sprintf("hold %s connections for %s", grouped(float64(s.From)), spelling.FormatDuration(s.For))
	}
	return fmt.Sprintf("connections %s to %s over %s", grouped(float64(s.From)), grouped(float64(s.To)), spelling.FormatDuration(s.For))
}
