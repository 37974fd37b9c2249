package bpf

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// Resets beyond those that are told whole are counted with their reason, without the
// client's port. What happens elsewhere on the machine is filtered out by the port.
func TestAllowance(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	l.Close()
	p := open(t, Options{Ports: []uint16{port}, PerSecond: 3})
	const many = 50
	for range many {
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			c.Close()
			t.Skip("somebody else has taken the port")
		}
	}
	whole, counted := map[Kind]uint64{}, map[Kind]uint64{}
	if err := p.Read(func(r Reset) {
		switch {
		case r.Local.Port() != port && r.Remote.Port() != port:
		case r.At != 0:
			whole[r.Kind]++
		default:
			counted[r.Kind] += r.Count
		}
	}); err != nil {
		t.Fatal(err)
	}
	if whole[Received]+counted[Received] != many || whole[Received] == 0 || counted[Received] == 0 {
		t.Errorf("%d received whole, %d counted, want %d", whole[Received], counted[Received], many)
	}
	if n := whole[Sent] + counted[Sent]; n != 0 && n != many { // before Linux 6.9 not all are told
		t.Errorf("%d sent, want %d", n, many)
	}
}

// In a second after a storm a part is told whole, and still all are counted.
func TestAllowanceInStorm(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	l.Close()
	const perSecond, storm, part = 16, 4 * 16, 16 / 8
	p := open(t, Options{Ports: []uint16{port}, PerSecond: perSecond})
	second := func() uint64 { // as the programs count them
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			t.Fatal(err)
		}
		return uint64(now.Nano()) >> 30
	}
	dialled := map[uint64]int{}
	total, first := uint64(0), second()
	inStorm := func(s uint64) bool { return dialled[s-1] > storm && dialled[s] >= perSecond }
	// On a busy machine some seconds pass without a dial.
	for now := first; now < first+15 && (now < first+2 || !inStorm(now-1)); now = second() {
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			c.Close()
			t.Skip("somebody else has taken the port")
		}
		total++
		if second() == now { // else it may be of either
			dialled[now]++
		}
	}
	whole, told := map[uint64]int{}, uint64(0)
	if err := p.Read(func(r Reset) {
		switch {
		case r.Kind != Received || r.Local.Port() != port && r.Remote.Port() != port:
		case r.At != 0:
			whole[r.At>>30]++
			told++
		default:
			told += r.Count
		}
	}); err != nil {
		t.Fatal(err)
	}
	if told != total {
		t.Errorf("%d told, want %d", told, total)
	}
	for s := range dialled {
		if !inStorm(s) {
			continue
		}
		// The other processor may begin the second too.
		if whole[s] < part || whole[s] > 2*part {
			t.Errorf("second %d: %d of %d told whole, want %d", s-first, whole[s], dialled[s], part)
		}
	}
}
