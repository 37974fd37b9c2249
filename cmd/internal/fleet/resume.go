package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/spool"
	"github.com/rampload/rampload/report/runlog"
)

// Resumed is what was put together of a run from its stream.
type Resumed struct {
	Parts    int
	Complete bool     // every part has its end
	Open     []string // members whose records have none
	Ended    bool     // the coordinator's record has its end too
}

// Resume reads the whole stream of a run, waits for what workers and agents still hold
// (until every record has its end, or nothing came for the time idle), and writes one
// run log of it.
func Resume(ctx context.Context, m *Meeting, run string, idle time.Duration, out io.Writer) (Resumed, error) {
	stream, err := m.Conn.OpenStream(ctx, run)
	if err != nil {
		return Resumed{}, err
	}
	c := &collection{parts: map[int]*collected{}, changed: make(chan struct{}, 1)}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- stream.Follow(reading, c.piece) }()
	var ending sync.WaitGroup
	ending.Go(func() { tellAll(reading, m.Conn, run, protocol.OrderEnd) })
	defer ending.Wait()
	quiet := time.NewTimer(idle)
	defer quiet.Stop()
	for waiting := true; waiting; {
		select {
		case <-ctx.Done():
			return Resumed{}, ctx.Err()
		case err := <-failed:
			return Resumed{}, err
		case <-quiet.C:
			waiting = false
		case <-c.changed:
			waiting = !c.whole()
			quiet.Reset(idle)
		}
	}
	stop()
	if err := <-failed; err != nil {
		return Resumed{}, err
	}
	r, err := c.write(out)
	if err == nil && r.Complete {
		telling, enough := context.WithTimeout(ctx, time.Second)
		defer enough()
		tellAll(telling, m.Conn, run, protocol.OrderDone)
	}
	return r, err
}

// tellAll gives an order to all who are there, or come back, until ctx is done: those who
// still record a run that it is over, those who keep copies that they may forget them.
func tellAll(ctx context.Context, conn *bus.Conn, run string, kind protocol.OrderKind) {
	told := map[string]bool{}
	for ctx.Err() == nil {
		for _, role := range []bus.Role{bus.RoleAgent, bus.RoleWorker} {
			found, err := conn.Find(ctx, role, 700*time.Millisecond, func([]bus.Found) bool { return false })
			if err != nil {
				continue
			}
			for _, f := range found {
				if told[f.ID] {
					continue
				}
				calling, cancel := context.WithTimeout(ctx, callIn)
				_, err := conn.Call(calling, bus.CallSubject(role, f.ID), protocol.Encode(protocol.Order{Version: protocol.Version, Run: run, Kind: kind}))
				cancel()
				told[f.ID] = err == nil
			}
		}
	}
}

// collection is the records of all parts.
type collection struct {
	mu      sync.Mutex
	parts   map[int]*collected
	caught  bool // everything that was in the stream was read
	changed chan struct{}
}

type collected struct {
	spool.Pieces
	records []runlog.Record
	header  runlog.Header
	ended   bool
}

func (c *collection) piece(p bus.Piece) {
	c.mu.Lock()
	defer c.mu.Unlock()
	part := c.parts[p.Part]
	if part == nil {
		part = &collected{}
		c.parts[p.Part] = part
	}
	records, _ := part.Add(p.Offset, p.Data) // damage ends the part, and its records stay
	for _, r := range records {
		if len(part.records) == 0 {
			_ = new(runlog.Decoder).Decode(r, headerOnly{&part.header})
		}
		part.records = append(part.records, r)
		part.ended = part.ended || r.Last()
	}
	c.caught = c.caught || p.Last
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// whole reports whether every part but the coordinator's has its end: that one may have
// been killed.
func (c *collection) whole() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for number, p := range c.parts {
		if number != 0 && !p.ended {
			return false
		}
	}
	return c.caught && len(c.parts) > 1
}

// errNoLead says that the record of the coordinator is not there.
var errNoLead = errors.New("the coordinator's own record is not there")

func (c *collection) write(out io.Writer) (Resumed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lead := c.parts[0]
	if lead == nil || len(lead.records) == 0 {
		return Resumed{}, errNoLead
	}
	w, err := runlog.NewWriter(out, lead.header)
	if err != nil {
		return Resumed{}, err
	}
	r := Resumed{Complete: true, Ended: lead.ended}
	var last runlog.Record
	for _, record := range lead.records[1:] {
		if record.Last() {
			last = record
			continue
		}
		w.Record(record)
	}
	for _, number := range slices.Sorted(maps.Keys(c.parts)) {
		p := c.parts[number]
		if number == 0 {
			continue
		}
		r.Parts++
		for _, record := range p.records {
			w.Part(number, record)
		}
		if !p.ended {
			r.Complete = false
			r.Open = append(r.Open, p.header.Member)
		}
	}
	if last != nil {
		w.Record(last)
	}
	w.Flush()
	if err := w.Err(); err != nil {
		return r, fmt.Errorf("put the run together: %w", err)
	}
	return r, nil
}
