package rst

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
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
	n := newNetwork(t)
	n.meet(t, n.server.v6)
	resets := func(count int) {
		for _, addr := range []netip.Addr{n.server.v4, n.server.v6} {
			l := n.server.listen(t, addr)
			serve(t, l, func(c *net.TCPConn) { abort(c) })
			for range count {
				_ = ask(t, n.client, addrPort(l.Addr()))
				_ = ask(t, n.client, netip.AddrPortFrom(addr, 1))
			}
		}
	}
	for name, tt := range map[string]struct{ kb, resets int }{"resets": {64, 2}, "overrun": {8, 300}} {
		b, err := openBuffers(TraceOptions{BufferKB: tt.kb})
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
		b.close()
	}
}
