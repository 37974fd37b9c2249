package socket

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Poller waits for sockets that serve one request and are gone. What Go's poller keeps
// of a descriptor (a finalizer, a registration that is taken back before the close) costs
// more than such a socket's waiting: this one is told of a socket when somebody waits for
// it, and the kernel forgets it by itself when it is closed. It is an epoll of its own,
// edge-triggered, and itself parked in Go's poller.
type Poller struct {
	file  *os.File
	raw   syscall.RawConn
	fd    int
	clock func() time.Duration // that deadlines are times of
	early atomic.Int32         // looks before the wait, see rounds, until Run's next turn

	mu    sync.Mutex
	seats []*seat // by number
	free  []*seat
	next  time.Duration // no deadline is before; Never: none is known
	timer *time.Timer   // at next
}

// seat is what an open socket waits with. A token says that whoever waits is to look
// again: nothing is lost when it comes for nothing, as from an event of the socket that
// had the seat before.
type seat struct {
	poller  *Poller
	number  int32
	in, out chan struct{}
	expired atomic.Bool

	// Of whoever reads.
	waited bool  // for input of this socket
	misses uint8 // looks before the wait that found nothing, in a row
	skip   uint8 // waits to come that have none

	// Under the poller's lock.
	socket *Socket // nil: free
	until  time.Duration
	events uint32 // that the kernel tells of
}

// NewPoller makes a poller; Run it. The clock is that of [Socket.EndAt].
func NewPoller(clock func() time.Duration) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or Go's poller does not take it
		unix.Close(fd)
		return nil, err
	}
	p := &Poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, clock: clock, next: Never}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	p.timer = time.AfterFunc(time.Hour, p.expire)
	p.timer.Stop()
	return p, nil
}

// Run wakes who waits, until Close.
func (p *Poller) Run() {
	events := make([]unix.EpollEvent, 128)
	n := 0
	look := func(fd uintptr) bool {
		// It does not wait, hence the scheduler need not know.
		n, _ = ignoreEINTR(unix.SYS_EPOLL_PWAIT, fd, unsafe.Pointer(&events[0]), len(events), 0)
		return n != 0
	}
	for {
		if err := p.raw.Read(look); err != nil || n < 0 {
			return
		}
		p.mu.Lock()
		p.early.Store(int32(earlyLooks * (len(p.seats) - len(p.free))))
		for _, ev := range events[:n] {
			s := p.seats[ev.Fd]
			if ev.Events&^unix.EPOLLOUT != 0 {
				ring(s.in)
			}
			if ev.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
				ring(s.out)
			}
		}
		p.mu.Unlock()
	}
}

// Close ends Run. No socket waits any more.
func (p *Poller) Close() {
	p.timer.Stop()
	p.file.Close()
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// sit gives a socket a seat.
func (p *Poller) sit(s *Socket) {
	p.mu.Lock()
	var at *seat
	if n := len(p.free); n > 0 {
		at, p.free = p.free[n-1], p.free[:n-1]
	} else {
		at = &seat{poller: p, number: int32(len(p.seats)), in: make(chan struct{}, 1), out: make(chan struct{}, 1)}
		p.seats = append(p.seats, at)
	}
	at.socket, s.seat = s, at
	at.until, at.events, at.waited = Never, 0, false
	at.expired.Store(false)
	p.mu.Unlock()
}

// leave gives a socket's seat to others. It returns false if that was done before.
func (at *seat) leave(s *Socket) bool {
	p := at.poller
	p.mu.Lock()
	mine := at.socket == s
	if mine {
		at.socket = nil
		p.free = append(p.free, at)
	}
	p.mu.Unlock()
	return mine
}

// endAt ends the waiting of a socket at a time of the clock. One that is closed has none.
func (at *seat) endAt(s *Socket, until time.Duration) error {
	p := at.poller
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.socket != s {
		return os.ErrClosed
	}
	at.until = until
	if at.expired.Load() {
		at.expired.Store(false)
	}
	if until >= p.next {
		return nil // the timer looks at all when it fires
	}
	left := until - p.clock()
	if left <= 0 {
		at.expire()
		return nil
	}
	p.next = until
	p.timer.Reset(left)
	return nil
}

// expire ends the waiting for a seat's socket. The poller's lock is held.
func (at *seat) expire() {
	at.expired.Store(true)
	ring(at.in)
	ring(at.out)
}

// deadlineGap is how often deadlines are looked at, at most.
const deadlineGap = time.Millisecond

// expire looks at every deadline. It runs when the first one of those that it saw last
// has passed, which is rare: most sockets are closed long before.
func (p *Poller) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	p.next = Never
	for _, at := range p.seats {
		switch {
		case at.socket == nil || at.until == Never || at.expired.Load():
		case at.until <= now:
			at.expire()
		default:
			p.next = min(p.next, at.until)
		}
	}
	if p.next != Never {
		p.timer.Reset(max(p.next-now, deadlineGap))
	}
}

// arm has the kernel tell of a socket: of input, or of room for output besides. What
// there is already is told too.
func (at *seat) arm(s *Socket, out bool) error {
	p := at.poller
	p.mu.Lock()
	defer p.mu.Unlock()
	want, op := uint32(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET&0xffffffff), unix.EPOLL_CTL_MOD
	if out {
		want |= unix.EPOLLOUT
	}
	switch {
	case at.events&want == want:
		return nil
	case at.events == 0:
		op = unix.EPOLL_CTL_ADD
	}
	ev := unix.EpollEvent{Events: want | at.events, Fd: at.number}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(s.fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	if errno != 0 {
		return errno
	}
	at.events = ev.Events
	return nil
}

// earlyLooks is how many sockets may look before they wait, for each that is open, until
// Run has its turn: it has one, as everything else that waits in Go's poller, once nobody
// can go on without waiting.
const earlyLooks = 2

// mostMisses bounds how seldom looks are made that found nothing: every 64th wait.
const mostMisses = 6

// looksEarly reports whether to look once more before the first wait for input. On a
// processor that is busy with other sockets the answer is there once those have had their
// turn, and the kernel need not be told of this one: that, and what it does when it wakes
// somebody and forgets the socket, costs a twentieth of a request with its connection. On
// one that is not, the look finds nothing, and soon is left out.
func (at *seat) looksEarly() bool {
	if at.waited {
		return false
	}
	if at.skip > 0 {
		at.skip--
		return false
	}
	return at.poller.early.Load() > 0 && at.poller.early.Add(-1) >= 0
}

// missed notes that a look before the wait found nothing.
func (at *seat) missed() {
	at.misses = min(at.misses+1, mostMisses)
	at.skip = 1<<at.misses - 1
}

// rounds makes steps until one is the last, and waits between them, for input or for
// room for output. It ends at the deadline.
func (at *seat) rounds(s *Socket, out bool, step func(fd uintptr) bool) error {
	bell := at.in
	if out {
		bell = at.out
	}
	for looked := false; ; {
		if at.expired.Load() {
			return os.ErrDeadlineExceeded
		}
		if step(uintptr(s.fd)) {
			if looked {
				at.misses = 0
			}
			return nil
		}
		if !out {
			if looked {
				looked = false
				at.missed()
			} else if at.looksEarly() {
				looked = true
				runtime.Gosched()
				continue
			}
			at.waited = true
		}
		if err := at.arm(s, out); err != nil {
			return err
		}
		<-bell
	}
}
