package rst

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/cgroup"
	"github.com/rampload/rampload/probe/rst/bpf"
)

// source is where a trace reads from: programs in the kernel, or tracefs.
type source interface {
	// read emits what has settled since the last call, or all of it, and returns how
	// many records were lost.
	read(now time.Duration, all bool) (lost uint64, err error)
	missing() []*probe.Unsupported
	close()
}

// programReader makes events of what the kernel's programs tell.
type programReader struct {
	programs   *bpf.Programs
	source     probe.Source
	hosts      []placed // nil: everything is of the source's host
	ports      []uint16
	offset     time.Duration // from CLOCK_MONOTONIC to the run's time
	limit      *limiter
	emit       func(probe.Event)
	containers *containers
	flushed    time.Duration
	waits      time.Duration // when delays were read
	losses     time.Duration // when losses were
}

func openPrograms(opts TraceOptions, hosts []placed) (*bpf.Programs, error) {
	o := bpf.Options{Ports: opts.Ports}
	if opts.OnlyHosts {
		for _, h := range hosts {
			if h.inode == 0 { // not found: its events must not be left out for that
				o.Namespaces = nil
				break
			}
			o.Namespaces = append(o.Namespaces, uint32(h.inode))
		}
	}
	o.PerSecond = orDefault(opts.MaxPerSecond, defaultPerSecond)
	return bpf.Open(o)
}

func (r *programReader) missing() []*probe.Unsupported {
	out := slices.Clone(r.programs.Missing())
	if n, err := r.programs.Strays(); err == nil && n > 0 {
		out = append(out, &probe.Unsupported{What: "resets that no socket sent, of ports that nobody watches", Reason: fmt.Sprintf("%d were more than are told in a second", n)})
	}
	return out
}

func (r *programReader) close() { r.programs.Close() }

// waitsEvery is how often delays are told, and lossesEvery how often losses: to ask for
// them takes a dozen system calls.
const (
	waitsEvery  = time.Second
	lossesEvery = time.Second
)

func (r *programReader) read(now time.Duration, all bool) (lost uint64, err error) {
	err = r.programs.Read(func(x bpf.Reset) { r.reset(x, now) })
	if all || now-r.flushed >= flushEvery {
		r.flushed = now
		err = errors.Join(err, r.programs.Retransmits(r.retransmits), r.programs.Drops(r.drop))
		r.limit.flush()
	}
	if all || now-r.waits >= waitsEvery {
		r.waits = now
		err = errors.Join(err, r.programs.Delays(func(d bpf.Delay) { r.delay(d, now) }))
	}
	if !all && now-r.losses < lossesEvery {
		return 0, err
	}
	r.losses = now
	n, lerr := r.programs.Lost()
	return n, errors.Join(err, lerr)
}

func (r *programReader) reset(x bpf.Reset, now time.Duration) {
	e := probe.Event{
		Kind: probe.RSTSent, At: time.Duration(x.At) + r.offset, Source: r.source,
		Local: x.Local, Remote: x.Remote, Reason: x.Reason, State: x.State,
	}
	if x.At == 0 {
		e.At, e.Count = now, x.Count
	}
	k := &probe.Kernel{
		Owner: x.Owner.PID, OwnerComm: x.Owner.Comm, Netns: x.Netns, Cookie: x.Cookie,
		Hook: x.Hook, Table: x.Table, Chain: x.Chain,
	}
	switch x.Kind {
	case bpf.Received:
		e.Kind = probe.RSTReceived
		// Any other state means that the owner had closed the socket already.
		if !slices.Contains([]string{"TCP_ESTABLISHED", "TCP_SYN_SENT", "TCP_SYN_RECV", "TCP_CLOSE_WAIT"}, x.State) {
			e.State = ""
		}
	case bpf.Rejected:
		e.Kind, k.Path = probe.RSTRejected, "a REJECT rule"
	default:
		k.Path = pathTo(x.Stack, x.Reason, x.State, x.Answer, x.TCPFlags)
		if !x.Answer && byProcess(x) {
			e.PID, e.Comm, k.TID = x.Current.PID, x.Current.Comm, x.Current.TID
		}
	}
	k.Container = r.containers.find(x.Cgroup, max(e.PID, k.Owner))
	e.Kernel = k
	if r.place(&e, x.Netns) {
		r.limit.add(e)
	}
}

// byProcess reports whether a process caused a RST that the kernel sent for a
// socket. Without the names of functions the kernel's reason tells.
func byProcess(x bpf.Reset) bool {
	if x.Stack != nil {
		return !interrupted(x.Stack)
	}
	return x.Current.PID != 0 && (x.Current.PID == x.Owner.PID ||
		slices.Contains([]string{"TCP_STATE", "TCP_ABORT_ON_CLOSE", "TCP_ABORT_ON_LINGER", "TCP_DISCONNECT_WITH_DATA"}, x.Reason))
}

func (r *programReader) retransmits(x bpf.Retransmits) {
	e := probe.Event{
		Kind: probe.Retransmit, At: time.Duration(x.First) + r.offset, Source: r.source,
		Local: x.Local, Remote: x.Remote, State: x.State, Count: x.Count,
	}
	if r.place(&e, x.Netns) {
		r.limit.add(e)
	}
}

func (r *programReader) drop(d bpf.Drop) {
	e := probe.Event{
		Kind: probe.PacketDrop, At: time.Duration(d.First) + r.offset, Source: r.source,
		Local: d.Dest, Remote: d.Source, Reason: d.Reason, Count: d.Count,
		Kernel: &probe.Kernel{
			Path: d.Where, Packet: string(d.Packet), Netns: d.Netns, Interface: d.Interface,
			Hook: d.Hook, Table: d.Table, Chain: d.Chain,
		},
	}
	if r.place(&e, d.Netns) && e.Host != "" {
		r.emit(e)
	}
}

func (r *programReader) delay(d bpf.Delay, now time.Duration) {
	total := uint64(0)
	for _, n := range d.Buckets {
		total += n
	}
	e := probe.Event{
		Kind: probe.Waited, At: now, Source: r.source, Reason: string(d.Kind), Count: total,
		Local: netip.AddrPortFrom(netip.IPv4Unspecified(), d.Port), Value: slowest(d.Buckets[:], total).Seconds(),
		Kernel: &probe.Kernel{Netns: d.Netns},
	}
	if r.place(&e, d.Netns) && e.Host != "" {
		r.emit(e)
	}
}

// slowest is what the slowest hundredth of waits took at least. Bucket i holds
// those from 2^(i-1) to 2^i microseconds.
func slowest(buckets []uint64, total uint64) time.Duration {
	left := total - total/100
	for i, n := range buckets {
		if n >= left {
			return time.Duration(1<<i>>1) * time.Microsecond
		}
		left -= n
	}
	return 0
}

// place names the event's host, and reports false if the event concerns nobody.
// The namespace decides, for every one has a 127.0.0.1; hosts that share it are
// told apart by the ports that they serve.
func (r *programReader) place(e *probe.Event, netns uint32) bool {
	own := len(r.ports) == 0 || slices.Contains(r.ports, e.Local.Port()) || slices.Contains(r.ports, e.Remote.Port())
	if r.hosts == nil {
		e.Host = r.source.Host
		return own
	}
	same := slices.DeleteFunc(slices.Clone(r.hosts), func(h placed) bool { return h.inode != uint64(netns) })
	switch {
	case len(same) == 0: // a namespace that nobody named: a container's, or a stranger's with the same addresses
		at := slices.IndexFunc(r.hosts, func(h placed) bool { return slices.Contains(h.elsewhere, e.Local.Addr()) })
		if at < 0 {
			known := !e.Remote.Addr().IsLoopback() && slices.ContainsFunc(r.hosts, func(h placed) bool { return h.owns(e.Remote.Addr()) })
			return own && known
		}
		e.Host = r.hosts[at].Name
	case e.Kind == probe.RSTRejected || e.Kind == probe.PacketDrop:
		e.Host = same[0].Name
		for _, h := range same {
			if h.owns(e.Local.Addr()) && slices.Contains(h.Ports, e.Local.Port()) {
				e.Host = h.Name
				break
			}
		}
	default:
		if e.Host = attribute(same, e.Local, func() uint64 { return 0 }); e.Host == "" {
			e.Host = same[0].Name
		}
	}
	return own || e.Reason == noSocket
}

// containers names the containers and services that sockets belong to.
type containers struct {
	known  map[uint64]string // by cgroup id
	looked time.Time
	mounts cgroup.Mounts
	err    error
}

func newContainers() *containers {
	c := &containers{known: map[uint64]string{}}
	c.mounts, c.err = cgroup.ReadMounts("/")
	return c
}

// maxContainers bounds the names kept; searchAfter how often the tree is walked for
// an id that is not known, which is a container that has just come.
const (
	maxContainers = 4096
	searchAfter   = time.Second
)

// find names the container of a cgroup in the version 2 tree, or of a process.
// Empty: it is in none, or it cannot be found.
func (c *containers) find(id uint64, pid int32) string {
	key := id
	if id <= 1 { // none, or the root
		if key = uint64(pid) << 32; pid == 0 {
			return ""
		}
	}
	if name, ok := c.known[key]; ok {
		return name
	}
	if len(c.known) >= maxContainers {
		clear(c.known)
	}
	if id <= 1 {
		c.known[key] = ofProcess(pid)
		return c.known[key]
	}
	if c.err != nil || time.Since(c.looked) < searchAfter {
		return ""
	}
	c.looked = time.Now()
	c.mounts.Identify(func(id uint64, p cgroup.Paths) { c.known[id] = p.Label("") })
	if _, ok := c.known[key]; !ok {
		c.known[key] = "" // gone, or outside of what is mounted here
	}
	return c.known[key]
}

func ofProcess(pid int32) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(int(pid)) + "/cgroup")
	if err != nil {
		return ""
	}
	return cgroup.ParsePaths(b).Label("memory")
}
