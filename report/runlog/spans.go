package runlog

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// A long run is written twice: as it was recorded, and folded to spans of seconds. Who
// reads it and keeps no more than that passes over the first and decodes the second, which
// is a tenth of the work. What follows a window that is folded has not been folded yet, so
// a log that breaks off loses nothing.
//
// A folded window stands behind the windows of its target that it adds up, and says how
// many those are; likewise folded samples. An older reader skips both.
const (
	// spanShift is that windows are folded by 2^spanShift.
	spanShift = 4
	// spanSamples is how long a time readings are folded to.
	spanSamples = 4 * time.Second
	// spansFrom is the time from which on a run counts as long: a run that ends before
	// is read whole in any case.
	spansFrom = 10 * time.Minute
)

// spans is what a writer has written since the last folded records.
type spans struct {
	interval time.Duration // of windows
	from     time.Duration // see spansFrom
	targets  []windowSpan
	readings []readingSpan // by the metric's number
	now      int64         // span of the readings
	records  int           // records of readings in it
	ordered  []timedReading
	group    []probe.IDSample
}

// windowSpan is the sum of the windows of one target.
type windowSpan struct {
	sum   attack.Window
	count int
	cells []attack.Cell // of one window
}

// readingSpan is what is kept of the readings of one metric (see [thinned]).
type readingSpan struct {
	kept          int // 0: none, 1: highest is the last as well
	highest, last timedReading
}

type timedReading struct {
	at time.Duration
	probe.IDSample
}

// window adds a window before it is written itself. A span of its target that ends with
// it comes back, to be written before it.
func (s *spans) window(w *attack.Window) (ended *windowSpan) {
	if time.Duration(w.Index)*s.interval < s.from {
		return nil
	}
	for int(w.Target) >= len(s.targets) {
		s.targets = append(s.targets, windowSpan{})
	}
	t := &s.targets[w.Target]
	if t.count > 0 && t.sum.Index != w.Index>>spanShift {
		return t
	}
	t.add(w)
	return nil
}

func (t *windowSpan) add(w *attack.Window) {
	if t.count++; t.count > 1 {
		part := *w
		t.cells = append(t.cells[:0], w.Cells...)
		shiftDue(t.cells)
		part.Cells = t.cells
		join(&t.sum, &part)
		return
	}
	old := t.sum
	t.sum = *w
	t.sum.Index >>= spanShift
	t.sum.Cells = append(old.Cells[:0], w.Cells...)
	shiftDue(t.sum.Cells)
	t.sum.Cells = merged(t.sum.Cells)
	t.sum.Statuses = append(old.Statuses[:0], w.Statuses...)
	t.sum.Requests = append(old.Requests[:0], w.Requests...)
	for _, h := range [...]struct{ to, from *attack.Histogram }{
		{&old.FromDue, &t.sum.FromDue}, {&old.FromSend, &t.sum.FromSend}, {&old.Lag, &t.sum.Lag}, {&old.IdleAge, &t.sum.IdleAge}, {&old.Served, &t.sum.Served},
	} {
		*h.from = append((*h.to)[:0], *h.from...)
	}
}

func shiftDue(cells []attack.Cell) {
	for i := range cells {
		cells[i].DueWindow >>= spanShift
	}
}

// appendWindowSpan appends the record of a span.
func appendWindowSpan(b []byte, t *windowSpan) []byte {
	b = binary.AppendUvarint(b, spanShift)
	b = binary.AppendUvarint(b, uint64(t.count))
	return attack.AppendWindow(b, t.sum)
}

// over reports whether readings of a time end the span of those before them.
func (s *spans) over(at time.Duration) bool {
	return s.records > 0 && int64(at/spanSamples) > s.now
}

// samples adds readings of one time.
func (s *spans) samples(at time.Duration, samples []probe.IDSample) {
	if at < s.from {
		return
	}
	if s.records++; s.records == 1 {
		s.now = int64(at / spanSamples)
	}
	for _, x := range samples {
		if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
			continue // not measured, and not written
		}
		for int(x.ID) >= len(s.readings) {
			s.readings = append(s.readings, readingSpan{})
		}
		r, reading := &s.readings[x.ID], timedReading{at, x}
		if r.kept == 0 || x.Value >= r.highest.Value {
			r.kept, r.highest = 1, reading
		} else {
			r.kept, r.last = 2, reading
		}
	}
}

// appendSampleSpan appends the record of the readings since the last one, and forgets
// them.
func (s *spans) appendSampleSpan(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(spanSamples))
	b = binary.AppendUvarint(b, uint64(s.records))
	s.ordered, s.records = s.ordered[:0], 0
	for i := range s.readings {
		r := &s.readings[i]
		if r.kept > 0 {
			s.ordered = append(s.ordered, r.highest)
		}
		if r.kept > 1 {
			s.ordered = append(s.ordered, r.last)
		}
		r.kept = 0
	}
	slices.SortFunc(s.ordered, func(a, b timedReading) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.ID, b.ID)) })
	var together []byte
	for rest := s.ordered; len(rest) > 0; {
		n := 0
		for s.group = s.group[:0]; n < len(rest) && rest[n].at == rest[0].at; n++ {
			s.group = append(s.group, rest[n].IDSample)
		}
		together = probe.AppendSamples(together[:0], rest[0].at, s.group)
		b = binary.AppendUvarint(b, uint64(len(together)))
		b = append(b, together...)
		rest = rest[n:]
	}
	return b
}

// waiting are records that are not decoded, because a folded one is expected to stand for
// them.
type waiting struct {
	// ready says that the last of them, or what they follow, was folded.
	ready   bool
	shift   uint          // of windows
	every   time.Duration // of readings
	records []byte
	ends    []int
}

// mostWaiting is how many records wait at most.
const mostWaiting = 1 << 10

func (w *waiting) add(r Record) {
	w.records = append(w.records, r...)
	w.ends = append(w.ends, len(w.records))
}

// drop forgets what waits: the folded record stands for it.
func (w *waiting) drop() { w.records, w.ends = w.records[:0], w.ends[:0] }

// each hands out what waits, and forgets it.
func (w *waiting) each(to func(Record) error) error {
	begin := 0
	var err error
	for _, end := range w.ends {
		if err = to(Record(w.records[begin:end])); err != nil {
			break
		}
		begin = end
	}
	w.drop()
	return err
}

// waits reports whether a record need not be decoded yet, and keeps it. Of one that must
// be, the span that it is in is decoded to its end.
func (gathered *collector) waits(r Record) (bool, error) {
	var w *waiting
	var folded bool
	switch r.kind() {
	case frameWindow:
		if w = gathered.waitingOf(targetOf(r[1:])); w == nil {
			return false, nil
		}
		folded = gathered.fold.shift >= w.shift
	case frameSamples:
		w = &gathered.readings
		folded = gathered.fold.every >= w.every
	default:
		return false, nil
	}
	if !w.ready || !folded {
		w.ready = false
		return false, nil
	}
	w.add(r)
	if len(w.ends) == mostWaiting {
		w.ready = false
		return true, w.each(gathered.decode)
	}
	return true, nil
}

// targetOf is the target of a window's record, -1 of none.
func targetOf(payload []byte) int {
	if len(payload) < 2 {
		return -1
	}
	target, n := binary.Uvarint(payload[1:])
	if n <= 0 || target > 1<<16 {
		return -1
	}
	return int(target)
}

// waitingOf is what waits of a target; nil: there is no such target.
func (gathered *collector) waitingOf(target int) *waiting {
	if target < 0 || target >= len(gathered.log.Windows) {
		return nil
	}
	if gathered.windows == nil {
		gathered.windows = make([]waiting, len(gathered.log.Windows))
	}
	return &gathered.windows[target]
}

// span takes a record that stands for those before it. It is used where those waited for
// it, and only if they are what it adds up.
func (gathered *collector) span(r Record) error {
	length, n := binary.Uvarint(r[1:])
	if n <= 0 {
		return errRecord
	}
	count, m := binary.Uvarint(r[1+n:])
	if m <= 0 {
		return errRecord
	}
	payload := r[1+n+m:]
	if r.kind() == frameWindowSpan {
		w := gathered.waitingOf(targetOf(payload))
		if w == nil || length > mostFolds {
			return errRecord
		}
		use := w.ready && w.shift == uint(length) && uint64(len(w.ends)) == count && count > 0
		w.shift = uint(length)
		return gathered.stand(w, use, func() error {
			lent := gathered.decoder.lent
			if err := attack.DecodeWindowInto(lent, payload); err != nil {
				return err
			}
			whole := *lent
			gathered.fold.window(&gathered.log.Windows[whole.Target], &whole, w.shift)
			return nil
		})
	}
	w := &gathered.readings
	use := w.ready && w.every == time.Duration(length) && uint64(len(w.ends)) == count && count > 0
	w.every = time.Duration(length)
	return gathered.stand(w, use, func() error {
		for len(payload) > 0 {
			size, n := binary.Uvarint(payload)
			if n <= 0 || size > uint64(len(payload)-n) {
				return errRecord
			}
			if err := gathered.decoder.readings(payload[n:n+int(size)], gathered); err != nil {
				return err
			}
			payload = payload[n+int(size):]
		}
		return nil
	})
}

// stand lets a folded record stand for what waits, or decodes that.
func (gathered *collector) stand(w *waiting, use bool, decode func() error) error {
	w.ready = true
	if !use {
		return w.each(gathered.decode)
	}
	w.drop()
	return decode()
}

func (gathered *collector) decode(r Record) error { return gathered.decoder.Decode(r, gathered) }

// end decodes what still waits when a log ends.
func (gathered *collector) end() {
	all := []*waiting{&gathered.readings}
	for i := range gathered.windows {
		all = append(all, &gathered.windows[i])
	}
	for _, w := range all {
		if err := w.each(gathered.decode); err != nil {
			gathered.log.Truncated = true
		}
	}
}
