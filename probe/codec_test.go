package probe_test

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampload/rampload/probe"
)

var (
	cmpAddr = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	cmpNaN  = cmpopts.EquateNaNs()
)

func metrics() []probe.Metric {
	return []probe.Metric{
		{},
		{Host: "local", Name: probe.CPU},
		{Host: "orders-1", Process: "nginx", PID: math.MaxInt32, Name: probe.ListenQueue, Instance: "*:8080"},
		{PID: math.MinInt32, Process: "name with \x00 and ü"},
	}
}

func batches() [][]probe.IDSample {
	return [][]probe.IDSample{
		nil,
		{{ID: 0, Value: 0, Limit: math.NaN()}, {ID: 1, Value: 1021, Limit: 1024}, {ID: 2, Value: 0.734, Limit: 1}},
		{
			{ID: math.MaxUint32, Value: -1, Limit: -0.5},
			{ID: 0, Value: math.MaxFloat64, Limit: math.SmallestNonzeroFloat64},
			{ID: 7, Value: 1 << 53, Limit: 1<<53 - 1},
			{ID: 7, Value: math.Copysign(0, -1), Limit: math.NaN()},
		},
	}
}

func events() []probe.Event {
	return []probe.Event{
		{},
		{
			Kind: probe.RSTSent, At: 1234567890, Source: probe.Source{Host: "orders-1", Name: "reset trace"}, Host: "orders-1",
			Process: "payments", PID: 4127, Comm: "payments",
			Local: netip.MustParseAddrPort("10.0.0.2:8080"), Remote: netip.MustParseAddrPort("[fe80::1%eth0]:40000"),
			Reason: "TCP_STATE", State: "TCP_ESTABLISHED", Count: 3,
		},
		{
			Kind: probe.RSTPacket, At: -time.Second, Value: -0.25, Count: math.MaxUint64,
			Packet: &probe.Packet{FromPeer: true, Flags: 0x14, Window: 65535, IPID: 1, DF: true, TTL: 64, SynAckTTL: 63, SynAckFlow: true, HasOptions: true, Seq: math.MaxUint32},
		},
		{
			Kind: probe.PacketDrop, Reason: "NETFILTER_DROP", Count: 1199,
			Kernel: &probe.Kernel{
				Path: "nf_hook_slow", Packet: "SYN", TID: -1, Owner: math.MaxInt32, OwnerComm: "payments", Container: "docker 3f2a9c1b04de",
				Netns: math.MaxUint32, Cookie: math.MaxUint64, Hook: "FORWARD", Table: "filter", Chain: "forward", Interface: "eth0",
			},
		},
		{Kind: probe.Waited, Value: 0.24, Packet: &probe.Packet{}, Kernel: &probe.Kernel{}},
		{
			Kind: probe.LogLine, Host: "web", Process: "nginx", Reason: "upstream timed out", Count: 12,
			Line: &probe.Line{File: "/var/log/nginx/error.log", Level: "error", ID: "0123456789abcdef-0000000000000007", Peer: "10.0.3.2:8080", Status: 504, Format: "nginx"},
		},
		{Kind: probe.PodChange, Host: "orders", Process: "orders-6d4cf56db6-x7k2p", Comm: "orders", State: probe.PodNotReady, Reason: "ContainersNotReady", Value: 2},
		{
			Kind: probe.TraceRead, Host: "local", Process: "orders", Reason: "connection reset by peer", Count: 1,
			Trace: &probe.Trace{ID: "00112233445566aa0000000000000007", Good: true, Spans: 4, Services: 2, From: "orders", To: "payments", Calls: true, Operation: "POST /charge", Peer: "10.0.3.2:8080", Status: 502},
		},
		{Kind: probe.Answered, Host: "web", Local: netip.MustParseAddrPort("10.0.0.2:8080"), Count: 320, Value: 32},
		{Kind: probe.StreamsOpen, Host: "web", Local: netip.MustParseAddrPort("10.0.0.2:9000"), Remote: netip.MustParseAddrPort("10.0.0.1:40000"), Count: 64, Value: 2.5},
		{Kind: probe.StreamsAnswered, Host: "web", Local: netip.MustParseAddrPort("10.0.0.2:9000"), Remote: netip.MustParseAddrPort("10.0.0.1:40000"), Count: 3, Value: 100},
		{Kind: probe.StreamsShare, Host: "web", Value: 0.125},
		{Kind: probe.Lost, Remote: netip.MustParseAddrPort("[::ffff:1.2.3.4]:65535"), Packet: &probe.Packet{}},
	}
}

func TestCodecKeepsRecords(t *testing.T) {
	for _, want := range metrics() {
		got, err := probe.DecodeMetric(probe.AppendMetric([]byte("x"), want)[1:])
		if err != nil || got != want {
			t.Errorf("metric %+v: got %+v, %v", want, got, err)
		}
	}
	for _, want := range batches() {
		at, got, err := probe.DecodeSamples(nil, probe.AppendSamples(nil, -5*time.Second, want))
		if err != nil || at != -5*time.Second {
			t.Fatalf("samples: at %v, %v", at, err)
		}
		if d := cmp.Diff(want, got, cmpNaN); d != "" {
			t.Errorf("samples changed (-want +got):\n%s", d)
		}
	}
	for _, want := range events() {
		got, err := probe.DecodeEvent(probe.AppendEvent(nil, want))
		if err != nil {
			t.Fatalf("event %v: %v", want.Kind, err)
		}
		if d := cmp.Diff(want, got, cmpAddr); d != "" {
			t.Errorf("event changed (-want +got):\n%s", d)
		}
	}
}

// Records of older builds are read for ever.
func TestDecodeEventOfVersion1(t *testing.T) {
	// A RST of the first release: kind, time, source, host, process, pid, comm, ends,
	// reason, state, count, value, and a packet.
	b := []byte{1, byte(probe.RSTPacket), 10, 1, 'h', 1, 's', 1, 'h', 0, 0, 0, 0, 0, 1, 'r', 0, 3, 1, 0, 1, 1, 0x14, 64, 63, 0, 5, 0, 6, 0, 0, 0, 7}
	got, err := probe.DecodeEvent(b)
	want := probe.Event{
		Kind: probe.RSTPacket, At: 5, Source: probe.Source{Host: "h", Name: "s"}, Host: "h", Reason: "r", Count: 3,
		Packet: &probe.Packet{FromPeer: true, Flags: 0x14, TTL: 64, SynAckTTL: 63, Window: 5, IPID: 6, Seq: 7},
	}
	if d := cmp.Diff(want, got, cmpAddr); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	b[1] = byte(probe.PacketDrop) // a kind that version 1 did not have
	if _, err := probe.DecodeEvent(b); !errors.Is(err, probe.ErrMalformed) {
		t.Errorf("kind of a later version: %v", err)
	}
}

// What was not measured is no reading: it must not come back as a number.
func TestAppendSamplesLeavesOutWhatWasNotMeasured(t *testing.T) {
	b := probe.AppendSamples(nil, 0, []probe.IDSample{
		{ID: 1, Value: math.NaN(), Limit: 5},
		{ID: 2, Value: 3, Limit: math.Inf(1)},
		{ID: 3, Value: math.Inf(-1), Limit: 5},
	})
	_, got, err := probe.DecodeSamples(nil, b)
	want := []probe.IDSample{{ID: 2, Value: 3, Limit: math.NaN()}}
	if err != nil || !cmp.Equal(want, got, cmpNaN) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestDecodeSamplesAppends(t *testing.T) {
	buf := make([]probe.IDSample, 0, 8)
	b := probe.AppendSamples(nil, 1, []probe.IDSample{{ID: 4, Value: 1, Limit: 2}})
	if allocs := testing.AllocsPerRun(100, func() {
		_, got, err := probe.DecodeSamples(buf, b)
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations into a large enough buffer", allocs)
	}
	if _, got, err := probe.DecodeSamples(buf[:3], b[:4]); err == nil || len(got) != 3 {
		t.Errorf("after an error: %d samples, %v; want the 3 handed in", len(got), err)
	}
}

func decoders() map[string]struct {
	bytes  []byte
	decode func([]byte) error
} {
	return map[string]struct {
		bytes  []byte
		decode func([]byte) error
	}{
		"metric":  {probe.AppendMetric(nil, metrics()[2]), func(b []byte) error { _, err := probe.DecodeMetric(b); return err }},
		"samples": {probe.AppendSamples(nil, 9, batches()[2]), func(b []byte) error { _, _, err := probe.DecodeSamples(nil, b); return err }},
		"event":   {probe.AppendEvent(nil, events()[1]), func(b []byte) error { _, err := probe.DecodeEvent(b); return err }},
		"packet":  {probe.AppendEvent(nil, events()[2]), func(b []byte) error { _, err := probe.DecodeEvent(b); return err }},
	}
}

// A record cut anywhere, or with a byte too many, is an error and not a
// different record.
func TestCodecRefusesEveryCut(t *testing.T) {
	for name, r := range decoders() {
		for n := range r.bytes {
			if err := r.decode(r.bytes[:n]); !errors.Is(err, probe.ErrMalformed) {
				t.Errorf("%s cut to %d of %d bytes: %v, want ErrMalformed", name, n, len(r.bytes), err)
			}
		}
		if err := r.decode(append(bytes.Clone(r.bytes), 0)); !errors.Is(err, probe.ErrMalformed) {
			t.Errorf("%s with a byte more: %v, want ErrMalformed", name, err)
		}
		newer := bytes.Clone(r.bytes)
		newer[0] = 200
		if err := r.decode(newer); !errors.Is(err, probe.ErrVersion) {
			t.Errorf("%s of the next version: %v, want ErrVersion", name, err)
		}
	}
}

func TestDecodeRefusesHostileRecords(t *testing.T) {
	huge := []byte{1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}
	for name, b := range map[string][]byte{
		"count":           huge,
		"reading of none": {1, 0, 1, 0, 0},
		"unknown form":    {1, 0, 1, 0, 3},
		"NaN":             {1, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f},
		"id below 0":      {1, 0, 1, 1, 1, 5},
	} {
		if _, _, err := probe.DecodeSamples(nil, b); !errors.Is(err, probe.ErrMalformed) {
			t.Errorf("samples with %s: %v, want ErrMalformed", name, err)
		}
	}
}

// FuzzDecode holds every decoder to: never panic, and what decodes is written
// and read again as the same record.
func FuzzDecode(f *testing.F) {
	for _, r := range decoders() {
		f.Add(r.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := probe.DecodeMetric(b); err == nil {
			again, err := probe.DecodeMetric(probe.AppendMetric(nil, m))
			if err != nil || again != m {
				t.Fatalf("metric %+v became %+v, %v", m, again, err)
			}
		}
		if at, s, err := probe.DecodeSamples(nil, b); err == nil {
			at2, again, err := probe.DecodeSamples(nil, probe.AppendSamples(nil, at, s))
			if err != nil || at2 != at || !cmp.Equal(s, again, cmpNaN) {
				t.Fatalf("samples %v became %v, %v", s, again, err)
			}
		}
		if e, err := probe.DecodeEvent(b); err == nil {
			again, err := probe.DecodeEvent(probe.AppendEvent(nil, e))
			if err != nil || !cmp.Equal(e, again, cmpAddr) {
				t.Fatalf("event %+v became %+v, %v", e, again, err)
			}
		}
	})
}
