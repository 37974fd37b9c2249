package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/roster"
)

const (
	// awayAfter is the silence after which one that was started in the place of an agent
	// is looked for.
	awayAfter = 2 * time.Second
	// seekFor is how long each look for it takes.
	seekFor = 2 * time.Second
)

// lookForReturned looks for agents that give no sign of life, as they or their machines
// were started again: those do not know of the run. One that is only cut off comes back
// by itself, and delivers.
func (lead *Lead) lookForReturned(ctx context.Context) {
	lead.mu.Lock()
	defer lead.mu.Unlock()
	if !lead.started || lead.over {
		return
	}
	for _, r := range lead.members {
		if r.role == bus.RoleAgent && r.lost == nil && !r.seeking && time.Since(r.heard) > awayAfter && lead.parts.follows() {
			r.seeking = true
			lead.wg.Go(func() { lead.seek(ctx, r) })
		}
	}
}

// seek lets whoever was started in the place of an agent watch for the rest of the run,
// as a part of its own.
func (lead *Lead) seek(ctx context.Context, r *remote) {
	began := lead.now()
	for ctx.Err() == nil {
		heard := lead.heardOf(r)
		if heard > began {
			break // it was only cut off
		}
		another := func(f bus.Found) bool { return f.Name == r.request.Agent && f.ID != r.id }
		found, err := lead.cfg.Conn.Find(ctx, bus.RoleAgent, seekFor, func(all []bus.Found) bool { return slices.ContainsFunc(all, another) })
		i := slices.IndexFunc(found, another)
		if err != nil || i < 0 || lead.heardOf(r) > began {
			continue
		}
		if err := roster.Fits(found[i], protocol.Spoken(false), lead.cfg.Version); err != nil {
			lead.cfg.Warn(fmt.Sprintf("the agent of %s was started again, and watches no more: %s", r.host, err))
			return
		}
		again, err := gathering{lead}.engage(ctx, r.request, found[i].ID)
		if err != nil {
			continue
		}
		lead.replace(r, again, heard)
		return
	}
	lead.mu.Lock()
	r.seeking = false
	lead.mu.Unlock()
}

// heardOf returns when the last sign of life of a member came.
func (lead *Lead) heardOf(r *remote) time.Duration {
	lead.mu.Lock()
	defer lead.mu.Unlock()
	return r.heard.Sub(lead.began)
}

// replace gives an agent up for the one that was started in its place.
func (lead *Lead) replace(r, again *remote, heard time.Duration) {
	at := lead.now() - lead.start
	lead.mu.Lock()
	r.lost = fmt.Errorf("it was started again: nothing was seen of its host from %s to %s", max(heard-lead.start, 0).Round(100*time.Millisecond), at.Round(100*time.Millisecond))
	r.gone.Store(true)
	text := r.lost.Error()
	lead.mu.Unlock()
	lead.parts.close(r)
	lead.wg.Go(func() { lead.obeyed(again) })
	lead.cfg.Warn(fmt.Sprintf("agent of %s: %s", r.host, text))
}
