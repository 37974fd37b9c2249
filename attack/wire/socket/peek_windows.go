package socket

import (
	"io"
	"unsafe"

	"golang.org/x/sys/windows"
)

// pollFD is WSAPOLLFD.
type pollFD struct {
	fd      windows.Handle
	events  int16
	revents int16
}

const pollIn = 0x0100 // POLLRDNORM of winsock2.h

// Peek reports whether input is waiting. Go's sockets block, so WSAPoll is asked
// first whether a read would.
func (socket *Socket) Peek() (waiting bool, err error) {
	if socket.raw == nil {
		return false, nil
	}
	poll := windows.NewLazySystemDLL("ws2_32.dll").NewProc("WSAPoll")
	cerr := socket.raw.Control(func(fd uintptr) {
		p := pollFD{fd: windows.Handle(fd), events: pollIn}
		n, _, _ := poll.Call(uintptr(unsafe.Pointer(&p)), 1, 0)
		if int32(n) <= 0 {
			return
		}
		var b [1]byte
		var read uint32
		flags := uint32(windows.MSG_PEEK)
		err = windows.WSARecv(p.fd, &windows.WSABuf{Len: 1, Buf: &b[0]}, 1, &read, &flags, nil, nil)
		switch {
		case err == nil && read == 0:
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
