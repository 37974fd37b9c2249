//go:build !linux

package machine

import (
	"time"

	"github.com/rampload/rampload/probe"
)

// SinceBoot returns a clock that reads the time since it was made: the time since the
// start of the machine is Linux only.
func SinceBoot() probe.Clock { return probe.NewClock(time.Now()) }
