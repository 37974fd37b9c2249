package kernel

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

func mustOpen(t *testing.T, path string) *procfs.File {
	t.Helper()
	f, err := procfs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestParseEphemeral(t *testing.T) {
	for _, c := range []struct {
		portRange, reserved string
		count               float64
		in, out             []uint16
	}{
		{"32768\t60999\n", "\n", 28232, []uint16{32768, 60999}, []uint16{32767, 61000, 80}},
		{"1024 65535", "", 64512, []uint16{1024, 65535}, []uint16{1023}},
		{"40000 40099\n", "40000-40009,40050\n", 89, []uint16{40010, 40099}, []uint16{40000, 40009, 40050}},
		{"40000 40099", "1-50000", 0, nil, []uint16{40000, 40099}},
		{"40000 40099", "8080,9000-9010", 100, []uint16{40000}, nil},
		{"40000 40099", "bad,40001-,-3", 100, []uint16{40001}, nil},
		{"", "", math.NaN(), nil, []uint16{0, 1, 40000}},
		{"60999 32768", "", math.NaN(), nil, []uint16{40000}},
	} {
		e := parseEphemeral([]byte(c.portRange), []byte(c.reserved))
		if e.count != c.count && !(math.IsNaN(e.count) && math.IsNaN(c.count)) {
			t.Errorf("%q less %q: %v ports, want %v", c.portRange, c.reserved, e.count, c.count)
		}
		for _, p := range c.in {
			if !e.contains(p) {
				t.Errorf("%q less %q does not contain %d", c.portRange, c.reserved, p)
			}
		}
		for _, p := range c.out {
			if e.contains(p) {
				t.Errorf("%q less %q contains %d", c.portRange, c.reserved, p)
			}
		}
	}
}

func TestPortUseKeepsTheBusiest(t *testing.T) {
	var p portUse
	sample := func(limit float64) map[string]float64 {
		got := map[string]float64{}
		p.emit(Options{}, limit, func(r probe.Reading) {
			if _, twice := got[r.Metric.Instance]; twice {
				t.Errorf("%s twice", r.Metric.Instance)
			}
			got[r.Metric.Instance] = r.Value
		})
		return got
	}
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	dest := netip.MustParseAddrPort("10.1.0.1:80")
	p.reset()
	for range 30 {
		p.add(a, dest)
	}
	for range 20 {
		p.add(b, dest) // another source has ports of its own
	}
	for i := range 50 { // one each towards many
		p.add(a, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 443))
	}
	got := sample(1000)
	if len(got) != busiestDestinations || got["10.1.0.1:80"] != 30 {
		t.Errorf("got %v, want 30 towards 10.1.0.1:80 and 3 others", got)
	}
	p.reset() // all closed: the busy one stays in view, the others do not
	if got, want := sample(1000), map[string]float64{"10.1.0.1:80": 0}; !cmp.Equal(got, want) {
		t.Errorf("after closing: %v, want %v", got, want)
	}
}

func TestListenersMergeSharedAddresses(t *testing.T) {
	listener := func(addr string, queued, backlog uint32) sockdiag.Socket {
		return sockdiag.Socket{State: sockdiag.Listen, Local: netip.MustParseAddrPort(addr), Queued: queued, Backlog: backlog}
	}
	conn := func(addr string) sockdiag.Socket { return sockdiag.Socket{Local: netip.MustParseAddrPort(addr)} }
	var ls listeners
	ls.reset()
	ls.add(listener("0.0.0.0:8080", 1, 128))
	ls.add(listener("[::]:8080", 3, 128)) // IPv6 wildcard: the same to people
	ls.add(listener("0.0.0.0:8080", 2, 16))
	ls.add(listener("127.0.0.1:9000", 0, 5))
	ls.halfOpen(conn("10.0.0.1:8080"))
	ls.halfOpen(conn("127.0.0.1:9000"))
	ls.halfOpen(conn("127.0.0.1:9999")) // its listener has gone
	got := map[probe.Metric][2]float64{}
	collect := func(r probe.Reading) { got[r.Metric] = [2]float64{r.Value, r.Limit} }
	ls.emitQueues(Options{}, collect)
	ls.emitHalfOpen(Options{}, 100, collect)
	want := map[probe.Metric][2]float64{
		{Host: "local", Name: probe.ListenQueue, Instance: "*:8080"}:         {2, 16},
		{Host: "local", Name: probe.ListenQueue, Instance: "127.0.0.1:9000"}: {0, 5},
		{Host: "local", Name: probe.SynQueue, Instance: "*:8080"}:            {1, 100},
		{Host: "local", Name: probe.SynQueue, Instance: "127.0.0.1:9000"}:    {1, 5},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("listeners (-want +got):\n%s", d)
	}
	if !ls.onPort(8080) || ls.onPort(8081) {
		t.Error("ports of listeners are wrong")
	}
	ls.reset()
	clear(got)
	ls.emitQueues(Options{}, collect)
	if len(got) != 0 {
		t.Errorf("closed listeners have readings: %v", got)
	}
}

func TestBudget(t *testing.T) {
	b := budget{share: 0.01}
	now := time.Unix(0, 0)
	if !b.ready(now) {
		t.Error("the first reading is not due")
	}
	b.spent(now, 10*time.Millisecond)
	if b.ready(now.Add(999*time.Millisecond)) || !b.ready(now.Add(time.Second)) {
		t.Error("10 ms at 1 % are not spread over 1 s")
	}
}

func TestUnwrap(t *testing.T) {
	const full = 1 << 32
	var last []float64
	for _, c := range []struct{ read, want float64 }{
		{full - 5, full - 5},
		{full - 1, full - 1},
		{3, full + 3}, // wrapped
		{10, full + 10},
		{full - 2, 2*full - 2},
		{0, 2 * full}, // and again
		{100, 2*full + 100},
		{7, 7}, // restarted
		{8, 8},
	} {
		if got := unwrap(&last, 0, c.read); got != c.want {
			t.Errorf("read %v: %v, want %v", c.read, got, c.want)
		}
	}
	if got := unwrap(&last, 2, 5); got != 5 || len(last) != 3 {
		t.Errorf("a CPU that came later: %v, %d", got, len(last))
	}
}

func TestParseKill(t *testing.T) {
	for record, want := range map[string]*probe.Event{
		"3,1201,5712345678,-;Memory cgroup out of memory: Killed process 4711 (payments) total-vm:1234kB, anon-rss:99kB\n SUBSYSTEM=x\n": {
			Kind: probe.OOMKill, PID: 4711, Comm: "payments", Reason: "cgroup out of memory",
		},
		"3,1201,5712345678,-;Out of memory: Killed process 12 ((sd-pam)) total-vm:1kB": {
			Kind: probe.OOMKill, PID: 12, Comm: "(sd-pam)", Reason: "out of memory",
		},
		"6,1,2,-;oom_reaper: reaped process 4711 (payments), now anon-rss:0kB": nil,
		"3,1,2,-;Killed process":                nil,
		"3,1,2,-;Killed process x (y) total-vm": nil,
		"no record":                             nil,
		"":                                      nil,
	} {
		got, ok := parseKill([]byte(record))
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%q: %+v, %v; want %+v", record, got, ok, want)
		}
	}
}

// FuzzParse holds the readers of what the kernel sends to: never panic.
func FuzzParse(f *testing.F) {
	f.Add(make([]byte, 72))
	f.Add([]byte("TCP: inuse 7 orphan 0 tw 0 alloc 12 mem 1\n"))
	f.Add([]byte("3,1,2,-;Killed process 1 (a) total-vm"))
	f.Add([]byte("some avg10=0.00 total=5\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseSocket(b)
		parseSockstat(b, "TCP:")
		parseKill(b)
		pressureTotal(b)
		qdiscDrops(b)
		if e := parseEphemeral(b, b); e.count < 0 {
			t.Errorf("%v ephemeral ports", e.count)
		}
	})
}
