package report

import (
	"time"

	"github.com/rampload/rampload/attack"
)

// Series is the time series that gates and abort conditions judge. Counts are by
// the window in which requests were due, so that a failure is held against the
// load that caused it. The zero value is an empty run; Add is not safe for
// concurrent use.
type Series struct {
	Interval time.Duration
	Names    []string  // targets
	Points   [][]Point // by target, then window
}

// Point is one window of one target.
type Point struct {
	Offered       float64 // total over all targets in requests per second
	Scheduled     uint64
	Sent          uint64
	Requests      uint64           // ended well or in a fault of the target; local faults and canceled ones say nothing of it
	Attempts      uint64           // likewise
	Failures      uint64           // requests
	VisibleResets uint64           // requests
	WireResets    uint64           // connections; idle ones in the window in which they were seen
	LocalFaults   uint64           // attempts
	Latency       attack.Histogram // µs from due time, by the window in which they ended
	LagP99        int64            // µs
	Unsent        uint64
	InFlight      int64 // requests at its end
}

// maxWindows bounds the memory that one damaged index can ask for.
const maxWindows = 1 << 22

// NewSeries returns an empty series of the named targets, for windows of the
// given interval.
func NewSeries(interval time.Duration, names []string) *Series {
	return &Series{Interval: interval, Names: names, Points: make([][]Point, len(names))}
}

// Add takes one window as a loader reports it. Windows may come in any order of
// target; what ended late goes back to the window in which it was due. Windows
// of unknown targets, before the load (a negative index) and beyond four million
// (twelve days at the usual interval) are left out; a due window before the load
// counts in the first.
func (s *Series) Add(w attack.Window) {
	t := int(w.Target)
	if t >= len(s.Names) || w.Index < 0 || w.Index >= maxWindows {
		return
	}
	s.grow(int(w.Index))
	p := &s.Points[t][w.Index]
	p.Scheduled += w.Scheduled
	p.Sent += w.Sent
	p.Unsent += w.Unsent
	p.InFlight = w.InFlight
	p.Latency = p.Latency.Merge(w.FromDue)
	if lag, ok := w.Lag.Quantile(0.99); ok {
		p.LagP99 = max(p.LagP99, lag)
	}
	if s.Interval > 0 {
		offered := float64(w.Scheduled) / s.Interval.Seconds()
		for i := range s.Points {
			s.Points[i][w.Index].Offered += offered
		}
	}
	for _, c := range w.Cells {
		// A due window after this one is impossible; it is counted here.
		due := min(max(c.DueWindow, 0), w.Index)
		s.Points[t][due].addCell(c)
	}
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
	if c.Fault == attack.Reset {
		p.VisibleResets += c.Requests
	}
}

// grow makes every target's points reach index: offered load is a sum over all
// targets, so they stay of one length.
func (s *Series) grow(index int) {
	for i := range s.Points {
		for len(s.Points[i]) <= index {
			s.Points[i] = append(s.Points[i], Point{})
		}
	}
}

// Len returns the number of windows.
func (s *Series) Len() int {
	if len(s.Points) == 0 {
		return 0
	}
	return len(s.Points[0])
}

// index returns the positions of a gate's targets: the named one, or all. It is
// empty when no target has the name.
func (s *Series) index(name string) []int {
	var out []int
	for i, n := range s.Names {
		if name == "" || n == name {
			out = append(out, i)
		}
	}
	return out
}

// achieved returns the highest load over all targets that was sent over one
// second, in windows before end.
func (s *Series) achieved(end int) float64 {
	if s.Interval <= 0 {
		return 0
	}
	n := max(1, int(time.Second/s.Interval))
	end = min(end, s.Len())
	n = min(n, end)
	if n == 0 {
		return 0
	}
	sent := make([]uint64, end)
	for _, points := range s.Points {
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
	return float64(best) / (time.Duration(n) * s.Interval).Seconds()
}
