// Package ramp drives load: it takes the due times of a schedule, sends each
// request through the target's client when it is due, applies the retry policy,
// and folds what happened into windows for a sink. There are two drivers of the
// one contract attack.Loader, with identical counts:
//
//   - [NewVegeta]: vegeta's Attacker paces and runs the requests.
//   - [NewDirect]: a loop of its own without http.Client and vegeta's results,
//     for rates beyond what the Attacker carries.
//
// The clients that carry the requests come from Config.Open: this package knows no
// protocol. It judges nothing and keeps nothing: windows and failures go to the sink.
//
// # Counts
//
// For every target, up to the end of a run: scheduled = sent + unsent, and every
// request sent ends exactly once. A request is sent when it is handed to the
// transport, where it may wait for a connection. It is unsent when
// Client.MaxInFlight requests are in flight already, or when the run was stopped
// before its turn. Requests of the open loop are numbered by the schedule from
// 0; those of closed-loop stages have numbers above, each its own.
package ramp

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp/tally"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

// Config is what a driver needs. Profile is required, the zero value of every
// other field has a meaning.
type Config struct {
	Profile profiles.Profile
	RunID   attack.RunID // also the seed of the bursts' jitter
	// Start returns the instant of t = 0. It is asked when Run begins, so that the time
	// that planning takes is none of the load's. In the future: Run waits for it. In
	// the past: the load begins late and catches up. Nil: when Run is called.
	Start func() time.Time
	// Schedule takes the place of the profile's stages; it may grow or be changed while
	// the load is sent, which ends when it is final. Nil: the stages.
	Schedule *schedule.Growing
	Window   time.Duration // 0: 250 ms
	Shards   int           // of the aggregator; 0: twice the processors, 16 at least
	Engines  int           // of the direct driver; 0: one a processor
	Slice    Slice         // of the load, when several generators share it
	// From is where the load is taken up: what is due before is somebody else's, and
	// is neither sent nor counted. The first window is the one that begins there: it
	// is rounded up to whole windows.
	From        time.Duration
	MaxFailures int // kept whole for each target and window; 0: 1000
	// Ended takes each attempt that failed and is kept whole, and of the good ones those that
	// services were asked to record, at most 200 in a window and shard. Calls come from one
	// goroutine, off the hot path. Nil: nobody wants them.
	Ended func(attack.Attempt)
	// Open makes the client of a target, for each base URL that it has. Required.
	Open attack.Opener
	// Subscribe reads the topics that tell of completions; nil: none is read.
	Subscribe Subscriber
}

// Defaults of the configuration.
const (
	defaultWindow      = 250 * time.Millisecond
	defaultMaxFailures = 1000
	defaultMaxInFlight = 10_000
	defaultDrain       = 5 * time.Second // when the profile has no timeout
	unboundedLoop      = 256             // requests of a closed loop without connection limit
	localFaultPause    = 10 * time.Millisecond
)

// group is the connections to one base URL of a target.
type group struct {
	target    uint16
	share     float64 // of all connections and requests
	via       attack.Client
	endpoints []uint32      // of the target
	mix       *schedule.Mix // of the endpoints, for the closed loop
	remap     atomic.Pointer[[]uint16]
}

// endpoint is one compiled request.
type endpoint struct {
	tables  []int // of the profile, that it needs a row of
	via     *group
	request attack.Request
}

// target is one target of the profile.
type target struct {
	journey   *route // that begins with it; nil: none
	endpoints []endpoint

	mu        sync.Mutex
	addresses map[netip.AddrPort]uint16
}

// timetable is what both kinds of schedule tell.
type timetable interface {
	Count(t time.Duration) uint64
	Total() uint64
	Due(n uint64) (time.Duration, bool)
	Rate(t time.Duration) float64
	End() time.Duration
	Conns(t time.Duration) (int, bool)
	ConnsAfter(t time.Duration) (time.Duration, bool)
	MaxAt(t time.Duration) (end time.Duration, on bool)
	MaxAfter(t time.Duration) (index int, start, end time.Duration, ok bool)
}

// run is one load from its plan to its end; both drivers are built on it.
type run struct {
	cfg         Config
	sched       timetable
	growing     *schedule.Growing // sched, where it may change; nil: it is as planned
	mix         *schedule.Mix
	targets     []*target
	groups      []*group
	followers   []*follower // by target; nil: what it accepts is not followed
	retries     retryPolicy
	maxInFlight int64
	agg         *tally.Aggregator
	coll        *tally.Collector
	start       time.Time           // t = 0, with a monotonic reading
	sleep       func(time.Duration) // in tests; nil: an alarm

	flights *flights
	rows    *rows

	// compiled are the requests, as the first connect compiled them: the load must not
	// wait for what takes a second with 100,000 of them.
	compiled []attack.Request
	taken    int // of compiled, by the second connect

	mu      sync.Mutex
	cutoff  uint64 // requests of the schedule that count as due
	halted  bool   // cutoff is final
	counted int32  // windows whose requests due are settled
	due     uint64 // requests of the schedule that a window has counted as scheduled; the collector's

	stopOnce sync.Once
	stopped  chan struct{} // closed when nothing more is to be sent
	stopTime time.Duration // set before stopped is closed
	broken   chan struct{} // closed when what was begun is not to go on either: retries, and users after a pause
}

func newRun(cfg Config, engines int) (*run, error) {
	if cfg.Window == 0 {
		cfg.Window = defaultWindow
	}
	if cfg.Window < time.Millisecond {
		return nil, fmt.Errorf("plan load: a window of %v is shorter than 1ms", cfg.Window)
	}
	if cfg.Shards <= 0 {
		// More than goroutines that run at once: two that share one are rarely on.
		cfg.Shards = max(2*runtime.GOMAXPROCS(0), 16)
	}
	if cfg.Slice.Index >= cfg.Slice.of() {
		return nil, fmt.Errorf("plan load: there is no slice %d of %d: the first is 0", cfg.Slice.Index, cfg.Slice.of())
	}
	if cfg.MaxFailures <= 0 {
		cfg.MaxFailures = defaultMaxFailures
	}
	cfg.From = (max(cfg.From, 0) + cfg.Window - 1) / cfg.Window * cfg.Window
	client := cfg.Profile.Client
	r := &run{cfg: cfg, maxInFlight: int64(client.MaxInFlight), stopped: make(chan struct{}), broken: make(chan struct{})}
	if r.maxInFlight <= 0 {
		r.maxInFlight = defaultMaxInFlight
	}
	r.flights = newFlights(r.maxInFlight, engines)
	var err error
	if cfg.Schedule != nil {
		r.sched, r.growing = cfg.Schedule, cfg.Schedule
	} else if r.sched, err = schedule.New(cfg.Profile.Load, binary.LittleEndian.Uint64(cfg.RunID[:]), client.PerConnection); err != nil {
		return nil, err
	}
	r.cutoff = math.MaxUint64
	if r.retries, err = newRetryPolicy(client.Retries); err != nil {
		return nil, err
	}
	counts := tally.Config{
		Targets: len(cfg.Profile.Counted()), Shards: cfg.Shards, Failures: cfg.MaxFailures,
		Interval: cfg.Window, First: int32(cfg.From / cfg.Window),
	}
	// What is wrong with the targets shows now, not when the load begins.
	r.start = time.Now()
	if cfg.Ended != nil {
		counts.Sampling, counts.Run = attack.TracingOf(cfg.Profile.Traces), cfg.RunID
	}
	r.agg = tally.New(counts)
	err = equipment{r}.connect()
	r.close()
	r.taken = 0
	return r, err
}

// now is the time since the start of the load.
func (run *run) now() time.Duration { return time.Since(run.start) }

// stop ends the sending: drivers notice at their next step, 50 ms at most.
func (run *run) stop() {
	run.stopOnce.Do(func() {
		run.stopTime = run.now()
		close(run.stopped)
	})
}

func (run *run) stopping() bool {
	select {
	case <-run.stopped:
		return true
	default:
		return false
	}
}

// final reports whether the schedule is all there is.
func (run *run) final() bool { return run.growing == nil || run.growing.Final() }

// grown returns a channel that is closed when the schedule changes; nil for one that
// does not.
func (run *run) grown() <-chan struct{} {
	if run.growing == nil {
		return nil
	}
	return run.growing.Grown()
}

// halt settles which requests of the schedule count as due, when the engines have
// stopped, each before its request next: those due by now, or by when they were
// told to stop. Those of them that have not been sent are unsent.
func (run *run) halt(next []uint64) {
	now := run.now()
	if run.stopping() {
		now = min(now, run.stopTime)
	}
	run.mu.Lock()
	if run.halted {
		run.mu.Unlock()
		return
	}
	run.halted = true
	// Windows that are collected already have counted theirs.
	collected := time.Duration(run.counted)*run.cfg.Window - 1
	run.cutoff = max(min(run.sched.Count(max(now, collected)), run.sched.Total()), run.first())
	for i, n := range next {
		// A request that was sent is due, whatever the clock says.
		if first := run.cfg.Slice.split(i, len(next)).next(run.first()); n > first {
			run.cutoff = max(run.cutoff, n-run.cfg.Slice.of()*uint64(len(next))+1)
		}
	}
	cutoff := run.cutoff
	run.mu.Unlock()
	for i, n := range next {
		for step := run.cfg.Slice.of() * uint64(len(next)); n < cutoff; n += step {
			t, _ := run.mix.Pick(n)
			run.agg.Unsent(uint32(i), t, now)
		}
	}
}

// open sends request n of the schedule and waits for its end. The caller has
// counted it in flight. It returns the hint for the next request; see
// [tally.Aggregator].
func (run *run) open(hint uint32, n uint64, a *attack.Attempt) uint32 {
	t, e := run.mix.Pick(n)
	due, _ := run.sched.Due(n)
	mine := a.Fill
	*a = attack.Attempt{Request: n, Target: t, Endpoint: e, Due: due}
	if j := run.targets[t].journey; j != nil {
		hint = run.travel(hint, j, a)
		a.Fill = nil // its user's
		return hint
	}
	ep := &run.targets[t].endpoints[e]
	now := run.now()
	if !run.fill(ep.tables, a, mine) {
		run.agg.Unsent(hint, t, now)
		return hint
	}
	hint = run.agg.Begin(hint, t, due, now, false)
	return run.perform(hint, ep.via.via, ep, a)
}

// fill chooses what a request is filled with. It returns false, and ends the load, when
// rows that are used once only are used up. mine is memory of an attempt that has ended.
func (run *run) fill(tables []int, a *attack.Attempt, mine *attack.Fill) bool {
	if len(tables) == 0 {
		return true
	}
	if mine == nil {
		mine = new(attack.Fill)
	}
	if run.rows.pick(tables, a, mine) {
		return true
	}
	run.stop()
	return false
}

// loop sends the next request of a closed loop's slot.
func (r closedLoops) loop(s *loopSlot, now time.Duration) {
	g := s.group
	_, i := g.mix.Pick(s.turn)
	e := g.endpoints[i]
	mine := s.try.Fill
	s.try = attack.Attempt{Request: s.next, Target: g.target, Endpoint: e, Due: now}
	if !r.fill(r.targets[g.target].endpoints[e].tables, &s.try, mine) {
		return
	}
	s.turn += s.turns
	s.next += s.step
	s.hint = r.agg.Begin(s.hint, g.target, now, now, true)
	s.hint = r.perform(s.hint, s.via, &r.targets[g.target].endpoints[e], &s.try)
	if s.try.Fault.Local() {
		r.pause(localFaultPause) // this machine has run out: do not make it worse
	}
}

// perform sends a request, with retries, and counts every attempt.
func (run *run) perform(hint uint32, via attack.Sender, ep *endpoint, a *attack.Attempt) uint32 {
	if f := run.followers[a.Target]; f != nil {
		return run.performFor(hint, via, ep, a, f)
	}
	return run.performFor(hint, via, ep, a, nil)
}

// reader looks at each answer, before anybody counts the attempt.
type reader interface {
	Begin(a *attack.Attempt)
	End(a *attack.Attempt)
}

// performFor is perform for somebody who reads the answers; nil: nobody does.
func (run *run) performFor(hint uint32, via attack.Sender, ep *endpoint, a *attack.Attempt, by reader) uint32 {
	for {
		if by != nil {
			by.Begin(a)
		}
		via.Do(ep.request, a)
		if by != nil {
			by.End(a)
		}
		if remap := ep.via.remap.Load(); remap != nil {
			a.Conn.RemoteIndex = (*remap)[a.Conn.RemoteIndex]
		}
		a.Last = a.Fault == attack.None || !run.retries.again(a, ep.request.Repeatable()) || run.interrupted()
		hint = run.agg.End(hint, a)
		if a.Last {
			return hint
		}
		if !run.pause(run.retries.pause(a)) {
			run.agg.Abandon(hint, a, run.now())
			return hint
		}
		a.Try++
		a.Sent, a.Received, a.Answer = 0, 0, nil
		run.agg.Retry(hint, a.Target, run.now())
	}
}
