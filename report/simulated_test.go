package report

import (
	"math"
	"math/rand/v2"

	"github.com/rampload/rampload/attack"
)

// seriesOfCounts is a run of one target with n[i] requests in window i, of which
// k[i] are reset; offered is the load, nil for as many as are sent.
func seriesOfCounts(n, k []int) *Series {
	s := NewSeries(interval, []string{"orders"})
	for i := range n {
		all, bad := uint64(n[i]), uint64(min(n[i], k[i]))
		s.Add(attack.Window{Index: int32(i), Scheduled: all, Sent: all, Cells: []attack.Cell{
			{DueWindow: int32(i), Phase: attack.PhaseDone, Attempts: all - bad, Requests: all - bad},
			{DueWindow: int32(i), Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: bad, Requests: bad, WireResets: bad},
		}})
	}
	return s
}

// clusteredHold draws a constant load whose failures come in clusters of a mean
// size, each within a second.
func clusteredHold(rng *rand.Rand, windows, each int, share, size float64) (n, k []int) {
	n, k = make([]int, windows), make([]int, windows)
	begins := share / size
	for i := range n {
		n[i] = each
	}
	for i := range n {
		for range each {
			if rng.Float64() >= begins {
				continue
			}
			for {
				at := min(windows-1, i+rng.IntN(4))
				k[at] = min(n[at], k[at]+1)
				if rng.Float64() < 1/size {
					break
				}
			}
		}
	}
	return n, k
}

// seriesOfLatencies is a run of one target with so many requests in each window. begin is
// called before the requests of a window; latency draws one, in seconds.
func seriesOfLatencies(windows, each int, begin func(window int), latency func() float64) *Series {
	s := NewSeries(interval, []string{"orders"})
	for i := range windows {
		begin(i)
		var count [9][100]uint64 // by decade of µs and its first two digits
		for range each {
			us, decade := latency()*1e6, 0
			for us >= 100 && decade < 8 {
				us, decade = us/10, decade+1
			}
			count[decade][min(99, int(us))]++
		}
		var h attack.Histogram
		for decade := range count {
			unit := int64(math.Pow10(decade))
			for digits, n := range count[decade] {
				if n > 0 {
					h = append(h, attack.Bucket{Value: int64(digits+1) * unit, Count: n})
				}
			}
		}
		s.Add(attack.Window{
			Index: int32(i), Scheduled: uint64(each), Sent: uint64(each), FromDue: h,
			Cells: []attack.Cell{{DueWindow: int32(i), Phase: attack.PhaseDone, Attempts: uint64(each), Requests: uint64(each)}},
		})
	}
	return s
}
