package probe_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/probe"
)

// Readings carry the time at which they were passed on; those of the same
// millisecond share it.
func TestStamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := probe.NewClock(time.Now().Add(time.Second))
		var got []time.Duration
		read := clock.Stamp(func(s probe.Sample) { got = append(got, s.At) })
		for _, wait := range []time.Duration{0, 400 * time.Microsecond, 700 * time.Microsecond, 5 * time.Millisecond} {
			time.Sleep(wait)
			read(probe.Reading{})
		}
		want := []time.Duration{-time.Second, -time.Second, -time.Second + 1100*time.Microsecond, -time.Second + 6100*time.Microsecond}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("reading %d at %v, want %v", i, got[i], want[i])
			}
		}
	})
}
