package bpf

import (
	"net"
	"testing"
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
