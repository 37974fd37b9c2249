package neighbours

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/netns"
)

// networks makes network namespaces by ip(8), gone at the end of the test.
func networks(t *testing.T, names ...string) []string {
	t.Helper()
	skip := func(why string) {
		if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if os.Geteuid() != 0 {
		skip("needs root for network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		skip("needs ip (Debian: apt-get install iproute2)")
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("rl-%d-%s", os.Getpid(), name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", names[i]).Run() })
		run(t, "ip", "netns", "add", names[i])
	}
	return names
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// TestWatchTellsWhoHasAnAddress has a neighbour's hardware address go to another and back,
// as when two machines have one address.
func TestWatchTellsWhoHasAnAddress(t *testing.T) {
	names := networks(t, "near", "far")
	near, far := names[0], names[1]
	run(t, "ip", "link", "add", "uplink", "netns", near, "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "uplink", "netns", far)
	run(t, "ip", "-n", near, "addr", "add", "10.9.0.1/24", "dev", "uplink")
	for _, ns := range names {
		run(t, "ip", "-n", ns, "link", "set", "uplink", "up")
	}
	neighbour := func(hardware string) {
		run(t, "ip", "-n", near, "neigh", "replace", "10.9.0.2", "lladdr", hardware, "dev", "uplink", "nud", "reachable")
	}
	const a, b = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
	neighbour(a)

	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	events, done := make(chan probe.Event, 16), make(chan error, 1)
	w := New(Options{Clock: probe.NewClock(time.Now()), Host: "router", Namespace: netns.Namespace{Name: filepath.Base(near)}})
	go func() { done <- w.Watch(ctx, func(e probe.Event) { events <- e }) }()
	next := func(kind probe.EventKind) probe.Event {
		t.Helper()
		for {
			select {
			case e := <-events:
				if e.Kind == kind && (kind != probe.AddressHeld || e.Local.Addr().Is4()) {
					return e
				}
			case err := <-done:
				t.Fatalf("the watch ended before it told a %s: %v", kind, err)
			}
		}
	}
	held := next(probe.AddressHeld)
	if held.Local.Addr() != netip.MustParseAddr("10.9.0.1") || held.State != "02:00:00:00:00:01" || held.Value != 1 || held.Kernel.Interface != "uplink" {
		t.Errorf("own address told as %+v", held)
	}
	for _, step := range []struct{ from, to string }{{a, b}, {b, a}} {
		neighbour(step.to)
		e := next(probe.NeighbourChange)
		if e.Host != "router" || e.Remote.Addr() != netip.MustParseAddr("10.9.0.2") || e.Reason != step.from || e.State != step.to {
			t.Errorf("change from %s to %s told as %+v", step.from, step.to, e)
		}
	}
	run(t, "ip", "-n", near, "addr", "del", "10.9.0.1/24", "dev", "uplink")
	if gone := next(probe.AddressHeld); gone.Value != 0 || gone.Local.Addr() != netip.MustParseAddr("10.9.0.1") {
		t.Errorf("an address that is taken away told as %+v", gone)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("the watch ended with %v", err)
	}
}
