package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/spool"
	"github.com/rampload/rampload/cmd/internal/fleet/total"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// followed is the records of a run's parts as they come out of its stream. Locks are
// taken in the order lead, followed, merged, and a sink may be called under them: it
// gives orders under a lock of theirs.
type followed struct {
	lead   *Lead
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	parts     map[int]*following
	log, also *runlog.Writer
	first     int // number of the first part in the log
	seen      func([]probe.Sample)
	observer  Observer      // may be nil
	waiting   chan struct{} // closed and made again when a record has ended
}

// Observer is told what others record while a run goes on, by who did: a worker by its
// name, an agent as "local". Its methods are called from several goroutines, and must not
// block.
type Observer interface {
	Window(member string, w attack.Window)
	Samples(member string, s []probe.Sample)
	Event(member string, e probe.Event)
}

// following is the record of one part.
type following struct {
	spool.Pieces
	number  int
	of      *remote
	slice   int  // -1: no load
	closed  bool // nothing more comes of it: who recorded it was started again
	retired bool // its slice is somebody else's: what still comes is recorded, and not judged
	decoder runlog.Decoder
	reads   uint64
	last    time.Duration // of its readings and windows, on its own clock
	trailer *runlog.Trailer
	seen    func([]probe.Sample)
	shown   Observer // may be nil
	live    *total.Total
	window  time.Duration
}

func newFollowed(l *Lead) *followed {
	return &followed{lead: l, parts: map[int]*following{}, waiting: make(chan struct{})}
}

// expect says whose record a part is.
func (kept *followed) expect(number int, of *remote, slice int) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.parts[number] = &following{number: number, of: of, slice: slice, live: kept.lead.live, window: kept.lead.cfg.Window}
}

// forget says that a part does not begin.
func (kept *followed) forget(number int) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	delete(kept.parts, number)
}

// retire says that a member does not send a slice any more.
func (kept *followed) retire(of *remote, slice int) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	for _, p := range kept.parts {
		if p.of == of && p.slice == slice {
			p.retired = true
		}
	}
}

// close says that nothing more comes of a member's records.
func (kept *followed) close(of *remote) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	for _, p := range kept.parts {
		p.closed = p.closed || p.of == of
	}
}

// follows reports whether records are kept yet.
func (kept *followed) follows() bool {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	return kept.log != nil
}

func (kept *followed) begin(log, also *runlog.Writer, first int, seen func([]probe.Sample), o Observer) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.log, kept.also, kept.first, kept.seen, kept.observer = log, also, first, seen, o
}

// piece takes a piece of the stream.
func (kept *followed) piece(p bus.Piece) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	part := kept.parts[p.Part]
	if part == nil {
		return // the coordinator's own, or nobody's
	}
	part.seen, part.shown = kept.seen, kept.observer
	records, err := part.Add(p.Offset, p.Data)
	for _, r := range records {
		kept.log.Part(kept.first+p.Part, r)
		part.reads++
		if err := part.decoder.Decode(r, part); err != nil {
			kept.lead.cfg.Warn(fmt.Sprintf("the record of %s is damaged: %s", part.of.name, err))
		}
	}
	if err != nil {
		kept.lead.cfg.Warn(fmt.Sprintf("the record of %s is damaged: %s", part.of.name, err))
	}
	if part.trailer != nil {
		close(kept.waiting)
		kept.waiting = make(chan struct{})
	}
}

// clock records a comparison of clocks.
func (kept *followed) clock(c runlog.ClockReading) {
	kept.each(func(w *runlog.Writer) { w.Clock(c) })
}

// missed shows what was due of a lost worker to the observer, as unsent.
func (kept *followed) missed(of *remote, windows []attack.Window) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	for _, w := range windows {
		if kept.observer != nil {
			kept.observer.Window(of.name, w)
		}
	}
}

// takeover records that a slice was taken over.
func (kept *followed) takeover(t runlog.Takeover) {
	kept.each(func(w *runlog.Writer) { w.Takeover(t) })
}

func (kept *followed) each(do func(*runlog.Writer)) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	for _, w := range []*runlog.Writer{kept.log, kept.also} {
		if w != nil {
			do(w)
		}
	}
}

// wait waits for the ends of the records of all that are not lost.
func (kept *followed) wait(within time.Duration) (complete bool) {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		kept.mu.Lock()
		open, waiting := 0, kept.waiting
		lost := false
		for _, p := range kept.parts {
			if p.trailer == nil && !p.closed {
				if p.of.gone.Load() {
					lost = true
				} else {
					open++
				}
			}
		}
		kept.mu.Unlock()
		if open == 0 {
			return !lost
		}
		select {
		case <-late.C:
			return false
		case <-waiting:
		case <-time.After(100 * time.Millisecond): // one may have been lost meanwhile
		}
	}
}

// over reports whether all records of a worker have ended.
func (kept *followed) over(r *remote) bool {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	for _, p := range kept.parts {
		if p.of == r && p.trailer == nil {
			return false
		}
	}
	return true
}

// ended returns whether the records of a member have ended, and when the last one did.
func (kept *followed) ended(r *remote) (at time.Duration, ended bool) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	ended = true
	for _, p := range kept.parts {
		if p.of == r {
			at, ended = max(at, p.last), ended && p.trailer != nil
		}
	}
	return at, ended
}

// count returns how many records came of a member.
func (kept *followed) count(r *remote) (n uint64) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	for _, p := range kept.parts {
		if p.of == r {
			n += p.reads
		}
	}
	return n
}

// loads returns when the last worker ended its load, and whether one was interrupted.
func (kept *followed) loads() (ended time.Duration, interrupted bool) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	for _, p := range kept.parts {
		if p.slice >= 0 && p.trailer != nil {
			ended, interrupted = max(ended, p.trailer.Ended), interrupted || p.trailer.Interrupted
		}
	}
	return ended, interrupted
}

// A part's records go to the live view as they come.
var _ runlog.Sink = (*following)(nil)

// Header does nothing: who it is was said before.
func (record *following) Header(runlog.Header) {}

// Address does nothing: each worker numbers them for itself.
func (record *following) Address(attack.Address) {}

// Window adds a window to the live view.
func (record *following) Window(w attack.Window) {
	record.last = max(record.last, time.Duration(w.Index+1)*record.window)
	if record.slice >= 0 && record.shown != nil {
		record.shown.Window(record.of.name, w)
	}
	if record.slice >= 0 && !record.retired {
		record.live.Add(record.slice, w)
	}
}

// Failure hands a failure to the live view.
func (record *following) Failure(f attack.Failure) {
	if record.slice >= 0 {
		record.live.Failure(f)
	}
}

// Samples hands readings to the live view.
func (record *following) Samples(samples []runlog.IndexedSample) {
	out, plain := make([]probe.Sample, len(samples)), make([]probe.Sample, len(samples))
	for i, s := range samples {
		m := record.decoder.Metric(s.ID)
		plain[i] = probe.Sample{At: s.At, Reading: probe.Reading{Metric: m, Value: s.Value, Limit: s.Limit}}
		if record.slice >= 0 && m.Host == profiles.LocalHost && m.Instance == "" {
			m.Instance = record.of.name
		}
		out[i] = probe.Sample{At: s.At, Reading: probe.Reading{Metric: m, Value: s.Value, Limit: s.Limit}}
		if record.slice < 0 {
			record.last = max(record.last, s.At)
		}
	}
	if record.seen != nil {
		record.seen(out)
	}
	if record.shown != nil {
		record.shown.Samples(record.member(), plain)
	}
}

// member is whose the record is to an observer: an agent's is of the machine that leads.
func (record *following) member() string {
	if record.slice < 0 {
		return profiles.LocalHost
	}
	return record.of.name
}

// Event shows an event to the observer.
func (record *following) Event(e probe.Event) {
	if record.shown != nil {
		record.shown.Event(record.member(), e)
	}
}

// Step does nothing: the coordinator searches.
func (record *following) Step(attack.Step) {}

// IdleSweep does nothing.
func (record *following) IdleSweep(attack.IdleSweep) {}

// Clock does nothing: the coordinator compares.
func (record *following) Clock(runlog.ClockReading) {}

// Takeover does nothing: the coordinator decides.
func (record *following) Takeover(runlog.Takeover) {}

// Hand does nothing: nobody changes the load of a part by hand.
func (record *following) Hand(runlog.Hand) {}

// Mark does nothing: marks are set where the run is led.
func (record *following) Mark(runlog.Mark) {}

// Part says that a part has no parts.
func (record *following) Part(uint64, runlog.Record) error { return protocol.ErrProtocol }

// Trailer ends the record.
func (record *following) Trailer(t runlog.Trailer) {
	record.trailer = &t
	if record.slice >= 0 && !record.retired {
		record.live.Finish(record.slice)
	}
}
