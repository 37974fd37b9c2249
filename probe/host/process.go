package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// Process samples processes: those that a selection names and all their
// children, so that a master and its workers, or a pre-fork server, are one
// source. For each it reads open files, threads, resident memory and CPU, each
// against the limit that binds it; the reading of the process nearest its limit
// comes first. All carry the same label and their own PID. Of the first one the file systems that it is
// likely to write to are read as well. Where the kernel tells
// it, the threads of each are read as well, as often as 0.3 % of a core allows: how
// long they were ready and had no processor, how often they got one, and their states.
//
// Processes are followed as they start and end. A process is known by its pid
// and its start time, and read through descriptors that the kernel binds to it,
// so another one that gets its pid is never taken for it. Starts and ends are
// events; the first processes found are no start.
type Process struct {
	host    string
	sel     profiles.Process
	opts    Options
	label   atomic.Pointer[string]
	finder  finder
	alone   bool // without children
	members []*member
	pids    atomic.Pointer[[]int32]
	limits  limitReader

	opened   time.Time
	lookAt   time.Time // when to look for new processes
	tasksAt  time.Time // when to read threads again
	spaceAt  time.Time // when to read file systems again
	space    space
	lookErr  error // why the last look found none
	ever     bool  // some were found
	closed   bool
	events   []probe.Event
	missing  missing
	readings map[string][]probe.Reading
	users    users // of this sample
}

// maxMembers bounds the processes of one source; the first ones found stay.
const maxMembers = 64

// How often to look for new processes: rarely enough that looking costs at most
// a share of one core, yet often enough to see a restart when it matters, and
// without waiting while there is none to watch.
const (
	lookEvery, lookAtLeast, lookShare          = 500 * time.Millisecond, 4 * time.Second, 0.002
	missingEvery, missingAtLeast, missingShare = 50 * time.Millisecond, 500 * time.Millisecond, 0.02
)

// errNoProcess means that nothing matches the selection now.
var errNoProcess = errors.New("no such process")

// NewProcess opens a sampler of the processes that sel names, on the host of that
// name in the profile (empty means "local"). No process needs to exist yet:
// until one does, each reading is an error.
func NewProcess(sel profiles.Process, hostname string, o Options) (*Process, error) {
	if hostname == "" {
		hostname = "local"
	}
	p := &Process{host: hostname, sel: sel, opts: o, opened: time.Now(), readings: map[string][]probe.Reading{}, users: users{}}
	p.setLabel(selectionName(sel))
	p.pids.Store(&[]int32{})
	var err error
	if p.finder, err = newFinder(sel, o); err != nil {
		return nil, fmt.Errorf("open %s: %w", p.Source().Name, err)
	}
	p.limits.open(o)
	return p, nil
}

// selectionName names a selection before a process is found.
func selectionName(sel profiles.Process) string {
	switch {
	case sel.Listen != 0:
		return "port " + strconv.Itoa(sel.Listen)
	case sel.PID != 0:
		return "pid " + strconv.Itoa(sel.PID)
	case sel.Name != "":
		return sel.Name
	case sel.Unit != "":
		return sel.Unit
	case sel.Container != "":
		return sel.Container
	case sel.Pod != "":
		return sel.Pod
	default:
		return sel.Cgroup
	}
}

func (p *Process) setLabel(s string) { p.label.Store(&s) }

// Label is what people call the processes: the name, unit or cgroup they were
// selected by, else the command name of the first one, once it is found. It may
// be called from any goroutine.
func (p *Process) Label() string { return *p.label.Load() }

// PIDs returns the processes that exist as far as is known, the first one found
// first. It may be called from any goroutine; what it returns must not be
// changed.
func (p *Process) PIDs() []int32 { return *p.pids.Load() }

// Source names the sampler in reports.
func (p *Process) Source() probe.Source {
	return probe.Source{Host: p.host, Name: "process " + selectionName(p.sel)}
}

// Missing says what could not be read of the processes.
func (p *Process) Missing() []*probe.Unsupported { return p.missing }

// DrainEvents hands over the starts and ends seen since the last call. A start has
// the time at which the process started, an end that of the first reading
// without it.
func (p *Process) DrainEvents(emit func(probe.Event)) {
	slices.SortStableFunc(p.events, func(a, b probe.Event) int { return cmp.Compare(a.At, b.At) })
	for _, e := range p.events {
		emit(e)
	}
	p.events = p.events[:0]
}

// Fullest returns the last reading of a metric of the process nearest its limit;
// false if there is none. It is called as Sample is.
func (p *Process) Fullest(name string) (probe.Reading, bool) {
	r := p.readings[name]
	if len(r) == 0 {
		return probe.Reading{}, false
	}
	return r[0], true
}

// Close releases the processes. It may be called again.
func (p *Process) Close() error {
	p.closed = true
	var errs []error
	for _, m := range p.members {
		errs = append(errs, m.close())
	}
	p.members = nil
	p.pids.Store(&[]int32{})
	return errors.Join(append(errs, p.finder.close(), p.limits.close())...)
}

// Sample reads the processes. While there is none it returns an error, which
// matches [probe.ErrUnsupported] if they exist but may not be seen.
func (p *Process) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if err := cmp.Or(ctx.Err(), closedErr(p.closed)); err != nil {
		return err
	}
	for name := range p.readings {
		p.readings[name] = p.readings[name][:0]
	}
	now := time.Now()
	ended := p.read(now)
	if ended || !now.Before(p.lookAt) {
		p.lookErr = p.look(ctx, now)
	}
	p.collectUsers()
	p.readTasks(now)
	p.readSpace(now)
	read := p.opts.Clock.Stamp(emit)
	for _, name := range [...]string{probe.OpenFiles, probe.OpenFilesHard, probe.Threads, probe.UserThreads, probe.RSS, probe.ProcessCPU, probe.FileSystem, probe.FileSystemInodes, probe.RunDelay, probe.Runs, probe.ThreadsRunning, probe.ThreadsOnDisk, probe.ThreadsHeld, probe.ThreadsStopped, probe.DiskDelay, probe.GaveUp, probe.Preempted} {
		all := p.readings[name]
		slices.SortStableFunc(all, func(a, b probe.Reading) int { return cmp.Compare(fullness(b), fullness(a)) })
		for _, r := range all {
			read(r)
		}
	}
	if len(p.members) > 0 {
		return nil
	}
	return fmt.Errorf("find %s: %w", p.Source().Name, cmp.Or(p.lookErr, errNoProcess))
}

func fullness(r probe.Reading) float64 {
	if r.Limit > 0 {
		return r.Value / r.Limit
	}
	return 0
}

// read reads every member; ended is true if one has gone.
func (p *Process) read(now time.Time) (ended bool) {
	kept := p.members[:0]
	for _, m := range p.members {
		s, err := m.read(&p.limits, now)
		if err != nil {
			ended = true
			p.finder.gone(m.found)
			p.events = append(p.events, probe.Event{
				Kind: probe.ProcessExit, At: p.opts.Clock.Now(), Source: p.Source(), Host: p.host,
				Process: p.Label(), PID: m.pid, Comm: m.comm, Reason: m.exitReason(),
			})
			_ = m.close()
			continue
		}
		kept = append(kept, m)
		p.collect(m, s)
	}
	clear(p.members[len(kept):])
	p.members = kept
	if ended {
		p.publish()
	}
	return ended
}

// collect keeps the readings of one process until all are read.
func (p *Process) collect(m *member, s stats) {
	put := func(name string, v, limit float64) {
		if math.IsNaN(v) {
			return
		}
		if math.IsInf(limit, 1) {
			limit = probe.NoLimit()
		}
		metric := probe.Metric{Host: p.host, Process: p.Label(), PID: m.pid, Name: name}
		p.readings[name] = append(p.readings[name], probe.Reading{Metric: metric, Value: v, Limit: limit})
	}
	put(probe.OpenFiles, s.files, s.filesLimit)
	if !math.IsInf(s.filesHard, 1) {
		put(probe.OpenFilesHard, s.filesHard, probe.NoLimit())
	}
	put(probe.Threads, s.threads, s.threadsLimit)
	put(probe.RSS, s.rss, s.rssLimit)
	p.users.add(s)
	if share, ok := m.cpu.share(s.at, s.cpu, s.cores); ok {
		put(probe.ProcessCPU, share, 1)
	}
	for _, u := range s.missing {
		p.missing.add(u.What, u)
	}
}

// users sums up what the kernel counts for a user and not for a process: the
// threads of all its processes, of which those that are watched are known.
type users map[uint32]*userThreads

type userThreads struct {
	processes      int
	threads, limit float64
}

func (u users) add(s stats) {
	if math.IsInf(s.userLimit, 1) || math.IsNaN(s.userLimit+s.threads) {
		return
	}
	x := u[s.user]
	if x == nil {
		x = &userThreads{limit: s.userLimit}
		u[s.user] = x
	}
	x.processes++
	x.threads += s.threads
	x.limit = min(x.limit, s.userLimit)
}

// collectUsers keeps the readings of users with several processes; of a single
// one its own threads tell as much.
func (p *Process) collectUsers() {
	for user, x := range p.users {
		if x.processes > 1 {
			p.readings[probe.UserThreads] = append(p.readings[probe.UserThreads], probe.Reading{
				Metric: probe.Metric{Host: p.host, Process: p.Label(), Name: probe.UserThreads, Instance: "uid " + strconv.FormatUint(uint64(user), 10)},
				Value:  x.threads, Limit: x.limit,
			})
		}
	}
	clear(p.users)
}

// look looks for processes that are not members yet.
func (p *Process) look(ctx context.Context, now time.Time) error {
	found, err := p.finder.find(ctx)
	if p.alone {
		found = found[:min(len(found), 1)]
	}
	cost := time.Since(now)
	wait := min(max(lookEvery, time.Duration(float64(cost)/lookShare)), lookAtLeast)
	if len(found) == 0 {
		wait = min(max(missingEvery, time.Duration(float64(cost)/missingShare)), missingAtLeast)
	}
	p.lookAt = now.Add(wait)
	if err != nil {
		return err
	}
	changed := false
	for _, f := range found {
		if len(p.members) == maxMembers {
			break
		}
		if slices.ContainsFunc(p.members, func(m *member) bool { return m.pid == f.pid && m.start == f.start }) {
			continue
		}
		m, err := openMember(f, p.opts)
		if err != nil {
			continue // it ended while we looked
		}
		s, err := m.read(&p.limits, time.Now())
		if err != nil { // a zombie whose parent has not asked for it yet
			_ = m.close()
			continue
		}
		if len(p.members) == 0 && !p.ever && !p.alone && p.sel.Name == "" && p.sel.Unit == "" && p.sel.Cgroup == "" && p.sel.Container == "" && p.sel.Pod == "" {
			p.setLabel(m.comm)
		}
		p.members = append(p.members, m)
		changed = true
		if started := startedAt(f); p.ever || started.After(p.opened) {
			p.events = append(p.events, probe.Event{
				Kind: probe.ProcessStart, At: p.opts.Clock.At(started), Source: p.Source(), Host: p.host,
				Process: p.Label(), PID: m.pid, Comm: m.comm,
			})
		}
		p.collect(m, s)
	}
	if changed { // the dear part of this look does not come again
		p.publish()
		p.lookAt = now.Add(lookEvery)
	}
	if len(p.members) > 0 {
		p.ever = true
		return nil
	}
	return errNoProcess
}

func (p *Process) publish() {
	pids := make([]int32, len(p.members))
	for i, m := range p.members {
		pids[i] = m.pid
	}
	p.pids.Store(&pids)
}

// found is a process that a finder found. start is a number that tells it from
// others that had or get its pid.
type found struct {
	pid   int32
	start uint64
	comm  string
}

// stats is what was read of a process at one time. A number is NaN if it could
// not be read, a limit +Inf if there is none.
type stats struct {
	at                    time.Time
	files, filesLimit     float64
	filesHard             float64 // how far filesLimit can be raised without privileges
	threads, threadsLimit float64
	userLimit             float64 // on the threads of all processes of its user
	user                  uint32  // where userLimit is finite
	rss, rssLimit         float64 // bytes
	cpu                   float64 // seconds since its start
	cores                 float64 // that it may use
	missing               []*probe.Unsupported
}

// cpuMeter turns CPU seconds into the share of what a process may use.
type cpuMeter struct {
	at   time.Time
	used float64
	set  bool
}

// share returns the share since the last call; ok is false at the first one and
// when nothing passed. A share a little above 1 is the clocks' doing, and is 1.
func (c *cpuMeter) share(at time.Time, used, cores float64) (share float64, ok bool) {
	before := *c
	*c = cpuMeter{at, used, true}
	if passed := at.Sub(before.at).Seconds(); before.set && passed > 0 && cores > 0 && used >= before.used {
		return min(1, (used-before.used)/passed/cores), true
	}
	return 0, false
}
