package probe_test

import (
	"testing"

	"github.com/rampload/rampload/probe"
)

func TestDelta(t *testing.T) {
	const full = 1 << 32
	for _, c := range []struct {
		name      string
		prev, cur float64
		want      float64
		restarted bool
	}{
		{"still", 7, 7, 0, false},
		{"grows", 7, 12, 5, false},
		{"from zero", 0, 3, 3, false},
		{"past 32 bits", full + 5, full + 9, 4, false},
		{"wraps", full - 1, 2, 3, false},
		{"wraps to zero", full - 10, 0, 10, false},
		{"restarts low", 1000, 4, 4, true},
		{"restarts at zero", 1000, 0, 0, true},
		{"down by one", 1000, 999, 999, true},
		{"high, but the wrap would be too large", 0.95 * full, 0.5 * full, 0.5 * full, true},
		{"below nine tenths", 0.89 * full, 1, 1, true},
		{"64 bits never wrap", full + 100, 1, 1, true},
	} {
		got, restarted := probe.Delta(c.prev, c.cur)
		if got != c.want || restarted != c.restarted {
			t.Errorf("%s: Delta(%v, %v) = %v, %v; want %v, %v", c.name, c.prev, c.cur, got, restarted, c.want, c.restarted)
		}
	}
}
