package kernel

import (
	"testing"
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
	var d *diag
	if err := n.ns.Inside(func(fd int) (err error) { d, err = openDiag(fd); return err }); err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for _, c := range []struct {
		name   string
		states uint32
	}{{"listening", listening}, {"waiting", waiting}, {"connected", connected}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var err error
			total := 0
			for b.Loop() {
				for range d.sockets(c.states, &err) {
					total++
				}
			}
			b.ReportMetric(float64(total)/float64(b.N), "sockets")
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
