package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/report/runlog"
)

// heartbeat tells the machines of a run that it goes on, and hears that they do.
type heartbeat struct{ *Lead }

// beat gives signs of life, and looks for those that give none.
func (l heartbeat) beat(ctx context.Context, inbox string) {
	ticker := time.NewTicker(protocol.BeatEvery / 5)
	defer ticker.Stop()
	for i := 0; ; i++ {
		l.mu.Lock()
		var lost []string
		hurry := false // a start is agreed on by several comparisons
		for _, r := range l.members {
			if r.lost != nil {
				lost = append(lost, r.id)
			} else if len(r.readings) < compared {
				hurry = true
			}
		}
		l.mu.Unlock()
		if hurry || i%5 == 0 {
			_ = l.cfg.Beats.Ask(protocol.BeatSubject(l.cfg.Run), inbox, protocol.Encode(protocol.Beat{Asked: l.now(), Lost: lost}))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		l.lookForLost()
		l.lookForReturned(ctx)
	}
}

// pulse takes an answer to a sign of life.
func (l heartbeat) pulse(data []byte) []byte {
	returned := l.now()
	var p protocol.Pulse
	if json.Unmarshal(data, &p) != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.members {
		if r.id != p.ID || r.lost != nil {
			continue
		}
		r.heard = time.Now()
		if p.NotKept != "" && l.notKept == "" {
			l.notKept = p.NotKept
			l.cfg.Warn(fmt.Sprintf("%s: %s and others keep their records until it does", p.NotKept, r.name))
		}
		reading := runlog.ClockReading{Member: r.name, Asked: p.Asked, Received: p.Received, Answered: p.Answered, Returned: returned}
		if reading.Returned < reading.Asked || reading.Answered < reading.Received {
			return nil
		}
		if r.readings = append(r.readings, reading); len(r.readings) > 64 {
			r.readings = slices.Delete(r.readings, 0, 32)
		}
		l.keep(r, reading)
	}
	return nil
}

// keep records the best comparison of each second, once the run's clock is known.
func (l heartbeat) keep(r *remote, reading runlog.ClockReading) {
	rtt := func(c runlog.ClockReading) time.Duration { return c.Returned - c.Asked }
	if r.pending == nil || rtt(reading) < rtt(*r.pending) {
		r.pending = &reading
	}
	if !l.started || reading.Returned-r.kept < time.Second {
		return
	}
	c := *r.pending
	c.Asked, c.Returned = c.Asked-l.start, c.Returned-l.start
	c.Received, c.Answered = c.Received-r.offset, c.Answered-r.offset
	r.pending, r.kept = nil, reading.Returned
	l.parts.clock(c)
}
