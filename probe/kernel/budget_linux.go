package kernel

import "time"

// budget spreads a costly reading so that it takes at most a share of one core:
// after one that cost c, the next is due c/share later. It gives no credit for
// idle time, so that two never follow each other at once.
type budget struct {
	share float64
	due   time.Time
}

// ready reports whether the next reading is due.
func (b *budget) ready(now time.Time) bool { return !now.Before(b.due) }

// spent notes what a reading cost.
func (b *budget) spent(now time.Time, cost time.Duration) {
	b.due = now.Add(time.Duration(float64(cost) / b.share))
}
