package tally

import (
	"math/bits"

	"github.com/rampload/rampload/attack"
)

// page is what one shard counted in one window. A target takes memory in it from
// its first request on.
type page struct {
	index   int32
	tallies []*tally // by target; nil: nothing
	used    int      // tallies
	free    []*tally // empty ones
}

// tally returns what a target's requests are counted in.
func (p *page) tally(target uint16) *tally {
	if t := p.tallies[target]; t != nil {
		return t
	}
	var t *tally
	if n := len(p.free); n > 0 {
		t, p.free = p.free[n-1], p.free[:n-1]
	} else {
		t = newTally()
	}
	p.tallies[target] = t
	p.used++
	return t
}

// tally is what one shard counted for one target in one window.
type tally struct {
	scheduled uint64 // of closed-loop stages; the others come from the schedule
	sent      uint64
	unsent    uint64
	retries   uint64
	ended     uint64 // requests
	cells     []attack.Cell
	byKey     map[cellKey]int // from fewCells on
	statuses  []attack.StatusCount
	requests  []attack.RequestCount // by endpoint; those without attempts are empty
	histograms
	failures []attack.Failure
	sampled  []attack.Attempt // good ones
	dropped  uint64
	_        Apart
}

// newTally makes a tally whose lists have memory of their own from the start: small
// ones of several tallies would lie in one cache line, and the processors that count
// in them would wait for each other.
func newTally() *tally {
	return &tally{cells: make([]attack.Cell, 0, 4), statuses: make([]attack.StatusCount, 0, 8), requests: make([]attack.RequestCount, 0, 4)}
}

// fewCells are searched one by one: most windows have one or two kinds of outcome.
const fewCells = 8

type cellKey struct {
	due    int32
	remote uint16
	fault  attack.Fault
	detail attack.Detail
	phase  attack.Phase
	reused bool
	held   bool
}

func keyOf(due int32, at *attack.Attempt) cellKey {
	return cellKey{due, at.Conn.RemoteIndex, at.Fault, at.Detail, at.Phase, at.Conn.Reused, at.Held}
}

func keyOfCell(c *attack.Cell) cellKey {
	return cellKey{c.DueWindow, c.Remote, c.Fault, c.Detail, c.Phase, c.Reused, c.Held}
}

func (t *tally) cell(k cellKey) *attack.Cell {
	if i, ok := t.find(k); ok {
		return &t.cells[i]
	}
	t.cells = append(t.cells, attack.Cell{
		DueWindow: k.due, Remote: k.remote, Fault: k.fault, Detail: k.detail, Phase: k.phase, Reused: k.reused, Held: k.held,
	})
	switch last := len(t.cells) - 1; {
	case last < fewCells:
	case last == fewCells:
		if t.byKey == nil {
			t.byKey = make(map[cellKey]int, 4*fewCells)
		}
		for i := range t.cells {
			t.byKey[keyOfCell(&t.cells[i])] = i
		}
	default:
		t.byKey[k] = last
	}
	return &t.cells[len(t.cells)-1]
}

func (t *tally) find(k cellKey) (int, bool) {
	if len(t.cells) > fewCells {
		i, ok := t.byKey[k]
		return i, ok
	}
	for i := range t.cells {
		if keyOfCell(&t.cells[i]) == k {
			return i, true
		}
	}
	return 0, false
}

func (t *tally) status(code uint16) {
	for i := range t.statuses { // one or two of them, as a rule
		if t.statuses[i].Status == code {
			t.statuses[i].Count++
			return
		}
	}
	t.statuses = append(t.statuses, attack.StatusCount{Status: code, Count: 1})
}

// request counts an attempt of a request that is counted by itself.
func (t *tally) request(at *attack.Attempt) {
	e := int(at.Endpoint)
	if e >= attack.CountedRequests || at.Held {
		return
	}
	for len(t.requests) <= e {
		t.requests = append(t.requests, attack.RequestCount{Endpoint: uint32(len(t.requests))})
	}
	r := &t.requests[e]
	r.Attempts++
	r.Sent += uint64(at.Sent)
	if at.Fault == attack.None {
		r.Received += at.Received
	} else {
		r.Failed++
	}
}

func (t *tally) keep(at *attack.Attempt, most int) {
	if len(t.failures) >= most {
		t.dropped++
		return
	}
	t.failures = append(t.failures, attack.Failure{Attempt: *at})
}

// clear empties a tally for another window and keeps the memory that this one
// needed.
func (t *tally) clear() {
	t.histograms.clear()
	clear(t.byKey)
	*t = tally{cells: t.cells[:0], byKey: t.byKey, statuses: t.statuses[:0], requests: t.requests[:0], failures: t.failures[:0], sampled: t.sampled[:0], histograms: t.histograms}
}

// histograms are the distributions of one target in one window.
type histograms struct {
	fromDue  histogram
	fromSend histogram
	lag      histogram
	idleAge  histogram
	served   histogram
	spare    []*chunk // empty ones
}

func (h *histograms) all() [5]*histogram {
	return [...]*histogram{&h.fromDue, &h.fromSend, &h.lag, &h.idleAge, &h.served}
}

// record counts a value, which is one of the histograms' own; what lies above
// highest counts as that.
func (h *histograms) record(in *histogram, v, highest int64) {
	i := bucketOf(min(max(v, 0), highest))
	in.chunk(i/chunkSize, h)[i%chunkSize]++
}

// merge adds another's counts.
func (h *histograms) merge(from *histograms) {
	into, others := h.all(), from.all()
	for n, other := range others {
		rank := 0
		for used := other.used; used != 0; used &= used - 1 {
			sum, counts := into[n].chunk(bits.TrailingZeros64(used), h), other.chunks[rank]
			for i := range counts {
				sum[i] += counts[i]
			}
			rank++
		}
	}
}

// clear empties the histograms and keeps as many chunks as they needed.
func (h *histograms) clear() {
	h.spare = h.spare[:0]
	for _, one := range h.all() {
		for _, c := range one.chunks {
			clear(c[:])
			h.spare = append(h.spare, c)
		}
		clear(one.chunks)
		one.used, one.chunks = 0, one.chunks[:0]
	}
}

// Buckets are those of HdrHistogram with two significant digits
// (http://hdrhistogram.org): 256 values exactly, then 128 buckets for each further
// doubling, each twice as wide. Latencies of one window lie within a few doublings,
// so that memory is taken by the chunk.
const (
	halfBuckets = 128
	chunkSize   = halfBuckets / 2
)

type chunk [chunkSize]uint32

// histogram is the chunks that hold something. It has room for values up to 2³⁷.
type histogram struct {
	used   uint64   // bit n: chunk n is there
	chunks []*chunk // those, in order
}

// chunk returns a chunk by its number, a new one if it is not there.
func (h *histogram) chunk(n int, of *histograms) *chunk {
	rank := bits.OnesCount64(h.used & (1<<n - 1))
	if h.used&(1<<n) != 0 {
		return h.chunks[rank]
	}
	var c *chunk
	if last := len(of.spare) - 1; last >= 0 {
		c, of.spare = of.spare[last], of.spare[:last]
	} else {
		c = new(chunk)
	}
	h.used |= 1 << n
	h.chunks = append(h.chunks, nil)
	copy(h.chunks[rank+1:], h.chunks[rank:])
	h.chunks[rank] = c
	return c
}

func bucketOf(v int64) int {
	if v < 2*halfBuckets {
		return int(v)
	}
	doubling := bits.Len64(uint64(v)) - 8
	return doubling*halfBuckets + int(v>>doubling)
}

// highestOf is the highest value that a bucket holds.
func highestOf(bucket int) int64 {
	if bucket < 2*halfBuckets {
		return int64(bucket)
	}
	doubling := bucket/halfBuckets - 1
	return int64(bucket%halfBuckets+halfBuckets+1)<<doubling - 1
}

// sparse returns the buckets that hold something, nil without any.
func (h *histogram) sparse() attack.Histogram {
	n := 0
	for _, c := range h.chunks {
		for _, count := range c {
			if count > 0 {
				n++
			}
		}
	}
	if n == 0 {
		return nil
	}
	out, rank := make(attack.Histogram, 0, n), 0
	for used := h.used; used != 0; used &= used - 1 {
		first := bits.TrailingZeros64(used) * chunkSize
		for i, count := range h.chunks[rank] {
			if count > 0 {
				out = append(out, attack.Bucket{Value: highestOf(first + i), Count: uint64(count)})
			}
		}
		rank++
	}
	return out
}
