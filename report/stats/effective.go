package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Clustering returns by how much more the sum of some events varies than that of
// independent ones would: 1 for these, about twice their mean size for events that
// come in clusters. An effective number of trials is their number divided by it. It is
// measured over blocks of 1 to 8 s, in windows of step seconds, between neighbours, so
// that a rate which grows is no cluster. For likely the largest single jump is left
// out, so that a step is none either. Of few clusters the sizes are hardly known: likely is the bound
// that three in four such samples stay below, most the one that nearly all do.
func Clustering(y, e []float64, step float64) (likely, most float64) {
	r := Rates{Step: step}
	total := 0.0
	for _, v := range y {
		total += v
	}
	usual, all := 1.0, 1.0
	for _, seconds := range afterBlocks {
		size := r.windows(seconds)
		less, ratio, n := jumps(y, e, size)
		if n < minBlocks || seconds > longBlock && n < manyBlocks {
			continue
		}
		if seconds > longBlock {
			// What lasts that long may be growth as well, which second differences leave out.
			bent := bends(y, e, size)
			less, ratio = min(less, bent), min(ratio, bent)
		}
		chance := 1 + 2*math.Sqrt(2/(freedomOfLevel*n))
		if less > chance {
			usual = max(usual, less)
		}
		if ratio > chance {
			all = max(all, ratio)
		}
	}
	bound := func(size, side float64) float64 {
		if size == 1 || total == 0 {
			return 1
		}
		clusters := max(1, total/size)
		return size * clusters / mathext.GammaIncRegInv(clusters, 1-side)
	}
	likely = bound(usual, likelySide)
	return likely, max(likely, bound(all, mostSide))
}

const likelySide, mostSide = 0.75, 0.975

// jumps is the sum of the squared differences between neighbouring blocks in units of
// what independent events would give, without the largest and with it, and the number of
// blocks.
func jumps(y, e []float64, size int) (less, ratio, blocks float64) {
	var squares, expected, largest float64
	var last struct{ y, e float64 }
	known := false
	for i := 0; i+size <= len(y); i += size {
		var ys, es float64
		for j := i; j < i+size; j++ {
			ys, es = ys+y[j], es+e[j]
		}
		if es == 0 {
			continue
		}
		blocks++
		if known {
			p := (ys + last.y) / (es + last.e)
			d := ys/es - last.y/last.e
			squares += d * d
			expected += p * max(0.05, 1-p) * (1/es + 1/last.e)
			largest = max(largest, d*d)
		}
		last.y, last.e, known = ys, es, true
	}
	if expected == 0 {
		return 1, 1, blocks
	}
	return (squares - largest) / expected, squares / expected, blocks
}

// bends is the same of second differences, all of them.
func bends(y, e []float64, size int) float64 {
	var ys, es []float64
	for i := 0; i+size <= len(y); i += size {
		var a, b float64
		for j := i; j < i+size; j++ {
			a, b = a+y[j], b+e[j]
		}
		if b > 0 {
			ys, es = append(ys, a), append(es, b)
		}
	}
	if _, ratio, n := scatter(ys, es, []float64{1, -2, 1}); n > 0 {
		return ratio
	}
	return 1
}

// Wandering returns by how much less the sum of some events says than as many independent
// ones, where their rate wanders with a memory of seconds: at least 1. Blocks that are
// not much longer than the memory resemble each other, so that differences between
// neighbours say too little; by how much falls with the length of a block, and the last
// two lengths tell what a very long one would say: the bound that three in four such
// samples stay below. A rate that grows is no wandering.
func Wandering(y, e []float64, step float64) float64 {
	r := Rates{Step: step}
	var before, last, blocks float64
	for _, seconds := range afterBlocks {
		size := r.windows(seconds)
		_, ratio, n := jumps(y, e, size)
		if n < manyBlocks {
			break
		}
		before, last, blocks = last, min(ratio, bends(y, e, size)), n
	}
	if blocks == 0 || last < 1+2*math.Sqrt(2/(freedomOfLevel*blocks)) {
		return 1
	}
	freedom := freedomOfLevel * blocks
	return max(last, 2*last-before) * freedom / (2 * mathext.GammaIncRegInv(freedom/2, 1-likelySide))
}
