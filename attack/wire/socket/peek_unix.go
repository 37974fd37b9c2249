//go:build unix && !linux

package socket

import (
	"io"

	"golang.org/x/sys/unix"
)

// Peek reports whether input is waiting.
func (socket *Socket) Peek() (waiting bool, err error) {
	if socket.raw == nil {
		return false, nil
	}
	cerr := socket.raw.Control(func(fd uintptr) {
		var b [1]byte
		var n int
		n, _, err = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			err = nil
		case err == nil && n == 0:
			err = io.EOF
		case err == nil:
			waiting = true
		}
	})
	if cerr != nil {
		return false, cerr
	}
	return waiting, err
}
