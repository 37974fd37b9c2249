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
func (l *Lead) lookForLost() {
	now := time.Now()
	l.mu.Lock()
	var silent []*remote
	for _, r := range l.members {
		if r.role == bus.RoleWorker && l.started && !l.stopped && r.lost == nil && now.Sub(r.heard) > protocol.LostAfter && !l.parts.over(r) {
			silent = append(silent, r)
		}
	}
	l.mu.Unlock()
	for _, r := range silent {
		l.wg.Go(func() { l.lose(r, nil) }) // signs of life go on meanwhile
	}
	for _, slice := range l.live.LeaveBehind(int32(slowAfter / l.cfg.Window)) {
		l.cfg.Warn(fmt.Sprintf("worker %s is slow: its record is more than %s behind the others', and the live view goes on without it; the report has all of it", l.owner(slice).name, slowAfter))
	}
}

func (l *Lead) owner(slice int) *remote {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owners[slice]
}

// lose gives a worker up and lets others send its slices.
func (l *Lead) lose(r *remote, why error) {
	l.mu.Lock()
	if r.lost != nil {
		l.mu.Unlock()
		return
	}
	lastSign := r.heard.Sub(l.began) - l.start
	at := l.now() - l.start
	if why == nil {
		why = fmt.Errorf("nothing was heard of it after %s", max(lastSign, 0).Round(100*time.Millisecond))
	}
	r.lost = why
	r.gone.Store(true)
	owned := slices.Clone(r.slices)
	r.slices = nil
	l.mu.Unlock()
	for _, slice := range owned {
		l.takeOver(r, slice, lastSign, at)
	}
}

// takeOver lets another worker send the slice of a lost one: from two seconds after its
// last sign on, when it has stopped by itself if it is still there.
func (l *Lead) takeOver(lost *remote, slice int, lastSign, at time.Duration) {
	until := int32((max(lastSign, 0) + protocol.TakenAfter + l.cfg.Window - 1) / l.cfg.Window)
	l.parts.retire(lost, slice)
	from, flying := l.live.Cut(slice)
	from = min(from, until)
	var by *remote
	var part int
	for {
		if by, part = l.successor(lost, slice); by == nil {
			break
		}
		_, err := l.call(context.Background(), by, protocol.Order{Kind: protocol.OrderTake, Part: part, Slice: slice, From: time.Duration(until) * l.cfg.Window}, protocol.TakenAfter-protocol.LostAfter)
		if err == nil {
			break
		}
		l.mu.Lock()
		by.slices = slices.DeleteFunc(by.slices, func(s int) bool { return s == slice })
		l.mu.Unlock()
		l.cfg.Warn(fmt.Sprintf("worker %s cannot take over a slice: %s", by.name, err))
		l.lose(by, fmt.Errorf("it could not take over a slice: %w", err))
	}
	to := until
	if by == nil {
		to = l.live.End(slice, until) // nobody sends it any more
	}
	due, err := l.cfg.Missed(slice, l.cfg.Workers, from, to)
	if err != nil {
		l.cfg.Warn(err.Error())
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
		text += fmt.Sprintf("; %s sends its slice from %s on, and up to %d requests due in between are unsent", by.name, time.Duration(until)*l.cfg.Window, unsent)
	} else {
		text += "; no other worker is left to send its slice"
	}
	if flying > 0 {
		text += fmt.Sprintf("; the ends of %d requests that were under way are not known", flying)
	}
	l.mu.Lock()
	lost.lost = fmt.Errorf("lost %s after the load began: %s", at.Round(100*time.Millisecond), text[len(fmt.Sprintf("worker %s is lost at %s: ", lost.name, at.Round(100*time.Millisecond))):])
	l.mu.Unlock()
	l.parts.takeover(t)
	l.parts.missed(lost, l.live.Gap(slice, from, due, by == nil))
	l.cfg.Warn(text)
}

// successor chooses who sends a slice: the worker with the fewest.
func (l *Lead) successor(lost *remote, slice int) (by *remote, part int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.members {
		if r.role == bus.RoleWorker && r.lost == nil && r != lost && time.Since(r.heard) < protocol.LostAfter && (by == nil || len(r.slices) < len(by.slices)) {
			by = r
		}
	}
	if by == nil {
		return nil, 0
	}
	l.last++
	by.slices, l.owners[slice] = append(by.slices, slice), by
	l.parts.expect(l.last, by, slice)
	return by, l.last
}
