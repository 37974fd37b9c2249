package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// unixPrefix marks a listener that is a Unix socket: "unix:/run/app.sock", or
// "unix:@name" without a file. Proxies often reach a service beside them so, and
// no counter of the kernel tells when its queue is full: connect(2) fails with
// EAGAIN.
const unixPrefix = "unix:"

// unixListener is a listening Unix socket with the length of its queue.
type unixListener struct {
	name            string
	queued, backlog uint32
}

// Attributes of a struct unix_diag_msg and what to ask for
// (include/uapi/linux/unix_diag.h).
const (
	unixDiagName     = 0
	unixDiagQueue    = 4
	unixShowName     = 0x01
	unixShowQueue    = 0x10
	sizeofUnixMsg    = 16
	sizeofAttribute  = 4
	attributeAligned = 4
)

// parseUnixListener reads a struct unix_diag_msg with its attributes; false for
// bytes that are none, and for a socket without a name or a queue.
func parseUnixListener(b []byte) (unixListener, bool) {
	if len(b) < sizeofUnixMsg || b[0] != unix.AF_UNIX || b[2] != sockdiag.Listen {
		return unixListener{}, false
	}
	var l unixListener
	for b = b[sizeofUnixMsg:]; len(b) >= sizeofAttribute; {
		size, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if size < sizeofAttribute || size > len(b) {
			return unixListener{}, false
		}
		value := b[sizeofAttribute:size]
		switch {
		case kind == unixDiagName:
			l.name = unixName(value)
		case kind == unixDiagQueue && len(value) >= 8:
			l.queued, l.backlog = binary.NativeEndian.Uint32(value), binary.NativeEndian.Uint32(value[4:])
		}
		b = b[min(len(b), (size+attributeAligned-1)&^(attributeAligned-1)):]
	}
	return l, l.name != "" && l.backlog > 0
}

// unixName is the path of a socket; of an abstract name, which begins with a zero
// byte and may hold more, what can be printed behind an @.
func unixName(b []byte) string {
	abstract := len(b) > 1 && b[0] == 0
	if abstract {
		b = b[1:]
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(string(b), "?"))
	if abstract && name != "" {
		name = "@" + name
	}
	return name
}

// unixQueues emits the queues of the listening Unix sockets, the first ones seen.
// Of sockets with one name, an old one whose file was replaced among them, it is
// the fullest. It returns the CPU time that it took: the kernel looks at every Unix
// socket of the namespace.
func (s *Sockets) unixQueues(emit func(probe.Reading)) (cost time.Duration) {
	if s.noUnix {
		return 0
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadCPU()
	s.unix = s.unix[:0]
	// A kernel without CONFIG_UNIX_DIAG knows of none.
	err := s.diag.Unix(listening, unixShowName|unixShowQueue, func(b []byte) {
		l, ok := parseUnixListener(b)
		if !ok {
			return
		}
		i := slices.IndexFunc(s.unix, func(x unixListener) bool { return x.name == l.name })
		switch {
		case i >= 0 && l.queued > s.unix[i].queued:
			s.unix[i] = l
		case i < 0 && len(s.unix) < maxListeners:
			s.unix = append(s.unix, l)
		}
	})
	if errors.Is(err, sockdiag.ErrOverrun) {
		return threadCPU() - began // the next one may fit
	}
	if err != nil {
		s.noUnix = true
		s.missing.add(&probe.Unsupported{What: "queues of unix sockets", Reason: err.Error(), Needs: "a kernel with CONFIG_UNIX_DIAG"})
		return threadCPU() - began
	}
	for _, l := range s.unix {
		emit(probe.Reading{
			Metric: s.opts.metric(probe.ListenQueue, unixPrefix+l.name),
			Value:  float64(l.queued), Limit: float64(l.backlog),
		})
	}
	return threadCPU() - began
}
