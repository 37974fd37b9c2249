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
func (l *Lead) lookForReturned(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started || l.over {
		return
	}
	for _, r := range l.members {
		if r.role == bus.RoleAgent && r.lost == nil && !r.seeking && time.Since(r.heard) > awayAfter && l.parts.follows() {
			r.seeking = true
			l.wg.Go(func() { l.seek(ctx, r) })
		}
	}
}

// seek lets whoever was started in the place of an agent watch for the rest of the run,
// as a part of its own.
func (l *Lead) seek(ctx context.Context, r *remote) {
	began := l.now()
	for ctx.Err() == nil {
		heard := l.heardOf(r)
		if heard > began {
			break // it was only cut off
		}
		another := func(f bus.Found) bool { return f.Name == r.request.Agent && f.ID != r.id }
		found, err := l.cfg.Conn.Find(ctx, bus.RoleAgent, seekFor, func(all []bus.Found) bool { return slices.ContainsFunc(all, another) })
		i := slices.IndexFunc(found, another)
		if err != nil || i < 0 || l.heardOf(r) > began {
			continue
		}
		if err := roster.Fits(found[i], protocol.Spoken(false), l.cfg.Version); err != nil {
			l.cfg.Warn(fmt.Sprintf("the agent of %s was started again, and watches no more: %s", r.host, err))
			return
		}
		again, err := gathering{l}.engage(ctx, r.request, found[i].ID)
		if err != nil {
			continue
		}
		l.replace(r, again, heard)
		return
	}
	l.mu.Lock()
	r.seeking = false
	l.mu.Unlock()
}

// heardOf returns when the last sign of life of a member came.
func (l *Lead) heardOf(r *remote) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return r.heard.Sub(l.began)
}

// replace gives an agent up for the one that was started in its place.
func (l *Lead) replace(r, again *remote, heard time.Duration) {
	at := l.now() - l.start
	l.mu.Lock()
	r.lost = fmt.Errorf("it was started again: nothing was seen of its host from %s to %s", max(heard-l.start, 0).Round(100*time.Millisecond), at.Round(100*time.Millisecond))
	r.gone.Store(true)
	text := r.lost.Error()
	l.mu.Unlock()
	l.parts.close(r)
	l.wg.Go(func() { l.obeyed(again) })
	l.cfg.Warn(fmt.Sprintf("agent of %s: %s", r.host, text))
}
