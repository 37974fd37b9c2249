package rst

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/kernelclock"
	"github.com/rampload/rampload/probe/rst/tracefs"
)

// Trace watches the resets that the kernels of this machine's namespaces send
// and receive, and their retransmissions. It emits
//
//   - [probe.RSTSent]: Reason and State from the kernel; PID and Comm only if a
//     process caused it (closing, exiting), not if the kernel answered a packet.
//     A process that has died by the time of the reading is named from the
//     kernel's trace memory; then PID may be the id of the thread. PIDs are those
//     of the initial pid namespace, also inside a container.
//   - [probe.RSTReceived]: State is that of the socket before: TCP_SYN_SENT for
//     a refused SYN, TCP_ESTABLISHED or TCP_CLOSE_WAIT for a reset, empty if the
//     socket's owner had closed it already.
//   - [probe.Retransmit]: counted per connection and quarter of a second.
//   - [probe.Lost]: the kernel's buffer ran over.
//
// Resets of any kind beyond MaxPerSecond come with a Count and without the port
// of the client. netfilter's REJECT shows in none of the tracepoints of its
// sender. Times are those of the kernel, not of the reading; events of different
// kinds may be emitted up to half a second out of order.
type Trace struct {
	opts   TraceOptions
	source probe.Source
	state  *state
}

// NewTrace returns a watcher that is not measuring yet. Watch it once.
func NewTrace(opts TraceOptions) *Trace {
	source := probe.Source{Host: orLocal(opts.Host), Name: traceName}
	return &Trace{opts: opts, source: source, state: newState(source)}
}

// Source names the trace in reports.
func (t *Trace) Source() probe.Source { return t.source }

// Status says how well the resets are measured so far, and at what CPU cost. It
// may be called at any time.
func (t *Trace) Status() probe.Status { return t.state.report() }

// Missing says what of the resets this kernel cannot tell. It is nil before the
// trace is [Trace.Ready].
func (t *Trace) Missing() []*probe.Unsupported { return t.state.missing() }

// Ready returns a channel that closes when the kernel has begun to report.
func (t *Trace) Ready() <-chan struct{} { return t.state.ready }

// Check reports whether the trace can be measured here, by opening and closing
// it. An error that matches [probe.ErrUnsupported] says what is missing.
func (t *Trace) Check() error {
	from, err := t.open(nil, 0, nil)
	if err != nil {
		return err
	}
	from.close()
	return nil
}

// Watch reports events until ctx is done. See [probe.Watcher].
func (t *Trace) Watch(ctx context.Context, emit func(probe.Event)) error {
	err := t.watch(ctx, emit)
	if err != nil {
		t.state.failed(err)
	}
	return err
}

func (t *Trace) watch(ctx context.Context, emit func(probe.Event)) error {
	// A thread of its own, so that its CPU time is the cost of this source.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := threadCPU()
	hosts, missing := place(t.opts.Hosts)
	offset, err := kernelclock.Offset(t.opts.Clock)
	if err != nil {
		return err
	}
	from, err := t.open(hosts, offset, emit)
	if err != nil {
		return err
	}
	defer from.close()
	t.state.began(append(missing, from.missing()...))

	tick := time.NewTicker(orDefault(t.opts.Interval, 100*time.Millisecond))
	defer tick.Stop()
	for {
		done := false
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		lost, err := from.read(t.opts.Clock.Now(), done)
		if lost > 0 {
			t.state.lose(lost)
			emit(probe.Event{Kind: probe.Lost, At: t.opts.Clock.Now(), Source: t.source, Host: t.source.Host, Count: lost})
		}
		t.state.read(time.Duration(threadCPU() - used))
		if done {
			t.state.lacks(append(missing, from.missing()...))
		}
		if err != nil || done {
			return err
		}
	}
}

// open loads programs into the kernel, or reads its tracepoints where that cannot
// be done.
func (t *Trace) open(hosts []placed, offset time.Duration, emit func(probe.Event)) (source, error) {
	limit := newLimiter(orDefault(t.opts.MaxPerSecond, defaultPerSecond), t.opts.served(), emit)
	var why *probe.Unsupported
	if !t.opts.Tracefs && t.opts.Root == "" {
		p, err := openPrograms(t.opts, hosts)
		if err == nil {
			return &programReader{
				programs: p, source: t.source, hosts: hosts, ports: t.opts.Ports, offset: offset,
				limit: limit, emit: emit, containers: newContainers(),
			}, nil
		}
		if !errors.As(err, &why) {
			why = &probe.Unsupported{What: "kernel programs", Reason: err.Error()}
		}
	}
	b, err := tracefs.Open(tracefs.Options{Root: t.opts.Root, Ports: t.opts.Ports, BufferKB: t.opts.BufferKB, WithoutStates: t.opts.WithoutStates})
	if err != nil {
		return nil, without(err, why)
	}
	if why != nil {
		b.Missing = append(b.Missing, &probe.Unsupported{
			What: "dropped packets, REJECT rules and who owns sockets", Reason: why.Reason, Needs: why.Needs,
		})
	}
	return &traceReader{
		buffers:   b,
		processes: tracefs.NewProcesses(b.Fs),
		assembler: &assembler{source: t.source, hosts: hosts, ports: t.opts.Ports, offset: offset, limit: limit},
	}, nil
}

// without says what either way of tracing lacks.
func without(err error, why *probe.Unsupported) error {
	var u *probe.Unsupported
	if why == nil || why.Needs == "" || !errors.As(err, &u) {
		return err
	}
	both := *u
	both.Reason += "; " + why.Reason
	if both.Needs != "" {
		both.Needs += ", or "
	}
	both.Needs += why.Needs
	return &both
}

// traceReader reads the buffers and resolves what must be resolved at once.
type traceReader struct {
	buffers   *tracefs.Buffers
	processes *tracefs.Processes
	assembler *assembler
}

func (r *traceReader) missing() []*probe.Unsupported { return r.buffers.Missing }

func (r *traceReader) close() { r.buffers.Close() }

// read drains the buffers and emits what has settled, or all of it.
func (r *traceReader) read(now time.Duration, all bool) (lost uint64, err error) {
	r.processes.Forget()
	lost, err = r.buffers.Drain(func(rec tracefs.Record) {
		var by tracefs.Process
		if rec.Kind == tracefs.Sent && !rec.Answer && !rec.Interrupt {
			by = r.processes.Find(rec.Pid)
		}
		r.assembler.add(rec, by)
	})
	if all && err == nil {
		for i := range r.buffers.Cpus {
			n, oerr := r.buffers.Overrun(i)
			lost, err = lost+n, errors.Join(err, oerr)
		}
	}
	r.assembler.settle(now, all)
	return lost, err
}

// place reads what the hosts leave to be found. The list is nil only if there
// are no hosts.
func place(hosts []Host) (list []placed, missing []*probe.Unsupported) {
	if len(hosts) > 0 {
		list = []placed{}
	}
	for _, h := range hosts {
		// Not of the process: its first thread may have stayed in a namespace where it
		// was lent to open something.
		p := placed{Host: h, inode: tracefs.Inode("/proc/thread-self/ns/net")}
		if h.Netns != "" {
			p.inode = tracefs.Inode(h.Netns)
		}
		own, err := NetnsAddrs(h.Netns)
		if p.Addrs = slices.Clone(h.Addrs); len(p.Addrs) == 0 {
			if p.Addrs = own; err != nil {
				missing = append(missing, &probe.Unsupported{What: "resets of " + h.Name, Reason: err.Error()})
				continue
			}
		}
		for i, a := range p.Addrs {
			p.Addrs[i] = unmap(a)
			if !a.IsLoopback() && !slices.Contains(own, unmap(a)) {
				p.elsewhere = append(p.elsewhere, unmap(a))
			}
		}
		list = append(list, p)
	}
	return list, missing
}
