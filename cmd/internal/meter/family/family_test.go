package family

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestDistribution holds each bucket against its definition.
func TestDistribution(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var d Distribution
	var all []int64
	for range 5000 {
		us := int64(math.Exp(r.Float64() * math.Log(2e8)))
		d.Add(us, 1)
		all = append(all, us)
	}
	for _, us := range []int64{0, 1, 500, 1000, 2500, 1 << 20, 60_000_000, 60_000_001} {
		d.Add(us, 3)
		all = append(all, us, us, us)
	}
	if d.Count != uint64(len(all)) {
		t.Fatalf("%d values, want %d", d.Count, len(all))
	}
	sum := uint64(0)
	for i, bound := range Bounds() {
		want := uint64(0)
		for _, us := range all {
			if float64(us)/1e6 <= bound {
				want++
			}
		}
		if sum += d.Coarse[i]; sum != want {
			t.Errorf("%d up to %gs, want %d", sum, bound, want)
		}
	}
	fine := d.Zero
	for _, b := range d.Fine {
		low, high := math.Exp2(float64(b.Index-1)/8), math.Exp2(float64(b.Index)/8)
		want := uint64(0)
		for _, us := range all {
			// A bound itself is a power of two with a rounding error.
			if s := float64(us) / 1e6; s > low*(1+1e-12) && s <= high*(1+1e-12) {
				want++
			}
		}
		if b.Count != want {
			t.Errorf("%d in (%g, %g], want %d", b.Count, low, high, want)
		}
		fine += b.Count
	}
	if fine != d.Count {
		t.Errorf("%d in fine buckets, want %d", fine, d.Count)
	}
	spans, counts := d.Spans()
	index, k := int32(0), 0
	got := map[int32]uint64{}
	for _, s := range spans {
		index += s.Offset
		for range s.Length {
			if counts[k] > 0 {
				got[index] = counts[k]
			}
			index, k = index+1, k+1
		}
	}
	if k != len(counts) || len(got) != len(d.Fine) {
		t.Fatalf("spans hold %d buckets of %d counts, want %d", len(got), k, len(d.Fine))
	}
	for _, b := range d.Fine {
		if got[b.Index] != b.Count {
			t.Errorf("span bucket %d has %d, want %d", b.Index, got[b.Index], b.Count)
		}
	}
}
