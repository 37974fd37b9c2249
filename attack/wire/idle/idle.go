// Package idle finds out how long a target, or what is on the path to it, keeps idle
// connections: of HTTP/1.1, or of a protocol that is chosen by the target's URL.
package idle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/http1"
	"github.com/rampload/rampload/profiles"
)

// End says how an idle connection ended.
type End string

// The ends of an idle connection.
const (
	Alive    End = "alive"            // it still served a request
	FIN      End = "closed"           // the peer closed it
	RST      End = "reset"            // a RST came while it was idle
	ResetUse End = "reset on use"     // nothing was seen until it was used: then a RST
	EOFUse   End = "closed on use"    // nothing was seen until it was used: then a FIN
	Silent   End = "no answer on use" // nothing was seen, and then no answer came
)

// Config is what [Find] needs.
type Config struct {
	Target profiles.Target
	Client profiles.Client  // Timeout bounds each request; IdleTimeout is not applied
	Data   []profiles.Table // that requests are filled with: their first rows
	RunID  attack.RunID
	// Exchange makes the protocol that is spoken. Nil: HTTP/1.1.
	Exchange wire.Protocol
	Min      time.Duration // the shortest idle time that is tried; 0: an eighth of Max, a second at most
	Max      time.Duration // the longest
}

// Result is the idle timeout of a peer, or of what is on the path to it.
type Result struct {
	End   End           // Alive: no connection ended
	Alive time.Duration // the longest idle time after which a connection still served
	Gone  time.Duration // the shortest idle time after which one did not; 0 with Alive
	Tries []Try         // every connection, by planned idle time
}

// Try is one connection that was held idle.
type Try struct {
	Planned time.Duration
	Lasted  time.Duration // until it ended, or Planned
	End     End
	Fault   attack.Fault
}

// ErrNoKeepAlive says that a peer closes its connections after one response.
var ErrNoKeepAlive = errors.New("the peer keeps no connection open")

// silentPrecision is how closely an expiry that shows only on use is bisected,
// as a share of the idle time, and at least silentFloor.
const (
	silentPrecision = 0.05
	silentFloor     = 250 * time.Millisecond
	bisectWidth     = 3 // connections a round: each round leaves a quarter
	// tellLate bounds how late the end of an idle connection is told.
	tellLate = time.Second
)

// Find finds out how long idle connections live: it opens a handful, sends
// one request on each, and holds them idle for geometrically growing times. A
// peer that closes or resets is seen at once; what only a further request shows
// (a firewall that forgot the connection) is bisected. It sends no more than a
// few dozen requests, so it is safe against production. It takes Max and, where an
// end shows only on use, up to 2.1 times Max more, or 2.7 times Min if that is
// more; requests that get no answer take their time limit besides. The error says
// that the target did not serve a first request, or matches [ErrNoKeepAlive], or is
// ctx's.
func Find(ctx context.Context, cfg Config) (Result, error) {
	if cfg.Exchange == nil {
		cfg.Exchange = http1.New
	}
	cfg.Client.IdleTimeout = 0
	cfg.Client.Connections = 1
	cfg.Client.Protocol = profiles.ProtocolHTTP1
	s := &finder{cfg: cfg, seen: map[uint64]attack.Attempt{}, wake: map[uint64]chan struct{}{}}

	var out Result
	var err error
	out.Tries, err = s.hold(ctx, geometric(cfg.Min, cfg.Max))
	if err != nil {
		return Result{}, err
	}
	out.conclude()
	for out.silent() {
		times := between(out.Alive, out.Gone)
		if times == nil {
			break
		}
		more, err := s.hold(ctx, times)
		if err != nil {
			return Result{}, err
		}
		out.Tries = append(out.Tries, more...)
		alive, gone := out.Alive, out.Gone
		out.conclude()
		if out.Alive == alive && out.Gone == gone {
			break // contradictory answers: an interval is all that can be said
		}
	}
	slices.SortFunc(out.Tries, func(a, b Try) int { return int(a.Planned - b.Planned) })
	return out, nil
}

// geometric returns idle times that double up to limit, from the shortest or an
// eighth of limit, a second at most.
func geometric(shortest, limit time.Duration) []time.Duration {
	if shortest <= 0 {
		shortest = min(time.Second, limit/8)
	}
	var out []time.Duration
	for d := shortest; d < limit; d *= 2 {
		out = append(out, d)
	}
	return append(out, limit)
}

// between returns the idle times that narrow down an end which shows only on use,
// nil when it is known closely enough.
func between(alive, gone time.Duration) []time.Duration {
	if gone-alive <= max(silentFloor, time.Duration(silentPrecision*float64(gone))) {
		return nil
	}
	var out []time.Duration
	for i := time.Duration(1); i <= bisectWidth; i++ {
		out = append(out, alive+(gone-alive)*i/(bisectWidth+1))
	}
	return out
}

// conclude finds the interval in which connections end. A contradiction (one
// lived longer than another) is kept: Alive is then below the first that ended.
func (s *Result) conclude() {
	s.End, s.Alive, s.Gone = Alive, 0, 0
	for _, t := range s.Tries {
		if t.End != Alive && (s.Gone == 0 || t.Lasted < s.Gone) {
			s.Gone, s.End = t.Lasted, t.End
		}
	}
	for _, t := range s.Tries {
		if t.End == Alive && (s.Gone == 0 || t.Lasted < s.Gone) {
			s.Alive = max(s.Alive, t.Lasted)
		}
	}
}

// silent reports whether the end shows only when a connection is used.
func (s *Result) silent() bool {
	return s.End == ResetUse || s.End == EOFUse || s.End == Silent
}

type finder struct {
	cfg Config

	mu   sync.Mutex
	last uint16                    // client that was opened: it numbers connections
	seen map[uint64]attack.Attempt // ends of idle connections, by connection
	wake map[uint64]chan struct{}
}

func (s *finder) onIdle(a attack.Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, again := s.seen[a.Conn.ID]
	switch {
	case !again:
		s.seen[a.Conn.ID] = a
	case a.WireReset: // a RST behind the FIN
		first.WireReset = true
		s.seen[a.Conn.ID] = first
	}
	if ch, ok := s.wake[a.Conn.ID]; ok {
		close(ch)
		delete(s.wake, a.Conn.ID)
	}
}

// ended returns a channel that closes when the connection has ended idle.
func (s *finder) ended(id uint64) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan struct{})
	if _, ok := s.seen[id]; ok {
		close(ch)
	} else {
		s.wake[id] = ch
	}
	return ch
}

// hold tries idle times side by side.
func (s *finder) hold(ctx context.Context, times []time.Duration) ([]Try, error) {
	tries := make([]Try, len(times))
	errs := make([]error, len(times))
	var wg sync.WaitGroup
	for i, d := range times {
		wg.Go(func() { tries[i], errs[i] = s.try(ctx, d) })
	}
	wg.Wait()
	return tries, errors.Join(errs...)
}

// open makes a client of one connection, and compiles what it asks.
func (s *finder) open(ctx context.Context) (*client, attack.Request, error) {
	s.mu.Lock()
	s.last++
	number := s.last
	s.mu.Unlock()
	tr, err := wire.New(wire.Config{
		Target: number, Profile: s.cfg.Target, Client: s.cfg.Client, Data: s.cfg.Data, RunID: s.cfg.RunID,
		OnIdle: s.onIdle, Exchange: s.cfg.Exchange,
	})
	if err != nil {
		return nil, nil, err
	}
	ask := profiles.Request{Method: "GET", Path: "/"}
	if len(s.cfg.Target.Requests) > 0 {
		ask = s.cfg.Target.Requests[0]
	}
	request, err := tr.Compile(ask)
	if err != nil {
		_ = tr.Close()
		return nil, nil, err
	}
	return &client{tr, context.AfterFunc(ctx, tr.Abort)}, request, nil
}

// client is a transport with one connection, which ends with a context.
type client struct {
	*wire.Transport
	stop func() bool
}

// Close ends the connection.
func (c *client) Close() {
	c.stop()
	_ = c.Transport.Close()
}

// try holds one connection idle for d, or until it ends, and uses it again.
func (s *finder) try(ctx context.Context, d time.Duration) (Try, error) {
	client, request, err := s.open(ctx)
	if err != nil {
		return Try{}, err
	}
	defer client.Close()
	rows := &attack.Fill{Rows: make([]int, len(s.cfg.Data))}
	first := attack.Attempt{Fill: rows}
	client.Do(request, &first)
	switch {
	case ctx.Err() != nil:
		return Try{}, ctx.Err()
	case first.Fault != attack.None && first.Fault != attack.Status:
		return Try{}, fmt.Errorf("hold a connection: the first request failed: %s in phase %s", first.Fault, first.Phase)
	}
	kept := client.Stats().Open > 0 // else the peer closes with its response
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return Try{}, ctx.Err()
	case <-s.ended(first.Conn.ID):
		return s.lost(d, first.Conn.ID)
	case <-timer.C:
	}
	again := attack.Attempt{Fill: rows}
	client.Do(request, &again)
	// What lived lived for d at least; what had ended did so by the time it was
	// used, which is later than planned where this machine was busy.
	try := Try{Planned: d, Lasted: d, End: Alive, Fault: again.Fault}
	switch {
	case ctx.Err() != nil:
		return Try{}, ctx.Err()
	case again.Conn.ID != first.Conn.ID:
		// It ended just now, and is told of after a while: a RST may follow a FIN.
		timer.Reset(tellLate)
		select {
		case <-ctx.Done():
			return Try{}, ctx.Err()
		case <-s.ended(first.Conn.ID):
			return s.lost(d, first.Conn.ID)
		case <-timer.C:
			if kept { // nobody saw how
				return Try{Planned: d, Lasted: d, End: FIN, Fault: attack.EOF}, nil
			}
			return Try{}, fmt.Errorf("hold a connection: %w", ErrNoKeepAlive)
		}
	case again.Fault == attack.Reset || again.Fault == attack.BrokenPipe:
		try.End = ResetUse
	case again.Fault == attack.EOF:
		try.End = EOFUse
	case again.Fault == attack.Timeout || again.Fault == attack.Unreachable:
		try.End = Silent
	}
	if try.End != Alive {
		try.Lasted = max(d, again.Conn.Idle)
	}
	return try, nil
}

// lost describes a connection that ended while it was idle.
func (s *finder) lost(planned time.Duration, id uint64) (Try, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.seen[id]
	try := Try{Planned: planned, Lasted: a.Conn.Idle, End: FIN, Fault: a.Fault}
	if a.WireReset {
		try.End = RST
	}
	return try, nil
}
