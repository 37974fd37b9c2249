//go:build !linux

package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/net"
	"github.com/shirou/gopsutil/v3/process"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// member is one watched process, read by gopsutil.
type member struct {
	found
	p   *process.Process
	cpu cpuMeter
}

var errEnded = errors.New("process ended")

func openMember(f found, _ Options) (*member, error) {
	p, err := process.NewProcess(f.pid)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", f.pid, err)
	}
	return &member{found: f, p: p}, nil
}

func (m *member) close() error { return nil }

// space is nothing: only Linux tells which file systems a process uses.
type space struct{}

func (proc *Process) readSpace(time.Time) {}

// readTasks reads nothing: only Linux tells how long threads wait for a processor.
func (proc *Process) readTasks(time.Time) {}

// exitReason is empty: only the parent is told here.
func (m *member) exitReason() string { return "" }

// read reads the process; any error means that it has ended.
func (m *member) read(l *limitReader, now time.Time) (stats, error) {
	if running, err := m.p.IsRunning(); err != nil || !running {
		return stats{}, errEnded
	}
	s := stats{
		at: now, files: math.NaN(), threads: math.NaN(), rss: math.NaN(), cpu: math.NaN(),
		filesLimit: math.Inf(1), filesHard: math.NaN(), threadsLimit: math.Inf(1), userLimit: math.Inf(1), rssLimit: l.memory, cores: float64(runtime.NumCPU()),
	}
	note := func(what string, err error) {
		s.missing = append(s.missing, unsupported(what+" of "+m.comm, err))
	}
	if n, err := m.p.NumFDs(); err != nil {
		note("open files", err)
	} else {
		s.files = float64(n)
	}
	if n, err := m.p.NumThreads(); err != nil {
		note("threads", err)
	} else {
		s.threads = float64(n)
		s.cores = min(s.cores, max(s.threads, 1))
	}
	if i, err := m.p.MemoryInfo(); err != nil {
		note("memory", err)
	} else {
		s.rss = float64(i.RSS)
	}
	if t, err := m.p.Times(); err != nil {
		note("cpu", err)
	} else {
		s.cpu = t.User + t.System
	}
	return s, nil
}

// limitReader knows the memory of the host.
type limitReader struct{ memory float64 }

func (l *limitReader) open(Options) {
	l.memory = math.Inf(1)
	if m, err := mem.VirtualMemory(); err == nil && m.Total > 0 {
		l.memory = float64(m.Total)
	}
}

func (l *limitReader) close() error { return nil }

// startedAt is when a process started.
func startedAt(f found) time.Time { return time.UnixMilli(int64(f.start)) }

// finder finds the processes of a selection and their children.
type finder struct {
	sel   profiles.Process
	first found
	owner int32 // Listen: who held the port at the last look
}

func newFinder(sel profiles.Process, _ Options) (finder, error) {
	if sel.Cgroup != "" || sel.Unit != "" || sel.Container != "" || sel.Pod != "" {
		return finder{}, &probe.Unsupported{What: "process " + selectionName(sel), Reason: "this system is " + runtime.GOOS, Needs: "Linux"}
	}
	return finder{sel: sel}, nil
}

func (f *finder) close() error { return nil }

// gone tells that a process that was found has ended.
func (f *finder) gone(found) {}

// find returns the processes that match now and their children. The error says
// why there are none.
func (f *finder) find(ctx context.Context) ([]found, error) {
	all, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var roots []*process.Process
	for _, p := range all {
		switch {
		case f.sel.PID != 0:
			if int(p.Pid) == f.sel.PID {
				roots = append(roots, p)
			}
		case f.sel.Name != "":
			if name, err := p.NameWithContext(ctx); err == nil && name == f.sel.Name {
				roots = append(roots, p)
			}
		}
	}
	if f.sel.Listen != 0 {
		if roots, err = f.byPort(ctx, all); err != nil {
			return nil, err
		}
	}
	if len(roots) == 0 {
		return nil, errNoProcess
	}
	return f.families(ctx, roots), nil
}

// byPort finds who listens on the port. gopsutil looks through all connections
// for that, so it is asked only when the last one found has ended.
func (f *finder) byPort(ctx context.Context, all []*process.Process) ([]*process.Process, error) {
	pick := func() []*process.Process {
		i := slices.IndexFunc(all, func(p *process.Process) bool { return f.owner != 0 && p.Pid == f.owner })
		if i < 0 {
			return nil
		}
		return all[i : i+1]
	}
	if roots := pick(); roots != nil {
		return roots, nil
	}
	conns, err := net.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return nil, fmt.Errorf("list listening ports: %w", err)
	}
	for _, c := range conns {
		if c.Status == "LISTEN" && int(c.Laddr.Port) == f.sel.Listen {
			f.owner = c.Pid
		}
	}
	return pick(), nil
}

func (f *finder) families(ctx context.Context, next []*process.Process) []found {
	var out []found
	for len(next) > 0 {
		var below []*process.Process
		for _, p := range next {
			if slices.ContainsFunc(out, func(o found) bool { return o.pid == p.Pid }) {
				continue
			}
			created, err := p.CreateTimeWithContext(ctx)
			if err != nil {
				continue
			}
			if f.sel.PID == int(p.Pid) {
				if f.first.pid == 0 {
					f.first = found{pid: p.Pid, start: uint64(created)}
				} else if f.first.start != uint64(created) {
					return nil // the pid is another's now
				}
			}
			name, _ := p.NameWithContext(ctx)
			out = append(out, found{p.Pid, uint64(created), name})
			if children, err := p.ChildrenWithContext(ctx); err == nil {
				below = append(below, children...)
			}
		}
		next = below
	}
	return out
}
