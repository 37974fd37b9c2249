package ramp

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// retryPolicy decides whether and when a failed attempt is tried again. It is
// immutable and safe for concurrent use.
type retryPolicy struct {
	profiles.Retries
	faults [attack.Faults]bool
}

func newRetryPolicy(p profiles.Retries) (retryPolicy, error) {
	r := retryPolicy{Retries: p}
	if p.Max < 0 || p.Max > 1000 {
		return r, fmt.Errorf("plan retries: %d is not between 0 and 1000", p.Max)
	}
	names := p.Faults
	if len(names) == 0 {
		names = []string{"reset", "eof", "refused", "broken-pipe"}
	}
	for _, name := range names {
		f, ok := attack.ParseFault(name)
		if !ok || f == attack.None || f == attack.Canceled {
			return r, fmt.Errorf("plan retries: %q is no fault that can be retried", name)
		}
		r.faults[f] = true
	}
	return r, nil
}

// again reports whether a failed attempt is to be tried again.
func (r *retryPolicy) again(a *attack.Attempt, repeatable bool) bool {
	return int(a.Try) < r.Max && r.faults[a.Fault] && (repeatable || r.NonIdempotent)
}

// pause returns how long to wait after a failed try: the backoff, or what its answer
// asks for if that is longer and the policy listens.
func (r *retryPolicy) pause(a *attack.Attempt) time.Duration {
	return max(r.backoff(a.Try), min(a.RetryAfter, r.RetryAfter))
}

// backoff returns the pause after a failed try, counted from 0: Base, or
// Base·2^try, at most Cap; with full jitter uniform between nothing and that
// (M. Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015).
func (r *retryPolicy) backoff(try uint16) time.Duration {
	d := r.Base
	if r.Exponential {
		for range try {
			if d > time.Hour || r.Cap > 0 && d >= r.Cap {
				break
			}
			d *= 2
		}
	}
	if r.Cap > 0 {
		d = min(d, r.Cap)
	}
	if r.FullJitter && d > 0 {
		d = rand.N(d + 1)
	}
	return d
}
