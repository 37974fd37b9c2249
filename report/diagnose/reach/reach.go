// Package reach says how far requests that failed got along a chain of hops. Waiting is
// followed by what stands (waiting); what fails at once stands nowhere, but whatever came
// to a hop, and whatever it sent back, was counted by its network interfaces. What a failed
// request brings is told from what a served one brings by regression over the seconds of
// the run, so that no time before the failures is needed. It names no cause.
package reach

import (
	"cmp"
	"math"
	"slices"

	"github.com/rampload/rampload/probe"
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

// Node is one hop with those that it asks.
type Node struct {
	Hosts []string
	Next  []*Node
}

// Hop is how much of the traffic of a hop failed requests make.
type Hop struct {
	Node     *Node
	Arrived  Per // bytes that came from the hop before
	Answered Per // bytes that went back to it
}

// Came says whether failed requests came to a hop as served ones do: true, false, or not
// known.
func (h Hop) Came() (yes, known bool) {
	share, err := h.Arrived.Share()
	switch {
	case math.IsNaN(share) && h.Arrived.Failed+2*h.Arrived.ErrFail < leastBytes:
		return false, true // whatever a served one brings, a request is longer
	case math.IsNaN(share):
		return false, false
	case share-2*err > few:
		return true, true
	case share+2*err < some:
		return false, true
	}
	return false, false
}

// A request that does not come at all leaves health checks and rounding; one that does
// brings at least the packets of a connection, or a refused try of one.
const (
	few  = 0.25
	some = 0.4
)

// leastBytes is what the shortest request brings at least: its packets' headers.
const leastBytes = 40

// Shape of the data that a regression needs.
const (
	leastSeconds  = 8
	leastFailed   = 20
	leastServed   = 30
	leastReadings = 8
)

// Follow reads how far failed requests got from the first hop on. Services that one asks
// on the same host are read as one; of hops of different depth on one host the traffic
// cannot be told apart.
func Follow(log *runlog.Log, first *Node, load Load) []Hop {
	if first == nil {
		return nil
	}
	r := reader{log: log, load: load, depths: map[string]int{}}
	r.place([]*Node{first}, 1)
	return r.follow([]*Node{first})
}

type reader struct {
	log    *runlog.Log
	load   Load
	depths map[string]int // by host; 0: several
}

// place notes at which depth each host is.
func (r *reader) place(group []*Node, depth int) {
	for _, host := range hostsOf(group) {
		if _, known := r.depths[host]; known {
			depth = 0
		}
		r.depths[host] = depth
	}
	for _, g := range groups(nextOf(group)) {
		r.place(g, depth+1)
	}
}

func (r *reader) follow(group []*Node) []Hop {
	in, back := r.traffic(group)
	arrived, answered := r.load.Per(in), r.load.Per(back)
	var out []Hop
	for _, h := range group {
		out = append(out, Hop{Node: h, Arrived: arrived, Answered: answered})
	}
	for _, g := range groups(nextOf(group)) {
		out = append(out, r.follow(g)...)
	}
	return out
}

// groups puts services together that run on the same hosts.
func groups(all []*Node) [][]*Node {
	var out [][]*Node
	for _, h := range all {
		at := slices.IndexFunc(out, func(g []*Node) bool {
			return slices.ContainsFunc(h.Hosts, func(host string) bool { return slices.Contains(hostsOf(g), host) })
		})
		if at < 0 {
			out = append(out, []*Node{h})
		} else {
			out[at] = append(out[at], h)
		}
	}
	return out
}

func hostsOf(group []*Node) []string {
	var out []string
	for _, h := range group {
		for _, host := range h.Hosts {
			if !slices.Contains(out, host) {
				out = append(out, host)
			}
		}
	}
	return out
}

func nextOf(group []*Node) []*Node {
	var out []*Node
	for _, h := range group {
		for _, n := range h.Next {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// traffic returns the running totals of what came to a group from the one before, and of
// what went back, in bytes at the end of each second; nil where they cannot be told. What
// it exchanged with those that it asks is theirs.
func (r *reader) traffic(group []*Node) (in, back []float64) {
	hosts := hostsOf(group)
	if len(hosts) == 0 {
		return nil, nil
	}
	for _, host := range hosts {
		if r.depths[host] == 0 {
			return nil, nil
		}
		in, back = plus(in, r.total(host, probe.NetReceived), 1), plus(back, r.total(host, probe.NetSent), 1)
	}
	for _, g := range groups(nextOf(group)) {
		asked, answered := r.traffic(g)
		if asked == nil || answered == nil || in == nil || back == nil {
			return nil, nil
		}
		in, back = plus(in, answered, -1), plus(back, asked, -1)
	}
	return in, back
}

// total returns the sum of a total of a host over its network interfaces, at the end of
// each second of the load; nil without enough readings.
func (r *reader) total(host, name string) []float64 {
	var out []float64
	for i := range r.log.Series {
		s := &r.log.Series[i]
		if m := s.Metric; m.Host != host || m.Name != name || m.Process != "" || m.Instance == "lo" {
			continue
		}
		if at := r.load.Resample(s); at != nil {
			out = plus(out, at, 1)
		}
	}
	return out
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

// Deepest returns the index in a chain, outermost first, of the last hop that failed
// requests came to, and whether it is known that they did not come to the next. The first
// hop is asked by the client itself.
func Deepest(all []Hop, chain []*Node) (index int, stops bool) {
	for i := 1; i < len(chain); i++ {
		at := slices.IndexFunc(all, func(h Hop) bool { return h.Node == chain[i] })
		if at < 0 {
			return index, false
		}
		came, known := all[at].Came()
		switch {
		case !known:
			return index, false
		case !came:
			return index, true
		}
		index = i
	}
	return index, false
}

// Each returns the series of a name on a host, those with the most readings first.
func Each(log *runlog.Log, host, name string) []*runlog.Series {
	var out []*runlog.Series
	for i := range log.Series {
		if m := log.Series[i].Metric; m.Host == host && m.Name == name {
			out = append(out, &log.Series[i])
		}
	}
	slices.SortStableFunc(out, func(a, b *runlog.Series) int { return cmp.Compare(len(b.At), len(a.At)) })
	return out
}
