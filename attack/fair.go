package attack

import "time"

// What a generator has to keep so that a load counts as sent; below it, it was the
// limit itself. Fair share and lag are judged over a second, for a hiccup is no limit.
const (
	FairShare = 0.98 // of the requests due
	FairFor   = time.Second
)

// FairLag returns by how much the 99th percentile of a window's requests may be sent
// late: a tenth of the window, and at least a millisecond.
func FairLag(window time.Duration) time.Duration { return max(time.Millisecond, window/10) }

// Waiting reports whether so many requests of a target in flight wait for a limit that
// the profile sets for the client (0: none): then it is not the generator that is slow.
func Waiting(inFlight int64, connections, maxInFlight int) bool {
	return connections > 0 && inFlight >= int64(0.98*float64(connections)) ||
		maxInFlight > 0 && inFlight >= int64(0.95*float64(maxInFlight))
}
