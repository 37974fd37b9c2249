package socket

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Watcher learns at once that the peer has closed or reset a connection on
// which nobody reads. It is an epoll of our own, edge-triggered and without
// EPOLLIN, so that traffic does not wake it, and itself parked in Go's poller
// (an epoll descriptor is readable while it has events, epoll(7)).
type Watcher struct {
	file *os.File
	raw  syscall.RawConn
	fd   int
}

// NewWatcher makes a watcher; Run it.
func NewWatcher() (*Watcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the poller does not take it
		unix.Close(fd)
		return nil, err
	}
	w := &Watcher{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		w.file.Close()
		return nil, err
	}
	return w, nil
}

// Add watches a socket until it is closed. What has happened to it already is
// told too.
func (w *Watcher) Add(s *Socket, id uint64) error {
	ev := unix.EpollEvent{
		Events: unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, // ERR and HUP are always told
		Fd:     int32(uint32(id)), Pad: int32(uint32(id >> 32)),
	}
	return unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, int(s.fd), &ev)
}

// Run calls hup with the id of each connection that something happened to,
// until Close.
func (w *Watcher) Run(hup func(id uint64)) {
	events := make([]unix.EpollEvent, 256)
	for {
		var n int
		err := w.raw.Read(func(fd uintptr) bool {
			var err error
			for {
				if n, err = unix.EpollWait(int(fd), events, 0); err != unix.EINTR {
					break
				}
			}
			return n != 0
		})
		if err != nil || n < 0 {
			return
		}
		for _, ev := range events[:n] {
			hup(uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32)
		}
	}
}

// Close ends Run.
func (w *Watcher) Close() { w.file.Close() }
