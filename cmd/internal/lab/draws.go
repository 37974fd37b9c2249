package lab

import (
	"math/rand/v2"
	"time"
)

// Draws are the numbers of a scenario: the same for the same seed.
type Draws struct{ Rand *rand.Rand }

// Between draws a number.
func (draws *Draws) Between(low, high float64) float64 { return low + draws.Rand.Float64()*(high-low) }

// Whole draws a whole number, both ends included.
func (draws *Draws) Whole(low, high int) int { return low + draws.Rand.IntN(high-low+1) }

// Millis draws a duration in whole milliseconds.
func (draws *Draws) Millis(low, high int) time.Duration {
	return time.Duration(draws.Whole(low, high)) * time.Millisecond
}
