package run

import (
	"context"
	"maps"
	"sync"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/preflight"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// unanswered is a recorder that also keeps, of each target without a single answer, an
// attempt that failed on a connection: what ends there may not speak the target's protocol.
type unanswered struct {
	session.Recorder

	mu     sync.Mutex
	failed map[uint16]attack.Attempt
	done   map[uint16]bool // that answered
}

func newUnanswered(r session.Recorder) *unanswered {
	return &unanswered{Recorder: r, failed: map[uint16]attack.Attempt{}, done: map[uint16]bool{}}
}

// Window records a window, and which targets answered in it.
func (u *unanswered) Window(w attack.Window) {
	u.Recorder.Window(w)
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range w.Cells {
		if c.Phase == attack.PhaseDone && c.Attempts > 0 {
			u.done[w.Target] = true
			delete(u.failed, w.Target)
		}
	}
}

// Failure records a failed attempt, and keeps it if it may tell what answers.
func (u *unanswered) Failure(f attack.Failure) {
	u.Recorder.Failure(f)
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, kept := u.failed[f.Target]; !kept && !u.done[f.Target] && preflight.MayBeMistaken(f.Attempt) {
		u.failed[f.Target] = f.Attempt
	}
}

// sources says what else answers where a target never did, as far as it can be found out by
// asking it.
func (u *unanswered) sources(ctx context.Context, targets []profiles.Target) []probe.Status {
	u.mu.Lock()
	failed := maps.Clone(u.failed)
	u.mu.Unlock()
	var out []probe.Status
	for i, t := range targets {
		a, ok := failed[uint16(i)]
		if !ok {
			continue
		}
		if what := preflight.Mistaken(ctx, t, a); what != "" {
			out = append(out, probe.Status{
				Source: runlog.OfTarget(t.Name), State: probe.Partial, Reason: runlog.NeverAnswered + what,
			})
		}
	}
	return out
}
