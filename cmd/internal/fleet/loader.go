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
	why   atomic.Pointer[error] // see Failed
}

// Loader returns the load. drain is how long what is in flight may take after a stop.
func (lead *Lead) Loader(drain time.Duration) *Loader { return &Loader{lead: lead, drain: drain} }

var (
	// ErrNoWorkers says that every worker was lost.
	ErrNoWorkers = errors.New("every worker was lost before the load was over")
	// ErrNoRecords says that workers go on, and nothing of what they count arrives.
	ErrNoRecords = errors.New("what the workers count does not arrive")
)

// Run waits until the workers have sent the load, or lets them stop when ctx is done.
func (d *Loader) Run(ctx context.Context, sink attack.Sink) (attack.Summary, error) {
	d.lead.live.Follow(sink)
	err := d.lead.arrives(ctx)
	if err != nil {
		d.lead.stopAll()
		late := time.NewTimer(d.drain + endsIn)
		defer late.Stop()
		select {
		case <-d.lead.live.Over():
		case <-late.C:
		}
	}
	ended, interrupted := d.lead.parts.loads()
	summary := attack.Summary{Ended: ended, Interrupted: err != nil || interrupted}
	if err == nil && d.lead.forsaken() {
		summary.Interrupted = true
		err = ErrNoWorkers
	}
	if err != nil && ctx.Err() == nil {
		d.why.Store(&err)
	}
	return summary, nil
}

// stalledAfter is how long nothing of any worker's record may come before the load is
// given up: nobody could judge it.
const stalledAfter = 20 * time.Second

// arrives waits until the load is over. The error is why it has to be stopped: ctx is
// done, or nothing of it comes any more.
func (lead *Lead) arrives(ctx context.Context) error {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	came, last := lead.live.Came(), time.Now()
	for {
		select {
		case <-lead.live.Over():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
		if n := lead.live.Came(); n != came || lead.now() < lead.start {
			came, last = n, time.Now()
		}
		if time.Since(last) > stalledAfter {
			lead.mu.Lock()
			why := cmp.Or(lead.notKept, lead.cfg.Conn.Where()+" hands on no records")
			lead.mu.Unlock()
			return fmt.Errorf("%w: %s, and the load was stopped after %s without any", ErrNoRecords, why, stalledAfter)
		}
	}
}

// stopAll lets all workers stop. Who gives no sign of life from then on is not replaced.
func (lead *Lead) stopAll() {
	lead.mu.Lock()
	lead.stopped = true
	lead.mu.Unlock()
	lead.tell(protocol.Order{Kind: protocol.OrderStop})
}

// Failed is why the load ended before its time, if nobody wanted that: no worker is left,
// or nothing is heard of what they do.
func (d *Loader) Failed() error {
	if err := d.why.Load(); err != nil {
		return *err
	}
	return nil
}

// forsaken reports whether no worker is left.
func (lead *Lead) forsaken() bool {
	lead.mu.Lock()
	defer lead.mu.Unlock()
	for _, r := range lead.members {
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
func (lead *Lead) Schedule(own *schedule.Growing) *Schedule { return &Schedule{own, lead} }

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
