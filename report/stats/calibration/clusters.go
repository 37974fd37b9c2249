package calibration

import "math/rand/v2"

// ClusteredHold draws a constant load whose failures come in clusters of a mean
// size, each within a second.
func ClusteredHold(rng *rand.Rand, windows, each int, share, size float64) (n, k []int) {
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
