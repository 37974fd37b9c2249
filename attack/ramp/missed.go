package ramp

import (
	"encoding/binary"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/schedule"
)

// Missed returns what a generator of the configuration would have counted as
// scheduled in the windows from one index up to, and not with, another, had it sent
// nothing: all of it is unsent. It stands for a generator that was lost. What closed
// loops would have sent is not known: nothing of theirs is due.
func Missed(cfg Config, from, to int32) ([]attack.Window, error) {
	if cfg.Window == 0 {
		cfg.Window = defaultWindow
	}
	var sched timetable = cfg.Schedule
	if cfg.Schedule == nil {
		fixed, err := schedule.New(cfg.Profile.Load, binary.LittleEndian.Uint64(cfg.RunID[:]), cfg.Profile.Client.PerConnection)
		if err != nil {
			return nil, err
		}
		sched = fixed
	}
	mix, err := newMix(cfg.Profile)
	if err != nil {
		return nil, err
	}
	before := func(index int32) uint64 {
		if index <= 0 {
			return 0
		}
		return min(sched.Count(time.Duration(index)*cfg.Window-1), sched.Total())
	}
	var out []attack.Window
	for index := from; index < to; index++ {
		windows := make([]attack.Window, len(cfg.Profile.Counted()))
		for i := range windows {
			windows[i] = attack.Window{Target: uint16(i), Index: index}
		}
		end := before(index + 1)
		for n := cfg.Slice.next(before(index)); n < end; n += cfg.Slice.of() {
			t, _ := mix.Pick(n)
			windows[t].Scheduled++
			windows[t].Unsent++
		}
		out = append(out, windows...)
	}
	return out, nil
}
