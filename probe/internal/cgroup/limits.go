package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"github.com/rampload/rampload/probe/internal/procfs"
)

// Memory is the memory of the level that is nearest its limit. That is another
// level now and then, so what has been counted is never taken from it: the totals
// of two levels are two counters.
type Memory struct {
	Used     float64 // bytes, less file pages that the kernel would drop first (inactive_file)
	Limit    float64 // bytes, +Inf if no level has one
	OOMKills float64 // processes of the cgroup killed for memory, whatever level ran out; NaN before Linux 4.13
	Held     float64 // times that its processes were held back for more than memory.high, of whatever level; NaN in version 1
}

// CPU is the CPU time of the level with the smallest quota.
type CPU struct {
	Seconds   float64 // used since the cgroup was made; NaN if its own total cannot be read
	Quota     float64 // cores; +Inf if no level has one
	Throttled float64 // periods in which the quota was used up; NaN if the kernel does not say
}

// PIDs is the number of tasks of the level that is nearest its limit.
type PIDs struct {
	Current float64
	Limit   float64 // +Inf if no level has one
	Hits    float64 // forks refused by any level; NaN if the kernel does not count them
}

// Group is the cgroup of a process with its levels, its files held open. It is
// not for concurrent use.
type Group struct {
	memory []memoryLevel
	cpu    []cpuLevel
	pids   []pidsLevel
	root   map[string]bool  // controllers for which the process is in the root cgroup
	absent map[string]error // why there is nothing to read of a controller
}

// ErrRoot means that a process is in the root cgroup of a controller, which has
// no limits of its own and counts nothing.
var ErrRoot = errors.New("the root cgroup has no limits")

type memoryLevel struct {
	current, max, stat, events, local *procfs.File // local: events of the level alone
	inactive                          string       // key in stat
}

type cpuLevel struct {
	quota, period, stat *procfs.File // period: version 1
	usage               *procfs.File // version 1, nanoseconds
}

type pidsLevel struct{ current, max, events, local *procfs.File }

// Open opens the cgroup of a process. Controllers that are not there give no
// error: their reading is then [fs.ErrNotExist].
func (m Mounts) Open(p Paths) *Group {
	g := &Group{root: map[string]bool{}, absent: map[string]error{}}
	for _, c := range []string{"memory", "cpu", "pids"} {
		g.root[c] = m.root(p, c)
	}
	open := func(dir, name string) *procfs.File { return procfs.Try(filepath.Join(dir, name)) }
	dirs, version, err := m.levels(p, "memory", "memory.current", "memory.usage_in_bytes")
	g.absent["memory"] = err
	for _, d := range dirs {
		if version == 2 {
			g.memory = append(g.memory, memoryLevel{
				open(d, "memory.current"), open(d, "memory.max"), open(d, "memory.stat"), open(d, "memory.events"), open(d, "memory.events.local"), "inactive_file",
			})
		} else {
			g.memory = append(g.memory, memoryLevel{
				open(d, "memory.usage_in_bytes"), open(d, "memory.limit_in_bytes"), open(d, "memory.stat"), open(d, "memory.oom_control"), nil, "total_inactive_file",
			})
		}
	}
	dirs, version, err = m.levels(p, "cpu", "cpu.max", "cpu.cfs_quota_us")
	g.absent["cpu"] = err
	accounts, _, _ := m.levels(p, "cpuacct", "\x00", "cpuacct.usage")
	for _, d := range dirs {
		if version == 2 {
			g.cpu = append(g.cpu, cpuLevel{quota: open(d, "cpu.max"), stat: open(d, "cpu.stat")})
			continue
		}
		l := cpuLevel{quota: open(d, "cpu.cfs_quota_us"), period: open(d, "cpu.cfs_period_us"), stat: open(d, "cpu.stat")}
		for _, a := range accounts { // the same cgroup in the hierarchy that counts CPU time
			if below(a, m, "cpuacct") == below(d, m, "cpu") {
				l.usage = open(a, "cpuacct.usage")
			}
		}
		g.cpu = append(g.cpu, l)
	}
	dirs, _, err = m.levels(p, "pids", "pids.current", "pids.current")
	g.absent["pids"] = err
	for _, d := range dirs {
		g.pids = append(g.pids, pidsLevel{open(d, "pids.current"), open(d, "pids.max"), open(d, "pids.events"), open(d, "pids.events.local")})
	}
	return g
}

// below returns the part of a directory below the mount of a controller.
func below(dir string, m Mounts, controller string) string {
	for _, mt := range m.list {
		for _, c := range mt.controllers {
			if c == controller {
				return strings.TrimPrefix(dir, mt.dir)
			}
		}
	}
	return dir
}

// Close closes its files. It may be called again, and on none.
func (g *Group) Close() error {
	if g == nil {
		return nil
	}
	var errs []error
	for _, l := range g.memory {
		errs = append(errs, l.current.Close(), l.max.Close(), l.stat.Close(), l.events.Close(), l.local.Close())
	}
	for _, l := range g.cpu {
		errs = append(errs, l.quota.Close(), l.period.Close(), l.stat.Close(), l.usage.Close())
	}
	for _, l := range g.pids {
		errs = append(errs, l.current.Close(), l.max.Close(), l.events.Close(), l.local.Close())
	}
	return errors.Join(errs...)
}

// unlimited is where version 1 writes a number for no limit: PAGE_COUNTER_MAX.
const unlimited = 1 << 60

// Memory reads the memory. The error is [fs.ErrNotExist] without the controller,
// [ErrRoot] in the root cgroup.
func (g *Group) Memory() (Memory, error) {
	if g == nil || len(g.memory) == 0 {
		return Memory{}, g.without("memory")
	}
	best := Memory{Limit: math.Inf(1)}
	fullest := -1.0
	for i, l := range g.memory {
		limit, err := l.max.Uint()
		if errors.Is(err, fs.ErrNotExist) || err == nil && limit >= unlimited { // the root cgroup has no file
			limit, err = math.Inf(1), nil
		}
		if err != nil {
			return Memory{}, fmt.Errorf("read memory of cgroup: %w", err)
		}
		if math.IsInf(limit, 1) && i > 0 {
			continue
		}
		used, err := l.current.Uint()
		if err != nil {
			return Memory{}, fmt.Errorf("read memory of cgroup: %w", err)
		}
		b, err := l.stat.Read()
		if unread(err) { // with file pages in it the use would be too large
			return Memory{}, fmt.Errorf("read memory of cgroup: %w", err)
		}
		if inactive, ok := procfs.Keyed(b, l.inactive); ok {
			used = max(0, used-inactive)
		}
		if used/limit < fullest {
			continue
		}
		fullest = used / limit
		best.Used, best.Limit = used, limit
	}
	// A kill counts in the cgroup of the process, also where a level above ran
	// out (memcg_memory_event in include/linux/memcontrol.h); those above add up
	// what is below them, others' processes too.
	best.OOMKills = counted(g.memory[0].events, "oom_kill")
	// Going beyond memory.high counts at the level that has the limit, and on the way up
	// to the root, where it is others' too.
	best.Held = counted(g.memory[0].events, "high")
	for _, l := range g.memory[1:] {
		if math.IsNaN(best.Held) {
			break
		}
		if n := counted(l.local, "high"); !math.IsNaN(n) {
			best.Held += n
		}
	}
	return best, nil
}

// counted reads a counter by its key; NaN if it is not there.
func counted(f *procfs.File, key string) float64 {
	if b, err := f.Read(); err == nil {
		if n, ok := procfs.Keyed(b, key); ok {
			return n
		}
	}
	return math.NaN()
}

// Hidden returns why the limits of a controller ("memory", "cpu", "pids") exist
// but cannot be read here, an error that matches [ErrOutside]; nil if they can be
// read or there are none.
func (g *Group) Hidden(controller string) error {
	if g == nil || !errors.Is(g.absent[controller], ErrOutside) {
		return nil
	}
	return g.absent[controller]
}

// noLimit is what a controller without a limit gives: +Inf, or NaN if it may have
// one that cannot be read.
func (g *Group) noLimit(controller string) float64 {
	if g.Hidden(controller) != nil {
		return math.NaN()
	}
	return math.Inf(1)
}

// unread reports whether a limit is there and could not be read: the root cgroup has
// no file of it, others have.
func unread(err error) bool { return err != nil && !errors.Is(err, fs.ErrNotExist) }

// MemoryLimit returns the smallest memory limit on the way up, bytes; +Inf if
// there is none, NaN if it is [Group.Hidden] or cannot be read.
func (g *Group) MemoryLimit() float64 {
	limit := g.noLimit("memory")
	if g == nil {
		return limit
	}
	for _, l := range g.memory {
		switch v, err := l.max.Uint(); {
		case err == nil && v < unlimited:
			limit = min(limit, v)
		case unread(err):
			return math.NaN()
		}
	}
	return limit
}

// PIDsLimit returns the smallest pids.max on the way up; +Inf if there is none,
// NaN if it is [Group.Hidden] or cannot be read.
func (g *Group) PIDsLimit() float64 {
	limit := g.noLimit("pids")
	if g == nil {
		return limit
	}
	for _, l := range g.pids {
		switch v, err := l.max.Uint(); {
		case err == nil:
			limit = min(limit, v)
		case unread(err):
			return math.NaN()
		}
	}
	return limit
}

// Quota returns the smallest CPU quota on the way up, cores; +Inf if there is
// none, NaN if it is [Group.Hidden] or cannot be read.
func (g *Group) Quota() float64 {
	quota := g.noLimit("cpu")
	if g == nil {
		return quota
	}
	for _, l := range g.cpu {
		switch q, err := l.cores(); {
		case err == nil:
			quota = min(quota, q)
		case unread(err):
			return math.NaN()
		}
	}
	return quota
}

// cores reads the quota of a level in cores.
func (l cpuLevel) cores() (float64, error) {
	b, err := l.quota.Read()
	if err != nil {
		return 0, err
	}
	first, rest := procfs.Field(b)
	quota, ok := procfs.Uint(first)
	if !ok { // "max", or -1 with version 1
		return math.Inf(1), nil
	}
	var period float64
	if l.period != nil {
		period, err = l.period.Uint()
	} else {
		v, _ := procfs.Uint(procfs.Nth(rest, 0))
		period = float64(v)
	}
	if err != nil || period <= 0 {
		return 0, errors.Join(err, errors.New("no period of the CPU quota"))
	}
	return float64(quota) / period, nil
}

// CPU reads the CPU time. The error is [fs.ErrNotExist] without the controller,
// [ErrRoot] in the root cgroup.
func (g *Group) CPU() (CPU, error) {
	if g == nil || len(g.cpu) == 0 {
		return CPU{}, g.without("cpu")
	}
	tightest, quota := -1, math.Inf(1)
	for i, l := range g.cpu {
		q, err := l.cores()
		if errors.Is(err, fs.ErrNotExist) {
			continue // the root cgroup has none
		}
		if err != nil {
			return CPU{}, fmt.Errorf("read cpu quota of cgroup: %w", err)
		}
		if q < quota {
			tightest, quota = i, q
		}
	}
	if tightest < 0 {
		return CPU{Seconds: math.NaN(), Quota: quota}, nil
	}
	l := g.cpu[tightest]
	c := CPU{Seconds: math.NaN(), Quota: quota}
	b, err := l.stat.Read()
	if err != nil {
		return CPU{}, fmt.Errorf("read cpu of cgroup: %w", err)
	}
	c.Throttled = math.NaN()
	if n, ok := procfs.Keyed(b, "nr_throttled"); ok {
		c.Throttled = n
	}
	if us, ok := procfs.Keyed(b, "usage_usec"); ok {
		c.Seconds = us / 1e6
	}
	if l.usage != nil {
		ns, err := l.usage.Uint()
		if err != nil {
			return CPU{}, fmt.Errorf("read cpu of cgroup: %w", err)
		}
		c.Seconds = ns / 1e9
	}
	return c, nil
}

// PIDs reads the tasks. The error is [fs.ErrNotExist] without the controller,
// [ErrRoot] in the root cgroup.
func (g *Group) PIDs() (PIDs, error) {
	if g == nil || len(g.pids) == 0 {
		return PIDs{}, g.without("pids")
	}
	best := PIDs{Limit: math.Inf(1)}
	fullest := -1.0
	for i, l := range g.pids {
		limit, err := l.max.Uint()
		if errors.Is(err, fs.ErrNotExist) {
			limit, err = math.Inf(1), nil
		}
		if err != nil {
			return PIDs{}, fmt.Errorf("read tasks of cgroup: %w", err)
		}
		if math.IsInf(limit, 1) && i > 0 {
			continue
		}
		current, err := l.current.Uint()
		if err != nil {
			return PIDs{}, fmt.Errorf("read tasks of cgroup: %w", err)
		}
		if current/limit < fullest {
			continue
		}
		fullest = current / limit
		best.Current, best.Limit = current, limit
	}
	best.Hits = g.hits()
	return best, nil
}

// hits returns how often a fork was refused. Kernels with pids.events.local count
// it where the limit is, so each level has a part of it; others, and version 1,
// where the process is, whatever level refused (pids_event in
// kernel/cgroup/pids.c).
func (g *Group) hits() float64 {
	if _, err := g.pids[0].local.Read(); err != nil {
		return counted(g.pids[0].events, "max")
	}
	sum := 0.0
	for _, l := range g.pids {
		sum += counted(l.local, "max")
	}
	return sum
}

// without says why there is nothing to read of a controller.
func (g *Group) without(controller string) error {
	if err := g.Hidden(controller); err != nil {
		return err
	}
	if g != nil && g.root[controller] {
		return fmt.Errorf("read %s of cgroup: %w", controller, ErrRoot)
	}
	return fmt.Errorf("find %s controller: %w", controller, fs.ErrNotExist)
}
