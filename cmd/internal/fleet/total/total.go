// Package total adds up what the workers of a run count, while it goes on. What they
// recorded is added up by runlog.Merge, and by nobody here.
package total

import (
	"sync"

	"github.com/rampload/rampload/attack"
)

// Total adds up the windows of all slices as they come, for whoever judges the run
// while it goes on. The report does not depend on it: it adds up what was recorded.
// Its methods may be called from several goroutines.
type Total struct {
	targets int

	mu     sync.Mutex
	slices []*course
	next   int32 // the window that is added up next
	sink   attack.Sink
	queue  []attack.Window // before there is a sink
	over   chan struct{}   // closed when all slices have ended
	ended  bool
	came   uint64
}

// course is what came of one slice.
type course struct {
	windows map[int32][]attack.Window // not added up yet
	newest  int32                     // one more than the newest that came
	whole   int32                     // one more than the newest that came for all targets
	flying  []int64                   // requests in flight at the end of the newest, by target
	backlog []uint64                  // requests due and not sent by then, by target
	done    bool
	behind  bool // the others go on without it
}

// New returns the total of as many slices, which have windows of as many targets.
func New(slices, targets int) *Total {
	m := &Total{targets: targets, over: make(chan struct{})}
	for range slices {
		m.slices = append(m.slices, &course{windows: map[int32][]attack.Window{}, flying: make([]int64, targets), backlog: make([]uint64, targets)})
	}
	return m
}

// Over returns a channel that is closed when all slices have ended.
func (m *Total) Over() <-chan struct{} { return m.over }

// Came is how many windows came so far.
func (m *Total) Came() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.came
}

// Follow hands windows to a sink from now on, those that came before first.
func (m *Total) Follow(sink attack.Sink) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sink = sink
	for _, w := range m.queue {
		sink.Window(w)
	}
	m.queue = nil
	m.advance()
}

// Add takes a window of a slice. Each target's comes once, in order of the index.
func (m *Total) Add(slice int, w attack.Window) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.came++
	c := m.slices[slice]
	c.newest = max(c.newest, w.Index+1)
	if int(w.Target) < m.targets {
		c.flying[w.Target] = w.InFlight
		c.backlog[w.Target] += w.Scheduled - w.Sent - w.Unsent
	}
	if int(w.Target) == m.targets-1 { // the last of its interval
		c.whole = w.Index + 1
	}
	if w.Index < m.next {
		return // the live view has gone on
	}
	c.behind = false
	for i := range w.Cells {
		w.Cells[i].Remote = 0 // numbered by each worker for itself
	}
	c.windows[w.Index] = append(c.windows[w.Index], w)
	m.advance()
}

// Failure hands on a failure.
func (m *Total) Failure(f attack.Failure) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sink != nil {
		m.sink.Failure(f)
	}
}

// Cut forgets what of a slice's next window came in part only. It returns the index of
// the first window that did not come whole, and the requests in flight then.
func (m *Total) Cut(slice int) (first int32, flying int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.slices[slice]
	for index := range c.windows {
		if index >= c.whole {
			delete(c.windows, index)
		}
	}
	for i, n := range c.flying {
		flying += n
		c.flying[i] = 0
	}
	return c.whole, flying
}

// Gap puts what was due of a slice in the place of what did not come, and returns it.
func (m *Total) Gap(slice int, from int32, due [][]uint64, last bool) (gap []attack.Window) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.slices[slice]
	for i, targets := range due {
		index := from + int32(i)
		var windows []attack.Window
		for t, n := range targets {
			unsent := n
			if i == 0 && t < len(c.backlog) {
				unsent += c.backlog[t]
			}
			windows = append(windows, attack.Window{Target: uint16(t), Index: index, Scheduled: n, Unsent: unsent})
		}
		gap = append(gap, windows...)
		if index >= m.next {
			c.windows[index] = windows
		}
	}
	clear(c.backlog)
	c.newest = max(c.newest, from+int32(len(due)))
	c.whole = c.newest
	c.done = c.done || last
	m.advance()
	return gap
}

// End returns up to which window a slice counts that nobody sends any more.
func (m *Total) End(slice int, least int32) int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.slices {
		least = max(least, c.newest)
	}
	return least
}

// Finish says that nothing more of a slice comes.
func (m *Total) Finish(slice int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slices[slice].done = true
	m.advance()
}

// LeaveBehind lets the others go on without a slice that is so many windows behind all
// of them, and names those that it leaves now.
func (m *Total) LeaveBehind(windows int32) (left []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, c := range m.slices {
		if c.done || c.behind || len(m.slices) < 2 {
			continue
		}
		nearest := int32(1 << 30)
		for j, o := range m.slices {
			if j != i && !o.behind {
				nearest = min(nearest, o.newest)
			}
		}
		if nearest < 1<<30 && nearest-c.newest > windows {
			c.behind = true
			left = append(left, i)
		}
	}
	if len(left) > 0 {
		m.advance()
	}
	return left
}

// advance adds up every window that all slices have.
func (m *Total) advance() {
	for {
		have, done := 0, 0
		for _, c := range m.slices {
			switch {
			case len(c.windows[m.next]) >= m.targets:
				have++
			case c.done:
				done++
			case !c.behind:
				return
			}
		}
		if have == 0 {
			if done == len(m.slices) && !m.ended {
				m.ended = true
				close(m.over)
			}
			return
		}
		sum := make([]attack.Window, m.targets)
		for i := range sum {
			sum[i] = attack.Window{Target: uint16(i), Index: m.next}
		}
		for _, c := range m.slices {
			for _, w := range c.windows[m.next] {
				if int(w.Target) < m.targets {
					sum[w.Target] = sum[w.Target].Merge(w)
				}
			}
			delete(c.windows, m.next)
		}
		m.next++
		for _, w := range sum {
			if m.sink == nil {
				m.queue = append(m.queue, w)
			} else {
				m.sink.Window(w)
			}
		}
	}
}
