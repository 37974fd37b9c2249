// Package host watches a machine and processes with what every operating system
// tells: CPU, memory, disks, network interfaces, open files, threads.
//
//   - [Host] samples the machine.
//   - [Process] samples processes, found by listening port, pid, name, cgroup or
//     systemd unit, with their children, and follows them across restarts.
//   - [Self] samples rampload itself, with its Go runtime: the proof that the
//     load generator was not the limit.
//   - [RaiseNoFile] raises rampload's own limit of open files.
//
// It is the only importer of gopsutil. Sockets, kernel counters and cgroups are
// probe/kernel's; gopsutil's list of connections walks every descriptor of every
// process and is not used.
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/net"

	"github.com/rampload/rampload/probe"
)

// Options say where a sampler reads. The zero value reads this machine.
type Options struct {
	// Clock gives events their time.
	Clock probe.Clock
	// Root is the directory that holds the proc and sys trees; empty means "/".
	// It is read on Linux only. With another one no process of the running
	// kernel is asked anything.
	Root string
	// Netns is the named network namespace in which a listening port is looked
	// for; empty means rampload's own first, then those of all processes.
	Netns string
	// Holders are processes that are known to hold the socket of a port that is
	// selected; nil: they are looked for, which takes 3 ms for a thousand descriptors.
	Holders []int32
}

func (o Options) root() string {
	if o.Root == "" {
		return "/"
	}
	return o.Root
}

// context tells gopsutil which files to read.
func (o Options) context(ctx context.Context) context.Context {
	if o.root() == "/" {
		return ctx
	}
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: filepath.Join(o.root(), "proc"),
		common.HostSysEnvKey:  filepath.Join(o.root(), "sys"),
		common.HostRunEnvKey:  filepath.Join(o.root(), "run"),
		common.HostDevEnvKey:  filepath.Join(o.root(), "dev"),
	})
}

// Host samples a machine: CPU in all, its busiest core, steal and I/O wait; memory
// and swap; load; open files and threads against the kernel's limits; totals of
// disks and of the network interfaces of rampload's own network namespace. CPU,
// open files and threads are read at every call, memory, load and interfaces at
// most every 190 ms, disks every second.
type Host struct {
	name    string
	opts    Options
	cpu     cpuShares
	system  system
	disks   []string  // whole disks; empty means all that gopsutil lists
	wide    time.Time // when memory and interfaces were read
	slow    time.Time // and disks
	missing missing
	closed  bool
}

// slowEvery is how often disks (and outside of Linux swap) are read: gopsutil looks up each disk's
// serial number and label at each reading.
const slowEvery = time.Second

// wideEvery is how often memory, load and interfaces are read at most: at every
// reading of 4 Hz, however it jitters, and at every second one of 10 Hz.
const wideEvery = 190 * time.Millisecond

// maxDevices bounds the disks and the interfaces that have series of their own.
const maxDevices = 16

// New opens a sampler of the machine. name is the host's name in the profile;
// empty means "local".
func New(name string, o Options) (*Host, error) {
	if name == "" {
		name = "local"
	}
	h := &Host{name: name, opts: o, disks: wholeDisks(o.root())}
	if times, err := cpu.TimesWithContext(o.context(context.Background()), true); err != nil || len(times) == 0 {
		u := unsupported("host", err)
		if runtime.GOOS == "linux" {
			u.Needs = "/proc mounted"
		}
		return nil, fmt.Errorf("open host: %w", u)
	}
	h.system.open(o, &h.missing)
	return h, nil
}

// Source names the sampler in reports.
func (h *Host) Source() probe.Source { return probe.Source{Host: h.name, Name: "host"} }

// Missing says what this machine does not tell.
func (h *Host) Missing() []*probe.Unsupported { return h.missing }

// Close closes its files. It may be called again.
func (h *Host) Close() error {
	h.closed = true
	return h.system.close()
}

// Sample reads the machine. What cannot be read is left out and named by
// Missing.
func (h *Host) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if err := cmp.Or(ctx.Err(), closedErr(h.closed)); err != nil {
		return err
	}
	now := time.Now()
	slow := h.slow.IsZero() || now.Sub(h.slow) >= slowEvery
	if slow {
		h.slow = now
	}
	ctx = h.opts.context(ctx)
	read := h.opts.Clock.Stamp(emit)
	put := func(name, instance string, v, limit float64) {
		read(probe.Reading{Metric: probe.Metric{Host: h.name, Name: name, Instance: instance}, Value: v, Limit: limit})
	}

	times, err := cpu.TimesWithContext(ctx, true)
	if err != nil {
		return fmt.Errorf("read cpu: %w", err)
	}
	if s, ok := h.cpu.add(now, times); ok {
		put(probe.CPU, "", s.busy, 1)
		put(probe.CPUCore, "", s.busiest, 1)
		put(probe.Steal, "", s.steal, 1)
		put(probe.IOWait, "", s.ioWait, 1)
	}

	if now.Sub(h.wide) >= wideEvery {
		h.wide = now
		h.memory(ctx, put)
		h.interfaces(ctx, put)
	}
	if slow && runtime.GOOS != "linux" {
		if s, err := mem.SwapMemoryWithContext(ctx); err != nil {
			h.missing.add("swap", err)
		} else if s.Total > 0 {
			put(probe.Swap, "", float64(s.Used), float64(s.Total))
		}
	}
	if slow {
		h.readDisks(ctx, put)
	}
	return h.system.emit(put, &h.missing)
}

// memory reads memory, swap and load.
func (h *Host) memory(ctx context.Context, put func(name, instance string, v, limit float64)) {
	// Memory that can be had without swapping (MemAvailable) is free for all that
	// matters here.
	if m, err := mem.VirtualMemoryWithContext(ctx); err != nil || m.Total == 0 {
		h.missing.add("memory", err)
	} else {
		put(probe.Memory, "", float64(m.Total-min(m.Available, m.Total)), float64(m.Total))
		if m.SwapTotal > 0 { // Linux only
			put(probe.Swap, "", float64(m.SwapTotal-min(m.SwapFree, m.SwapTotal)), float64(m.SwapTotal))
		}
	}
	if l, err := load.AvgWithContext(ctx); err != nil {
		h.missing.add("load", err)
	} else {
		put(probe.Load1, "", l.Load1, probe.NoLimit())
	}
}

func (h *Host) interfaces(ctx context.Context, put func(name, instance string, v, limit float64)) {
	all, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		h.missing.add("network interfaces", err)
		return
	}
	for i, n := range all {
		if i == maxDevices {
			return
		}
		put(probe.NetReceived, n.Name, float64(n.BytesRecv), probe.NoLimit())
		put(probe.NetSent, n.Name, float64(n.BytesSent), probe.NoLimit())
		put(probe.NICDrops, n.Name, float64(n.Dropin)+float64(n.Dropout), probe.NoLimit())
		put(probe.NICErrors, n.Name, float64(n.Errin)+float64(n.Errout), probe.NoLimit())
	}
}

func (h *Host) readDisks(ctx context.Context, put func(name, instance string, v, limit float64)) {
	disks, err := disk.IOCountersWithContext(ctx, append([]string(nil), h.disks...)...)
	if err != nil {
		h.missing.add("disks", err)
		return
	}
	n := 0
	for _, d := range disks {
		if n++; n > maxDevices {
			return
		}
		put(probe.DiskRead, d.Name, float64(d.ReadBytes), probe.NoLimit())
		put(probe.DiskWritten, d.Name, float64(d.WriteBytes), probe.NoLimit())
	}
}

// closedErr is the error of a sampler that was closed.
func closedErr(closed bool) error {
	if closed {
		return os.ErrClosed
	}
	return nil
}

// missing collects what a sampler could not measure, each once.
type missing []*probe.Unsupported

// add adds what could not be read, with the reason; nil is no value at all.
func (m *missing) add(what string, err error) {
	for _, known := range *m {
		if known.What == what {
			return
		}
	}
	*m = append(*m, unsupported(what, err))
}

// unsupported makes a reason of an error.
func unsupported(what string, err error) *probe.Unsupported {
	var u *probe.Unsupported
	switch {
	case errors.As(err, &u):
		return u
	case err == nil:
		return &probe.Unsupported{What: what, Reason: "the system gives no value"}
	default:
		u = &probe.Unsupported{What: what, Reason: err.Error()}
		if errors.Is(err, fs.ErrPermission) {
			u.Needs = "root"
		}
		return u
	}
}

// cpuShares turns the running totals of CPU time into shares of an interval.
// The kernel counts in steps of 10 ms, so an interval is at least minInterval
// long, even when readings come faster.
type cpuShares struct {
	history []cpuReading
}

type cpuReading struct {
	at    time.Time
	cores []cpu.TimesStat
}

const minInterval = 240 * time.Millisecond

// shares are shares of the time of all cores, but busiest of one.
type shares struct{ busy, busiest, steal, ioWait float64 }

// add adds a reading; ok is false if there is none before it to compare with, or
// if nothing passed.
func (c *cpuShares) add(now time.Time, cores []cpu.TimesStat) (s shares, ok bool) {
	for len(c.history) > 1 && now.Sub(c.history[1].at) >= minInterval {
		c.history = c.history[1:]
	}
	if len(c.history) > 0 {
		s, ok = sharesBetween(c.history[0].cores, cores)
	}
	c.history = append(c.history, cpuReading{now, cores})
	return s, ok
}

func sharesBetween(before, after []cpu.TimesStat) (s shares, ok bool) {
	last := make(map[string]cpu.TimesStat, len(before))
	for _, c := range before {
		last[c.CPU] = c
	}
	var total float64
	s.busiest = math.Inf(-1)
	for _, c := range after {
		b, known := last[c.CPU]
		if !known || !strings.HasPrefix(c.CPU, "cpu") { // a core that came online
			continue
		}
		// Each of the kernel's figures can step back a little (iowait, idle after a
		// core went offline); a negative part counts as none.
		idle, wait := grown(b.Idle, c.Idle), grown(b.Iowait, c.Iowait)
		steal := grown(b.Steal, c.Steal)
		used := grown(b.User, c.User) + grown(b.Nice, c.Nice) + grown(b.System, c.System) +
			grown(b.Irq, c.Irq) + grown(b.Softirq, c.Softirq) + steal
		all := used + idle + wait
		if all <= 0 {
			continue
		}
		total += all
		s.busy += used
		s.steal += steal
		s.ioWait += wait
		s.busiest = max(s.busiest, used/all)
	}
	if total <= 0 {
		return shares{}, false
	}
	s.busy, s.steal, s.ioWait = s.busy/total, s.steal/total, s.ioWait/total
	return s, true
}

func grown(before, after float64) float64 { return max(0, after-before) }
