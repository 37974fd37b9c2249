package tracefs

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRecordPages records the pages that TestPages decodes, with -update: resets
// of several kinds, and a buffer that ran over.
func TestRecordPages(t *testing.T) {
	if !*update {
		return
	}
	resets := func(count int) {
		for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for c, err := l.Accept(); err == nil; c, err = l.Accept() {
					_ = c.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
			}()
			for range count {
				if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
					_, _ = c.Read(make([]byte, 1))
					c.Close()
				}
			}
			l.Close()
		}
	}
	for name, tt := range map[string]struct{ kb, resets int }{"resets": {64, 2}, "overrun": {8, 300}} {
		b, err := Open(Options{BufferKB: tt.kb})
		if err != nil {
			t.Fatal(err)
		}
		resets(tt.resets)
		for i, fd := range b.fds {
			k, err := unix.Read(fd, b.page)
			if errors.Is(err, unix.EAGAIN) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata/pages", fmt.Sprintf("%s-cpu%d.page", name, i))
			if err := os.WriteFile(path, b.page[:k], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b.Close()
	}
}
