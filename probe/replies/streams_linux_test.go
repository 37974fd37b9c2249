package replies

import (
	"net"
	"net/netip"
	"os"
	"testing"
)

// TestEstablished finds a connection among those of this host, and does not when it has ended.
func TestEstablished(t *testing.T) {
	sockets, err := New(Options{Host: "calc"}).sockets()
	if err != nil {
		if os.Getenv("RAMPLOAD_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs sock_diag: %v", err)
	}
	defer sockets.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ends := [2]netip.AddrPort{netip.MustParseAddrPort(client.LocalAddr().String()), netip.MustParseAddrPort(client.RemoteAddr().String())}
	seen := func() (n int) {
		err := established(sockets, func(local, remote netip.AddrPort) {
			if local == ends[0] && remote == ends[1] || local == ends[1] && remote == ends[0] {
				n++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := seen(); n != 2 {
		t.Errorf("%d of both ends of %v are there", n, ends)
	}
	client.Close()
	server.Close()
	if n := seen(); n != 0 {
		t.Errorf("%d ends of %v are there still", n, ends)
	}
}
