//go:build unix

package wire

import "golang.org/x/sys/unix"

// descriptors returns how many file descriptors the process may have open, 0 if
// that cannot be read.
func descriptors() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), 1<<20))
}
