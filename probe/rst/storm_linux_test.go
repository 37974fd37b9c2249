package rst

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// TestStormOfOthers counts the resets of a watched port though others of the machine are
// refused connections, without a socket, far more often than a second has room for.
func TestStormOfOthers(t *testing.T) {
	needTrace(t)
	const perSecond, refused, own = 20, 3000, 5
	n := newNetwork(t)
	l := n.server.listen(t, netip.MustParseAddr("127.0.0.1"))
	serve(t, l, abort)
	to := addrPort(l.Addr())
	trace := NewTrace(TraceOptions{
		Clock: probe.NewClock(time.Now()), Ports: []uint16{to.Port()}, MaxPerSecond: perSecond,
		Hosts: []Host{{Name: "client", Netns: n.client.path}, {Name: "server", Netns: n.server.path}},
	})
	w := watchAll(t, trace)
	storm := func() {
		n.router.do(t, func() error {
			for range refused / own {
				if _, err := net.Dial("tcp", "127.0.0.1:1"); !errors.Is(err, unix.ECONNREFUSED) {
					return errors.New("a closed port took a connection")
				}
			}
			return nil
		})
	}
	for range own {
		storm()
		if err := ask(t, n.server, to); err == nil {
			t.Error("no reset")
		}
	}
	sent, received := uint64(0), uint64(0)
	for _, e := range w.stop() {
		switch {
		case e.Kind == probe.Lost:
			t.Errorf("%d resets were lost", e.Count)
		case e.Kind == probe.RSTSent && e.Local.Port() == to.Port():
			sent += max(e.Count, 1)
		case e.Kind == probe.RSTReceived && e.Remote.Port() == to.Port():
			received += max(e.Count, 1)
		}
	}
	if left := fmt.Sprint(trace.Missing()); !strings.Contains(left, "of ports that nobody watches") {
		t.Errorf("what was left out is not told: %s", left)
	}
	if sent != own || received != own {
		t.Errorf("%d resets sent and %d received, want %d", sent, received, own)
	}
}
