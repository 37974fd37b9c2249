package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/profiles"
)

// Loader is the load of a run that workers send, as one. Its sink gets windows that
// are the sums over all workers.
type Loader struct {
	lead  *Lead
	drain time.Duration
	alone atomic.Bool
}

// Loader returns the load. drain is how long what is in flight may take after a stop.
func (l *Lead) Loader(drain time.Duration) *Loader { return &Loader{lead: l, drain: drain} }

// ErrNoWorkers says that every worker was lost.
var ErrNoWorkers = errors.New("every worker was lost before the load was over")

// Run waits until the workers have sent the load, or lets them stop when ctx is done.
func (d *Loader) Run(ctx context.Context, sink attack.Sink) (attack.Summary, error) {
	d.lead.live.Follow(sink)
	early := false
	if !d.lead.arrives(ctx) {
		early = true
		d.lead.tell(protocol.Order{Kind: protocol.OrderStop})
		late := time.NewTimer(d.drain + endsIn)
		defer late.Stop()
		select {
		case <-d.lead.live.Over():
		case <-late.C:
		}
	}
	ended, interrupted := d.lead.parts.loads()
	summary := attack.Summary{Ended: ended, Interrupted: early || interrupted}
	d.alone.Store(!early && d.lead.forsaken())
	if d.alone.Load() {
		summary.Interrupted = true
	}
	return summary, nil
}

// stalledAfter is how long nothing of any worker's record may come before the load is
// given up: nobody could judge it.
const stalledAfter = 20 * time.Second

// arrives waits until the load is over, and reports false when it has to be stopped:
// ctx is done, or nothing of it comes any more.
func (l *Lead) arrives(ctx context.Context) bool {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	came, last := l.live.Came(), time.Now()
	for {
		select {
		case <-l.live.Over():
			return true
		case <-ctx.Done():
			return false
		case <-look.C:
		}
		if n := l.live.Came(); n != came || l.now() < l.start {
			came, last = n, time.Now()
		}
		if time.Since(last) > stalledAfter {
			l.mu.Lock()
			why := cmp.Or(l.notKept, "the server hands on no records")
			l.mu.Unlock()
			l.cfg.Warn(fmt.Sprintf("nothing was heard of what the workers count for %s, and the load is stopped: %s", stalledAfter, why))
			return false
		}
	}
}

// Forsaken reports whether the load ended because no worker was left.
func (d *Loader) Forsaken() bool { return d.alone.Load() }

// forsaken reports whether no worker is left.
func (l *Lead) forsaken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.members {
		if len(r.slices) > 0 && r.lost == nil {
			return false
		}
	}
	return true
}

// Schedule is a schedule that grows on this machine and on all workers.
type Schedule struct {
	*schedule.Growing
	lead *Lead
}

// Schedule returns a schedule that tells the workers how it grows.
func (l *Lead) Schedule(own *schedule.Growing) *Schedule { return &Schedule{own, l} }

// Extend adds stages at the end.
func (s *Schedule) Extend(stages ...profiles.Stage) error {
	if err := s.Growing.Extend(stages...); err != nil {
		return err
	}
	s.lead.tell(protocol.Order{Kind: protocol.OrderExtend, Stages: stages})
	return nil
}

// Finish says that no stages follow.
func (s *Schedule) Finish() {
	s.Growing.Finish()
	s.lead.tell(protocol.Order{Kind: protocol.OrderExtend, Final: true})
}
