//go:build linux || darwin

package host

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// RaiseNoFile raises rampload's soft limit of open files to the hard one and
// returns the soft limit that it has then. On macOS the kernel refuses more than
// its own limit per process (OPEN_MAX, 10,240), which is tried too. With an
// error soft is the limit as it was.
func RaiseNoFile() (soft uint64, err error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, fmt.Errorf("read limit of open files: %w", err)
	}
	if r.Cur >= r.Max {
		return r.Cur, nil
	}
	tries := []uint64{r.Max}
	if runtime.GOOS == "darwin" {
		tries = append(tries, 10240)
	}
	for _, try := range tries {
		if try <= r.Cur {
			continue
		}
		raised := unix.Rlimit{Cur: try, Max: r.Max}
		if err = unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err == nil {
			return try, nil
		}
	}
	return r.Cur, fmt.Errorf("raise limit of open files from %d to %d: %w", r.Cur, r.Max, err)
}
