package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/cgroup"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// Cgroup samples the limits of control groups, version 1 and 2: memory less
// reclaimable cache, tasks, CPU of its quota, throttled periods, refused forks,
// OOM kills and pressure. Which groups is told by their processes, and followed
// as those come and go.
//
// A limit of a parent binds too, so each resource is read at the level nearest
// its limit. Instance names the group: "docker 3f2a9c1b04de", "nginx.service".
// A process in the root cgroup has no limits, and gives no readings.
type Cgroup struct {
	opts    Options
	pids    func() []int32
	mounts  cgroup.Mounts
	groups  []*group
	known   []int32
	checked time.Time
	missing missing
	closed  bool
}

// group is one cgroup that is being read.
type group struct {
	key      string
	paths    cgroup.Paths
	files    *cgroup.Group
	pressure []pressureFile
	used     bool
	cpu      float64 // seconds at the last reading; NaN before the first
	at       time.Time
}

// maxGroups bounds the groups of one source; processes beyond them share those
// of others in practice.
const maxGroups = 8

// NewCgroup opens a sampler of the cgroups of some processes. pids is asked at
// each reading and must be safe to call from another goroutine; label is what
// people call the processes.
func NewCgroup(o Options, label string, pids func() []int32) (*Cgroup, error) {
	o.Process = label
	c := &Cgroup{opts: o, pids: pids}
	var err error
	if c.mounts, err = cgroup.ReadMounts(c.opts.root()); err != nil {
		return nil, fmt.Errorf("open cgroup: %w", procfs.Unsupported("cgroup", err, "cgroups mounted"))
	}
	return c, nil
}

// Source names the sampler in reports.
func (c *Cgroup) Source() probe.Source { return c.opts.source("cgroup") }

// Missing says which controllers could not be read.
func (c *Cgroup) Missing() []*probe.Unsupported { return c.missing }

// Close closes its files. It may be called again.
func (c *Cgroup) Close() error {
	c.closed = true
	var errs []error
	for _, g := range c.groups {
		errs = append(errs, g.close())
	}
	c.groups = nil
	return errors.Join(errs...)
}

// recheckAfter is how often processes are asked whether they moved to another
// cgroup; new processes are asked at once.
const recheckAfter = 2 * time.Second

// Sample reads the limits. A process that ended leaves a gap.
func (c *Cgroup) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if err := cmp.Or(ctx.Err(), closedErr(c.closed)); err != nil {
		return err
	}
	if err := c.follow(); err != nil {
		return err
	}
	var errs []error
	read := c.opts.Clock.Stamp(emit)
	for _, g := range c.groups {
		errs = append(errs, c.sample(g, read))
	}
	return errors.Join(errs...)
}

// follow opens the groups that the processes are in now.
func (c *Cgroup) follow() error {
	pids := c.pids()
	if equal(pids, c.known) && time.Since(c.checked) < recheckAfter && len(c.groups) > 0 {
		return nil
	}
	if len(pids) == 0 {
		return fmt.Errorf("find cgroup of %s: no process", c.opts.Process)
	}
	for _, g := range c.groups {
		g.used = false
	}
	found := false
	for _, pid := range pids {
		b, err := os.ReadFile(filepath.Join(c.opts.root(), "proc", strconv.Itoa(int(pid)), "cgroup"))
		switch {
		case errors.Is(err, fs.ErrPermission):
			return procfs.Unsupported("cgroup", err, "root")
		case err != nil:
			continue // it ended
		}
		found = true
		c.open(cgroup.ParsePaths(b))
	}
	if !found {
		return fmt.Errorf("find cgroup of %s: its processes ended", c.opts.Process)
	}
	kept := c.groups[:0]
	for _, g := range c.groups {
		if g.used {
			kept = append(kept, g)
		} else {
			_ = g.close()
		}
	}
	c.groups, c.known, c.checked = kept, append(c.known[:0], pids...), time.Now()
	return nil
}

// open opens a group unless it is open.
func (c *Cgroup) open(p cgroup.Paths) {
	key := p.Key()
	for _, g := range c.groups {
		if g.key == key {
			g.used = true
			return
		}
	}
	if len(c.groups) == maxGroups {
		return
	}
	g := &group{key: key, paths: p, files: c.mounts.Open(p), used: true, cpu: math.NaN()}
	if dir, ok := c.mounts.Unified(p); ok {
		for _, f := range []struct{ metric, file string }{
			{probe.CPUPressure, "cpu.pressure"}, {probe.MemoryPressure, "memory.pressure"}, {probe.IOPressure, "io.pressure"},
		} {
			if opened, err := procfs.Open(filepath.Join(dir, f.file)); err == nil {
				g.pressure = append(g.pressure, pressureFile{f.metric, opened})
			}
		}
	}
	c.groups = append(c.groups, g)
}

func (g *group) close() error {
	errs := []error{g.files.Close()}
	for _, p := range g.pressure {
		errs = append(errs, p.file.Close())
	}
	return errors.Join(errs...)
}

// sample reads one group.
func (c *Cgroup) sample(g *group, emit func(probe.Reading)) error {
	label := ""
	put := func(name string, v, limit float64) {
		if math.IsInf(limit, 1) {
			limit = probe.NoLimit()
		}
		if !math.IsNaN(v) {
			emit(probe.Reading{Metric: c.opts.metric(name, label), Value: v, Limit: limit})
		}
	}
	var errs []error
	label = g.paths.Label("memory")
	m, err := g.files.Memory()
	if err == nil {
		put(probe.CgroupMemory, m.Used, m.Limit)
		put(probe.OOMKills, m.OOMKills, probe.NoLimit())
		put(probe.MemoryHeld, m.Held, probe.NoLimit())
	}
	errs = append(errs, c.judge("cgroup memory", "memory", err))

	label = g.paths.Label("pids")
	p, err := g.files.PIDs()
	if err == nil {
		put(probe.CgroupPIDs, p.Current, p.Limit)
		put(probe.PIDsMaxHits, p.Hits, probe.NoLimit())
	}
	errs = append(errs, c.judge("cgroup tasks", "pids", err))

	label = g.paths.Label("cpu")
	now := time.Now()
	u, err := g.files.CPU()
	if err == nil && !math.IsInf(u.Quota, 1) {
		put(probe.CPUThrottled, u.Throttled, probe.NoLimit())
		if used, _ := probe.Delta(g.cpu, u.Seconds); !math.IsNaN(g.cpu) && now.After(g.at) {
			put(probe.CgroupCPU, used/now.Sub(g.at).Seconds()/u.Quota, 1)
		}
		g.cpu, g.at = u.Seconds, now
	}
	errs = append(errs, c.judge("cgroup cpu", "cpu", err))

	label = g.paths.Label("")
	for _, f := range g.pressure {
		b, err := f.file.Read()
		if v, ok := pressureTotal(b); ok && err == nil {
			put(f.name, v, probe.NoLimit())
		}
	}
	return errors.Join(errs...)
}

// judge tells a controller that is not there, which is missing for good, from a
// group that has just gone, which is a gap.
func (c *Cgroup) judge(what, controller string, err error) error {
	if err == nil || errors.Is(err, cgroup.ErrRoot) {
		return nil
	}
	if errors.Is(err, cgroup.ErrOutside) {
		c.missing.add(&probe.Unsupported{What: what, Reason: err.Error(), Needs: cgroup.NeedsHost})
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		c.missing.add(procfs.Unsupported(what, err, "the "+controller+" controller enabled for this cgroup"))
		return nil
	}
	return err
}

func equal(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
