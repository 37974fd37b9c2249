package idle

import (
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
)

// narrowing is how long it takes at most to narrow down an end between two idle
// times.
func narrowing(alive, gone time.Duration) time.Duration {
	times := between(alive, gone)
	if times == nil {
		return 0
	}
	longest := times[len(times)-1]
	var rest time.Duration
	for _, next := range append(times, gone) {
		rest = max(rest, narrowing(alive, next))
		alive = next
	}
	return longest + rest
}

// TestFindBound holds the length that a profile says of an idle stage against
// the worst that can come.
func TestFindBound(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		from, to time.Duration
		exact    bool // what the profile says is close
	}{
		{s, 2 * time.Minute, true},
		{s, 65 * s, true},
		{s, time.Hour, false},
		{60 * s, 120 * s, true},
		{61 * s, 120 * s, true},
		{100 * s, 120 * s, true},
		{119 * s, 120 * s, true},
		{100 * time.Millisecond, 200 * time.Millisecond, false},
		{0, 2 * time.Minute, false},
	} {
		var worst, alive time.Duration
		for _, gone := range geometric(tt.from, tt.to) {
			worst = max(worst, tt.to+narrowing(alive, gone))
			alive = gone
		}
		stage := profiles.Idle{From: tt.from, To: tt.to}
		if most := stage.Duration(); worst > most || tt.exact && worst < most*95/100 {
			t.Errorf("%v to %v takes up to %v, said to take %v at most", tt.from, tt.to, worst, most)
		}
	}
}
