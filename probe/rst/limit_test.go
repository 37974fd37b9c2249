package rst

import (
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// Each second has its own bound, those before the load too: their times are below 0.
func TestLimitOfEachSecond(t *testing.T) {
	const perSecond, each = 2, 5
	single, counted := 0, uint64(0)
	l := newLimiter(perSecond, []uint16{80}, func(e probe.Event) {
		if e.Count == 0 {
			single++
		}
		counted += max(e.Count, 1)
	})
	seconds := []time.Duration{-3, -2, -1, 1, 2}
	for _, s := range seconds {
		for i := range each {
			l.add(probe.Event{Kind: probe.RSTSent, At: s*time.Second + time.Duration(i)*time.Millisecond})
		}
	}
	l.flush()
	if want := perSecond * len(seconds); single != want {
		t.Errorf("%d told one by one, want %d", single, want)
	}
	if want := uint64(each * len(seconds)); counted != want {
		t.Errorf("%d told in all, want %d", counted, want)
	}
}
