package watch

import "golang.org/x/sys/unix"

// ClockSynchronised reports whether the kernel takes its clock for synchronised
// (adjtimex(2)), and whether it could be asked.
func ClockSynchronised() (yes, known bool) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&unix.STA_UNSYNC == 0, true
}
