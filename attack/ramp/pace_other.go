//go:build !linux

package ramp

import "time"

// sleepPrecisely sleeps as precisely as Go's timers do on this system.
func sleepPrecisely(d time.Duration) { time.Sleep(d) }
