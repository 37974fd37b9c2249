package reach

import (
	"math"

	"github.com/rampload/rampload/report/runlog"
)

// Load is what was sent, by window: requests that were served, and that failed.
type Load struct {
	Step       float64 // seconds of a window
	Ok, Failed []float64
}

// Per is what one request adds to a total, with its standard error; NaN where that
// cannot be told.
type Per struct {
	Ok, Failed     float64
	ErrOk, ErrFail float64
}

// Known reports whether something was measured.
func (p Per) Known() bool { return !math.IsNaN(p.Failed) }

// Share returns what a failed request brings of what a served one does, and its error.
// NaN where served ones bring nothing that can be told from noise.
func (p Per) Share() (share, err float64) {
	if !(p.Ok > 4*p.ErrOk) {
		return math.NaN(), math.NaN()
	}
	share = p.Failed / p.Ok
	return share, math.Hypot(p.ErrFail, share*p.ErrOk) / p.Ok
}

// Resample returns a total at the end of each second, between readings linear, from some
// seconds before the load on; nil with too few readings.
func (l Load) Resample(s *runlog.Series) []float64 {
	if len(s.At) < leastReadings {
		return nil
	}
	out := make([]float64, l.seconds()+1)
	k := 0
	for i := range out {
		t := float64(i - before)
		for k < len(s.At)-2 && s.At[k+1].Seconds() < t {
			k++
		}
		t0, t1 := s.At[k].Seconds(), s.At[k+1].Seconds()
		f := 0.0
		if t1 > t0 {
			f = min(max((t-t0)/(t1-t0), 0), 1)
		}
		out[i] = s.Value[k] + f*(s.Value[k+1]-s.Value[k])
	}
	return out
}

// before is how many seconds without load are looked at, in front of it: of a load that
// stays the same, they alone tell what goes on without it.
const before = 2

func (l Load) seconds() int { return int(float64(len(l.Ok))*l.Step) + before }

// bins returns the served and the failed requests of each second.
func (l Load) bins() (ok, failed []float64) {
	n := l.seconds()
	ok, failed = make([]float64, n), make([]float64, n)
	for i := range l.Ok {
		if at := before + int((float64(i)+0.5)*l.Step); at < n {
			ok[at] += l.Ok[i]
			failed[at] += l.Failed[i]
		}
	}
	return ok, failed
}

// Per returns what a served and a failed request each add to a total, by least squares
// with a constant for what goes on without them.
func (l Load) Per(total []float64) Per {
	nan := math.NaN()
	none := Per{nan, nan, nan, nan}
	ok, failed := l.bins()
	n := len(ok)
	if total == nil || n < leastSeconds || sum(failed) < leastFailed {
		return none
	}
	if sum(ok) < leastServed {
		return l.perFailed(total, failed)
	}
	// The normal equations of y = a + b*ok + c*failed.
	var m [3][4]float64
	for i := range n {
		x := [3]float64{1, ok[i], failed[i]}
		y := total[i+1] - total[i]
		for p := range 3 {
			for q := range 3 {
				m[p][q] += x[p] * x[q]
			}
			m[p][3] += x[p] * y
		}
	}
	inverse, solved := invert(m)
	if !solved {
		return none
	}
	rest := 0.0
	for i := range n {
		e := total[i+1] - total[i] - solution(inverse, m, 0) - solution(inverse, m, 1)*ok[i] - solution(inverse, m, 2)*failed[i]
		rest += e * e
	}
	v := rest / float64(n-3)
	return Per{
		Ok: solution(inverse, m, 1), Failed: solution(inverse, m, 2),
		ErrOk: math.Sqrt(v * inverse[1][1]), ErrFail: math.Sqrt(v * inverse[2][2]),
	}
}

// perFailed is Per where next to nothing was served: what failed is all that there is.
func (l Load) perFailed(total, failed []float64) Per {
	n := float64(len(failed))
	var x, y, xx, xy, yy float64
	for i, f := range failed {
		v := total[i+1] - total[i]
		x, y, xx, xy, yy = x+f, y+v, xx+f*f, xy+f*v, yy+v*v
	}
	p := Per{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	spread := xx - x*x/n
	if spread <= 0 {
		return p
	}
	p.Failed = (xy - x*y/n) / spread
	rest := max(0, yy-y*y/n-p.Failed*p.Failed*spread)
	p.ErrFail = math.Sqrt(rest / (n - 2) / spread)
	return p
}

func solution(inverse [3][3]float64, m [3][4]float64, p int) float64 {
	return inverse[p][0]*m[0][3] + inverse[p][1]*m[1][3] + inverse[p][2]*m[2][3]
}

// invert returns the inverse of the left part of the normal equations; false where what
// was served and what failed cannot be told apart.
func invert(m [3][4]float64) (out [3][3]float64, ok bool) {
	det := 0.0
	cofactor := func(p, q int) float64 {
		a, b, c, d := (p+1)%3, (p+2)%3, (q+1)%3, (q+2)%3
		return m[a][c]*m[b][d] - m[a][d]*m[b][c]
	}
	for q := range 3 {
		det += m[0][q] * cofactor(0, q)
	}
	scale := m[0][0] * m[1][1] * m[2][2]
	if !(scale > 0) || math.Abs(det) < 1e-6*scale {
		return out, false
	}
	for p := range 3 {
		for q := range 3 {
			out[p][q] = cofactor(q, p) / det
		}
	}
	return out, true
}

// plus adds a part of b to a; a alone where b is nil, and where a is nil a copy of that
// part.
func plus(a, b []float64, part float64) []float64 {
	if b == nil {
		return a
	}
	out := make([]float64, len(b))
	for i := range out {
		out[i] = part * b[i]
		if a != nil {
			out[i] += a[i]
		}
	}
	return out
}

func sum(v []float64) float64 {
	n := 0.0
	for _, x := range v {
		n += x
	}
	return n
}
