package kernel

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// A Unix socket that nobody accepts from fills to its backlog and one more, as ss
// sees it; then connect fails at once, and no counter tells.
func TestUnixQueueReachesItsBacklog(t *testing.T) {
	n := newNetns(t)
	const backlog = 4
	path := filepath.Join(t.TempDir(), "app.sock")
	for _, at := range []struct {
		name string
		addr *unix.SockaddrUnix
	}{
		{path, &unix.SockaddrUnix{Name: path}},
		{"@rampload-queue-test", &unix.SockaddrUnix{Name: "@rampload-queue-test"}},
	} {
		t.Run(at.name[:1], func(t *testing.T) {
			open := func() (fd int) {
				n.do(func() {
					var err error
					if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
						t.Errorf("open socket: %v", err)
					}
				})
				t.Cleanup(func() { _ = unix.Close(fd) })
				return fd
			}
			listener := open()
			if err := errors.Join(unix.Bind(listener, at.addr), unix.Listen(listener, backlog)); err != nil {
				t.Fatal(err)
			}
			s := n.sockets(t)
			name := unixPrefix + at.name
			if v, limit := value(t, s, probe.ListenQueue, name); v != 0 || limit != backlog {
				t.Errorf("empty queue: %v of %v", v, limit)
			}
			for i := range backlog + 1 {
				if err := unix.Connect(open(), at.addr); err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
			}
			if err := unix.Connect(open(), at.addr); !errors.Is(err, unix.EAGAIN) {
				t.Errorf("connecting to a full queue: %v", err)
			}
			v, limit := value(t, s, probe.ListenQueue, name)
			if v != backlog+1 || limit != backlog {
				t.Errorf("full queue: %v of %v", v, limit)
			}
			listed := false
			for line := range strings.Lines(n.run(t, "ss", "-Hlx")) {
				if f := strings.Fields(line); len(f) > 4 && f[4] == at.name {
					if listed = true; f[2] != strconv.Itoa(int(v)) || f[3] != strconv.Itoa(int(limit)) {
						t.Errorf("read %v of %v, ss says %v", v, limit, f)
					}
				}
			}
			if !listed {
				t.Error("ss does not list it")
			}
		})
	}
}

func TestParseUnixListener(t *testing.T) {
	attribute := func(kind uint16, value []byte) []byte {
		b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
		b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		return b
	}
	head := func(state uint8) []byte {
		b := make([]byte, sizeofUnixMsg)
		b[0], b[1], b[2] = unix.AF_UNIX, unix.SOCK_STREAM, state
		return b
	}
	queue := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, 65), 64)
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	for _, c := range []struct {
		name string
		data []byte
		want unixListener
		ok   bool
	}{
		{"path", join(head(sockdiag.Listen), attribute(unixDiagName, []byte("/run/a.sock\x00")), attribute(unixDiagQueue, queue)), unixListener{"/run/a.sock", 65, 64}, true},
		{"abstract", join(head(sockdiag.Listen), attribute(unixDiagName, []byte("\x00ab\x00\x00")), attribute(unixDiagQueue, queue)), unixListener{"@ab", 65, 64}, true},
		{"control characters", join(head(sockdiag.Listen), attribute(unixDiagName, []byte("/a\x1b[1m\xff")), attribute(unixDiagQueue, queue)), unixListener{"/a?[1m?", 65, 64}, true},
		{"connected", join(head(sockdiag.Established), attribute(unixDiagName, []byte("/a")), attribute(unixDiagQueue, queue)), unixListener{}, false},
		{"no name", join(head(sockdiag.Listen), attribute(unixDiagQueue, queue)), unixListener{}, false},
		{"no queue", join(head(sockdiag.Listen), attribute(unixDiagName, []byte("/a"))), unixListener{}, false},
		{"attribute too long", join(head(sockdiag.Listen), []byte{200, 0, 0, 0}), unixListener{}, false},
		{"attribute too short", join(head(sockdiag.Listen), []byte{2, 0, 0, 0}), unixListener{}, false},
		{"short", []byte{1, 2, 3}, unixListener{}, false},
	} {
		l, ok := parseUnixListener(c.data)
		if ok != c.ok || ok && l != c.want {
			t.Errorf("%s: %+v %v", c.name, l, ok)
		}
	}
}

func FuzzParseUnixListener(f *testing.F) {
	f.Add(make([]byte, sizeofUnixMsg))
	f.Add([]byte("\x01\x01\x0a\x00aaaabbbbcccc\x06\x00\x00\x00/a\x00\x00\x0c\x00\x04\x00\x01\x00\x00\x00\x02\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, ok := parseUnixListener(b)
		if ok && (l.name == "" || l.backlog == 0 || strings.ContainsFunc(l.name, func(r rune) bool { return r < ' ' })) {
			t.Errorf("%+v", l)
		}
	})
}
