package ramp

import (
	"time"

	"github.com/rampload/rampload/attack"
)

// collected is a run as what collects its windows sees it.
type collected struct{ *run }

// Now is the time since the start of the load.
func (r collected) Now() time.Duration { return r.now() }

// Following is how many accepted transactions a target's follower waits for.
func (r collected) Following(target int) (inFlight int64, follows bool) {
	if target < len(r.cfg.Profile.Targets) {
		return 0, false
	}
	return followUp(r).following(target), true
}

// Scheduled calls count with the target of every request due by the end of a window
// that no earlier window has counted. What a growing schedule gets late, due in a
// window that is over, counts in the next one: scheduled = sent + unsent, always.
func (r collected) Scheduled(w int32, count func(target uint16)) {
	from := time.Duration(w) * r.cfg.Window
	r.mu.Lock()
	r.counted = w + 1
	last := min(r.sched.Count(from+r.cfg.Window-1), r.cutoff)
	r.mu.Unlock()
	for n := r.cfg.Slice.next(r.due); n < last; n += r.cfg.Slice.of() {
		t, _ := r.mix.Pick(n)
		count(t)
	}
	r.due = max(r.due, last)
}

// Stats returns the connections of each target, and how many are to be held at a time.
func (r collected) Stats(at time.Duration) []attack.ClientStats {
	sum := make([]attack.ClientStats, len(r.cfg.Profile.Counted()))
	for _, g := range r.groups {
		st := g.via.Stats()
		t := &sum[g.target]
		t.Dials += st.Dials
		t.Open += st.Open
		t.Idle += st.Idle
		t.IdleConnSeconds += st.IdleConnSeconds
		// What has not even been asked for is late too.
		wanted := int64(r.wanted(g, at))
		t.Wanted += wanted
		t.Undialled += min(st.Undialled+max(wanted-st.Wanted, 0), wanted)
		t.Unawaited += st.Unawaited
		t.LookupFailures += st.LookupFailures
	}
	return sum
}
