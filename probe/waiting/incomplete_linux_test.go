package waiting

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadCall(t *testing.T) {
	pollfd := func(fd int32, events uint16) func(uint64) ([]byte, bool) {
		return func(at uint64) ([]byte, bool) {
			if at != 0x7ffd10 {
				return nil, false
			}
			b := binary.NativeEndian.AppendUint32(nil, uint32(fd))
			return binary.NativeEndian.AppendUint16(b, events), true
		}
	}
	short := func(uint64) ([]byte, bool) { return []byte{1}, true }
	call := func(number int, args string) string { return fmt.Sprintf("%d %s 0x7ffc 0x7f01", number, args) }
	for _, tt := range []struct {
		name, text string
		at         func(uint64) ([]byte, bool)
		fd         int
		ok         bool
	}{
		{"recv", call(unix.SYS_RECVFROM, "0x9 0x5600 0x2000 0x0 0x0 0x0"), short, 9, true},
		{"read", call(unix.SYS_READ, "0x1f 0x5600 0x2000"), short, 31, true},
		{"recvmsg", call(unix.SYS_RECVMSG, "0x9 0x5600"), short, 9, true},
		{"a write", call(unix.SYS_WRITE, "0x9 0x5600 0x10"), short, 0, false},
		{"accept", call(unix.SYS_ACCEPT4, "0x9 0x0 0x0"), short, 0, false},
		{"a thread that runs", "running\n", short, 0, false},
		{"out of the kernel", "-1 0x7ffc 0x7f01", short, 0, false},
		{"nothing", "", short, 0, false},
		{"a wait for input on one descriptor", call(unix.SYS_PPOLL, "0x7ffd10 0x1 0x0"), pollfd(12, 1), 0, true},
		{"a wait for room", call(unix.SYS_PPOLL, "0x7ffd10 0x1 0x0"), pollfd(12, 4), 0, false},
		{"a wait for several", call(unix.SYS_PPOLL, "0x7ffd10 0x2 0x0"), pollfd(12, 1), 0, false},
		{"memory that may not be read", call(unix.SYS_PPOLL, "0x10 0x1 0x0"), pollfd(12, 1), 0, false},
		{"too little of it", call(unix.SYS_PPOLL, "0x7ffd10 0x1 0x0"), func(uint64) ([]byte, bool) { return []byte{1, 0}, true }, 0, false},
	} {
		fd, ok := readCall([]byte(tt.text), func(at uint64) ([]byte, bool) {
			b, ok := tt.at(at)
			if len(b) == 6 {
				b = append(b, 0, 0) // revents
			}
			return b, ok
		})
		want := tt.fd
		if ok && want == 0 {
			want = 12
		}
		if ok != tt.ok || ok && fd != want {
			t.Errorf("%s: %d %v, want %d %v", tt.name, fd, ok, want, tt.ok)
		}
	}
}

// TestComes plays one connection: data segments in and out, and for how long none came in.
func TestComes(t *testing.T) {
	type reading struct {
		in, out uint32
		since   time.Duration
		unread  uint32
		want    bool
	}
	const s = time.Second
	for _, tt := range []struct {
		name     string
		readings []reading
	}{
		{"a request in one piece, and the wait for its answer", []reading{{1, 0, 0, 0, false}, {1, 0, s, 0, false}, {1, 0, 2 * s, 0, false}}},
		{"a request in many pieces", []reading{{1, 0, s, 0, false}, {2, 0, 0, 0, false}, {3, 0, s, 0, true}, {4, 0, s, 0, true}}},
		{"which is answered in the end", []reading{{1, 0, s, 0, false}, {2, 0, 0, 0, false}, {3, 0, s, 0, true}, {3, 1, s, 0, false}}},
		{"which is complete, and worked on", []reading{{1, 0, s, 0, false}, {2, 0, 0, 0, false}, {3, 0, 0, 0, true}, {3, 0, 9 * s, 0, false}}},
		{"which nobody reads", []reading{{1, 0, s, 9, false}, {2, 0, 0, 9, false}, {3, 0, s, 9, false}}},
		{"requests that are answered", []reading{{1, 0, s, 0, false}, {2, 1, 0, 0, false}, {3, 2, 0, 0, false}, {4, 3, 0, 0, false}}},
	} {
		var h heard
		for i, r := range tt.readings {
			c := conn{state: established, queued: r.unread, hasInfo: true, info: tcpInfo{in: r.in, out: r.out, received: r.since}}
			if i == 0 {
				h = heard{in: r.in, out: r.out, since: r.since}
			} else {
				h = h.next(c, uint32(i))
			}
			if got := h.comes(c); got != r.want {
				t.Errorf("%s, reading %d: %v, want %v", tt.name, i, got, r.want)
			}
		}
	}
}

// TestAsked counts requests to a peer on connections that last, and what comes back; a greeting
// answers nothing.
func TestAsked(t *testing.T) {
	tl := newTally()
	c := conn{state: established, inode: 7, hasInfo: true}
	for i, out := range []uint32{5, 7, 7, 12} {
		tl.reset()
		c.info.out, c.info.in = out, []uint32{1, 2, 2, 4}[i]
		tl.arrivals.count(nil, tl.out(c, "api", 0), c, time.Time{})
		tl.settle(came{})
	}
	if p := tl.peers[peerKey{"api", c.remote}]; p.asked != 7 {
		t.Errorf("%v requests, want 7", p.asked)
	} else if p.answered != 3 {
		t.Errorf("%v answers, want 3", p.answered)
	}
	long := c
	for _, in := range []uint32{20, 40, 60} { // an answer that goes on and on
		tl.reset()
		long.info.out, long.info.in = 13, in
		tl.arrivals.count(nil, tl.out(long, "api", 0), long, time.Time{})
		tl.settle(came{})
	}
	if p := tl.peers[peerKey{"api", c.remote}]; p.answered != 5 {
		t.Errorf("%v answers with a long one, want 5", p.answered)
	}
	greeted := conn{state: established, inode: 8, hasInfo: true, remote: c.remote}
	greeted.local = netip.MustParseAddrPort("10.0.0.3:40000")
	greeted.info.in = 1
	tl.reset()
	tl.arrivals.count(nil, tl.out(greeted, "api", 0), greeted, time.Time{})
	tl.settle(came{})
	if p := tl.peers[peerKey{"api", c.remote}]; p.answered != 5 {
		t.Errorf("%v answers with a greeting, want 5", p.answered)
	}
}

// TestUnseen: what was not looked at counts as what was.
func TestUnseen(t *testing.T) {
	for _, c := range []struct {
		name                                string
		waiting, looked, threads, pids, all int
		want                                float64
	}{
		{"all were looked at", 7, 10, 10, 2, 2, 0},
		{"a third of one process's threads", 100, 128, 384, 1, 1, 200},
		{"a quarter of processes of one thread each", 100, 100, 100, 100, 400, 300},
		{"none waits", 0, 128, 400, 1, 1, 0},
		{"none could be looked at", 0, 0, 0, 0, 5, 0},
	} {
		if got := unseen(c.waiting, c.looked, c.threads, c.pids, c.all); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestRequestsOnOneConnection: where requests go out one behind the other, the first one
// without an answer tells how long they wait, not the last.
func TestRequestsOnOneConnection(t *testing.T) {
	tl := newTally()
	store := newTally()
	asks := conn{state: established, inode: 7, hasInfo: true, local: netip.MustParseAddrPort("10.0.0.1:40000"), remote: netip.MustParseAddrPort("10.0.0.2:6379")}
	owes := conn{state: established, inode: 9, hasInfo: true, local: asks.remote, remote: asks.local}
	began := time.Unix(1000, 0)
	at := began
	var asked, owing []time.Duration
	for _, r := range []struct {
		in, out        uint32        // as the asking end sees it
		received, sent time.Duration // ago
	}{
		{10, 11, 20 * time.Millisecond, 8 * time.Millisecond},
		{10, 90, 1020 * time.Millisecond, 8 * time.Millisecond}, // nothing came, more went out
		{10, 170, 2020 * time.Millisecond, 4 * time.Millisecond},
		{170, 171, 8 * time.Millisecond, 4 * time.Millisecond}, // answered, and asked anew
	} {
		asks.info.in, asks.info.out, asks.info.received, asks.info.sent = r.in, r.out, r.received, r.sent
		owes.info.in, owes.info.out, owes.info.received, owes.info.sent = r.out, r.in, r.sent, r.received
		a, _ := tl.arrivals.stood(asks, at)
		_, o := store.arrivals.stood(owes, at)
		asked, owing = append(asked, a), append(owing, o)
		tl.arrivals.count(nil, tl.out(asks, "app", a), asks, at)
		store.arrivals.count(nil, store.out(owes, "store", 0), owes, at)
		at = at.Add(time.Second)
	}
	want := []time.Duration{0, 1008 * time.Millisecond, 2008 * time.Millisecond, 4 * time.Millisecond}
	if !slices.Equal(asked, want) || !slices.Equal(owing, want) {
		t.Errorf("it waited for %v, and the other end owed for %v, want %v", asked, owing, want)
	}
}
