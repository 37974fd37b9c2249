package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// Sockets samples the TCP sockets of a network namespace, and the queues of its
// Unix sockets. At every reading: the
// queue of each listener against its backlog (probe.ListenQueue, Instance
// "*:8080"), TIME_WAIT, all sockets, and for rampload's own namespace orphans
// and socket memory, which are machine-wide. As the budget allows, because the
// kernel walks all sockets of the machine for it (1.3 ms for 20,000, and 15 ms
// if they are listed too): half-open connections per listener (probe.SynQueue),
// CLOSE_WAIT; established connections in all and per listener; ephemeral ports
// in use towards each of the busiest destinations (probe.EphemeralPorts,
// Instance "10.0.0.2:80"); and the queues of listening Unix sockets (probe.ListenQueue,
// Instance "unix:/run/app.sock"; 0.35 ms beside 18,000 others).
//
// A reading that was not due is left out, never repeated.
type Sockets struct {
	opts    Options
	diag    *sockdiag.Conn
	stat    *procfs.File // net/sockstat
	stat6   *procfs.File
	limits  socketLimits
	missing missing

	listeners listeners
	ports     portUse
	walk      budget // the states in which few sockets are
	list      budget // every socket
	unixWalk  budget // Unix sockets
	unix      []unixListener
	noUnix    bool // the kernel does not tell of Unix sockets
	closed    bool
}

// socketLimits are the settings that the counts are held against.
type socketLimits struct {
	files struct{ maxTimeWait, maxOrphans, mem, portRange, reserved, cookies, synBacklog *procfs.File }
	age   int // readings since they were read

	maxTimeWait, maxOrphans, maxMem float64
	synBacklog                      float64 // half-open connections that all listeners accept; +Inf with SYN cookies
	ports                           ephemeral
}

// NewSockets opens a sampler of the sockets of o.Namespace.
func NewSockets(o Options) (*Sockets, error) {
	s := &Sockets{opts: o, list: budget{share: 0.6 * o.budget()}, walk: budget{share: 0.2 * o.budget()}, unixWalk: budget{share: 0.2 * o.budget()}}
	err := o.Namespace.Inside(func(int) error {
		net := o.netDir()
		var statErr, diagErr error
		s.stat, statErr = procfs.Open(filepath.Join(net, "sockstat"))
		s.stat6, _ = procfs.Open(filepath.Join(net, "sockstat6")) // absent without IPv6
		if statErr != nil {
			s.missing.add(procfs.Unsupported("socket counts", statErr, "/proc"))
		}
		if o.root() == "/" {
			s.diag, diagErr = sockdiag.Open("sockets")
		} else {
			diagErr = &probe.Unsupported{What: "sockets", Reason: "reading files of another machine", Needs: "the running kernel"}
		}
		var u *probe.Unsupported
		if errors.As(diagErr, &u) {
			s.missing.add(u)
		}
		if s.diag == nil && s.stat == nil {
			return diagErr
		}
		s.limits.open(o.root())
		return nil
	})
	if err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open sockets: %w", err)
	}
	return s, nil
}

// Source names the sampler in reports.
func (s *Sockets) Source() probe.Source { return s.opts.source("sockets") }

// Missing says which part of the sockets could not be read.
func (s *Sockets) Missing() []*probe.Unsupported { return s.missing }

// Close closes its files and its netlink socket. It may be called again.
func (s *Sockets) Close() error {
	s.closed = true
	err := errors.Join(s.stat.Close(), s.stat6.Close(), s.limits.close())
	if s.diag != nil {
		err = errors.Join(err, s.diag.Close())
		s.diag = nil
	}
	return err
}

// Sample reads the sockets.
func (s *Sockets) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if err := cmp.Or(ctx.Err(), closedErr(s.closed)); err != nil {
		return err
	}
	read := s.opts.Clock.Stamp(emit)
	s.limits.read()
	s.counts(read)
	if s.diag == nil {
		return nil
	}
	s.listeners.reset()
	err := s.diag.TCP(listening, 0, func(b []byte) {
		if l, ok := parseSocket(b); ok {
			s.listeners.add(l)
		}
	})
	if err != nil {
		return err
	}
	s.listeners.emitQueues(s.opts, read)

	now := time.Now()
	if s.unixWalk.ready(now) {
		s.unixWalk.spent(now, s.unixQueues(read))
	}
	switch {
	case s.list.ready(now):
		cost, err := s.listAll(ctx, read)
		s.list.spent(now, cost)
		return err
	case s.walk.ready(now):
		cost, err := s.walkWaiting(ctx, read)
		s.walk.spent(now, cost)
		return err
	}
	return nil
}

// counts emits what net/sockstat holds.
func (s *Sockets) counts(emit func(probe.Reading)) {
	b, err := s.stat.Read()
	if err != nil {
		s.missing.add(procfs.Unsupported("socket counts", err, "/proc"))
		return
	}
	tcp, ok := parseSockstat(b, "TCP:")
	if !ok {
		s.missing.add(&probe.Unsupported{What: "socket counts", Reason: "net/sockstat has no line TCP"})
		return
	}
	inUse := tcp.inUse
	if b, err := s.stat6.Read(); err == nil {
		if tcp6, ok := parseSockstat(b, "TCP6:"); ok {
			inUse += tcp6.inUse
		}
	}
	emit(probe.Reading{Metric: s.opts.metric(probe.Sockets, ""), Value: inUse + tcp.timeWait, Limit: probe.NoLimit()})
	emit(probe.Reading{Metric: s.opts.metric(probe.TimeWait, ""), Value: tcp.timeWait, Limit: s.limits.maxTimeWait})
	if s.opts.Namespace.Own() && s.opts.Process == "" {
		emit(probe.Reading{Metric: s.opts.metric(probe.Orphans, ""), Value: tcp.orphans, Limit: s.limits.maxOrphans})
		emit(probe.Reading{Metric: s.opts.metric(probe.TCPMemory, ""), Value: tcp.memory, Limit: s.limits.maxMem})
	}
}

// walkWaiting counts the half-open and half-closed connections.
func (s *Sockets) walkWaiting(ctx context.Context, emit func(probe.Reading)) (cost time.Duration, err error) {
	var synRecv, closeWait float64
	cost, err = s.each(ctx, waiting, func(c sockdiag.Socket) {
		if c.State == sockdiag.CloseWait {
			closeWait++
			return
		}
		synRecv++
		s.listeners.halfOpen(c)
	})
	if err == nil {
		s.emitWaiting(synRecv, closeWait, emit)
	}
	return cost, err
}

// listAll counts every connection by state, listener and destination.
func (s *Sockets) listAll(ctx context.Context, emit func(probe.Reading)) (cost time.Duration, err error) {
	var synRecv, closeWait, established float64
	s.ports.reset()
	cost, err = s.each(ctx, connected, func(c sockdiag.Socket) {
		switch c.State {
		case sockdiag.Established:
			established++
			s.listeners.established(c)
		case sockdiag.CloseWait:
			closeWait++
		case sockdiag.SynRecv:
			synRecv++
			s.listeners.halfOpen(c)
		}
		if s.limits.ports.contains(c.Local.Port()) && !s.listeners.onPort(c.Local.Port()) {
			s.ports.add(c.Local.Addr(), c.Remote)
		}
	})
	if err != nil {
		return cost, err
	}
	s.emitWaiting(synRecv, closeWait, emit)
	emit(probe.Reading{Metric: s.opts.metric(probe.Established, ""), Value: established, Limit: probe.NoLimit()})
	s.listeners.emitEstablished(s.opts, emit)
	s.ports.emit(s.opts, s.limits.ports.count, emit)
	return cost, nil
}

func (s *Sockets) emitWaiting(synRecv, closeWait float64, emit func(probe.Reading)) {
	emit(probe.Reading{Metric: s.opts.metric(probe.SynRecv, ""), Value: synRecv, Limit: probe.NoLimit()})
	emit(probe.Reading{Metric: s.opts.metric(probe.CloseWait, ""), Value: closeWait, Limit: probe.NoLimit()})
	s.listeners.emitHalfOpen(s.opts, s.limits.synBacklog, emit)
}

// each calls f for the sockets in some states and returns the CPU time that it
// took: a dump runs in the kernel on the thread that asks.
func (s *Sockets) each(ctx context.Context, states uint32, f func(sockdiag.Socket)) (cost time.Duration, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadCPU()
	err = s.diag.TCP(states, 0, func(b []byte) {
		if c, ok := parseSocket(b); ok {
			f(c)
		}
	})
	return threadCPU() - began, cmp.Or(ctx.Err(), err)
}

// threadCPU is the CPU time of the calling thread.
func threadCPU() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// budget is the share of one core for walking sockets.
func (o Options) budget() float64 {
	if o.Budget <= 0 {
		return 0.006
	}
	return o.Budget
}

// netDir is the net directory of the calling thread's namespace.
func (o Options) netDir() string {
	if o.root() == "/" {
		return "/proc/thread-self/net"
	}
	return filepath.Join(o.root(), "proc/net")
}

// sockstat is a line of net/sockstat or net/sockstat6.
type sockstat struct {
	inUse, orphans, timeWait float64
	memory                   float64 // pages
}

func parseSockstat(b []byte, key string) (sockstat, bool) {
	var s sockstat
	for len(b) > 0 {
		var line []byte
		line, b = procfs.Line(b)
		name, rest := procfs.Field(line)
		if string(name) != key {
			continue
		}
		for {
			var k, v []byte
			k, rest = procfs.Field(rest)
			v, rest = procfs.Field(rest)
			if len(v) == 0 {
				return s, true
			}
			n, ok := procfs.Uint(v)
			if !ok { // the kernel prints a per-cpu sum as signed: briefly below 0 is 0
				continue
			}
			switch string(k) {
			case "inuse":
				s.inUse = float64(n)
			case "orphan":
				s.orphans = float64(n)
			case "tw":
				s.timeWait = float64(n)
			case "mem":
				s.memory = float64(n)
			}
		}
	}
	return s, false
}

func (l *socketLimits) open(root string) {
	dir := filepath.Join(root, "proc/sys/net/ipv4")
	for _, f := range []struct {
		to   **procfs.File
		name string
	}{
		{&l.files.maxTimeWait, "tcp_max_tw_buckets"},
		{&l.files.maxOrphans, "tcp_max_orphans"},
		{&l.files.mem, "tcp_mem"},
		{&l.files.portRange, "ip_local_port_range"},
		{&l.files.reserved, "ip_local_reserved_ports"},
		{&l.files.cookies, "tcp_syncookies"},
		{&l.files.synBacklog, "tcp_max_syn_backlog"},
	} {
		*f.to, _ = procfs.Open(filepath.Join(dir, f.name)) // absent: no limit is shown
	}
}

func (l *socketLimits) close() error {
	return errors.Join(l.files.maxTimeWait.Close(), l.files.maxOrphans.Close(), l.files.mem.Close(),
		l.files.portRange.Close(), l.files.reserved.Close(), l.files.cookies.Close(), l.files.synBacklog.Close())
}

// read reads the settings again at every eighth call: people change them during
// an incident.
func (l *socketLimits) read() {
	if l.age++; l.age%8 != 1 {
		return
	}
	number := func(f *procfs.File) float64 {
		if v, err := f.Uint(); err == nil {
			return v
		}
		return probe.NoLimit()
	}
	l.maxTimeWait, l.maxOrphans = number(l.files.maxTimeWait), number(l.files.maxOrphans)
	l.maxMem = probe.NoLimit()
	if b, err := l.files.mem.Read(); err == nil {
		if v, ok := procfs.Uint(procfs.Nth(b, 2)); ok {
			l.maxMem = float64(v)
		}
	}
	rangeText, _ := l.files.portRange.Read()
	reserved, _ := l.files.reserved.Read()
	l.ports = parseEphemeral(rangeText, reserved)

	// Without SYN cookies a listener drops SYNs of unknown peers when less than a
	// quarter of tcp_max_syn_backlog is left (tcp_conn_request).
	l.synBacklog = math.Inf(1)
	if c := number(l.files.cookies); c == 0 {
		if m := number(l.files.synBacklog); !math.IsNaN(m) {
			l.synBacklog = m - math.Floor(m/4)
		}
	}
}

// instance names a listener or destination as ss does: "*:8080" for every
// address.
func instance(a netip.AddrPort) string {
	if a.Addr().IsUnspecified() {
		return fmt.Sprintf("*:%d", a.Port())
	}
	return a.String()
}
