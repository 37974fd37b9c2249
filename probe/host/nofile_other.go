//go:build !linux && !darwin

package host

import (
	"runtime"

	"github.com/rampload/rampload/probe"
)

// RaiseNoFile returns an error that matches [probe.ErrUnsupported]: there is no
// such limit here, or none that is known.
func RaiseNoFile() (soft uint64, err error) {
	return 0, &probe.Unsupported{What: "limit of open files", Reason: "this system is " + runtime.GOOS}
}
