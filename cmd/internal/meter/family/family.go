// Package family is the form in which the numbers of a run go out: families of series
// with labels, as Prometheus and OpenTelemetry both know them. It knows no run and no
// wire format.
package family

import (
	"math"
	"slices"
	"time"
)

// Kind is what a family's values are.
type Kind uint8

// The kinds.
const (
	Gauge     Kind = iota // a level
	Counter               // a total that only grows, from Snapshot.Since on
	Histogram             // likewise
)

// Label is a name and a value. The names of a series differ, and are in order.
type Label struct{ Name, Value string }

// Family is the series of one name.
type Family struct {
	Name   string // with its unit, and _total where it is a counter: "rampload_dials_total"
	Help   string // one line
	Kind   Kind
	Series []Series
}

// Series is one value, or one distribution.
type Series struct {
	Labels    []Label
	Value     float64
	Histogram *Distribution // of a histogram; not to be changed
}

// Snapshot is a run at one time.
type Snapshot struct {
	At       time.Time
	Since    time.Time // when counters were 0
	Families []Family
}

// Labels returns labels in the order of their names, of pairs of name and value. Empty
// values are left out: to Prometheus they are no labels.
func Labels(pairs ...string) []Label {
	out := make([]Label, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, Label{pairs[i], pairs[i+1]})
		}
	}
	slices.SortFunc(out, func(a, b Label) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

// Schema is the resolution of the fine buckets: each is 2^(2^-Schema) times as wide as the
// one before, here 9 % (https://prometheus.io/docs/specs/native_histograms/; exponential
// histograms of OpenTelemetry are the same).
const Schema = 3

// coarse are the upper bounds of the coarse buckets in microseconds.
var coarse = [...]int64{500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000}

// Bounds returns the upper bounds of the coarse buckets, in seconds.
func Bounds() []float64 {
	out := make([]float64, len(coarse))
	for i, us := range coarse {
		out[i] = float64(us) / 1e6
	}
	return out
}

// Distribution counts times twice over, in coarse buckets and in fine ones: who fetches
// takes what it knows. Values are added by the microsecond. The zero value is empty.
type Distribution struct {
	Count  uint64
	Sum    float64  // seconds
	Coarse []uint64 // of Bounds, each alone; what is above them all is in Count only
	Fine   []Bucket // in order of Index
	Zero   uint64   // of the fine ones: what took no time
}

// Bucket counts values in (2^((Index-1)/8), 2^(Index/8)] seconds.
type Bucket struct {
	Index int32
	Count uint64
}

// Add adds n values of so many microseconds.
func (d *Distribution) Add(us int64, n uint64) {
	if n == 0 {
		return
	}
	if d.Coarse == nil {
		d.Coarse = make([]uint64, len(coarse))
	}
	seconds := float64(us) / 1e6
	d.Count += n
	d.Sum += seconds * float64(n)
	if i, _ := slices.BinarySearch(coarse[:], us); i < len(d.Coarse) {
		d.Coarse[i] += n
	}
	if us <= 0 {
		d.Zero += n
		return
	}
	index := indexOf(seconds)
	i, found := slices.BinarySearchFunc(d.Fine, index, func(b Bucket, index int32) int { return int(b.Index) - int(index) })
	if !found {
		d.Fine = slices.Insert(d.Fine, i, Bucket{Index: index})
	}
	d.Fine[i].Count += n
}

// indexOf is the fine bucket of a time above 0.
func indexOf(seconds float64) int32 {
	fraction, exponent := math.Frexp(seconds) // in [0.5, 1)
	within := math.Ceil(math.Log2(fraction) * (1 << Schema))
	return int32(within) + int32(exponent)<<Schema
}

// Clone returns a copy.
func (d *Distribution) Clone() *Distribution {
	out := *d
	if out.Coarse = slices.Clone(d.Coarse); out.Coarse == nil {
		out.Coarse = make([]uint64, len(coarse))
	}
	out.Fine = slices.Clone(d.Fine)
	return &out
}

// Spans returns the fine buckets as runs without gaps: where each begins, less where the
// one before ended (the first: less 0), and how many there are of it, with the counts.
// Gaps of up to two buckets are counted as empty ones.
func (d *Distribution) Spans() (spans []Span, counts []uint64) {
	const small = 2
	next := int32(0)
	for i, b := range d.Fine {
		gap := b.Index - next
		if i > 0 && gap <= small {
			for range gap {
				counts = append(counts, 0)
			}
			spans[len(spans)-1].Length += uint32(gap) + 1
		} else {
			spans = append(spans, Span{gap, 1})
		}
		counts = append(counts, b.Count)
		next = b.Index + 1
	}
	return spans, counts
}

// Span is a run of buckets.
type Span struct {
	Offset int32
	Length uint32
}
