package socket

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestDialledDeadline: a deadline that is set before there is a connection holds
// for it too, and so does an interrupt that comes while it is being opened.
func TestDialledDeadline(t *testing.T) {
	for name, network := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		ln, err := net.Listen(name, network) // accepts nothing, reads nothing, answers nothing
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		for op, use := range map[string]func(*dialled) error{
			"read":    func(s *dialled) error { _, err := s.Read(make([]byte, 1)); return err },
			"discard": func(s *dialled) error { _, err := s.Discard(1, make([]byte, 1)); return err },
			"write":   func(s *dialled) error { _, err := s.Write(make([]byte, 64<<20)); return err },
			"exchange": func(s *dialled) error {
				_, _, err := s.Exchange([]byte("x"), make([]byte, 1))
				return err
			},
		} {
			for when, set := range map[string]func(*dialled){
				"before": func(s *dialled) { s.SetDeadline(time.Now().Add(100 * time.Millisecond)) },
				"interrupted": func(s *dialled) {
					s.SetDeadline(time.Now().Add(time.Hour))
					s.dialer.Control = func(string, string, syscall.RawConn) error {
						return s.SetDeadline(time.Unix(1, 0))
					}
				},
			} {
				t.Run(name+"/"+op+"/"+when, func(t *testing.T) {
					t.Parallel()
					var s dialled
					addr, path := netip.AddrPort{}, network
					if tcp, ok := ln.Addr().(*net.TCPAddr); ok {
						addr, path = tcp.AddrPort(), ""
					}
					s.prepare(addr, path, netip.Addr{})
					defer s.Close()
					set(&s)
					err := s.Finish() // the deadline may have passed already
					if err == nil {
						if path == "" && !s.LocalAddr().IsValid() {
							t.Error("no local address")
						}
						err = use(&s)
					}
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("%v, want the deadline", err)
					}
				})
			}
		}
	}
}
