//go:build !amd64

package waiting

import "golang.org/x/sys/unix"

// polls reports whether a call is ppoll(2), which poll is here.
func polls(number int) bool { return number == unix.SYS_PPOLL }
