package ramp

import (
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// An answer's Retry-After lengthens the wait, never shortens it, and is bounded.
func TestRetryAfterIsBounded(t *testing.T) {
	for _, tt := range []struct{ base, most, asked, want time.Duration }{
		{50 * time.Millisecond, 0, time.Hour, 50 * time.Millisecond},
		{50 * time.Millisecond, 30 * time.Second, 2 * time.Second, 2 * time.Second},
		{50 * time.Millisecond, 30 * time.Second, time.Hour, 30 * time.Second},
		{5 * time.Second, 30 * time.Second, time.Second, 5 * time.Second},
		{50 * time.Millisecond, 30 * time.Second, 0, 50 * time.Millisecond},
	} {
		r, err := newRetryPolicy(profiles.Retries{Max: 1, Base: tt.base, RetryAfter: tt.most, Faults: []string{"status"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.pause(&attack.Attempt{RetryAfter: tt.asked}); got != tt.want {
			t.Errorf("%+v: waits %s", tt, got)
		}
	}
}
