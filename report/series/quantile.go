package series

import (
	"sort"
	"time"

	"github.com/rampload/rampload/attack"
)

// Quantile returns a percentile over windows in seconds, nil without any latency.
func (t Tallies) Quantile(from, to int, q float64) *float64 {
	v, ok := merged(t.Latency[from:to]).Quantile(q)
	if !ok {
		return nil
	}
	s := float64(v) / 1e6
	return &s
}

func merged(all []attack.Histogram) attack.Histogram {
	var out attack.Histogram
	for _, h := range all {
		out = out.Merge(h)
	}
	return out
}

// QuantileBounds returns one-sided confidence bounds of a percentile over windows, in
// seconds: nil where there are too few requests for one. A latency is below the percentile
// where it is proven that more requests take longer than may, and above it where it is
// proven that fewer do; slow requests that come together count as fewer ones, as in
// [Tallies.Bounds].
func (t Tallies) QuantileBounds(from, to int, q, confidence float64) (low, high *float64) {
	seconds := t.bySecond(from, to)
	all := merged(seconds.Latency)
	longer := func(bucket int) (least, most float64) { // share of requests that take longer than it
		seconds.Windows = make([]Tally, len(seconds.Latency))
		for i, h := range seconds.Latency {
			for _, b := range h {
				if seconds.Windows[i].N += b.Count; b.Value > all[bucket].Value {
					seconds.Windows[i].K += b.Count
				}
			}
		}
		_, seconds.Most = seconds.Clustering()
		seconds.Cluster = seconds.Most
		return seconds.Bounds(seconds.Total(), confidence)
	}
	value := func(bucket int) *float64 {
		s := float64(all[bucket].Value) / 1e6
		return &s
	}
	if at := sort.Search(len(all), func(b int) bool { least, _ := longer(b); return least <= 1-q }); at > 0 {
		low = value(at) // nothing was seen between the one before and this one
	}
	if at := sort.Search(len(all), func(b int) bool { _, most := longer(b); return most <= 1-q }); at < len(all) {
		high = value(at)
	}
	return low, high
}

// bySecond returns the latencies of windows, those of a second together: slow requests are
// looked at by the second and more.
func (t Tallies) bySecond(from, to int) Tallies {
	out, size := Tallies{Step: t.Step, Together: t.Together}, 1
	if t.Step > 0 {
		size = max(1, int(time.Second/t.Step))
		out.Step *= time.Duration(size)
	}
	for ; from < to; from += size {
		out.Latency = append(out.Latency, merged(t.Latency[from:min(to, from+size)]))
	}
	return out
}
