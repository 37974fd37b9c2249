package tracefs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// Buffers are the per-CPU trace buffers of an instance with the events on.
type Buffers struct {
	Fs      tracefs
	dir     string
	ring    ring
	layouts map[uint16]layout
	Cpus    []int
	fds     []int    // trace_pipe_raw of each CPU
	lost    []uint64 // entries of each CPU known to be lost
	page    []byte
	Missing []*probe.Unsupported // what this kernel cannot tell
}

// tracepoint is one event to switch on.
type tracepoint struct {
	kind     recordKind
	path     string
	filter   string // in the kernel, where the fields allow
	optional string // what is missing without it; empty: it is required
}

func tracepoints(opts Options) []tracepoint {
	ports := portFilter(opts.Ports)
	points := []tracepoint{
		// No filter: since Linux 6.9 its ports are inside an array.
		{kind: Sent, path: "tcp/tcp_send_reset"},
		{kind: Received, path: "tcp/tcp_receive_reset", filter: ports},
		{kind: Retransmit, path: "tcp/tcp_retransmit_skb", filter: ports, optional: "retransmissions"},
	}
	if !opts.WithoutStates {
		// Only sockets that die at once, as a RST makes them: 1 ESTABLISHED,
		// 2 SYN_SENT, 3 SYN_RECV, 8 CLOSE_WAIT to 7 CLOSE.
		filter := "newstate == 7 && (oldstate == 1 || oldstate == 2 || oldstate == 3 || oldstate == 8)"
		if ports != "" {
			filter += " && (" + ports + ")"
		}
		points = append(points, tracepoint{
			kind: Closed, path: "sock/inet_sock_set_state", filter: filter,
			optional: "the state of reset sockets (a refused SYN looks like a reset)",
		})
	}
	return points
}

// portFilter is a tracing filter expression (Documentation/trace/events.rst). The
// kernel bounds its length; beyond 32 ports events are picked here instead.
func portFilter(ports []uint16) string {
	if len(ports) > 32 {
		return ""
	}
	var terms []string
	for _, p := range ports {
		terms = append(terms, fmt.Sprintf("sport == %d || dport == %d", p, p))
	}
	return strings.Join(terms, " || ")
}

// Open makes an instance and switches the events on. Close the result.
func Open(opts Options) (_ *Buffers, err error) {
	fs, err := OpenFS(opts.Root)
	if err != nil {
		return nil, err
	}
	b := &Buffers{Fs: fs, layouts: map[uint16]layout{}}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	header, err := fs.read("events", "header_page")
	if err != nil {
		return nil, unsupportedTrace(fmt.Errorf("read trace page layout: %w", err))
	}
	if b.ring, err = parseHeaderPage(header, nativeOrder()); err != nil {
		return nil, err
	}
	points := tracepoints(opts)
	if points, err = b.readFormats(points); err != nil {
		return nil, err
	}
	if b.dir, err = fs.Instance(); err != nil {
		return nil, err
	}
	if err := b.configure(opts); err != nil {
		return nil, err
	}
	for _, p := range points {
		if err := b.enable(p); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *Buffers) readFormats(points []tracepoint) ([]tracepoint, error) {
	found := points[:0]
	for _, p := range points {
		l, id, err := b.readFormat(p)
		if err != nil {
			if p.optional == "" {
				return nil, err
			}
			b.lack(p.optional, "this kernel has no tracepoint "+p.path, "")
			continue
		}
		if p.kind == Sent && l.reason.size == 0 {
			b.lack("reset reasons", "this kernel gives none", "Linux 6.10")
		}
		if p.kind == Sent && !l.addrs.whole {
			b.lack("resets that no socket sent", "this kernel does not report them", "Linux 6.9")
		}
		b.layouts[id] = l
		found = append(found, p)
	}
	return found, nil
}

func (b *Buffers) lack(what, reason, needs string) {
	b.Missing = append(b.Missing, &probe.Unsupported{What: what, Reason: reason, Needs: needs})
}

func (b *Buffers) readFormat(p tracepoint) (layout, uint16, error) {
	text, err := b.Fs.read("events", p.path, "format")
	if err != nil {
		return layout{}, 0, unsupportedTrace(fmt.Errorf("read format of %s: %w", p.path, err))
	}
	f, err := parseFormat(text)
	if err != nil {
		return layout{}, 0, fmt.Errorf("%s: %w", p.path, err)
	}
	l, err := newLayout(p.kind, f, b.ring.order)
	if err != nil {
		return layout{}, 0, &probe.Unsupported{What: sourceName, Reason: fmt.Sprintf("tracepoint %s of this kernel is unknown: %v", p.path, err)}
	}
	return l, f.id, nil
}

func (b *Buffers) configure(opts Options) error {
	var err error
	if b.Cpus, err = traceCPUs(b.dir); err != nil {
		return err
	}
	for _, s := range []struct{ file, value string }{
		{"trace_clock", "mono"}, // CLOCK_MONOTONIC, as Go's and probe.Clock's
		{"buffer_size_kb", strconv.Itoa(cmp.Or(max(opts.BufferKB, 0), min(2048, 64<<10/len(b.Cpus))))},
	} {
		if err := b.write(s.file, s.value); err != nil {
			return unsupportedTrace(fmt.Errorf("set %s: %w", s.file, err))
		}
	}
	// Let the kernel remember the names and process ids of threads that die soon,
	// and keep the latest entries; each may be missing or be the default.
	for _, o := range []string{"record-cmd", "record-tgid", "overwrite"} {
		_ = b.write("options/"+o, "1")
	}
	b.page = make([]byte, b.ring.size)
	b.lost = make([]uint64, len(b.Cpus))
	for _, cpu := range b.Cpus {
		path := filepath.Join(b.dir, "per_cpu", fmt.Sprintf("cpu%d", cpu), "trace_pipe_raw")
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return unsupportedTrace(fmt.Errorf("open trace buffer of cpu %d: %w", cpu, err))
		}
		b.fds = append(b.fds, fd)
	}
	return nil
}

func (b *Buffers) enable(p tracepoint) error {
	if p.filter != "" {
		// A kernel that rejects the filter gives more events; they are picked here.
		_ = b.write("events/"+p.path+"/filter", p.filter)
	}
	if err := b.write("events/"+p.path+"/enable", "1"); err != nil {
		return unsupportedTrace(fmt.Errorf("enable %s: %w", p.path, err))
	}
	return nil
}

func (b *Buffers) write(file, value string) error {
	f, err := os.OpenFile(filepath.Join(b.dir, file), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// Drain hands on all entries in the buffers and returns how many were lost
// before them. Entries come in order per CPU.
func (b *Buffers) Drain(visit func(Record)) (lost uint64, err error) {
	for i, fd := range b.fds {
		var gone bool
		for {
			n, rerr := unix.Read(fd, b.page)
			if errors.Is(rerr, unix.EINTR) {
				continue
			}
			if errors.Is(rerr, unix.EAGAIN) || rerr == nil && n == 0 {
				break
			}
			if rerr != nil {
				return lost, fmt.Errorf("read trace buffer of cpu %d: %w", b.Cpus[i], rerr)
			}
			m, derr := b.ring.decode(b.page[:n], func(at uint64, entry []byte) {
				if !b.decode(at, entry, visit) {
					lost++
				}
			})
			if derr != nil {
				return lost, fmt.Errorf("read trace buffer of cpu %d: %w", b.Cpus[i], derr)
			}
			gone = gone || m.any
		}
		if gone {
			n, err := b.Overrun(i)
			if lost += n; err != nil {
				return lost, err
			}
		}
	}
	return lost, nil
}

// Overrun is how many entries of the i-th CPU were overwritten since the last
// call. The statistics tell exactly; a page tells only that there were some.
func (b *Buffers) Overrun(i int) (uint64, error) {
	total, err := overwritten(b.dir, b.Cpus[i])
	if err != nil {
		return 0, err
	}
	n := total - b.lost[i]
	b.lost[i] = total
	return n, nil
}

// decode hands on one entry, and reports false if it is not as its format says.
func (b *Buffers) decode(at uint64, entry []byte, visit func(Record)) bool {
	if len(entry) < 2 {
		return false
	}
	l, ok := b.layouts[b.ring.order.Uint16(entry)]
	if !ok {
		return true // of the kernel's own, which stand in every buffer
	}
	r, err := l.decode(at, entry)
	if err == nil {
		visit(r)
	}
	return err == nil
}

// Close switches the events off and removes the instance.
func (b *Buffers) Close() {
	if b.dir != "" {
		_ = b.write("events/enable", "0")
	}
	for _, fd := range b.fds {
		unix.Close(fd)
	}
	if b.dir != "" {
		_ = unix.Rmdir(b.dir)
	}
	b.Fs.Close()
}
