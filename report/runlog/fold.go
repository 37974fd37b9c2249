package runlog

import (
	"cmp"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
)

// What Read keeps in memory of a run, however long it is. A log with more is folded while
// it is read: windows to longer ones, samples to the extremes of such times, failures to
// every other one. Twenty minutes of twenty targets, or five hours of one, stay whole. What is
// concluded from them takes about three times as much again.
const (
	mostWindowBytes = 64 << 20
	mostSamples     = 5 << 19
	mostFailures    = 150_000
	// mostFolds is how often windows are doubled at most: 2^12 of 250 ms are 17 minutes.
	mostFolds = 12
)

// fold is how far the parts of one log are folded. All have windows of one length.
type fold struct {
	logs        []*collector
	shift       uint  // windows are 2^shift of those recorded
	bytes       int64 // in windows
	samples     int
	mostBytes   int64
	mostSamples int
	every       time.Duration // samples are thinned to so many; 0: all are kept
}

func newFold() *fold { return &fold{mostBytes: mostWindowBytes, mostSamples: mostSamples} }

const (
	windowBytes = 280
	cellBytes   = 48
	bucketBytes = 16
	countBytes  = 40 // of a request
)

// sizeOf is about how much memory a window takes.
func sizeOf(w *attack.Window) int64 {
	buckets := len(w.FromDue) + len(w.FromSend) + len(w.Lag) + len(w.IdleAge) + len(w.Served) + len(w.Statuses)
	return windowBytes + cellBytes*int64(len(w.Cells)) + countBytes*int64(len(w.Requests)) + bucketBytes*int64(buckets)
}

// window adds a window, which it copies, to those of its target. It is folded already so
// often, and no more than f is.
func (f *fold) window(list *[]attack.Window, w *attack.Window, already uint) {
	w.Index >>= f.shift - already
	for i := range w.Cells {
		w.Cells[i].DueWindow >>= f.shift - already
	}
	if n := len(*list); f.shift > 0 && n > 0 && (*list)[n-1].Index == w.Index {
		last := &(*list)[n-1]
		before := sizeOf(last)
		join(last, w)
		f.bytes += sizeOf(last) - before
	} else {
		*list = append(*list, ownCopy(w))
		f.bytes += sizeOf(w)
	}
	for f.bytes > f.mostBytes && f.shift < mostFolds {
		f.double()
	}
}

// full reports whether windows take too much memory although they are folded.
func (f *fold) full() bool { return f.bytes > 2*f.mostBytes }

// double makes all windows twice as long.
func (f *fold) double() {
	f.shift++
	f.bytes = 0
	for _, c := range f.logs {
		for t, windows := range c.log.Windows {
			kept := windows[:0]
			for i := range windows {
				w := &windows[i]
				w.Index >>= 1
				for k := range w.Cells {
					w.Cells[k].DueWindow >>= 1
				}
				w.Cells = merged(w.Cells)
				if n := len(kept); n > 0 && kept[n-1].Index == w.Index {
					join(&kept[n-1], w)
				} else {
					kept = append(kept, *w)
				}
			}
			clear(windows[len(kept):])
			if cap(kept) > 2*len(kept)+16 {
				kept = slices.Clone(kept)
			}
			for i := range kept {
				f.bytes += sizeOf(&kept[i])
			}
			c.log.Windows[t] = kept
		}
	}
}

// done sets what follows from how far the logs are folded.
func (f *fold) done() {
	for _, c := range f.logs {
		c.end()
		c.log.Header.Interval <<= f.shift
		c.log.Folded = f.shift > 0
	}
}

// join adds a later window of the same target to one.
func join(to, w *attack.Window) {
	to.Scheduled += w.Scheduled
	to.Sent += w.Sent
	to.Unsent += w.Unsent
	to.Retries += w.Retries
	to.Dials += w.Dials
	to.Open, to.InFlight = w.Open, w.InFlight
	to.IdleConnSeconds += w.IdleConnSeconds
	to.FailuresDropped += w.FailuresDropped
	to.Wanted, to.Undialled = w.Wanted, w.Undialled
	to.Unawaited += w.Unawaited
	to.LookupFailures += w.LookupFailures
	to.Cells = merged(append(to.Cells, w.Cells...))
	for _, s := range w.Statuses {
		i, known := slices.BinarySearchFunc(to.Statuses, s.Status, func(x attack.StatusCount, status uint16) int { return cmp.Compare(x.Status, status) })
		if known {
			to.Statuses[i].Count += s.Count
		} else {
			to.Statuses = slices.Insert(to.Statuses, i, s)
		}
	}
	for _, r := range w.Requests {
		i, known := slices.BinarySearchFunc(to.Requests, r.Endpoint, func(x attack.RequestCount, endpoint uint32) int { return cmp.Compare(x.Endpoint, endpoint) })
		if known {
			of := &to.Requests[i]
			of.Attempts, of.Failed, of.Sent, of.Received = of.Attempts+r.Attempts, of.Failed+r.Failed, of.Sent+r.Sent, of.Received+r.Received
		} else {
			to.Requests = slices.Insert(to.Requests, i, r)
		}
	}
	for _, h := range [...]struct{ to, from *attack.Histogram }{
		{&to.FromDue, &w.FromDue}, {&to.FromSend, &w.FromSend}, {&to.Lag, &w.Lag}, {&to.IdleAge, &w.IdleAge}, {&to.Served, &w.Served},
	} {
		*h.to = addHistogram(*h.to, *h.from)
	}
}

// addHistogram adds the counts of one histogram to another, in place as far as that has
// room: few values are new, again and again.
func addHistogram(to, from attack.Histogram) attack.Histogram {
	missing, i := 0, 0
	for _, b := range from {
		for i < len(to) && to[i].Value < b.Value {
			i++
		}
		if i < len(to) && to[i].Value == b.Value {
			to[i].Count += b.Count
		} else {
			missing++
		}
	}
	if missing == 0 {
		return to
	}
	// From the end: each bucket moves up by how many new ones come before it.
	n := len(to)
	to = slices.Grow(to, missing)[:n+missing]
	i = n - 1
	for k := len(from) - 1; missing > 0; k-- {
		for i >= 0 && to[i].Value > from[k].Value {
			to[i+missing] = to[i]
			i--
		}
		if i < 0 || to[i].Value != from[k].Value {
			missing--
			to[i+1+missing] = from[k]
		}
	}
	return to
}

// merged adds up cells that differ in their counts only, in place.
func merged(cells []attack.Cell) []attack.Cell {
	if len(cells) < 2 {
		return cells
	}
	kept := cells[:1]
next:
	for _, c := range cells[1:] {
		for i := len(kept) - 1; i >= 0; i-- {
			key := kept[i]
			key.Attempts, key.Requests, key.WireResets = c.Attempts, c.Requests, c.WireResets
			if key == c {
				kept[i].Attempts += c.Attempts
				kept[i].Requests += c.Requests
				kept[i].WireResets += c.WireResets
				continue next
			}
		}
		kept = append(kept, c)
	}
	return kept
}

// ownCopy returns a window that shares nothing with w.
func ownCopy(w *attack.Window) attack.Window {
	out := *w
	out.Cells, out.Statuses, out.Requests = owned(w.Cells), owned(w.Statuses), owned(w.Requests)
	out.FromDue, out.FromSend, out.Lag = owned(w.FromDue), owned(w.FromSend), owned(w.Lag)
	out.IdleAge, out.Served = owned(w.IdleAge), owned(w.Served)
	return out
}

func owned[S ~[]E, E any](list S) S {
	if len(list) == 0 {
		return nil
	}
	out := make(S, len(list))
	copy(out, list)
	return out
}

// thinned is how the samples of a series are kept: of each stretch of time the highest,
// which tells whether a limit was reached, and the last, which a counter goes on from.
type thinned struct {
	stretch int64
	kept    int // of this stretch, at the end of the series: 1 or 2
}

// add adds a sample and returns by how many the series grew.
func (t *thinned) add(s *Series, x IndexedSample, every time.Duration) int {
	if every <= 0 {
		s.push(x)
		return 1
	}
	stretch := int64(x.At / every)
	if t.kept == 0 || stretch != t.stretch {
		t.stretch, t.kept = stretch, 1
		s.push(x)
		return 1
	}
	highest := len(s.At) - t.kept
	before := t.kept
	switch {
	case x.Value >= s.Value[highest]: // the highest, and the last
		s.At, s.Value, s.Limit = s.At[:highest+1], s.Value[:highest+1], s.Limit[:highest+1]
		s.At[highest], s.Value[highest], s.Limit[highest] = x.At, x.Value, x.Limit
		t.kept = 1
	case t.kept == 1:
		s.push(x)
		t.kept = 2
	default:
		last := highest + 1
		s.At[last], s.Value[last], s.Limit[last] = x.At, x.Value, x.Limit
	}
	return t.kept - before
}

func (s *Series) push(x IndexedSample) {
	if n := len(s.At); n == cap(s.At) && n > 0 { // doubled: append grows by a quarter, and copies four times as much
		s.At, s.Value, s.Limit = slices.Grow(s.At, n), slices.Grow(s.Value, n), slices.Grow(s.Limit, n)
	}
	s.At, s.Value, s.Limit = append(s.At, x.At), append(s.Value, x.Value), append(s.Limit, x.Limit)
}

// thinAll halves, about, how many samples are kept.
func (f *fold) thinAll() {
	f.every = max(2*f.every, time.Second)
	f.samples = 0
	for _, c := range f.logs {
		for i := range c.log.Series {
			s := &c.log.Series[i]
			all := *s
			s.At, s.Value, s.Limit = s.At[:0], s.Value[:0], s.Limit[:0]
			c.thin[i] = thinned{}
			for k := range all.At {
				x := IndexedSample{At: all.At[k]}
				x.Value, x.Limit = all.Value[k], all.Limit[k]
				f.samples += c.thin[i].add(s, x, f.every)
			}
		}
	}
}

// halveFailures keeps every other failure; the windows say how many are missing.
func (gathered *collector) halveFailures() {
	all := gathered.log.Failures
	kept := all[:0]
	for i, f := range all {
		if i%2 == 0 {
			kept = append(kept, f)
			continue
		}
		if t := int(f.Target); t < len(gathered.log.Windows) && len(gathered.log.Windows[t]) > 0 {
			windows := gathered.log.Windows[t]
			windows[len(windows)-1].FailuresDropped++
		}
	}
	gathered.log.Failures = kept
}
