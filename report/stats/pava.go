package stats

// PAVA returns the least-squares non-decreasing fit to y with weights w, by
// pooling adjacent violators (Ayer et al., Ann. Math. Stat. 26:641, 1955). A nil
// w weighs all alike. Values of weight 0 take the fit of their neighbours.
func PAVA(y, w []float64) []float64 {
	type block struct {
		sum, weight float64
		n           int
	}
	value := func(b block) float64 {
		if b.weight == 0 {
			return 0
		}
		return b.sum / b.weight
	}
	var blocks []block
	for i, v := range y {
		weight := 1.0
		if w != nil {
			weight = w[i]
		}
		b := block{v * weight, weight, 1}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.weight > 0 && b.weight > 0 && value(last) <= value(b) {
				break
			}
			b = block{last.sum + b.sum, last.weight + b.weight, last.n + b.n}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	out := make([]float64, 0, len(y))
	for _, b := range blocks {
		for range b.n {
			out = append(out, value(b))
		}
	}
	return out
}
