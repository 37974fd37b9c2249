package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/report/runlog"
)

// lookForLost finds workers that give no sign of life. Slow is not lost: signs of life
// do not wait behind anything.
func (lead *Lead) lookForLost() {
	now := time.Now()
	lead.mu.Lock()
	var silent []*remote
	for _, r := range lead.members {
		if r.role == bus.RoleWorker && lead.started && !lead.stopped && r.lost == nil && now.Sub(r.heard) > protocol.LostAfter && !lead.parts.over(r) {
			silent = append(silent, r)
		}
	}
	lead.mu.Unlock()
	for _, r := range silent {
		lead.wg.Go(func() { lead.lose(r, nil) }) // signs of life go on meanwhile
	}
	for _, slice := range lead.live.LeaveBehind(int32(slowAfter / lead.cfg.Window)) {
		lead.cfg.Warn(fmt.Sprintf("worker %s is slow: its record is more than %s behind the others', and the live view goes on without it; the report has all of it", lead.owner(slice).name, slowAfter))
	}
}

func (lead *Lead) owner(slice int) *remote {
	lead.mu.Lock()
	defer lead.mu.Unlock()
	return lead.owners[slice]
}

// lose gives a worker up and lets others send its slices.
func (lead *Lead) lose(r *remote, why error) {
	lead.mu.Lock()
	if r.lost != nil {
		lead.mu.Unlock()
		return
	}
	lastSign := r.heard.Sub(lead.began) - lead.start
	at := lead.now() - lead.start
	if why == nil {
		why = fmt.Errorf("nothing was heard of it after %s", max(lastSign, 0).Round(100*time.Millisecond))
	}
	r.lost = why
	r.gone.Store(true)
	owned := slices.Clone(r.slices)
	r.slices = nil
	lead.mu.Unlock()
	for _, slice := range owned {
		lead.takeOver(r, slice, lastSign, at)
	}
}

// takeOver lets another worker send the slice of a lost one: from two seconds after its
// last sign on, when it has stopped by itself if it is still there.
func (lead *Lead) takeOver(lost *remote, slice int, lastSign, at time.Duration) {
	until := int32((max(lastSign, 0) + protocol.TakenAfter + lead.cfg.Window - 1) / lead.cfg.Window)
	lead.parts.retire(lost, slice)
	from, flying := lead.live.Cut(slice)
	from = min(from, until)
	var by *remote
	var part int
	for {
		if by, part = lead.successor(lost, slice); by == nil {
			break
		}
		_, err := lead.call(context.Background(), by, protocol.Order{Kind: protocol.OrderTake, Part: part, Slice: slice, From: time.Duration(until) * lead.cfg.Window}, protocol.TakenAfter-protocol.LostAfter)
		if err == nil {
			break
		}
		lead.mu.Lock()
		by.slices = slices.DeleteFunc(by.slices, func(s int) bool { return s == slice })
		lead.mu.Unlock()
		lead.cfg.Warn(fmt.Sprintf("worker %s cannot take over a slice: %s", by.name, err))
		lead.lose(by, fmt.Errorf("it could not take over a slice: %w", err))
	}
	to := until
	if by == nil {
		to = lead.live.End(slice, until) // nobody sends it any more
	}
	due, err := lead.cfg.Missed(slice, lead.cfg.Workers, from, to)
	if err != nil {
		lead.cfg.Warn(err.Error())
	}
	t := runlog.Takeover{Member: lost.name, Slice: slice, At: at, Why: lost.lost.Error(), From: from, Until: to, Due: due, InFlight: flying}
	text := fmt.Sprintf("worker %s is lost at %s: %s", lost.name, at.Round(100*time.Millisecond), t.Why)
	unsent := uint64(0)
	for _, w := range due {
		for _, n := range w {
			unsent += n
		}
	}
	if by != nil {
		t.By = by.name
		text += fmt.Sprintf("; %s sends its slice from %s on, and up to %d requests due in between are unsent", by.name, time.Duration(until)*lead.cfg.Window, unsent)
	} else {
		text += "; no other worker is left to send its slice"
	}
	if flying > 0 {
		text += fmt.Sprintf("; the ends of %d requests that were under way are not known", flying)
	}
	lead.mu.Lock()
	lost.lost = fmt.Errorf("lost %s after the load began: %s", at.Round(100*time.Millisecond), text[len(fmt.Sprintf("worker %s is lost at %s: ", lost.name, at.Round(100*time.Millisecond))):])
	lead.mu.Unlock()
	lead.parts.takeover(t)
	lead.parts.missed(lost, lead.live.Gap(slice, from, due, by == nil))
	lead.cfg.Warn(text)
}

// successor chooses who sends a slice: the worker with the fewest.
func (lead *Lead) successor(lost *remote, slice int) (by *remote, part int) {
	lead.mu.Lock()
	defer lead.mu.Unlock()
	for _, r := range lead.members {
		if r.role == bus.RoleWorker && r.lost == nil && r != lost && time.Since(r.heard) < protocol.LostAfter && (by == nil || len(r.slices) < len(by.slices)) {
			by = r
		}
	}
	if by == nil {
		return nil, 0
	}
	lead.last++
	by.slices, lead.owners[slice] = append(by.slices, slice), by
	lead.parts.expect(lead.last, by, slice)
	return by, lead.last
}
