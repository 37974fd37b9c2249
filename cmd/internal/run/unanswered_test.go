package run

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

type nowhere struct{ session.Recorder }

func (nowhere) Window(attack.Window)   {}
func (nowhere) Failure(attack.Failure) {}

func TestUnanswered(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
			c.Close()
		}
	}()
	remote := netip.MustParseAddrPort(listener.Addr().String())
	targets := []profiles.Target{{Name: "never", URL: "http://x"}, {Name: "once", URL: "http://x"}, {Name: "refused", URL: "http://x"}}
	u := newUnanswered(nowhere{})
	for i := range targets {
		failed := attack.Attempt{Target: uint16(i), Fault: attack.Protocol, Phase: attack.PhaseAwait, Conn: attack.Conn{Remote: remote}}
		if targets[i].Name == "refused" {
			failed.Fault, failed.Phase = attack.Refused, attack.PhaseDial
		}
		u.Failure(attack.Failure{Attempt: failed})
		done := attack.Cell{Fault: attack.Protocol, Phase: attack.PhaseAwait, Attempts: 1}
		if targets[i].Name == "once" {
			done = attack.Cell{Phase: attack.PhaseDone, Attempts: 1}
		}
		u.Window(attack.Window{Target: uint16(i), Cells: []attack.Cell{done}})
	}
	got := u.sources(t.Context(), targets)
	if len(got) != 1 || got[0].Source.Name != "target never" || got[0].State != probe.Partial || !strings.Contains(got[0].Reason, "answers like an SSH server, not like an HTTP server") {
		t.Errorf("got %+v, want the target that never answered alone", got)
	}
}
