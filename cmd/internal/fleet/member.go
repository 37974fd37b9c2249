package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/roster"
	"github.com/rampload/rampload/cmd/internal/fleet/spool"
	"github.com/rampload/rampload/probe"
)

// Member is a worker or an agent on the bus: it waits for runs, and takes part in
// them. It listens to nothing but the bus, to which it connects itself.
type Member struct {
	Bus   bus.Config
	Name  string // of this machine for others
	Clock probe.Clock
	// Spool is the folder for records until they are safe; empty: memory.
	Spool string
	// SpoolMost bounds what waits of one record.
	SpoolMost int64
	Info      AgentInfo
	About     map[string]string // what else can be known of it before a run
	Say       func(string)      // tells whoever started it; nil: nobody

	// One of the two says what it is.
	Watch Watch  // an agent
	Send  Sender // a worker

	conn, beats *bus.Conn
	id          string
	delivering  context.Context // done when what is not safe by now stays where it is

	mu         sync.Mutex
	jobs       map[string]*job                                     // by run
	deliveries map[string]map[*spool.Spool]context.CancelCauseFunc // by run
	wg         sync.WaitGroup
}

// Sender sends load for a worker.
type Sender interface {
	// Prepare finds out before the load whether it can be sent: whether the targets
	// are allowed, and answer.
	Prepare(ctx context.Context, a protocol.Assignment) (warnings []string, err error)
	// Load sends a slice and writes its record until ctx is done, which stops the
	// load. It returns when the record has its end.
	Load(ctx context.Context, a protocol.Assignment, slice Slice) error
}

const (
	// retryDial is the pause before a server that is not there is tried again.
	retryDial = 2 * time.Second
	// mostRuns is in how many runs an agent takes part at once.
	mostRuns = 8
	// giveUpAfter is for how long a record is offered by one process.
	giveUpAfter = 24 * time.Hour
)

func (m *Member) role() bus.Role {
	if m.Send != nil {
		return bus.RoleWorker
	}
	return bus.RoleAgent
}

func (m *Member) say(format string, args ...any) {
	if m.Say != nil {
		m.Say(fmt.Sprintf(format, args...))
	}
}

// Serve takes part in runs until ctx is done. It waits for a server that is not there,
// and comes back to one that was away; the error says why it is not wanted.
func (m *Member) Serve(ctx context.Context) error {
	m.jobs = map[string]*job{}
	var (
		err    error
		giveUp context.CancelFunc
	)
	m.delivering, giveUp = context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	if m.conn, err = m.dial(ctx, ""); err != nil {
		return err
	}
	defer m.conn.Close()
	// A connection of their own: a sign of life does not wait behind a record.
	if m.beats, err = m.dial(ctx, "beats"); err != nil {
		return err
	}
	defer m.beats.Close()
	about := "watches its host for runs"
	if m.Send != nil {
		about = "sends load for runs"
	}
	told := map[string]string{roster.Spoken: protocol.Spoken(m.Send != nil)}
	maps.Copy(told, m.About)
	// An order may come before this end has been told by what number it is known.
	offered := make(chan struct{})
	id, stop, err := m.conn.Offer(bus.Service{Role: m.role(), Name: m.Name, About: about, Version: m.Info.Rampload, Metadata: told}, func(order []byte) []byte {
		<-offered
		return m.hear(order)
	})
	m.id = id
	close(offered)
	if err != nil {
		return err
	}
	m.say("ready on %s as %s", m.conn.Where(), m.Name)
	m.deliverOld()
	<-ctx.Done()
	stop()
	m.mu.Lock()
	for _, j := range m.jobs {
		j.end(errShutDown)
	}
	m.mu.Unlock()
	late := time.AfterFunc(drainFor, giveUp)
	defer late.Stop()
	if !m.conn.Up() {
		giveUp()
	}
	m.wg.Wait()
	return nil
}

var (
	errShutDown = errors.New("it was told to end")
	// errCollected says that all of a record has arrived, whatever became of the answers.
	errCollected = errors.New("it has arrived")
)

// dial connects, and waits for a server that is not there yet.
func (m *Member) dial(ctx context.Context, what string) (*bus.Conn, error) {
	cfg := m.Bus
	cfg.Role, cfg.Name = m.role(), m.Name+" "+what
	if what == "" {
		cfg.Notice = func(n bus.Notice) {
			switch {
			case n.Err != nil && !n.Up:
				m.say("lost the connection: %s; trying again", n.Err)
			case n.Err != nil:
				m.say("%s", n.Err)
			case n.Up:
				m.say("connected again")
			}
		}
	}
	for told := false; ; {
		conn, err := bus.Dial(cfg)
		if err == nil || errors.Is(err, bus.ErrRefused) {
			return conn, err
		}
		if !told {
			m.say("%s; trying again", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retryDial):
		}
	}
}

// hear takes an order.
func (m *Member) hear(data []byte) []byte {
	o, err := protocol.DecodeOrder(data)
	if err != nil {
		return protocol.Encode(protocol.Answer{Error: err.Error()})
	}
	switch o.Kind {
	case protocol.OrderPrepare, protocol.OrderWatch:
		return protocol.Encode(m.join(o))
	case protocol.OrderDone:
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, end := range m.deliveries[o.Run] {
			end(errCollected)
		}
		delete(m.deliveries, o.Run)
		return protocol.Encode(protocol.Answer{})
	}
	m.mu.Lock()
	j := m.jobs[o.Run]
	m.mu.Unlock()
	if j == nil {
		return protocol.Encode(protocol.Answer{Error: m.Name + " takes no part in this run"})
	}
	return protocol.Encode(j.obey(o))
}

// join begins to take part in a run.
func (m *Member) join(o protocol.Order) protocol.Answer {
	j := &job{member: m, run: o.Run, heard: time.Now(), parts: map[int]bool{}}
	j.ctx, j.cancel = context.WithCancelCause(context.Background())
	m.mu.Lock()
	busy := ""
	for run := range m.jobs {
		if m.Send != nil && run != o.Run {
			busy = fmt.Sprintf("%s sends load for another run (%s)", m.Name, run)
		}
	}
	if len(m.jobs) >= mostRuns {
		busy = fmt.Sprintf("%s is in %d runs already", m.Name, len(m.jobs))
	}
	known := m.jobs[o.Run]
	if known != nil && m.Watch != nil && o.Kind == protocol.OrderWatch && o.Request != nil && known.ctx.Err() == nil {
		m.mu.Unlock()
		return known.watch(o) // another host of the profile is on this machine too
	}
	if known != nil {
		busy = m.Name + " is in this run already"
	}
	if busy == "" {
		m.jobs[o.Run] = j
	}
	m.mu.Unlock()
	if busy != "" {
		return protocol.Answer{Error: busy, Busy: true}
	}
	var a protocol.Answer
	switch {
	case o.Kind == protocol.OrderWatch && m.Watch != nil && o.Request != nil:
		a = j.watch(o)
	case o.Kind == protocol.OrderPrepare && m.Send != nil && o.Assignment != nil:
		a = j.prepare(o)
	default:
		a = protocol.Answer{Error: fmt.Sprintf("%s is %s and does nothing else", m.Name, m.role())}
	}
	if a.Error != "" {
		m.forget(j)
		return a
	}
	stop, err := m.beats.Hear(protocol.BeatSubject(o.Run), j.beat)
	if err != nil {
		stop = func() {}
		j.end(err)
		m.forget(j) // it may be asked again
		a = protocol.Answer{Error: err.Error()}
	}
	j.stopBeats = stop
	m.wg.Go(j.guard)
	return a
}

func (m *Member) forget(j *job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.jobs[j.run] == j {
		delete(m.jobs, j.run)
	}
}

// deliver hands a record on until it is safe, however long the server is away, and
// forgets it then. What is not safe when the process ends is offered by the next one.
func (m *Member) deliver(run string, part int, s *spool.Spool) {
	ctx, cancel := context.WithTimeout(m.delivering, giveUpAfter)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	m.mu.Lock()
	if m.deliveries == nil {
		m.deliveries = map[string]map[*spool.Spool]context.CancelCauseFunc{}
	}
	if m.deliveries[run] == nil {
		m.deliveries[run] = map[*spool.Spool]context.CancelCauseFunc{}
	}
	m.deliveries[run][s] = end
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if delete(m.deliveries[run], s); len(m.deliveries[run]) == 0 {
			delete(m.deliveries, run)
		}
	}()
	err := s.Deliver(ctx, func(offset int64, data []byte) <-chan error { return m.conn.Append(run, part, offset, data) })
	switch {
	case err == nil, errors.Is(context.Cause(ctx), errCollected):
		s.Remove()
	case s.Name() != "":
		m.say("the record of run %s is not delivered yet: it is kept in %s", run, s.Name())
	default:
		m.say("the record of run %s is lost: %s", run, err)
	}
}

// deliverOld offers what an earlier process recorded and could not hand on.
func (m *Member) deliverOld() {
	if m.Spool == "" {
		return
	}
	for _, path := range spool.Left(m.Spool, time.Now()) {
		run, part, ok := spool.Of(path)
		if !ok {
			continue
		}
		s, err := spool.Reopen(path)
		if err != nil {
			m.say("%s", err)
			continue
		}
		m.say("the record of run %s was not handed on before: %s", run, filepath.Base(path))
		m.wg.Go(func() { m.deliver(run, part, s) })
	}
}

// job is a member's part in one run.
type job struct {
	member *Member
	run    string
	ctx    context.Context // done when the record is to end
	cancel context.CancelCauseFunc

	stopBeats func()
	sending   *sending // a worker's

	mu    sync.Mutex
	heard time.Time // last sign of the coordinator
	parts map[int]bool
	kept  []*spool.Spool
	wg    sync.WaitGroup // of the records
	safe  sync.WaitGroup // of what hands them on
}

// end ends the records, for a reason.
func (j *job) end(why error) { j.cancel(why) }

// beat answers a sign of life.
func (j *job) beat(data []byte) []byte {
	received := j.member.Clock.Now()
	var b protocol.Beat
	if json.Unmarshal(data, &b) != nil {
		return nil
	}
	if slices.Contains(b.Lost, j.member.id) {
		j.end(errLost)
		return nil
	}
	j.mu.Lock()
	j.heard = time.Now()
	j.mu.Unlock()
	p := protocol.Pulse{ID: j.member.id, Asked: b.Asked, Received: received}
	if err := j.notKept(); err != nil {
		p.NotKept = err.Error()
	}
	p.Answered = j.member.Clock.Now()
	return protocol.Encode(p)
}

// notKept is why the server does not take the records; nil: it does, or is away.
func (j *job) notKept() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.kept {
		if err := s.Refused(); errors.Is(err, bus.ErrNotKept) {
			return err
		}
	}
	return nil
}

var (
	errLost   = errors.New("the coordinator gave it up")
	errSilent = errors.New("the coordinator is gone")
)

// guard ends the job when the coordinator is gone, and cleans up behind it.
func (j *job) guard() {
	patience := protocol.LeaveAfter
	if j.member.Send != nil {
		patience = protocol.StopAfter
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	if j.member.Send == nil {
		ticker.Reset(time.Second)
	}
	defer ticker.Stop()
	for waiting := true; waiting; {
		select {
		case <-ticker.C:
			j.mu.Lock()
			silent := time.Since(j.heard)
			j.mu.Unlock()
			if silent > patience {
				j.end(errSilent)
			}
		case <-j.ctx.Done():
			waiting = false
		}
	}
	if cause := context.Cause(j.ctx); cause != nil && !errors.Is(cause, errEnd) {
		j.member.say("run %s ends here: %s", j.run, cause)
	}
	j.wg.Wait()
	if j.sending != nil {
		j.sending.clean()
	}
	if !errors.Is(context.Cause(j.ctx), errSilent) {
		j.handOver()
	}
	j.stopBeats()
	j.member.forget(j)
}

// handOver waits until the records are safe, for a while: who gives no sign of life
// before counts as lost.
func (j *job) handOver() {
	safe := make(chan struct{})
	go func() {
		j.safe.Wait()
		close(safe)
	}()
	late := time.NewTimer(drainFor)
	defer late.Stop()
	select {
	case <-safe:
	case <-late.C:
	case <-j.member.delivering.Done():
	}
}

// record begins the record of a part: what is written to it is handed on by itself.
func (j *job) record(part int) (*spool.Spool, error) {
	j.mu.Lock()
	known := j.parts[part]
	j.parts[part] = true
	j.mu.Unlock()
	if known || part == 0 {
		return nil, fmt.Errorf("part %d of the run is there already", part)
	}
	kept, err := spool.New(spool.Path(j.member.Spool, j.run, part), cmp.Or(j.member.SpoolMost, maxBacklog))
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	j.kept = append(j.kept, kept)
	j.mu.Unlock()
	j.safe.Add(1)
	j.member.wg.Go(func() { // it may outlive the job
		defer j.safe.Done()
		j.member.deliver(j.run, part, kept)
	})
	return kept, nil
}

// obey carries out an order within a run.
func (j *job) obey(o protocol.Order) protocol.Answer {
	switch {
	case o.Kind == protocol.OrderEnd || o.Kind == protocol.OrderStop:
		j.end(errEnd)
		return protocol.Answer{}
	case j.sending != nil:
		return j.sending.obey(o)
	}
	return protocol.Answer{Error: fmt.Sprintf("an agent cannot %s", o.Kind)}
}
