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
func (f *followed) expect(number int, of *remote, slice int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts[number] = &following{number: number, of: of, slice: slice, live: f.lead.live, window: f.lead.cfg.Window}
}

// forget says that a part does not begin.
func (f *followed) forget(number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.parts, number)
}

// retire says that a member does not send a slice any more.
func (f *followed) retire(of *remote, slice int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.parts {
		if p.of == of && p.slice == slice {
			p.retired = true
		}
	}
}

// close says that nothing more comes of a member's records.
func (f *followed) close(of *remote) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.parts {
		p.closed = p.closed || p.of == of
	}
}

// follows reports whether records are kept yet.
func (f *followed) follows() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log != nil
}

func (f *followed) begin(log, also *runlog.Writer, first int, seen func([]probe.Sample), o Observer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log, f.also, f.first, f.seen, f.observer = log, also, first, seen, o
}

// piece takes a piece of the stream.
func (f *followed) piece(p bus.Piece) {
	f.mu.Lock()
	defer f.mu.Unlock()
	part := f.parts[p.Part]
	if part == nil {
		return // the coordinator's own, or nobody's
	}
	part.seen, part.shown = f.seen, f.observer
	records, err := part.Add(p.Offset, p.Data)
	for _, r := range records {
		f.log.Part(f.first+p.Part, r)
		part.reads++
		if err := part.decoder.Decode(r, part); err != nil {
			f.lead.cfg.Warn(fmt.Sprintf("the record of %s is damaged: %s", part.of.name, err))
		}
	}
	if err != nil {
		f.lead.cfg.Warn(fmt.Sprintf("the record of %s is damaged: %s", part.of.name, err))
	}
	if part.trailer != nil {
		close(f.waiting)
		f.waiting = make(chan struct{})
	}
}

// clock records a comparison of clocks.
func (f *followed) clock(c runlog.ClockReading) {
	f.each(func(w *runlog.Writer) { w.Clock(c) })
}

// missed shows what was due of a lost worker to the observer, as unsent.
func (f *followed) missed(of *remote, windows []attack.Window) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range windows {
		if f.observer != nil {
			f.observer.Window(of.name, w)
		}
	}
}

// takeover records that a slice was taken over.
func (f *followed) takeover(t runlog.Takeover) {
	f.each(func(w *runlog.Writer) { w.Takeover(t) })
}

func (f *followed) each(do func(*runlog.Writer)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range []*runlog.Writer{f.log, f.also} {
		if w != nil {
			do(w)
		}
	}
}

// wait waits for the ends of the records of all that are not lost.
func (f *followed) wait(within time.Duration) (complete bool) {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		f.mu.Lock()
		open, waiting := 0, f.waiting
		lost := false
		for _, p := range f.parts {
			if p.trailer == nil && !p.closed {
				if p.of.gone.Load() {
					lost = true
				} else {
					open++
				}
			}
		}
		f.mu.Unlock()
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
func (f *followed) over(r *remote) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.parts {
		if p.of == r && p.trailer == nil {
			return false
		}
	}
	return true
}

// ended returns whether the records of a member have ended, and when the last one did.
func (f *followed) ended(r *remote) (at time.Duration, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ended = true
	for _, p := range f.parts {
		if p.of == r {
			at, ended = max(at, p.last), ended && p.trailer != nil
		}
	}
	return at, ended
}

// count returns how many records came of a member.
func (f *followed) count(r *remote) (n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.parts {
		if p.of == r {
			n += p.reads
		}
	}
	return n
}

// loads returns when the last worker ended its load, and whether one was interrupted.
func (f *followed) loads() (ended time.Duration, interrupted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.parts {
		if p.slice >= 0 && p.trailer != nil {
			ended, interrupted = max(ended, p.trailer.Ended), interrupted || p.trailer.Interrupted
		}
	}
	return ended, interrupted
}

// A part's records go to the live view as they come.
var _ runlog.Sink = (*following)(nil)

// Header does nothing: who it is was said before.
func (p *following) Header(runlog.Header) {}

// Address does nothing: each worker numbers them for itself.
func (p *following) Address(attack.Address) {}

// Window adds a window to the live view.
func (p *following) Window(w attack.Window) {
	p.last = max(p.last, time.Duration(w.Index+1)*p.window)
	if p.slice >= 0 && p.shown != nil {
		p.shown.Window(p.of.name, w)
	}
	if p.slice >= 0 && !p.retired {
		p.live.Add(p.slice, w)
	}
}

// Failure hands a failure to the live view.
func (p *following) Failure(f attack.Failure) {
	if p.slice >= 0 {
		p.live.Failure(f)
	}
}

// Samples hands readings to the live view.
func (p *following) Samples(samples []runlog.IndexedSample) {
	out, plain := make([]probe.Sample, len(samples)), make([]probe.Sample, len(samples))
	for i, s := range samples {
		m := p.decoder.Metric(s.ID)
		plain[i] = probe.Sample{At: s.At, Reading: probe.Reading{Metric: m, Value: s.Value, Limit: s.Limit}}
		if p.slice >= 0 && m.Host == profiles.LocalHost && m.Instance == "" {
			m.Instance = p.of.name
		}
		out[i] = probe.Sample{At: s.At, Reading: probe.Reading{Metric: m, Value: s.Value, Limit: s.Limit}}
		if p.slice < 0 {
			p.last = max(p.last, s.At)
		}
	}
	if p.seen != nil {
		p.seen(out)
	}
	if p.shown != nil {
		p.shown.Samples(p.member(), plain)
	}
}

// member is whose the record is to an observer: an agent's is of the machine that leads.
func (p *following) member() string {
	if p.slice < 0 {
		return profiles.LocalHost
	}
	return p.of.name
}

// Event shows an event to the observer.
func (p *following) Event(e probe.Event) {
	if p.shown != nil {
		p.shown.Event(p.member(), e)
	}
}

// Step does nothing: the coordinator searches.
func (p *following) Step(attack.Step) {}

// IdleSweep does nothing.
func (p *following) IdleSweep(attack.IdleSweep) {}

// Clock does nothing: the coordinator compares.
func (p *following) Clock(runlog.ClockReading) {}

// Takeover does nothing: the coordinator decides.
func (p *following) Takeover(runlog.Takeover) {}

// Hand does nothing: nobody changes the load of a part by hand.
func (p *following) Hand(runlog.Hand) {}

// Mark does nothing: marks are set where the run is led.
func (p *following) Mark(runlog.Mark) {}

// Part says that a part has no parts.
func (p *following) Part(uint64, runlog.Record) error { return protocol.ErrProtocol }

// Trailer ends the record.
func (p *following) Trailer(t runlog.Trailer) {
	p.trailer = &t
	if p.slice >= 0 && !p.retired {
		p.live.Finish(p.slice)
	}
}
