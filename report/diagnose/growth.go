package diagnose

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/stats"
)

const (
	steadyLoad  = 0.05  // a load that varies by less is constant
	dropShare   = 0.3   // of a climb and
	dropOfPeak  = 0.1   // of the highest value: a fall by both ends a climb
	climbPoints = 200   // bounds the pairs that a slope is the median of
	entryFor    = 120.0 // seconds that Linux tracks a closed connection (nf_conntrack_tcp_timeout_time_wait)
	timeWaitFor = 60.0  // seconds that Linux keeps a closed connection in TIME_WAIT (TCP_TIMEWAIT_LEN)
)

// climb is a stretch of a resource over which it only grew: the life of one
// process, or the time until something was given back.
type climb struct {
	from, to float64 // seconds since the load began
	slope    float64 // units per second: the median of the slopes of all pairs (Theil-Sen)
	begin    float64 // value at from
	value    float64 // value at to
	early    float64 // slope of the first half
	late     float64 // slope of the second half
}

// longestClimb finds the longest stretch of a resource without a fall, up to
// where it was full: what restarts begins again, and a mean over it says nothing.
func (a *analysis) longestClimb(r *resource) (climb, bool) {
	best, found := climb{}, false
	end := len(r.at)
	for end > 0 && r.at[end-1] > a.duration() {
		end--
	}
	from := 0
	for from < end && r.at[from] < 0 {
		from++
	}
	for from < end {
		top, next := from, from+1
		for ; next < end; next++ {
			if r.value[next] >= r.value[top] {
				top = next
			}
			fall := r.value[top] - r.value[next]
			if fall > dropShare*(r.value[top]-r.value[from]) && fall > dropOfPeak*r.peak {
				break
			}
		}
		if c, ok := r.climbOf(from, top+1); ok && (!found || c.to-c.from > best.to-best.from) {
			best, found = c, true
		}
		from = next
	}
	return best, found
}

// climbOf measures the samples [from, to), less those at the limit.
func (r *resource) climbOf(from, to int) (climb, bool) {
	for to > from && r.limit > 0 && r.share[to-1] >= threshold(r.limit) {
		to--
	}
	if to-from < 8 {
		return climb{}, false
	}
	c := climb{from: r.at[from], to: r.at[to-1], begin: r.value[from], value: r.value[to-1]}
	half := (from + to) / 2
	c.slope, c.early, c.late = r.slope(from, to), r.slope(from, half), r.slope(half, to)
	return c, c.slope > 0
}

// slope is the median of the slopes between all pairs of the samples [from, to).
func (r *resource) slope(from, to int) float64 {
	step := max(1, (to-from)/climbPoints)
	var slopes []float64
	for i := from; i < to; i += step {
		for j := i + step; j < to; j += step {
			if d := r.at[j] - r.at[i]; d > 0 {
				slopes = append(slopes, (r.value[j]-r.value[i])/d)
			}
		}
	}
	if len(slopes) == 0 {
		return 0
	}
	return stats.Median(slopes)
}

// constant returns the load of a time from which on it did not change until
// another. A search and a ramp are never constant.
func (a *analysis) constant(from, to float64) (float64, bool) {
	low, high := math.Inf(1), 0.0
	for i := a.window(from); i <= a.window(to) && i < a.n; i++ {
		low, high = min(low, a.load[i]), max(high, a.load[i])
	}
	return (low + high) / 2, high > 0 && high-low <= steadyLoad*high
}

// leak is a climb that goes on at any load.
type leak struct {
	climb
	load float64 // at which it grew, requests per second; 0 where the load varied
}

// leak tells that what a cause ran out of grew steadily although the load did
// not, or with all that was ever sent rather than with what was sent at the time:
// then it runs out at any load, sooner or later.
func (c *investigation) leak(h *hypothesis) (leak, bool) {
	r := h.lead
	if r == nil || r.def.Cumulative || r.def.Kind == probe.Utilisation {
		return leak{}, false
	}
	g, ok := c.a.longestClimb(r)
	if !ok || g.to-g.from < 5 || g.value-g.begin < 0.25*r.peak {
		return leak{}, false
	}
	// What only waits to be answered is given back: it is no leak.
	from, to := c.a.window(g.from), c.a.window(g.to)
	waiting := (c.t.inFlight[to] - c.t.inFlight[from]) / (g.value - g.begin)
	if r.def.Unit == "bytes" {
		waiting = 0
	}
	load, held := c.a.constant(g.from, g.to)
	switch {
	case held:
		return leak{g, load}, g.late >= g.early/3 && waiting < 0.5
	default:
		return leak{climb: g}, waiting < 0.2 && c.growsWithTotal(r, g)
	}
}

// grewUntilDeath says that the memory of a process had grown until it ended: a heap
// of its own may have been full, which no limit of the system tells of.
func (c *investigation) grewUntilDeath(h *hypothesis) string {
	d := c.firstDeath(h)
	if d == nil {
		return ""
	}
	for _, r := range c.a.resources {
		m := r.metric
		if m.Name != probe.RSS || m.Process != d.process || m.PID != d.pid || len(r.value) == 0 {
			continue
		}
		first, last := r.value[0], r.value[0]
		for i, t := range r.at {
			if t < d.at {
				last = r.value[i]
			}
		}
		if last >= 1.5*first && last-first >= 16<<20 {
			return fmt.Sprintf("look for a limit of its heap, and for a leak: %s grew from %s to %s before it ended", whose(r), amount(first, "bytes"), amount(last, "bytes"))
		}
	}
	return ""
}

// growsWithTotal reports whether all that was sent up to a time tells a resource's
// climb far better than the load of that time, or the requests and connections
// that were open.
func (c *investigation) growsWithTotal(r *resource, g climb) bool {
	var value, total, load, inFlight, open []float64
	sent, counted := 0.0, 0 // up to a window: runs last for days
	for i, t := range r.at {
		w := c.a.window(t)
		for ; counted <= w && counted < len(c.t.attempts); counted++ {
			sent += c.t.attempts[counted]
		}
		if t < g.from || t > g.to {
			continue
		}
		value = append(value, r.value[i])
		total = append(total, sent)
		load = append(load, c.a.loadAt(t))
		inFlight = append(inFlight, c.t.inFlight[w])
		open = append(open, c.t.open[w])
	}
	const clear = 0.95 // of the variance
	left := 1 - square(stat.Correlation(total, value, nil))
	for _, other := range [][]float64{load, inFlight, open} {
		if left > 0.25*(1-square(stat.Correlation(other, value, nil))) {
			return false
		}
	}
	return 1-left >= clear
}

func square(x float64) float64 { return x * x }

// leaks words a leak: what grew, how fast, and by how much a request.
func (c *investigation) leaks(h *hypothesis, g leak) string {
	each := ""
	if sent := c.sentBetween(g.from, g.to); sent > 0 {
		each = amount(significant((g.value-g.begin)/sent), h.lead.def.Unit) + " a request"
	}
	grew, at := each+" of all that were sent", "at whatever load"
	if g.load > 0 {
		grew, at = join(perSecond(g.slope, h.lead.def.Unit), each), "while the load stayed at "+c.a.loadText(g.load, g.from)
	}
	return fmt.Sprintf("%s grew by %s, %s: a leak, which reaches any limit at any load, sooner or later", whose(h.lead), grew, at)
}

func (c *investigation) sentBetween(from, to float64) float64 {
	return sum(c.t.attempts[c.a.window(from):min(c.a.window(to)+1, len(c.t.attempts))])
}

func perSecond(v float64, unit string) string { return amount(significant(v), unit) + "/s" }

// significant rounds to two significant digits what is below 100.
func significant(v float64) float64 {
	if v <= 0 || v >= 100 {
		return v
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Round(v/unit) * unit
}

// delays says how long a limit of another size would have lasted.
func (g leak) delays(limit float64) string {
	switch {
	case g.slope <= 0 || limit <= g.begin:
		return ""
	case g.load == 0:
		return "only delays it"
	}
	return fmt.Sprintf("only delays it, to about %s after a start", wordSeconds((limit-g.begin)/g.slope))
}

// portsHeld estimates how many local ports the highest load of the run needs
// where every request takes one and leaves it in TIME_WAIT: what a request took
// on the way to the limit, for as long as that lasts.
func (c *investigation) portsHeld(r *resource) (need, closed float64, ok bool) {
	if r == nil || r.metric.Name != probe.EphemeralPorts || r.full == nil {
		return 0, 0, false
	}
	for _, w := range c.a.resources {
		if w.metric.Name != probe.TimeWait || w.metric.Host != r.metric.Host || w.metric.Process != "" {
			continue
		}
		for i, t := range w.at {
			if math.Abs(t-r.full.at) <= 2 {
				closed = max(closed, min(w.value[i], r.peak))
			}
		}
	}
	if closed < 0.5*r.peak {
		return 0, 0, false // they are held open, or the host's TIME_WAIT was not read
	}
	begin := math.NaN()
	start := r.full.at
	for i, t := range r.at {
		if t <= r.full.at && t > r.full.at-timeWaitFor && t >= 0 && (math.IsNaN(begin) || r.value[i] < begin) {
			begin, start = r.value[i], t
		}
	}
	sent := c.sentBetween(start, r.full.at)
	if math.IsNaN(begin) || sent <= 0 {
		return 0, closed, true
	}
	each := min(1, (r.peak-begin)/sent)
	return roundUp(each * c.a.maxLoad() * timeWaitFor), closed, true
}
