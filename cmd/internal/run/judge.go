package run

import (
	"context"
	"time"

	"github.com/rampload/rampload/cmd/internal/keep"
)

const (
	// judgeEvery is how often the run so far is judged, at most; where somebody looks it
	// never takes more than a fifteenth of one processor, else a fiftieth.
	judgeEvery   = 2 * time.Second
	judgeShare   = 15
	unseenShare  = 50
	suspectShare = 10
)

// judge makes the report of the run so far, again and again, until ctx is done. Where
// nobody looks, and only those are told who want to know of broken gates, it is made
// seldom, and soon after the first failures.
func (view *view) judge(ctx context.Context, record *keep.Record) {
	timer := time.NewTimer(max(judgeEvery, -view.clock.Now()+judgeEvery))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		failed := false
		if r, err := view.soFar(record); err == nil { // what cannot be judged yet may be later
			if view.on() {
				view.feed.Interim(r, time.Since(began))
				view.show(r)
			}
			view.cast.Judged(r)
			failed = r.Totals.Failed+r.Totals.WireResets > 0
		}
		took := time.Since(began)
		share := time.Duration(unseenShare)
		switch {
		case view.on():
			share = judgeShare
		case failed && !view.suspected:
			// What fails is followed closely for a while: one run in ten times the time.
			view.suspected, share = true, suspectShare
		}
		timer.Reset(max(judgeEvery, share*took))
	}
}
