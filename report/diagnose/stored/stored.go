// Package stored asks of stores and caches behind a hop what they have lost, or keep for too
// long: sessions that a store threw out or that ended with it, what was kept in a cache that
// stays away and is asked for elsewhere, and an error that a cache goes on giving. It adds facts,
// and names no cause.
package stored

import "github.com/rampload/rampload/report/diagnose/evidence"

// Observe adds to the facts of a hop what was lost, or kept. How far its requests got has been
// looked at before.
func Observe(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	observeKept(c, f, h)
	observeForgets(c, f, h)
	observeStoreGone(c, f, h)
}
