package diagnose

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/stats"
)

const (
	steadyLoad  = 0.05 // a load that varies by less is constant
	dropShare   = 0.3  // of a climb and
	dropOfPeak  = 0.1  // of the highest value: a fall by both ends a climb
	climbPoints = 200  // bounds the pairs that a slope is the median of
	timeWaitFor = 60.0 // seconds that Linux keeps a closed connection in TIME_WAIT (TCP_TIMEWAIT_LEN)
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

// leak tells that what a cause ran out of grew steadily although the load did
// not: then it runs out at any load, sooner or later.
func (c *investigation) leak(h *hypothesis) (climb, bool) {
	r := h.lead
	if r == nil || r.def.Cumulative || r.def.Kind == probe.Utilisation {
		return climb{}, false
	}
	g, ok := c.a.longestClimb(r)
	if !ok || g.to-g.from < 5 || g.value-g.begin < 0.25*r.peak {
		return climb{}, false
	}
	if _, ok := c.a.constant(g.from, g.to); !ok || g.late < g.early/3 {
		return climb{}, false
	}
	// What only waits to be answered is given back: it is no leak.
	from, to := c.a.window(g.from), c.a.window(g.to)
	if waiting := c.t.inFlight[to] - c.t.inFlight[from]; r.def.Unit != "bytes" && waiting >= 0.5*(g.value-g.begin) {
		return climb{}, false
	}
	return g, true
}

// leaks words a leak: what grew, how fast, and by how much a request.
func (c *investigation) leaks(h *hypothesis, g climb) string {
	load, _ := c.a.constant(g.from, g.to)
	each := ""
	if sent := c.sentBetween(g.from, g.to); sent > 0 {
		each = fmt.Sprintf(", %s a request", amount(significant((g.value-g.begin)/sent), h.lead.def.Unit))
	}
	return fmt.Sprintf("%s grew by %s%s, while the load stayed at %s: a leak, which reaches any limit at any load, sooner or later",
		whose(h.lead), perSecond(g.slope, h.lead.def.Unit), each, c.a.loadText(load, g.from))
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
func (g climb) delays(limit float64) string {
	if g.slope <= 0 || limit <= g.begin {
		return ""
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
