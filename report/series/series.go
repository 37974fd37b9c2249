// Package series holds what gates, abort conditions and capacities judge: a run as counts
// by target and window, by the window in which requests were due.
package series

import (
	"maps"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// Series is the time series that gates and abort conditions judge. Counts and
// latencies are by the window in which requests were due, so that a failure is
// held against the load that caused it. The zero value is an empty run; Add is not safe for
// concurrent use.
type Series struct {
	Interval time.Duration
	Names    []string        // targets
	Roles    []profiles.Role // of them, by index; those beyond it are requests
	First    int             // window that Points begin with; those before were forgotten
	Points   [][]Point       // by target, then window
}

// Point is one window of one target.
type Point struct {
	Offered       float64 // total over all targets in requests per second
	Scheduled     uint64
	Sent          uint64
	Requests      uint64           // ended well or in a fault of the target; local faults and canceled ones say nothing of it
	Attempts      uint64           // likewise
	Failures      uint64           // requests
	Lost          uint64           // of them, that were never answered in time
	Unknown       uint64           // requests that were given up: nobody knows how they would have ended
	VisibleResets uint64           // requests
	WireResets    uint64           // connections; idle ones in the window in which they were seen
	LocalFaults   uint64           // attempts
	Held          uint64           // of Requests: held connections that came to nothing, which nobody sent
	Latency       attack.Histogram // µs from due time, of requests that ended well
	LagP99        int64            // µs
	Unsent        uint64
	InFlight      int64 // requests at its end
	Wanted        int64 // connections to be held, at its end
	Undialled     int64 // of these, due and not even being opened
	Open          int64 // connections, at its end
}

// maxWindows bounds the memory that one damaged index can ask for.
const maxWindows = 1 << 22

// New returns an empty series of the named targets, for windows of the
// given interval.
func New(interval time.Duration, names []string) *Series {
	return &Series{Interval: interval, Names: names, Points: make([][]Point, len(names))}
}

// Add takes one window as a loader reports it. Windows may come in any order of
// target; what ended late goes back to the window in which it was due. Windows
// of unknown targets, before the load (a negative index), forgotten ones, and those
// four million (twelve days at the usual interval) beyond the first are left out;
// what was due before the first counts in the first.
func (series *Series) Add(w attack.Window) {
	t := int(w.Target)
	first := int32(series.First)
	if t >= len(series.Names) || w.Index < first || int(w.Index)-series.First >= maxWindows {
		return
	}
	w.Index -= first
	series.grow(int(w.Index))
	p := &series.Points[t][w.Index]
	p.Scheduled += w.Scheduled
	p.Sent += w.Sent
	p.Unsent += w.Unsent
	p.InFlight, p.Wanted, p.Undialled, p.Open = w.InFlight, w.Wanted, w.Undialled, w.Open
	if lag, ok := w.Lag.Quantile(0.99); ok {
		p.LagP99 = max(p.LagP99, lag)
	}
	if series.Interval > 0 {
		offered := float64(w.Scheduled) / series.Interval.Seconds()
		for i := range series.Points {
			series.Points[i][w.Index].Offered += offered
		}
	}
	for _, c := range w.Cells {
		// A due window after this one is impossible; it is counted here.
		due := min(max(c.DueWindow-first, 0), w.Index)
		series.Points[t][due].addCell(c)
	}
	series.addLatency(series.Points[t], w)
}

// addLatency gives the latencies of what ended in a window back to the windows
// in which it was due. How many were due in each is counted; which they are
// follows from their latency to within a window: of those that end together, the
// slowest were due first. So a percentile is taken over the very requests that
// failures are a share of.
func (series *Series) addLatency(points []Point, w attack.Window) {
	due := map[int32]uint64{}
	for _, c := range w.Cells {
		if c.Fault == attack.None && c.Attempts > 0 {
			due[min(max(c.DueWindow-int32(series.First), 0), w.Index)] += c.Attempts
		}
	}
	rest := slices.Clone(w.FromDue)
	for _, window := range slices.Sorted(maps.Keys(due)) {
		if window == w.Index {
			break
		}
		var slowest attack.Histogram
		for n := due[window]; n > 0 && len(rest) > 0; {
			b := &rest[len(rest)-1]
			take := min(n, b.Count)
			slowest = append(slowest, attack.Bucket{Value: b.Value, Count: take})
			n -= take
			if b.Count -= take; b.Count == 0 {
				rest = rest[:len(rest)-1]
			}
		}
		slices.Reverse(slowest)
		points[window].Latency = points[window].Latency.Merge(slowest)
	}
	points[w.Index].Latency = points[w.Index].Latency.Merge(rest)
}

// drain returns the first window after the last in which something was due, and
// the load of the end: what happens from there on was caused by that load, not
// by none. A last window that the end cut short counts like the one before it.
func (series *Series) drain() (from int, load float64) {
	if len(series.Points) == 0 {
		return 0, 0
	}
	points := series.Points[0]
	for from = len(points); from > 0 && points[from-1].Offered <= 0; from-- {
	}
	for _, p := range points[max(0, from-2):from] {
		load = max(load, p.Offered)
	}
	return from, load
}

// Loads returns the load that each window counts at, in requests per second over
// all targets: the one offered in it, and in the drain, where nothing is due any
// more, that of the end.
func (series *Series) Loads() []float64 {
	out := make([]float64, series.Len())
	from, end := series.drain()
	for i := range out {
		if out[i] = series.Points[0][i].Offered; i >= from-1 {
			out[i] = end
		}
	}
	return out
}

func (p *Point) addCell(c attack.Cell) {
	p.WireResets += c.WireResets
	switch {
	case c.Fault == attack.None || c.Fault.Failure():
		p.Requests += c.Requests
		p.Attempts += c.Attempts
	case c.Fault.Local():
		p.LocalFaults += c.Attempts
	}
	if c.Fault.Failure() {
		p.Failures += c.Requests
	}
	switch c.Fault {
	case attack.Timeout:
		p.Lost += c.Requests
	case attack.Canceled:
		p.Unknown += c.Requests
	}
	if c.Fault == attack.Reset {
		p.VisibleResets += c.Requests
	}
	if c.Held && c.Fault.Failure() {
		p.Held += c.Requests
	}
}

// grow makes every target's points reach index: offered load is a sum over all
// targets, so they stay of one length.
func (series *Series) grow(index int) {
	for i := range series.Points {
		for len(series.Points[i]) <= index {
			series.Points[i] = append(series.Points[i], Point{})
		}
	}
}

// Forget drops all windows but the last so many. It does so when there are twice
// as many, in one go: a run of any length takes the memory of those.
func (series *Series) Forget(keep int) {
	n := series.Len() - keep
	if keep <= 0 || n < keep {
		return
	}
	for t, points := range series.Points {
		series.Points[t] = append(make([]Point, 0, 2*keep), points[n:]...)
	}
	series.First += n
}

// OfferedAt returns the load that was offered at a time, in requests per second over
// all targets: of its window, or of the known window that is nearest. It is false
// when no window is known.
func (series *Series) OfferedAt(at time.Duration) (float64, bool) {
	if series.Interval <= 0 || at < 0 || series.Len() == 0 {
		return 0, false
	}
	i := int(at/series.Interval) - series.First
	return series.Points[0][min(max(i, 0), series.Len()-1)].Offered, true
}

// Len returns the number of windows that are kept.
func (series *Series) Len() int {
	if len(series.Points) == 0 {
		return 0
	}
	return len(series.Points[0])
}

// Index returns the positions of a gate's targets: the named one, or all. It is
// empty when no target has the name.
func (series *Series) Index(name string) []int {
	var out []int
	for i, n := range series.Names {
		if name == "" || n == name {
			out = append(out, i)
		}
	}
	return out
}

// Achieved returns the highest load over all targets that was sent over one
// second, in windows before end.
func (series *Series) Achieved(end int) float64 {
	if series.Interval <= 0 {
		return 0
	}
	n := max(1, int(time.Second/series.Interval))
	end = min(end, series.Len())
	n = min(n, end)
	if n == 0 {
		return 0
	}
	sent := make([]uint64, end)
	for _, points := range series.Points {
		for i := range end {
			sent[i] += points[i].Sent
		}
	}
	var sum, best uint64
	for i, v := range sent {
		sum += v
		if i >= n {
			sum -= sent[i-n]
		}
		if i >= n-1 {
			best = max(best, sum)
		}
	}
	return float64(best) / (time.Duration(n) * series.Interval).Seconds()
}
