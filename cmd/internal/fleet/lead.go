package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/total"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

const (
	// workersIn and agentsIn are how long is waited for those that are wanted.
	workersIn = 15 * time.Second
	agentsIn  = 5 * time.Second
	// callIn is how long an order may take; one to get ready takes longer.
	callIn    = 3 * time.Second
	prepareIn = 40 * time.Second
	// compared is how many comparisons of clocks a start is agreed on.
	compared = 6
	// slowAfter is by how much a worker's record may be behind the others' before the
	// live view goes on without it.
	slowAfter = 3 * time.Second
	// endsIn is how long the ends of records are waited for.
	endsIn = 12 * time.Second
)

// LeadConfig is what leading a run needs.
type LeadConfig struct {
	Conn, Beats *bus.Conn // the second one carries signs of life and nothing else
	Run         string    // id
	Workers     int       // 0: this machine sends the load itself
	Assign      func(slice, of int) (protocol.Assignment, error)
	Agents      []protocol.Request // one agent may be asked for several hosts
	// Missed says what is due of a slice in the windows from one up to another, by
	// window and target.
	Missed  func(slice, of int, from, to int32) ([][]uint64, error)
	Targets int
	Window  time.Duration
	Warn    func(string)
	// Within is how long those that are wanted are waited for; 0: 15 s for workers, 5 s
	// for agents.
	Within  time.Duration
	Version string // of this rampload, for words about others
}

// Lead leads a run that others take part in: workers that send its load, agents that
// watch their hosts. Its methods are called in order: Gather, Start, Follow, the
// loader's Run, End.
type Lead struct {
	cfg    LeadConfig
	stream *bus.Stream
	began  time.Time // 0 on the clock by which times are asked
	failed map[string]error
	notes  []string

	mu      sync.Mutex
	members []*remote
	owners  []*remote // by slice
	last    int       // number of the last part
	start   time.Duration
	started bool
	stopped bool   // the load is to end: nobody sends for another any more
	over    bool   // records are being ended: nobody joins any more
	notKept string // why the server does not take records; empty: it does

	tellMu  sync.Mutex // orders: not mu, for windows that come may lead to orders
	workers []*remote

	live  *total.Total
	parts *followed

	stopBeats func()
	stop      context.CancelFunc
	wg        sync.WaitGroup
}

// remote is a worker or an agent that takes part.
type remote struct {
	id, name string // the name in the run
	host     string // of an agent: in the profile
	role     bus.Role
	part     int
	header   runlog.Header
	request  protocol.Request // of an agent: what it was asked for
	seeking  bool             // of an agent: one that was started in its place is looked for
	orders   chan protocol.Order

	heard    time.Time
	offset   time.Duration // what its clock reads when the run's reads 0
	readings []runlog.ClockReading
	pending  *runlog.ClockReading // the best since the last one that was recorded
	kept     time.Duration        // when that was
	slices   []int
	lost     error       // why it was given up
	gone     atomic.Bool // it was
}

// Gather finds the workers and agents, and lets them get ready. Agents that cannot be
// reached are evidence that is missing (see Failed); workers have to be there, and the
// error says in one line what stands in the way.
func Gather(ctx context.Context, cfg LeadConfig) (*Lead, error) {
	l := &Lead{cfg: cfg, began: time.Now(), failed: map[string]error{}}
	l.live = total.New(max(cfg.Workers, 1), cfg.Targets)
	l.parts = newFollowed(l)
	var err error
	if l.stream, err = cfg.Conn.CreateStream(ctx, cfg.Run); err != nil {
		return nil, err
	}
	inbox := cfg.Beats.Inbox()
	if l.stopBeats, err = cfg.Beats.Hear(inbox, heartbeat{l}.pulse); err != nil {
		return nil, err
	}
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.wg.Go(func() { heartbeat{l}.beat(beating, inbox) })
	if err := (gathering{l}).gatherWorkers(ctx); err != nil {
		l.Abandon()
		return nil, err
	}
	gathering{l}.gatherAgents(ctx)
	return l, nil
}

// Abandon ends a run that did not begin.
func (lead *Lead) Abandon() {
	for _, r := range lead.all() {
		_, _ = lead.call(context.Background(), r, protocol.Order{Kind: protocol.OrderEnd}, callIn)
	}
	lead.close(true)
}

func (lead *Lead) close(forget bool) {
	lead.stop()
	lead.wg.Wait()
	lead.stopBeats()
	if forget {
		ctx, cancel := context.WithTimeout(context.Background(), callIn)
		defer cancel()
		_ = lead.stream.Delete(ctx)
	}
}

func (lead *Lead) all() []*remote {
	lead.mu.Lock()
	defer lead.mu.Unlock()
	return slices.Clone(lead.members)
}

// errOver says that a run has ended meanwhile.
var errOver = errors.New("the run is over")

// Failed are the agents that cannot be reached, by their hosts.
func (lead *Lead) Failed() map[string]error { return lead.failed }

// Notes are what the workers found before the load.
func (lead *Lead) Notes() []string { return lead.notes }

// Agents returns what the agents say of themselves, by their hosts.
func (lead *Lead) Agents() map[string]runlog.Header {
	out := map[string]runlog.Header{}
	for _, r := range lead.all() {
		if r.role == bus.RoleAgent {
			out[r.host] = r.header
		}
	}
	return out
}

// call gives an order and waits for the answer.
func (lead *Lead) call(ctx context.Context, r *remote, o protocol.Order, within time.Duration) (protocol.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	o.Version, o.Run = protocol.Version, lead.cfg.Run
	data, err := lead.cfg.Conn.Call(ctx, bus.CallSubject(r.role, r.id), protocol.Pack(protocol.Encode(o)))
	if err != nil {
		return protocol.Answer{}, err
	}
	var a protocol.Answer
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("decode answer of %s: %w", r.name, err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// now is the time on the clock by which others are asked.
func (lead *Lead) now() time.Duration { return time.Since(lead.began) }

// Start agrees on the start of the load: t = 0 on every worker's own clock.
func (lead *Lead) Start(ctx context.Context, start time.Time) error {
	lead.mu.Lock()
	lead.start, lead.started = start.Sub(lead.began), true
	lead.mu.Unlock()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, r := range lead.all() {
		if r.role != bus.RoleWorker {
			continue
		}
		wg.Go(func() {
			if err := lead.startOne(ctx, r); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = cmp.Or(failed, fmt.Errorf("worker %s: %w", r.name, err))
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	for _, r := range lead.all() {
		lead.wg.Go(func() { lead.obeyed(r) })
		if r.role == bus.RoleWorker {
			lead.tellMu.Lock()
			lead.workers = append(lead.workers, r)
			lead.tellMu.Unlock()
		}
	}
	return nil
}

func (lead *Lead) startOne(ctx context.Context, r *remote) error {
	var at time.Duration
	for wait := time.NewTicker(10 * time.Millisecond); ; {
		lead.mu.Lock()
		n := len(r.readings)
		if n >= compared {
			// The run's clock is not known to the estimate yet: both clocks are as they are.
			model := runlog.EstimateClock(r.readings)
			at = lead.start + model.Offset
			r.offset = at
		}
		lead.mu.Unlock()
		if n >= compared {
			wait.Stop()
			break
		}
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
		if lead.now() > lead.start {
			wait.Stop()
			return fmt.Errorf("its clock could not be compared in time: it does not answer")
		}
	}
	_, err := lead.call(ctx, r, protocol.Order{Kind: protocol.OrderStart, StartAt: at}, callIn)
	return err
}

// obeyed gives a member its orders in order.
func (lead *Lead) obeyed(r *remote) {
	for o := range r.orders {
		for {
			_, err := lead.call(context.Background(), r, o, callIn)
			if err == nil || r.gone.Load() || errors.Is(err, bus.ErrNobody) {
				break // who is gone is found to be lost
			}
			if o.Kind == protocol.OrderExtend && !errors.Is(err, context.DeadlineExceeded) {
				lead.lose(r, fmt.Errorf("it cannot follow the search: %w", err))
				break
			}
			if o.Kind != protocol.OrderExtend {
				break
			}
		}
	}
}

// tell gives all workers an order, in order and without waiting.
func (lead *Lead) tell(o protocol.Order) {
	lead.tellMu.Lock()
	defer lead.tellMu.Unlock()
	for _, r := range lead.workers {
		if r.gone.Load() {
			continue
		}
		select {
		case r.orders <- o:
		default: // it takes none: its silence, or its record, says so
		}
	}
}

// Follow keeps the records of all as parts of the run's, until End. Clock readings and
// what became of lost workers' slices go to the log and to also, which may be nil: the
// coordinator's own part of the stream. seen is told of readings, o of all that it takes;
// both may be nil.
func (lead *Lead) Follow(ctx context.Context, log, also *runlog.Writer, firstPart int, seen func([]probe.Sample), o Observer) {
	lead.parts.begin(log, also, firstPart, seen, o)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	lead.parts.cancel = cancel
	lead.parts.wg.Go(func() {
		if err := lead.stream.Follow(ctx, lead.parts.piece); err != nil {
			lead.cfg.Warn(err.Error())
		}
	})
}

// End asks for the ends of all records, waits for them, and returns how each
// connection was. What is not there by then stays in the stream: complete says
// whether everything is.
func (lead *Lead) End() (statuses []probe.Status, complete bool) {
	lead.mu.Lock()
	lead.over = true
	members := slices.Clone(lead.members)
	lead.mu.Unlock()
	for _, r := range members {
		if !r.gone.Load() {
			select {
			case r.orders <- protocol.Order{Kind: protocol.OrderEnd}:
			default:
			}
		}
	}
	complete = lead.parts.wait(endsIn)
	lead.parts.cancel()
	lead.parts.wg.Wait()
	for _, r := range members {
		close(r.orders)
	}
	for _, r := range members {
		statuses = append(statuses, lead.statusOf(r))
	}
	return statuses, complete
}

// Forget ends the run on the bus. Without complete, its stream stays.
func (lead *Lead) Forget(complete bool) {
	if complete { // before the stream goes: an answer may still be on its way
		var wg sync.WaitGroup
		for _, r := range lead.all() {
			wg.Go(func() { _, _ = lead.call(context.Background(), r, protocol.Order{Kind: protocol.OrderDone}, callIn) })
		}
		wg.Wait()
	}
	lead.close(complete)
}

func (lead *Lead) statusOf(r *remote) probe.Status {
	lead.mu.Lock()
	defer lead.mu.Unlock()
	s := probe.Status{Source: probe.Source{Host: r.name, Name: string(r.role)}, State: probe.Measured, Reads: lead.parts.count(r)}
	switch at, ended := lead.parts.ended(r); {
	case r.lost != nil:
		s.State, s.Reason = probe.Partial, r.lost.Error()
	case !ended && s.Reads == 0:
		s.State, s.Reason = probe.NotMeasured, "nothing of its record arrived"
	case !ended:
		if r.role != bus.RoleWorker {
			at -= r.offset // its readings carry its own clock
		}
		s.State, s.Reason = probe.Partial, fmt.Sprintf("its record ends at %s: the connection was lost", at.Round(100*time.Millisecond))
	}
	return s
}

var _ attack.Loader = (*Loader)(nil)
