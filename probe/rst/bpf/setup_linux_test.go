package bpf

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rules loads rules of nftables in the namespace of this thread.
func rules(t *testing.T, format string, args ...any) {
	t.Helper()
	load := exec.Command("nft", "-f", "-")
	load.Stdin = strings.NewReader(fmt.Sprintf(format, args...))
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("load rules: %v\n%s", err, out)
	}
}

// sysctl sets a value of the namespace of this thread, or of the whole machine.
func sysctl(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
}

// count adds up the drops to a port of a namespace for a reason.
func count(t *testing.T, p *Programs, netns uint32, port uint16, reason string) (n int, last Drop, all []Drop) {
	t.Helper()
	if err := p.Drops(func(d Drop) {
		if d.Netns != netns || d.Port != port {
			return
		}
		all = append(all, d)
		if d.Reason == reason {
			n += int(d.Count)
			last = d
		}
	}); err != nil {
		t.Error(err)
	}
	return n, last, all
}

// A SYN queue that is full, without SYN cookies, drops what its listener then counts.
func TestVanishSynQueue(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		skip(t, "needs nft")
	}
	inNetns(t, func(t *testing.T, netns uint32) {
		sysctl(t, "net/ipv4/tcp_syncookies", "0")
		l, port := listen(t, 2)
		defer unix.Close(l)
		// The last packets of handshakes vanish, so that these stay half open.
		rules(t, `table inet half { chain outbound { type filter hook output priority 0; tcp dport %d tcp flags & (syn|ack) == ack drop; }; }`, port)
		p := open(t, Options{Ports: []uint16{port}, Namespaces: []uint32{netns}})
		for range 8 {
			fd, _ := dial(t, port, 50*time.Millisecond)
			unix.Close(fd) // which sends its SYN no more
		}
		before := netstat(t, "TCPReqQFullDrop")
		n, last, all := count(t, p, netns, port, SynQueueFull)
		full := netstat(t, "TCPReqQFullDrop")
		if full == 0 {
			t.Error("the queue was not full")
		}
		if p.Attached()["on_syn"] && (n < before || n > full || last.Dest.Port() != port || last.Source.Port() == 0) {
			t.Errorf("%d dropped, %d counted: %+v", n, full, all)
		}
	})
}
