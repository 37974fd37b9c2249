package kernel

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// openSockets opens a number of sockets in a namespace of their own.
func openSockets(b *testing.B, sockets int) *testNetns {
	b.Helper()
	n := newNetns(b)
	n.connections(b, sockets/2)
	return n
}

func BenchmarkDiag(b *testing.B) {
	n := openSockets(b, 20_000)
	var d *sockdiag.Conn
	if err := n.ns.Inside(func(int) (err error) { d, err = sockdiag.Open("sockets"); return err }); err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for _, c := range []struct {
		name   string
		states uint32
	}{{"listening", listening}, {"waiting", waiting}, {"connected", connected}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			total := 0
			for b.Loop() {
				if err := d.TCP(c.states, 0, func([]byte) { total++ }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(total)/float64(b.N), "sockets")
		})
	}
}

// BenchmarkUnixListeners lists the listening Unix sockets beside 18,000 that are
// connected: what it costs more on a busy machine.
func BenchmarkUnixListeners(b *testing.B) {
	n := newNetns(b)
	const pairs = 9_000 // two descriptors each
	n.do(func() {
		for range pairs {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				b.Error(err)
				return
			}
			b.Cleanup(func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) })
		}
	})
	var d *sockdiag.Conn
	if err := n.ns.Inside(func(int) (err error) { d, err = sockdiag.Open("sockets"); return err }); err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Unix(listening, unixShowName|unixShowQueue, func([]byte) {}); err != nil {
			b.Fatal(err)
		}
	}
}
