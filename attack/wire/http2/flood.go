package http2

import "time"

// A peer may send any number of frames that carry nothing: SETTINGS, PING,
// PRIORITY, empty DATA, frames of streams that have ended. Each costs little, but
// nothing else happens meanwhile. So a connection has an allowance of them, which
// grows with the frames that do carry something, in both directions, and with
// time. A peer that uses it up is malformed: Flood.
const (
	allowanceMax       = 10_000 // frames; also what a connection begins with
	allowanceEach      = 10     // for each frame with headers or data
	allowancePerSecond = 100
)

// allowance counts the frames without content that a peer may still send.
type allowance struct {
	left int
	at   time.Duration // when time was last counted
}

func newAllowance(now time.Duration) allowance { return allowance{allowanceMax, now} }

// earn notes a frame that carries something.
func (a *allowance) earn() { a.left = min(a.left+allowanceEach, allowanceMax) }

// spend notes n frames that carry nothing; false: they are too many.
func (a *allowance) spend(n int, now time.Duration) bool {
	if a.left -= n; a.left >= 0 {
		return true
	}
	earned := int(min((now-a.at).Seconds(), 3600) * allowancePerSecond)
	a.at = now
	a.left = min(a.left+earned, allowanceMax)
	return a.left >= 0
}
