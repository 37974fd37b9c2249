package fleet

import (
	"context"
	"errors"
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
	d.lead.live.follow(sink)
	early := false
	select {
	case <-d.lead.live.over:
	case <-ctx.Done():
		early = true
		d.lead.tell(protocol.Order{Kind: protocol.OrderStop})
		late := time.NewTimer(d.drain + endsIn)
		defer late.Stop()
		select {
		case <-d.lead.live.over:
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
