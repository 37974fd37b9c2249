package lab_test

import (
	"testing"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// What the kernel answers behind an injector's back makes its count a least one.
func TestTruthLeast(t *testing.T) {
	for name, c := range map[string]struct {
		counts map[string]int64
		want   bool
	}{
		"counted itself":    {map[string]int64{"resets": 7}, false},
		"closed at rest":    {map[string]int64{"resets": 7, "idle-closes": 3}, true},
		"nothing was there": {nil, false},
	} {
		if got := (lab.Truth{Counts: c.counts}).Least(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
