package sockdiag

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

func open(t *testing.T) *Conn {
	t.Helper()
	c, err := Open("sockets")
	if errors.Is(err, probe.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Both ways of asking find listeners of both families, and no connection.
func TestListeners(t *testing.T) {
	want := map[uint16]bool{}
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", at)
		if err != nil {
			t.Log(err) // a machine without IPv6
			continue
		}
		defer ln.Close()
		want[uint16(ln.Addr().(*net.TCPAddr).Port)] = true
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	c := open(t)
	for _, legacy := range []bool{true, false} {
		c.legacy = legacy
		found := map[uint16]int{}
		err := c.TCP(1<<Listen, 0, func(b []byte) {
			if len(b) < messageSize || b[1] != Listen {
				t.Fatalf("no listener: % x", b)
			}
			found[binary.BigEndian.Uint16(b[4:])]++
		})
		if err != nil {
			t.Fatal(err)
		}
		for port := range want {
			if found[port] != 1 {
				t.Errorf("legacy %v: port %d was told %d times", legacy, port, found[port])
			}
		}
	}
}

// What is left of a dump that was broken off belongs to no other.
func TestBrokenOff(t *testing.T) {
	for range 8 { // there may be no other Unix socket here
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pair[0])
		defer unix.Close(pair[1])
	}
	c := open(t)
	c.buffer = c.buffer[:100] // so many do not fit
	if err := c.Unix(^uint32(0), 0, func([]byte) {}); !errors.Is(err, ErrOverrun) {
		t.Fatalf("got %v", err)
	}
	c.buffer = c.buffer[:cap(c.buffer)]
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	found := 0
	err = c.TCP(1<<Listen, 0, func(b []byte) {
		if len(b) < messageSize || b[0] == unix.AF_UNIX {
			t.Fatalf("of another dump: % x", b)
		}
		if int(binary.BigEndian.Uint16(b[4:])) == ln.Addr().(*net.TCPAddr).Port {
			found++
		}
	})
	if err != nil || found != 1 {
		t.Errorf("found %d, %v", found, err)
	}
}

func FuzzReadMessages(f *testing.F) {
	f.Add([]byte{})
	m := make([]byte, headerSize+messageSize+4)
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], byFamily)
	m[headerSize] = 2
	f.Add(m)
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		_, _ = readMessages(b, 0, func(body []byte) { total += headerSize + len(body) })
		if total > len(b) {
			t.Fatalf("%d bytes of %d", total, len(b))
		}
	})
}
