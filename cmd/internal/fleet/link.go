package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

const (
	// answerIn is how long an agent may take until its record begins: a login over a
	// slow line, and processes to be found.
	answerIn = 30 * time.Second
	// silentFor is after what time without a sign of an agent its connection counts as
	// lost.
	silentFor = 10 * time.Second
	// endIn is how long an agent may take to end its record.
	endIn = 12 * time.Second
	// askEvery is how often the clocks are compared; the first times faster.
	askEvery = time.Second
	askFirst = 8
)

// Connection is a pipe to an agent.
type Connection interface {
	io.Writer          // to its input
	io.Reader          // from its output
	CloseWrite() error // ends its input
	// Wait waits for the end of the connection and says why it ended, in words for
	// people; nil after a clean end.
	Wait() error
	// Kill ends the connection at once.
	Kill()
}

// Link is an agent that answers. Its methods are called in order: Connect, Follow, End.
type Link struct {
	name   string
	conn   Connection
	header runlog.Header
	first  runlog.Record
	events chan arrival
	gone   chan struct{} // closed when nobody takes arrivals any more
	closed sync.Once
}

// arrival is a record, or the error after the last one, with the time it came at.
type arrival struct {
	record runlog.Record
	at     time.Time
	err    error
}

// Connect sends the request and waits until the agent's record begins. The error says
// what stands in the way, and the connection is closed.
func Connect(ctx context.Context, conn Connection, r protocol.Request) (*Link, error) {
	r.Version = protocol.Version
	l := &Link{name: r.Name, conn: conn, events: make(chan arrival, 64), gone: make(chan struct{})}
	if err := l.tell(r); err != nil {
		return nil, l.failed(err)
	}
	go l.receive()
	late := time.NewTimer(answerIn)
	defer late.Stop()
	select {
	case <-ctx.Done():
		l.leave()
		return nil, ctx.Err()
	case <-late.C:
		l.leave()
		return nil, fmt.Errorf("no answer in %s", answerIn)
	case a := <-l.events:
		if a.err != nil {
			return nil, l.failed(a.err)
		}
		var d runlog.Decoder
		if err := d.Decode(a.record, headerOnly{&l.header}); err != nil || l.header.Role != runlog.RoleAgent || l.header.Member != r.Name {
			l.leave()
			return nil, fmt.Errorf("what answers is no agent: %w", errors.Join(protocol.ErrProtocol, err))
		}
		l.first = a.record
	}
	return l, nil
}

// failed prefers what the other end said of its end to what was noticed here.
func (l *Link) failed(err error) error {
	_ = l.conn.CloseWrite()
	waited := make(chan error, 1)
	go func() { waited <- l.conn.Wait() }()
	late := time.NewTimer(2 * time.Second)
	defer late.Stop()
	select {
	case why := <-waited:
		if why != nil {
			return why
		}
	case <-late.C:
		l.leave()
	}
	return err
}

func (l *Link) tell(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	_, err = l.conn.Write(append(text, '\n'))
	return err
}

// receive reads the agent's records until its record or the connection ends.
func (l *Link) receive() {
	defer close(l.events)
	records, err := runlog.NewReader(l.conn)
	for err == nil {
		var r runlog.Record
		if r, err = records.Next(); err == nil {
			l.arrive(arrival{record: r, at: time.Now()})
		}
	}
	l.arrive(arrival{err: err})
}

func (l *Link) arrive(a arrival) {
	select {
	case l.events <- a:
	case <-l.gone:
	}
}

// leave ends the connection, and what waits to hand on its records.
func (l *Link) leave() {
	l.closed.Do(func() { close(l.gone) })
	l.conn.Kill()
}

// Header returns what the agent says of itself.
func (l *Link) Header() runlog.Header { return l.header }

// Follow keeps the agent's record as a part of the run's until ctx is done; then it
// asks for the end and waits for it. clock is the run's, seen is told of readings with
// the agent's own times, o of these and of events; both may be nil. The status is that of the connection: what
// the agent measured it says itself, in its trailer.
func (l *Link) Follow(ctx context.Context, number int, clock probe.Clock, to *runlog.Writer, seen func([]probe.Sample), o Observer) probe.Status {
	status := probe.Status{Source: probe.Source{Host: l.name, Name: "agent"}, State: probe.Measured}
	to.Part(number, l.first)
	view := &view{seen: seen, observer: o}
	_ = view.decoder.Decode(l.first, view)
	asking, stop := context.WithCancel(ctx)
	defer stop()
	var asked sync.WaitGroup
	asked.Go(func() { l.ask(asking, clock) })

	silence := time.NewTimer(silentFor)
	defer silence.Stop()
	ended := ctx.Done()
	lost := func(why error) probe.Status {
		stop()
		l.leave()
		asked.Wait()
		at := clock.Now().Round(100 * time.Millisecond)
		status.State, status.Reason = probe.Partial, fmt.Sprintf("the connection was lost %s after the load began: %v", at, why)
		if at < 0 {
			status.Reason = fmt.Sprintf("the connection was lost before the load began: %v", why)
		}
		return status
	}
	for {
		select {
		case <-ended:
			ended = nil
			stop()
			asked.Wait()
			if err := l.tell(protocol.Line{End: true}); err != nil {
				return lost(err)
			}
			silence.Reset(endIn)
		case <-silence.C:
			return lost(fmt.Errorf("nothing came for %s", silentFor))
		case a := <-l.events:
			if a.err != nil {
				return lost(l.failed(a.err))
			}
			if ended != nil {
				silence.Reset(silentFor)
			}
			status.Reads++
			view.reading = nil
			if err := view.decoder.Decode(a.record, view); err != nil {
				return lost(fmt.Errorf("its record is damaged: %w", err))
			}
			if c := view.reading; c != nil && c.Member == l.name {
				c.Returned = clock.At(a.at)
				to.Clock(*c)
				continue
			}
			to.Part(number, a.record)
			if a.record.Last() {
				_ = l.conn.CloseWrite()
				_ = l.conn.Wait()
				return status
			}
		}
	}
}

// ask asks the agent for its time, often at first, so that a short run has enough.
func (l *Link) ask(ctx context.Context, clock probe.Clock) {
	for i := 0; ; i++ {
		now := clock.Now()
		if err := l.tell(protocol.Line{Asked: &now}); err != nil {
			return // the reader notices it too
		}
		every := askEvery
		if i < askFirst {
			every /= 10
		}
		next := time.NewTimer(every)
		select {
		case <-ctx.Done():
			next.Stop()
			return
		case <-next.C:
		}
	}
}

// Close ends a link that nobody follows.
func (l *Link) Close() {
	_ = l.conn.CloseWrite()
	l.leave()
	_ = l.conn.Wait()
}

// headerOnly takes the header of a record.
type headerOnly struct{ h *runlog.Header }

func (s headerOnly) Header(h runlog.Header)         { *s.h = h }
func (headerOnly) Address(attack.Address)           {}
func (headerOnly) Window(attack.Window)             {}
func (headerOnly) Failure(attack.Failure)           {}
func (headerOnly) Samples([]runlog.IndexedSample)   {}
func (headerOnly) Event(probe.Event)                {}
func (headerOnly) Step(attack.Step)                 {}
func (headerOnly) IdleSweep(attack.IdleSweep)       {}
func (headerOnly) Clock(runlog.ClockReading)        {}
func (headerOnly) Takeover(runlog.Takeover)         {}
func (headerOnly) Hand(runlog.Hand)                 {}
func (headerOnly) Mark(runlog.Mark)                 {}
func (headerOnly) Part(uint64, runlog.Record) error { return protocol.ErrProtocol }
func (headerOnly) Trailer(runlog.Trailer)           {}

// view takes what is of use while the run goes on.
type view struct {
	headerOnly
	decoder  runlog.Decoder
	seen     func([]probe.Sample)
	observer Observer // may be nil
	reading  *runlog.ClockReading
}

func (v *view) Header(runlog.Header)        {}
func (v *view) Clock(c runlog.ClockReading) { v.reading = &c }

func (v *view) Samples(samples []runlog.IndexedSample) {
	if v.seen == nil && v.observer == nil {
		return
	}
	out := make([]probe.Sample, len(samples))
	for i, s := range samples {
		out[i] = probe.Sample{At: s.At, Reading: probe.Reading{Metric: v.decoder.Metric(s.ID), Value: s.Value, Limit: s.Limit}}
	}
	if v.observer != nil {
		v.observer.Samples(profiles.LocalHost, out)
	}
	if v.seen != nil {
		v.seen(out)
	}
}

func (v *view) Event(e probe.Event) {
	if v.observer != nil {
		v.observer.Event(profiles.LocalHost, e)
	}
}
