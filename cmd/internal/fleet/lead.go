package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/roster"
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
	if l.stopBeats, err = cfg.Beats.Hear(inbox, l.pulse); err != nil {
		return nil, err
	}
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.wg.Go(func() { l.beat(beating, inbox) })
	if err := l.gatherWorkers(ctx); err != nil {
		l.Abandon()
		return nil, err
	}
	l.gatherAgents(ctx)
	return l, nil
}

// Abandon ends a run that did not begin.
func (l *Lead) Abandon() {
	for _, r := range l.all() {
		_, _ = l.call(context.Background(), r, protocol.Order{Kind: protocol.OrderEnd}, callIn)
	}
	l.close(true)
}

func (l *Lead) close(forget bool) {
	l.stop()
	l.wg.Wait()
	l.stopBeats()
	if forget {
		ctx, cancel := context.WithTimeout(context.Background(), callIn)
		defer cancel()
		_ = l.stream.Delete(ctx)
	}
}

func (l *Lead) all() []*remote {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.members)
}

// gatherWorkers finds as many workers as are wanted that are free and willing.
func (l *Lead) gatherWorkers(ctx context.Context) error {
	want := l.cfg.Workers
	if want == 0 {
		return nil
	}
	spoken := protocol.Spoken(true)
	found, err := l.cfg.Conn.Find(ctx, bus.RoleWorker, cmp.Or(l.cfg.Within, workersIn), func(all []bus.Found) bool {
		fit := 0
		for _, f := range all {
			if roster.Fits(f, spoken, l.cfg.Version) == nil {
				fit++
			}
		}
		return fit >= want
	})
	if err != nil {
		return err
	}
	var free []*remote
	var chosen []bus.Found
	var not []string
	names := map[string]int{}
	for i, f := range found {
		if len(free) == want {
			break
		}
		if err := roster.Fits(f, spoken, l.cfg.Version); err != nil {
			not = append(not, err.Error())
			continue
		}
		r := &remote{id: f.ID, name: f.Name, role: bus.RoleWorker, heard: time.Now(), orders: make(chan protocol.Order, 256)}
		if names[f.Name]++; names[f.Name] > 1 {
			r.name = fmt.Sprintf("%s-%d", f.Name, names[f.Name])
		}
		beside := roster.Beside(chosen, f, found[i+1:min(len(found), i+want-len(free))])
		a, err := l.prepare(ctx, r, len(free), beside)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && a.Busy, errors.Is(err, bus.ErrNobody):
			not = append(not, cmp.Or(a.Error, r.name+" does not answer"))
			continue
		case err != nil:
			return fmt.Errorf("worker %s: %w", r.name, err)
		}
		for _, w := range a.Warnings {
			l.notes = append(l.notes, "worker "+r.name+": "+w)
		}
		free, chosen = append(free, r), append(chosen, f)
	}
	if len(free) < want {
		return l.tooFew(len(free), found, not)
	}
	for _, why := range not {
		l.notes = append(l.notes, "left out: "+why)
	}
	return nil
}

// tooFew says who is there.
func (l *Lead) tooFew(free int, found []bus.Found, not []string) error {
	text := fmt.Sprintf("fleet.workers: %d are wanted, and %d answer on %s", l.cfg.Workers, free, l.cfg.Conn.Where())
	if len(found) > 0 {
		var names []string
		for _, f := range found {
			names = append(names, f.Name)
		}
		text += " (" + strings.Join(names, ", ") + ")"
	}
	if len(not) > 0 {
		text += "; " + strings.Join(not, "; ")
	}
	return errors.New(text + ": start rampload worker --nats URL --allow-target URL on the others")
}

// prepare lets a worker get ready for a slice. From then on it belongs to the run.
func (l *Lead) prepare(ctx context.Context, r *remote, slice int, beside protocol.Beside) (protocol.Answer, error) {
	a, err := l.cfg.Assign(slice, l.cfg.Workers)
	if err != nil {
		return protocol.Answer{}, err
	}
	a.Beside = beside
	a.Header.RunID, a.Header.Role, a.Header.Member, a.Header.Slice, a.Header.Slices = l.cfg.Run, runlog.RoleWorker, r.name, slice, l.cfg.Workers
	l.mu.Lock()
	l.last++
	r.part = l.last
	l.mu.Unlock()
	said, err := l.call(ctx, r, protocol.Order{Kind: protocol.OrderPrepare, Part: r.part, Assignment: &a}, prepareIn)
	if err != nil {
		return said, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.slices, r.heard = []int{slice}, time.Now()
	l.members, l.owners = append(l.members, r), append(l.owners, r)
	l.parts.expect(r.part, r, slice)
	return said, nil
}

// gatherAgents finds the agents that are wanted.
func (l *Lead) gatherAgents(ctx context.Context) {
	if len(l.cfg.Agents) == 0 {
		return
	}
	found, err := l.cfg.Conn.Find(ctx, bus.RoleAgent, cmp.Or(l.cfg.Within, agentsIn), func(found []bus.Found) bool {
		for _, r := range l.cfg.Agents {
			if !slices.ContainsFunc(found, func(f bus.Found) bool { return f.Name == r.Agent }) {
				return false
			}
		}
		return true
	})
	for _, request := range l.cfg.Agents {
		if err == nil {
			err = l.watch(ctx, request, found)
		}
		if err != nil {
			l.failed[request.Name] = err
		}
		err = nil
	}
}

// watch lets one agent begin its record.
func (l *Lead) watch(ctx context.Context, request protocol.Request, found []bus.Found) error {
	name := request.Agent
	var ids, names []string
	var other error // of another version
	for _, f := range found {
		if names = append(names, f.Name); f.Name == name {
			ids, other = append(ids, f.ID), roster.Fits(f, protocol.Spoken(false), l.cfg.Version)
		}
	}
	switch {
	case len(ids) == 0 && len(names) == 0:
		return fmt.Errorf("no agent answers on %s: start rampload agent --nats URL --name %s there", l.cfg.Conn.Where(), name)
	case len(ids) == 0:
		return fmt.Errorf("no agent called %s answers on %s, only %s: start rampload agent --nats URL --name %s there", name, l.cfg.Conn.Where(), strings.Join(names, ", "), name)
	case len(ids) > 1:
		return fmt.Errorf("%d agents are called %s: give each its own --name", len(ids), name)
	case other != nil:
		return other
	}
	_, err := l.engage(ctx, request, ids[0])
	return err
}

// engage lets the agent with an id begin a record.
func (l *Lead) engage(ctx context.Context, request protocol.Request, id string) (*remote, error) {
	r := &remote{id: id, name: request.Name, host: request.Name, role: bus.RoleAgent, request: request, heard: time.Now(), orders: make(chan protocol.Order, 16)}
	l.mu.Lock()
	l.last++
	r.part = l.last
	l.mu.Unlock()
	request.Version = protocol.Version
	l.parts.expect(r.part, r, -1) // its record may come before its answer
	said, err := l.call(ctx, r, protocol.Order{Kind: protocol.OrderWatch, Part: r.part, Request: &request}, prepareIn)
	if err != nil {
		l.parts.forget(r.part)
		return nil, err
	}
	r.header = said.Header
	l.mu.Lock()
	over := l.over
	if !over {
		r.heard = time.Now()
		l.members = append(l.members, r)
	}
	l.mu.Unlock()
	if over {
		l.parts.forget(r.part)
		_, _ = l.call(ctx, r, protocol.Order{Kind: protocol.OrderEnd}, callIn)
		return nil, errOver
	}
	return r, nil
}

// errOver says that a run has ended meanwhile.
var errOver = errors.New("the run is over")

// Failed are the agents that cannot be reached, by their hosts.
func (l *Lead) Failed() map[string]error { return l.failed }

// Notes are what the workers found before the load.
func (l *Lead) Notes() []string { return l.notes }

// Agents returns what the agents say of themselves, by their hosts.
func (l *Lead) Agents() map[string]runlog.Header {
	out := map[string]runlog.Header{}
	for _, r := range l.all() {
		if r.role == bus.RoleAgent {
			out[r.host] = r.header
		}
	}
	return out
}

// call gives an order and waits for the answer.
func (l *Lead) call(ctx context.Context, r *remote, o protocol.Order, within time.Duration) (protocol.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	o.Version, o.Run = protocol.Version, l.cfg.Run
	data, err := l.cfg.Conn.Call(ctx, bus.CallSubject(r.role, r.id), protocol.Pack(protocol.Encode(o)))
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
func (l *Lead) now() time.Duration { return time.Since(l.began) }

// beat gives signs of life, and looks for those that give none.
func (l *Lead) beat(ctx context.Context, inbox string) {
	ticker := time.NewTicker(protocol.BeatEvery / 5)
	defer ticker.Stop()
	for i := 0; ; i++ {
		l.mu.Lock()
		var lost []string
		hurry := false // a start is agreed on by several comparisons
		for _, r := range l.members {
			if r.lost != nil {
				lost = append(lost, r.id)
			} else if len(r.readings) < compared {
				hurry = true
			}
		}
		l.mu.Unlock()
		if hurry || i%5 == 0 {
			_ = l.cfg.Beats.Ask(protocol.BeatSubject(l.cfg.Run), inbox, protocol.Encode(protocol.Beat{Asked: l.now(), Lost: lost}))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		l.lookForLost()
		l.lookForReturned(ctx)
	}
}

// pulse takes an answer to a sign of life.
func (l *Lead) pulse(data []byte) []byte {
	returned := l.now()
	var p protocol.Pulse
	if json.Unmarshal(data, &p) != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.members {
		if r.id != p.ID || r.lost != nil {
			continue
		}
		r.heard = time.Now()
		if p.NotKept != "" && l.notKept == "" {
			l.notKept = p.NotKept
			l.cfg.Warn(fmt.Sprintf("%s: %s and others keep their records until it does", p.NotKept, r.name))
		}
		reading := runlog.ClockReading{Member: r.name, Asked: p.Asked, Received: p.Received, Answered: p.Answered, Returned: returned}
		if reading.Returned < reading.Asked || reading.Answered < reading.Received {
			return nil
		}
		if r.readings = append(r.readings, reading); len(r.readings) > 64 {
			r.readings = slices.Delete(r.readings, 0, 32)
		}
		l.keep(r, reading)
	}
	return nil
}

// keep records the best comparison of each second, once the run's clock is known.
func (l *Lead) keep(r *remote, reading runlog.ClockReading) {
	rtt := func(c runlog.ClockReading) time.Duration { return c.Returned - c.Asked }
	if r.pending == nil || rtt(reading) < rtt(*r.pending) {
		r.pending = &reading
	}
	if !l.started || reading.Returned-r.kept < time.Second {
		return
	}
	c := *r.pending
	c.Asked, c.Returned = c.Asked-l.start, c.Returned-l.start
	c.Received, c.Answered = c.Received-r.offset, c.Answered-r.offset
	r.pending, r.kept = nil, reading.Returned
	l.parts.clock(c)
}

// Start agrees on the start of the load: t = 0 on every worker's own clock.
func (l *Lead) Start(ctx context.Context, start time.Time) error {
	l.mu.Lock()
	l.start, l.started = start.Sub(l.began), true
	l.mu.Unlock()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, r := range l.all() {
		if r.role != bus.RoleWorker {
			continue
		}
		wg.Go(func() {
			if err := l.startOne(ctx, r); err != nil {
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
	for _, r := range l.all() {
		l.wg.Go(func() { l.obeyed(r) })
		if r.role == bus.RoleWorker {
			l.tellMu.Lock()
			l.workers = append(l.workers, r)
			l.tellMu.Unlock()
		}
	}
	return nil
}

func (l *Lead) startOne(ctx context.Context, r *remote) error {
	var at time.Duration
	for wait := time.NewTicker(10 * time.Millisecond); ; {
		l.mu.Lock()
		n := len(r.readings)
		if n >= compared {
			// The run's clock is not known to the estimate yet: both clocks are as they are.
			model := runlog.EstimateClock(r.readings)
			at = l.start + model.Offset
			r.offset = at
		}
		l.mu.Unlock()
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
		if l.now() > l.start {
			wait.Stop()
			return fmt.Errorf("its clock could not be compared in time: it does not answer")
		}
	}
	_, err := l.call(ctx, r, protocol.Order{Kind: protocol.OrderStart, StartAt: at}, callIn)
	return err
}

// obeyed gives a member its orders in order.
func (l *Lead) obeyed(r *remote) {
	for o := range r.orders {
		for {
			_, err := l.call(context.Background(), r, o, callIn)
			if err == nil || r.gone.Load() || errors.Is(err, bus.ErrNobody) {
				break // who is gone is found to be lost
			}
			if o.Kind == protocol.OrderExtend && !errors.Is(err, context.DeadlineExceeded) {
				l.lose(r, fmt.Errorf("it cannot follow the search: %w", err))
				break
			}
			if o.Kind != protocol.OrderExtend {
				break
			}
		}
	}
}

// tell gives all workers an order, in order and without waiting.
func (l *Lead) tell(o protocol.Order) {
	l.tellMu.Lock()
	defer l.tellMu.Unlock()
	for _, r := range l.workers {
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
func (l *Lead) Follow(ctx context.Context, log, also *runlog.Writer, firstPart int, seen func([]probe.Sample), o Observer) {
	l.parts.begin(log, also, firstPart, seen, o)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.parts.cancel = cancel
	l.parts.wg.Go(func() {
		if err := l.stream.Follow(ctx, l.parts.piece); err != nil {
			l.cfg.Warn(err.Error())
		}
	})
}

// End asks for the ends of all records, waits for them, and returns how each
// connection was. What is not there by then stays in the stream: complete says
// whether everything is.
func (l *Lead) End() (statuses []probe.Status, complete bool) {
	l.mu.Lock()
	l.over = true
	members := slices.Clone(l.members)
	l.mu.Unlock()
	for _, r := range members {
		if !r.gone.Load() {
			select {
			case r.orders <- protocol.Order{Kind: protocol.OrderEnd}:
			default:
			}
		}
	}
	complete = l.parts.wait(endsIn)
	l.parts.cancel()
	l.parts.wg.Wait()
	for _, r := range members {
		close(r.orders)
	}
	for _, r := range members {
		statuses = append(statuses, l.statusOf(r))
	}
	return statuses, complete
}

// Forget ends the run on the bus. Without complete, its stream stays.
func (l *Lead) Forget(complete bool) {
	if complete { // before the stream goes: an answer may still be on its way
		var wg sync.WaitGroup
		for _, r := range l.all() {
			wg.Go(func() { _, _ = l.call(context.Background(), r, protocol.Order{Kind: protocol.OrderDone}, callIn) })
		}
		wg.Wait()
	}
	l.close(complete)
}

func (l *Lead) statusOf(r *remote) probe.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := probe.Status{Source: probe.Source{Host: r.name, Name: string(r.role)}, State: probe.Measured, Reads: l.parts.count(r)}
	switch at, ended := l.parts.ended(r); {
	case r.lost != nil:
		s.State, s.Reason = probe.Partial, r.lost.Error()
	case !ended && s.Reads == 0:
		s.State, s.Reason = probe.NotMeasured, "nothing of its record arrived"
	case !ended:
		s.State, s.Reason = probe.Partial, fmt.Sprintf("its record ends at %s: the connection was lost", at.Round(100*time.Millisecond))
	}
	return s
}

var _ attack.Loader = (*Loader)(nil)
