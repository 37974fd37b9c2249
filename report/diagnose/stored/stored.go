// Package stored looks for what stores and caches have lost, or keep too long: sessions that a
// store evicted or that ended with it; a cache that ended, so that a slower service is asked
// instead; an error that a cache goes on serving. It adds facts, and names no cause.
package stored

import "github.com/rampload/rampload/report/diagnose/evidence"

// Observe adds to the facts of a hop what was lost or kept. It needs the case's way (c.Way), and
// takes back facts about the hop's own errors where a cache only repeats those of another.
func Observe(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	observeKept(c, f, h)
	observeForgets(c, f, h)
	observeStoreGone(c, f, h)
}
