//go:build !linux

package ramp

import "time"

// alarm wakes a goroutine at a time, as precisely as Go's timers do on this
// system.
type alarm struct{}

func newAlarm() (*alarm, error) { return &alarm{}, nil }

// sleep waits for d.
func (*alarm) sleep(d time.Duration) { time.Sleep(d) }

func (*alarm) close() {}
