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

func (proc *Process) setLabel(s string) { proc.label.Store(&s) }

// Label is what people call the processes: the name, unit or cgroup they were
// selected by, else the command name of the first one, once it is found. It may
// be called from any goroutine.
func (proc *Process) Label() string { return *proc.label.Load() }

// PIDs returns the processes that exist as far as is known, the first one found
// first. It may be called from any goroutine; what it returns must not be
// changed.
func (proc *Process) PIDs() []int32 { return *proc.pids.Load() }

// Source names the sampler in reports.
func (proc *Process) Source() probe.Source {
	return probe.Source{Host: proc.host, Name: "process " + selectionName(proc.sel)}
}

// Missing says what could not be read of the processes.
func (proc *Process) Missing() []*probe.Unsupported { return proc.missing }

// DrainEvents hands over the starts and ends seen since the last call. A start has
// the time at which the process started, an end that of the first reading
// without it.
func (proc *Process) DrainEvents(emit func(probe.Event)) {
	slices.SortStableFunc(proc.events, func(a, b probe.Event) int { return cmp.Compare(a.At, b.At) })
	for _, e := range proc.events {
		emit(e)
	}
	proc.events = proc.events[:0]
}

// Fullest returns the last reading of a metric of the process nearest its limit;
// false if there is none. It is called as Sample is.
func (proc *Process) Fullest(name string) (probe.Reading, bool) {
	r := proc.readings[name]
	if len(r) == 0 {
		return probe.Reading{}, false
	}
	return r[0], true
}

// Close releases the processes. It may be called again.
func (proc *Process) Close() error {
	proc.closed = true
	var errs []error
	for _, m := range proc.members {
		errs = append(errs, m.close())
	}
	proc.members = nil
	proc.pids.Store(&[]int32{})
	return errors.Join(append(errs, proc.finder.close(), proc.limits.close())...)
}

// Sample reads the processes. While there is none it returns an error, which
// matches [probe.ErrUnsupported] if they exist but may not be seen.
func (proc *Process) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if err := cmp.Or(ctx.Err(), closedErr(proc.closed)); err != nil {
		return err
	}
	for name := range proc.readings {
		proc.readings[name] = proc.readings[name][:0]
	}
	now := time.Now()
	ended := proc.read(now)
	if ended || !now.Before(proc.lookAt) {
		proc.lookErr = proc.look(ctx, now)
	}
	proc.collectUsers()
	proc.readTasks(now)
	proc.readSpace(now)
	read := proc.opts.Clock.Stamp(emit)
	for _, name := range [...]string{probe.OpenFiles, probe.OpenFilesHard, probe.Threads, probe.UserThreads, probe.RSS, probe.ProcessCPU, probe.FileSystem, probe.FileSystemInodes, probe.RunDelay, probe.Runs, probe.ThreadsRunning, probe.ThreadsOnDisk, probe.ThreadsHeld, probe.ThreadsStopped, probe.DiskDelay, probe.GaveUp, probe.Preempted} {
		all := proc.readings[name]
		slices.SortStableFunc(all, func(a, b probe.Reading) int { return cmp.Compare(fullness(b), fullness(a)) })
		for _, r := range all {
			read(r)
		}
	}
	if len(proc.members) > 0 {
		return nil
	}
	return fmt.Errorf("find %s: %w", proc.Source().Name, cmp.Or(proc.lookErr, errNoProcess))
}

func fullness(r probe.Reading) float64 {
	if r.Limit > 0 {
		return r.Value / r.Limit
	}
	return 0
}

// read reads every member; ended is true if one has gone.
func (proc *Process) read(now time.Time) (ended bool) {
	kept := proc.members[:0]
	for _, m := range proc.members {
		s, err := m.read(&proc.limits, now)
		if err != nil {
			ended = true
			proc.finder.gone(m.found)
			proc.events = append(proc.events, probe.Event{
				Kind: probe.ProcessExit, At: proc.opts.Clock.Now(), Source: proc.Source(), Host: proc.host,
				Process: proc.Label(), PID: m.pid, Comm: m.comm, Reason: m.exitReason(),
			})
			_ = m.close()
			continue
		}
		kept = append(kept, m)
		proc.collect(m, s)
	}
	clear(proc.members[len(kept):])
	proc.members = kept
	if ended {
		proc.publish()
	}
	return ended
}

// collect keeps the readings of one process until all are read.
func (proc *Process) collect(m *member, s stats) {
	put := func(name string, v, limit float64) {
		if math.IsNaN(v) {
			return
		}
		if math.IsInf(limit, 1) {
			limit = probe.NoLimit()
		}
		metric := probe.Metric{Host: proc.host, Process: proc.Label(), PID: m.pid, Name: name}
		proc.readings[name] = append(proc.readings[name], probe.Reading{Metric: metric, Value: v, Limit: limit})
	}
	put(probe.OpenFiles, s.files, s.filesLimit)
	if !math.IsInf(s.filesHard, 1) {
		put(probe.OpenFilesHard, s.filesHard, probe.NoLimit())
	}
	put(probe.Threads, s.threads, s.threadsLimit)
	put(probe.RSS, s.rss, s.rssLimit)
	proc.users.add(s)
	if share, ok := m.cpu.share(s.at, s.cpu, s.cores); ok {
		put(probe.ProcessCPU, share, 1)
	}
	for _, u := range s.missing {
		proc.missing.add(u.What, u)
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
func (proc *Process) collectUsers() {
	for user, x := range proc.users {
		if x.processes > 1 {
			proc.readings[probe.UserThreads] = append(proc.readings[probe.UserThreads], probe.Reading{
				Metric: probe.Metric{Host: proc.host, Process: proc.Label(), Name: probe.UserThreads, Instance: "uid " + strconv.FormatUint(uint64(user), 10)},
				Value:  x.threads, Limit: x.limit,
			})
		}
	}
	clear(proc.users)
}

// look looks for processes that are not members yet.
func (proc *Process) look(ctx context.Context, now time.Time) error {
	found, err := proc.finder.find(ctx)
	if proc.alone {
		found = found[:min(len(found), 1)]
	}
	cost := time.Since(now)
	wait := min(max(lookEvery, time.Duration(float64(cost)/lookShare)), lookAtLeast)
	if len(found) == 0 {
		wait = min(max(missingEvery, time.Duration(float64(cost)/missingShare)), missingAtLeast)
	}
	proc.lookAt = now.Add(wait)
	if err != nil {
		return err
	}
	changed := false
	for _, f := range found {
		if len(proc.members) == maxMembers {
			break
		}
		if slices.ContainsFunc(proc.members, func(m *member) bool { return m.pid == f.pid && m.start == f.start }) {
			continue
		}
		m, err := openMember(f, proc.opts)
		if err != nil {
			continue // it ended while we looked
		}
		s, err := m.read(&proc.limits, time.Now())
		if err != nil { // a zombie whose parent has not asked for it yet
			_ = m.close()
			continue
		}
		if len(proc.members) == 0 && !proc.ever && !proc.alone && proc.sel.Name == "" && proc.sel.Unit == "" && proc.sel.Cgroup == "" && proc.sel.Container == "" && proc.sel.Pod == "" {
			proc.setLabel(m.comm)
		}
		proc.members = append(proc.members, m)
		changed = true
		if started := startedAt(f); proc.ever || started.After(proc.opened) {
			proc.events = append(proc.events, probe.Event{
				Kind: probe.ProcessStart, At: proc.opts.Clock.At(started), Source: proc.Source(), Host: proc.host,
				Process: proc.Label(), PID: m.pid, Comm: m.comm,
			})
		}
		proc.collect(m, s)
	}
	if changed { // the dear part of this look does not come again
		proc.publish()
		proc.lookAt = now.Add(lookEvery)
	}
	if len(proc.members) > 0 {
		proc.ever = true
		return nil
	}
	return errNoProcess
}

func (proc *Process) publish() {
	pids := make([]int32, len(proc.members))
	for i, m := range proc.members {
		pids[i] = m.pid
	}
	proc.pids.Store(&pids)
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
