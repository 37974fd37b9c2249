package attack_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

func TestContextHeaders(t *testing.T) {
	id := attack.RunID{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0xaa}
	if got, want := string(id.AppendTraceParent(nil, 7, 2, false)), "00-00112233445566aa0000000000000007-0000000000000802-00"; got != want || len(got) != attack.TraceParentLen {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := string(id.AppendB3(nil, 7, 2, true)), "00112233445566aa0000000000000007-0000000000000802-1"; got != want || len(got) != attack.B3Len {
		t.Errorf("got %s, want %s", got, want)
	}
	trace, span := id.TraceID(7), attack.SpanID(7, 2)
	if got := hex.EncodeToString(trace[:]) + "-" + hex.EncodeToString(span[:]); got != "00112233445566aa0000000000000007-0000000000000802" {
		t.Errorf("got %s", got)
	}
}

// The share holds over any stretch of numbers, and nothing is sampled unasked.
func TestSampledShare(t *testing.T) {
	for _, share := range []float64{0, 1e-3, 0.01, 0.25, 1} {
		tr := attack.TracingOf(profiles.Traces{Sample: share})
		for _, from := range []uint64{0, 1 << 40} {
			const n = 100_000
			hits := 0
			for i := range uint64(n) {
				if tr.Samples(attack.RunID{1, 2, 3}, from+i) {
					hits++
				}
			}
			if slack := 5 * math.Sqrt(share*(1-share)*n); math.Abs(float64(hits)-share*n) > slack {
				t.Errorf("share %v from %d: %d of %d", share, from, hits, n)
			}
		}
		if tr.Any() != (share > 0) {
			t.Errorf("share %v", share)
		}
	}
}

func BenchmarkContext(b *testing.B) {
	id := attack.RunID{1, 2, 3}
	for name, traces := range map[string]profiles.Traces{"not sampled": {}, "sampled": {Sample: 0.01}, "with b3": {Sample: 0.01, B3: true}} {
		b.Run(name, func(b *testing.B) {
			tr := attack.TracingOf(traces)
			var buf [128]byte
			for n := uint64(0); b.Loop(); n++ {
				id.AppendTraceParent(buf[:0], n, 0, tr.Samples(id, n))
				if tr.B3 {
					id.AppendB3(buf[:0], n, 0, tr.Samples(id, n))
				}
			}
		})
	}
}

func TestTransactionIDs(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for i := range 1000 {
		run, request := random.Uint64(), random.Uint64()>>(i%64)
		var id attack.RunID
		binary.BigEndian.PutUint64(id[:], run)
		if got, want := string(id.AppendTransactionID(nil, request)), fmt.Sprintf("%016x-%016x", run, request); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}
