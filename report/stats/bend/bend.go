// Package bend finds where a curve that rises stops rising: the load at which throughput, or
// the use of a resource, reaches a ceiling. It knows slices of float64 and nothing else.
package bend

import (
	"cmp"
	"math"
	"slices"
)

// Point is where a curve that rises with x stops rising.
type Point struct {
	At        float64 // x
	Low, High float64 // interval; both sides are within the data
	Level     float64 // y at and after the bend
	Slope     float64 // before it
	F         float64 // sup-F against a straight line
}

const (
	leastF    = 25.0
	flatness  = 0.15
	minPoints = 12
)

// Find fits y = a + b·min(x, c) + d·(x − c)₊, continuous, by least squares
// over the break c, and accepts a bend if sup-F against a straight line is
// above 25 (Andrews, Econometrica 61:821, 1993: the break is not identified
// without one, so the usual quantiles do not hold), b > 0 and |d| < 0.15·b. The
// interval is that of n_eff·ln(RSS/RSS_min) < 6 with n_eff = n(1−ρ₁)/(1+ρ₁), ρ₁
// the autocorrelation of the residuals.
func Find(x, y []float64) (Point, bool) {
	n := len(x)
	if n < minPoints {
		return Point{}, false
	}
	px, py := sortedPairs(x, y)
	if px[0] == px[n-1] {
		return Point{}, false
	}
	// Centre and scale: sums of squares of large numbers lose the residuals.
	mid, width := px[0], px[n-1]-px[0]
	level := 0.0
	for _, v := range py {
		level += v / float64(n)
	}
	for i := range px {
		px[i] = (px[i] - mid) / width
		py[i] -= level
	}
	sums := newPairSums(px, py)
	line := sums.lineRSS()
	if line <= 0 {
		return Point{}, false
	}
	const steps = 200
	rss := make([]float64, 0, steps)
	at := make([]float64, 0, steps)
	best := -1
	var fit [3]float64
	for i := 1; i < steps; i++ {
		c := float64(i) / steps
		k, _ := slices.BinarySearch(px, c)
		if k < 4 || n-k < 4 {
			continue
		}
		coef, r, ok := sums.broken(c, k)
		if !ok {
			continue
		}
		rss, at = append(rss, r), append(at, c)
		if best < 0 || r < rss[best] {
			best, fit = len(rss)-1, coef
		}
	}
	if best < 0 {
		return Point{}, false
	}
	least := max(rss[best], 1e-12*line)
	out := Point{At: mid + width*at[best], Slope: fit[1] / width, F: (line - least) / (least / float64(n-4))}
	out.Level = level + fit[0] + fit[1]*at[best]
	if out.F <= leastF || fit[1] <= 0 || math.Abs(fit[2]) >= flatness*fit[1] {
		return Point{}, false
	}
	rho := lagOne(residuals(px, py, fit, at[best]))
	effective := max(6, float64(n)*(1-rho)/(1+rho))
	low, high := at[best], at[best]
	for i, r := range rss {
		if effective*math.Log(max(r, least)/least) < 6 {
			low, high = min(low, at[i]), max(high, at[i])
		}
	}
	out.Low, out.High = mid+width*(low-1.0/steps), mid+width*(high+1.0/steps)
	return out, true
}

func sortedPairs(x, y []float64) ([]float64, []float64) {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	px, py := make([]float64, len(x)), make([]float64, len(x))
	for i, j := range order {
		px[i], py[i] = x[j], y[j]
	}
	return px, py
}

// pairSums holds running sums of a sorted series, so that a fit at any break
// costs the same.
type pairSums struct{ n, x, y, xx, xy, yy []float64 }

func newPairSums(x, y []float64) pairSums {
	run := func(f func(i int) float64) []float64 {
		out := make([]float64, len(x)+1)
		for i := range x {
			out[i+1] = out[i] + f(i)
		}
		return out
	}
	return pairSums{
		n:  run(func(int) float64 { return 1 }),
		x:  run(func(i int) float64 { return x[i] }),
		y:  run(func(i int) float64 { return y[i] }),
		xx: run(func(i int) float64 { return x[i] * x[i] }),
		xy: run(func(i int) float64 { return x[i] * y[i] }),
		yy: run(func(i int) float64 { return y[i] * y[i] }),
	}
}

func (p pairSums) lineRSS() float64 {
	last := len(p.n) - 1
	n, x, y := p.n[last], p.x[last], p.y[last]
	sxx, sxy, syy := p.xx[last]-x*x/n, p.xy[last]-x*y/n, p.yy[last]-y*y/n
	if sxx <= 0 {
		return syy
	}
	return syy - sxy*sxy/sxx
}

// broken solves the normal equations with the regressors 1, min(x, c), (x−c)₊;
// the first k points lie below c.
func (p pairSums) broken(c float64, k int) (coef [3]float64, rss float64, ok bool) {
	last := len(p.n) - 1
	n1, n2 := p.n[k], p.n[last]-p.n[k]
	x1, x2 := p.x[k], p.x[last]-p.x[k]
	y1, y2 := p.y[k], p.y[last]-p.y[k]
	xx1, xx2 := p.xx[k], p.xx[last]-p.xx[k]
	xy1, xy2 := p.xy[k], p.xy[last]-p.xy[k]
	u := x1 + n2*c
	v := x2 - n2*c
	uu := xx1 + n2*c*c
	vv := xx2 - 2*c*x2 + n2*c*c
	uv := c * v
	yu := xy1 + c*y2
	yv := xy2 - c*y2
	coef, ok = solve3([3][4]float64{
		{n1 + n2, u, v, y1 + y2},
		{u, uu, uv, yu},
		{v, uv, vv, yv},
	})
	rss = p.yy[last] - coef[0]*(y1+y2) - coef[1]*yu - coef[2]*yv
	return coef, max(rss, 0), ok
}

// solve3 solves three linear equations by elimination with pivoting.
func solve3(m [3][4]float64) (out [3]float64, ok bool) {
	for col := range 3 {
		pivot := col
		for r := col + 1; r < 3; r++ {
			if math.Abs(m[r][col]) > math.Abs(m[pivot][col]) {
				pivot = r
			}
		}
		if math.Abs(m[pivot][col]) < 1e-12 {
			return out, false
		}
		m[col], m[pivot] = m[pivot], m[col]
		for r := range 3 {
			if r == col {
				continue
			}
			f := m[r][col] / m[col][col]
			for c := col; c < 4; c++ {
				m[r][c] -= f * m[col][c]
			}
		}
	}
	for i := range 3 {
		out[i] = m[i][3] / m[i][i]
	}
	return out, true
}

func residuals(x, y []float64, coef [3]float64, c float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = y[i] - coef[0] - coef[1]*min(x[i], c) - coef[2]*max(0, x[i]-c)
	}
	return out
}

// lagOne returns the autocorrelation at lag one, from 0 to 0.95.
func lagOne(v []float64) float64 {
	var sum, lag float64
	for i, x := range v {
		sum += x * x
		if i > 0 {
			lag += x * v[i-1]
		}
	}
	if sum == 0 {
		return 0
	}
	return min(0.95, max(0, lag/sum))
}
