package schedule

import (
	"fmt"
	"math"
	"math/bits"
)

// Mix says which target and endpoint a request goes to. It is a pure function
// of the request's number: the same in every engine and every worker of a
// fleet, and it is smooth: every share is met as evenly as it can be, without
// bunches, at every stretch of numbers.
//
// It lays all endpoints side by side on a circle, each as long as its share,
// and walks the circle by the golden ratio, whose multiples are spread most
// evenly (the three-distance theorem; D. Knuth, The Art of Computer Programming
// vol. 3, 6.4). It is immutable and safe for concurrent use.
type Mix struct {
	ends  []uint64 // upper bound of each endpoint on the circle of 2^64, inclusive
	picks []pick
	guide []uint32 // first endpoint that reaches into each 2^-guideBits of the circle
	shift uint
}

type pick struct {
	endpoint uint32
	target   uint16
}

// maxEndpoints bounds the requests of a target.
const maxEndpoints = 1 << 24

const golden = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio

// NewMix returns the mix of targets with the given shares and, for each, the
// weights of its endpoints. Shares and weights need not add up to anything;
// what has none is never picked.
func NewMix(shares []float64, weights [][]float64) (*Mix, error) {
	if len(shares) != len(weights) {
		return nil, fmt.Errorf("mix targets: %d shares for %d targets", len(shares), len(weights))
	}
	if len(shares) > math.MaxUint16 {
		return nil, fmt.Errorf("mix targets: %d targets, more than %d", len(shares), math.MaxUint16)
	}
	total := 0.0
	for t, share := range shares {
		if !(share >= 0) || math.IsInf(share, 0) {
			return nil, fmt.Errorf("mix targets: share %v of target %d", share, t+1)
		}
		total += share
	}
	m := &Mix{}
	var lengths []float64
	for t, share := range shares {
		if len(weights[t]) > maxEndpoints {
			return nil, fmt.Errorf("mix targets: target %d has %d requests, more than %d", t+1, len(weights[t]), maxEndpoints)
		}
		sum := 0.0
		for e, w := range weights[t] {
			if !(w >= 0) || math.IsInf(w, 0) {
				return nil, fmt.Errorf("mix targets: weight %v of request %d of target %d", w, e+1, t+1)
			}
			sum += w
		}
		for e, w := range weights[t] {
			if w > 0 && share > 0 {
				lengths = append(lengths, share/total*(w/sum))
				m.picks = append(m.picks, pick{uint32(e), uint16(t)})
			}
		}
	}
	if len(m.picks) == 0 {
		return nil, fmt.Errorf("mix targets: no request has a share")
	}
	m.lay(lengths)
	return m, nil
}

func (m *Mix) lay(lengths []float64) {
	m.ends = make([]uint64, len(lengths))
	at := 0.0
	for i, l := range lengths {
		at += l
		m.ends[i] = uint64(min(at*(1<<64), math.Nextafter(1<<64, 0)))
	}
	m.ends[len(m.ends)-1] = math.MaxUint64

	guideBits := uint(bits.Len(uint(4*len(lengths) - 1))) // a few steps at most from the guide
	m.shift = 64 - guideBits
	m.guide = make([]uint32, 1<<guideBits)
	e := uint32(0)
	for i := range m.guide {
		for m.ends[e] < uint64(i)<<m.shift {
			e++
		}
		m.guide[i] = e
	}
}

// Pick returns the target and endpoint of request n, as indexes. It takes
// constant time and allocates nothing.
func (m *Mix) Pick(n uint64) (target uint16, endpoint uint32) {
	x := n*golden + golden/2
	i := m.guide[x>>m.shift]
	for m.ends[i] < x {
		i++
	}
	p := m.picks[i]
	return p.target, p.endpoint
}
