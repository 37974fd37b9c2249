package rst

import "golang.org/x/sys/unix"

// threadCPU is the CPU time of the calling thread, in nanoseconds.
func threadCPU() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
