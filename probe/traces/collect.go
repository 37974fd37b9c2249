package traces

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// Wanted is a transaction whose trace is asked for.
type Wanted struct {
	ID   string        // of the trace, 32 hex digits
	At   time.Duration // when it failed, by the run's clock
	Good bool          // it went well: asked for to compare, and not waited for
}

// Times of asking again: libraries hand spans on every 5 s, and a trace is whole when it
// did not grow from one question to the next after that.
const (
	askEvery  = 2 * time.Second
	handedOn  = 6 * time.Second
	mostError = 3 // questions in a row that fail
)

// Collect asks a store for traces until it has all of those that are waited for, or within
// has passed, and emits one event of the kind [probe.TraceRead] for each, in the order of
// wanted. own is the name of the run's own spans. The status says what is missing and why.
// It returns soon after ctx is done, with what it has.
func Collect(ctx context.Context, from profiles.SpanStore, wanted []Wanted, own string, emit func(probe.Event)) probe.Status {
	within := from.Within
	if within == 0 {
		within = profiles.DefaultSpansWithin
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	status := probe.Status{Source: probe.Source{Host: profiles.LocalHost, Name: "traces"}, State: probe.NotMeasured}
	store, err := Open(ctx, from)
	if err != nil {
		status.Reason = "not joined: " + said(ctx, err, within)
		return status
	}
	status.Source.Name += " of " + store.Name()
	c := collection{store: store, found: map[string][]Span{}, settled: map[string]bool{}}
	answered := false
	for {
		err = c.round(ctx, wanted)
		status.Reads++
		answered = answered || err == nil
		if c.failures >= mostError && len(c.found) == 0 || ctx.Err() != nil {
			break
		}
		if c.whole(wanted) && time.Since(begun) >= min(handedOn, within) {
			break
		}
		if !pause(ctx, askEvery) {
			break
		}
	}
	if answered && ctx.Err() != nil {
		err = nil // it had answered before: only the last question was cut off
	}
	missing, failed := 0, 0
	for _, w := range wanted {
		e := eventOf(w, c.found[w.ID], own)
		e.Source, e.Host = status.Source, profiles.LocalHost
		emit(e)
		if !w.Good {
			failed++
			if e.Trace.Spans == 0 {
				missing++
			}
		}
	}
	switch {
	case missing == 0:
		status.State = probe.Measured
	case missing == failed && err != nil:
		status.Reason = "not joined: " + said(ctx, err, within)
	case missing == failed:
		status.Reason = fmt.Sprintf("not joined: it has none of the %d traces that were asked for within %s", failed, spelling.FormatDuration(within))
	default:
		status.State, status.Reason = probe.Partial, fmt.Sprintf("it does not have %d of the %d traces that were asked for", missing, failed)
	}
	return status
}

// said words why nothing is known.
func said(ctx context.Context, err error, within time.Duration) string {
	if ctx.Err() != nil {
		return "it did not answer within " + spelling.FormatDuration(within)
	}
	return strings.TrimPrefix(clean(err.Error(), 200), errAway.Error()+": ")
}

// pause waits; it reports whether the context is still on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// collection is what a store has answered so far.
type collection struct {
	store    Store
	found    map[string][]Span
	settled  map[string]bool // they did not grow
	failures int             // in a row
}

// round asks for all traces that are not settled.
func (c *collection) round(ctx context.Context, wanted []Wanted) error {
	var ids []string
	for _, w := range wanted {
		if !c.settled[w.ID] {
			ids = append(ids, w.ID)
		}
	}
	var last error
	for part := range slices.Chunk(ids, c.store.Most()) {
		got, err := c.store.Traces(ctx, part)
		if err != nil {
			last = err
			c.failures++
			if c.failures >= mostError || ctx.Err() != nil {
				return last
			}
			continue
		}
		c.failures = 0
		for _, id := range part {
			spans := got[id]
			if len(spans) == 0 {
				continue
			}
			c.settled[id] = len(spans) == len(c.found[id])
			if len(spans) >= len(c.found[id]) {
				c.found[id] = spans
			}
		}
	}
	return last
}

// whole reports whether all traces that are waited for are there, and did not grow.
func (c *collection) whole(wanted []Wanted) bool {
	return !slices.ContainsFunc(wanted, func(w Wanted) bool { return !w.Good && !c.settled[w.ID] })
}

// eventOf is what a trace says.
func eventOf(w Wanted, spans []Span, own string) probe.Event {
	e := probe.Event{Kind: probe.TraceRead, At: w.At, Count: 1, Trace: &probe.Trace{ID: w.ID, Good: w.Good, Spans: uint32(len(spans))}}
	f, services, failed := Deepest(spans, own)
	t := e.Trace
	t.Services = uint32(services)
	if failed {
		e.Process, e.Reason = f.Service, f.Text
		t.From, t.To, t.Calls, t.Operation, t.Peer, t.Status = f.From, f.To, f.Calls, f.Operation, f.Peer, uint16(f.Status)
	}
	return e
}
