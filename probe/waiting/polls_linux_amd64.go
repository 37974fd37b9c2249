package waiting

import "golang.org/x/sys/unix"

// polls reports whether a call is poll(2) or ppoll(2).
func polls(number int) bool { return number == unix.SYS_POLL || number == unix.SYS_PPOLL }
