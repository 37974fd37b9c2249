package attack_test

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampload/rampload/attack"
)

var cmpAddr = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func windows() map[string]attack.Window {
	return map[string]attack.Window{
		"zero": {},
		"full": {
			Target: 3, Index: 1234, Scheduled: 5000, Sent: 4990, Unsent: 10, Retries: 7, Dials: 12,
			Open: 256, InFlight: 17, IdleConnSeconds: 12.375, Wanted: 260, Undialled: 4, Unawaited: 5, LookupFailures: 6,
			Cells: []attack.Cell{
				{DueWindow: 1234, Remote: 1, Fault: attack.None, Phase: attack.PhaseDone, Reused: true, Attempts: 4900, Requests: 4900},
				{DueWindow: 1214, Remote: 2, Fault: attack.Timeout, Phase: attack.PhaseAwait, Attempts: 3, Requests: 3},
				{DueWindow: 1234, Fault: attack.Reset, Phase: attack.PhaseIdle, Reused: true, WireResets: 9},
				{DueWindow: 1230, Fault: attack.Refused, Phase: attack.PhaseDial, Held: true, Attempts: 4, Requests: 4},
			},
			Statuses: []attack.StatusCount{{Status: 200, Count: 4890}, {Status: 503, Count: 10}},
			FromDue:  attack.Histogram{{Value: 120, Count: 3}, {Value: 127, Count: 4000}, {Value: 99_614_719, Count: 1}},
			FromSend: attack.Histogram{{Value: 110, Count: 4004}},
			Lag:      attack.Histogram{{Value: 0, Count: 4990}},
			IdleAge:  attack.Histogram{{Value: 5, Count: 1}},
			Served:   attack.Histogram{{Value: 1, Count: 1}, {Value: 1000, Count: 2}}, FailuresDropped: 2,
			Requests: []attack.RequestCount{{Endpoint: 0, Attempts: 4900, Sent: 490_000, Received: 1 << 40}, {Endpoint: 7, Attempts: 10, Failed: 10, Sent: 20_000}},
		},
		"extremes": {
			Target: math.MaxUint16, Index: math.MinInt32, Scheduled: math.MaxUint64, Open: math.MinInt64,
			InFlight: math.MaxInt64, IdleConnSeconds: -math.MaxFloat64,
			Cells: []attack.Cell{{DueWindow: math.MaxInt32, Remote: math.MaxUint16, Attempts: math.MaxUint64}},
			Lag:   attack.Histogram{{Value: math.MinInt64, Count: math.MaxUint64}, {Value: math.MaxInt64, Count: 1}},
		},
	}
}

func failures() map[string]attack.Failure {
	return map[string]attack.Failure{
		"zero": {},
		"full": {attack.Attempt{
			Request: 77, Try: 2, Target: 1, Endpoint: 4, Last: true, Held: true,
			Due: time.Second, Start: time.Second + 20*time.Microsecond, End: 1234 * time.Millisecond,
			Status: 503, Fault: attack.Reset, Phase: attack.PhaseBody, WireReset: true,
			Conn: attack.Conn{
				ID: 9, Reused: true, Served: 41, Age: time.Minute, Idle: 5 * time.Second,
				Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("[fe80::1%eth0]:80"),
				RemoteIndex: 3,
			},
			Info: attack.TCPInfo{
				Valid: true, State: 7, Retransmits: 1, TotalRetrans: 2, Lost: 3, Unacked: 4, NotSent: 5, OutOfOrder: 6,
				RTT: time.Millisecond, RTTVar: time.Microsecond,
			},
			Sent: 812, Received: 19,
			Answer: &attack.Answer{
				Headers:  []attack.AnswerHeader{{Name: "server", Value: "nginx"}, {Name: "retry-after", Value: "1"}},
				Body:     "too many clients",
				Declared: -1, Received: 19,
			},
		}},
		"extremes": {attack.Attempt{
			Request: math.MaxUint64, Due: math.MinInt64, Start: math.MaxInt64, End: math.MinInt64,
			Conn: attack.Conn{Remote: netip.MustParseAddrPort("[::ffff:1.2.3.4]:65535")},
		}},
	}
}

func TestCodecKeepsRecords(t *testing.T) {
	for name, want := range windows() {
		got, err := attack.DecodeWindow(attack.AppendWindow([]byte("x"), want)[1:])
		if err != nil {
			t.Fatalf("window %s: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("window %s changed (-want +got):\n%s", name, d)
		}
	}
	for name, want := range failures() {
		got, err := attack.DecodeFailure(attack.AppendFailure(nil, want))
		if err != nil {
			t.Fatalf("failure %s: %v", name, err)
		}
		if d := cmp.Diff(want, got, cmpAddr); d != "" {
			t.Errorf("failure %s changed (-want +got):\n%s", name, d)
		}
	}
	for _, want := range []attack.Address{{}, {Target: 1, Index: 2, Addr: netip.MustParseAddrPort("[::1]:8080")}} {
		got, err := attack.DecodeAddress(attack.AppendAddress(nil, want))
		if err != nil || got != want {
			t.Errorf("address %v: got %v, %v", want, got, err)
		}
	}
}

// A record cut anywhere, or with a byte too many, is an error and not a
// different record.
func TestCodecRefusesEveryCut(t *testing.T) {
	records := map[string]struct {
		bytes  []byte
		decode func([]byte) error
	}{
		"window":  {attack.AppendWindow(nil, windows()["full"]), func(b []byte) error { _, err := attack.DecodeWindow(b); return err }},
		"failure": {attack.AppendFailure(nil, failures()["full"]), func(b []byte) error { _, err := attack.DecodeFailure(b); return err }},
		"address": {
			attack.AppendAddress(nil, attack.Address{Target: 1, Index: 1, Addr: netip.MustParseAddrPort("1.2.3.4:5")}),
			func(b []byte) error { _, err := attack.DecodeAddress(b); return err },
		},
	}
	for name, r := range records {
		for n := range r.bytes {
			if err := r.decode(r.bytes[:n]); !errors.Is(err, attack.ErrMalformed) {
				t.Errorf("%s cut to %d of %d bytes: %v, want ErrMalformed", name, n, len(r.bytes), err)
			}
		}
		if err := r.decode(append(bytes.Clone(r.bytes), 0)); !errors.Is(err, attack.ErrMalformed) {
			t.Errorf("%s with a byte more: %v, want ErrMalformed", name, err)
		}
		newer := bytes.Clone(r.bytes)
		newer[0]++
		if err := r.decode(newer); !errors.Is(err, attack.ErrVersion) {
			t.Errorf("%s of a newer version: %v, want ErrVersion", name, err)
		}
	}
}

func TestDecodeWindowRefusesHostileLength(t *testing.T) {
	b := attack.AppendWindow(nil, attack.Window{})
	// The list of cells begins after the version, nine small numbers and a float.
	at := 1 + 9 + 8
	b = append(b[:at:at], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
	allocs := testing.AllocsPerRun(10, func() {
		if _, err := attack.DecodeWindow(b); !errors.Is(err, attack.ErrMalformed) {
			t.Fatalf("got %v, want ErrMalformed", err)
		}
	})
	if allocs > 10 {
		t.Errorf("%v allocations for a refused record", allocs)
	}
}

func FuzzDecodeWindow(f *testing.F) {
	for _, w := range windows() {
		f.Add(attack.AppendWindow(nil, w))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := attack.DecodeWindow(b)
		if err != nil {
			return
		}
		again, err := attack.DecodeWindow(attack.AppendWindow(nil, w))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(w, again); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzDecodeFailure(f *testing.F) {
	for _, x := range failures() {
		f.Add(attack.AppendFailure(nil, x))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := attack.DecodeFailure(b)
		if err != nil {
			return
		}
		again, err := attack.DecodeFailure(attack.AppendFailure(nil, x))
		if d := cmp.Diff(x, again, cmpAddr); err != nil || d != "" {
			t.Fatalf("%v; changed (-was +is):\n%s", err, d)
		}
	})
}

func FuzzDecodeAddress(f *testing.F) {
	f.Add(attack.AppendAddress(nil, attack.Address{Target: 1, Index: 1, Addr: netip.MustParseAddrPort("[fe80::1%eth0]:1")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := attack.DecodeAddress(b)
		if err != nil {
			return
		}
		if again, err := attack.DecodeAddress(attack.AppendAddress(nil, x)); err != nil || again != x {
			t.Fatalf("%+v became %+v, %v", x, again, err)
		}
	})
}

// Records of earlier releases are read: they end before what was added.
func TestCodecReadsEarlierVersions(t *testing.T) {
	failure := failures()["full"]
	failure.Answer, failure.Sent, failure.Received = nil, 0, 0
	b := attack.AppendFailure(nil, failure)
	b[0] = 2
	got, err := attack.DecodeFailure(b[:len(b)-2]) // no bytes sent and received
	if err != nil || got != failure {
		t.Errorf("failure of version 2: %+v, %v, want %+v", got, err, failure)
	}
	window := windows()["full"]
	window.Wanted, window.Undialled, window.Unawaited, window.LookupFailures = 0, 0, 0, 0
	b = attack.AppendWindow(nil, window)
	b[0] = 3
	read, err := attack.DecodeWindow(b[:len(b)-4]) // no connections wanted
	if d := cmp.Diff(window, read); err != nil || d != "" {
		t.Errorf("window of version 3: %v\n%s", err, d)
	}
	window.Requests = nil
	b = attack.AppendWindow(nil, window)
	b[0] = 2
	read, err = attack.DecodeWindow(b[:len(b)-5]) // nor counts by request
	if d := cmp.Diff(window, read); err != nil || d != "" {
		t.Errorf("window of version 2: %v\n%s", err, d)
	}
}
