package rst

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/kernelclock"
	"github.com/rampload/rampload/probe/rst/bpf"
)

// Capture takes RST packets from one network namespace, and SYN-ACKs to compare
// their TTL with. It emits
//
//   - [probe.RSTPacket]: with the fingerprint; Reason is the [SenderClass] as
//     [Sender] sees it. On a router, and for a packet in nobody's name, Local is
//     the end that the packet was going to if it came in, and its source if the
//     host made it.
//   - [probe.Lost]: the kernel had no room for packets.
//
// A packet that passes several interfaces of the namespace is one event. Resets
// beyond MaxPerSecond come with a Count and without the port of the client.
type Capture struct {
	opts   CaptureOptions
	source probe.Source
	state  *state

	mu   sync.Mutex
	kept *keeper
}

// NewCapture returns a watcher that is not measuring yet. Watch it once.
func NewCapture(opts CaptureOptions) *Capture {
	source := probe.Source{Host: orLocal(opts.Host), Name: captureName}
	return &Capture{
		opts: opts, source: source, state: newState(source), kept: newKeeper(orDefault(opts.Packets, 8192)),
	}
}

// Source names the capture in reports.
func (capture *Capture) Source() probe.Source { return capture.source }

// Status says how well the resets are captured so far, and at what CPU cost. It
// may be called at any time.
func (capture *Capture) Status() probe.Status { return capture.state.report() }

// Missing is nil: packets are captured wholly or not at all.
func (capture *Capture) Missing() []*probe.Unsupported { return nil }

// Ready returns a channel that closes when packets are being captured.
func (capture *Capture) Ready() <-chan struct{} { return capture.state.ready }

// Check reports whether packets can be captured here, by opening and closing the
// capture. An error that matches [probe.ErrUnsupported] says what is missing.
func (capture *Capture) Check() error {
	o, err := capture.open(0)
	if err != nil {
		return err
	}
	o.close()
	return nil
}

// Kept returns how many packets WritePcapng would write.
func (capture *Capture) Kept() int {
	capture.mu.Lock()
	defer capture.mu.Unlock()
	return len(capture.kept.first) + len(capture.kept.last)
}

// WritePcapng writes the RSTs kept so far as a pcapng file, each with a comment
// that begins with what comment says of it (the attempt that it hit; may be nil
// or return "") and goes on with its sender. comment gets the ends as the host
// sees them and the run's time. It may be called while the capture runs.
func (capture *Capture) WritePcapng(w io.Writer, comment func(local, remote netip.AddrPort, at time.Duration) string) error {
	capture.mu.Lock()
	packets, dropped := capture.kept.all(), capture.kept.dropped
	capture.mu.Unlock()
	return writePcapng(w, packets, dropped, capture.source.Host, fmt.Sprintf("tcp RST, ports %v", capture.opts.Ports), comment)
}

// batch is how long packets gather, so that many cost one wake-up.
const batch = 50 * time.Millisecond

// Watch reports events until ctx is done. See [probe.Watcher].
func (capture *Capture) Watch(ctx context.Context, emit func(probe.Event)) error {
	err := capture.watch(ctx, emit)
	if err != nil {
		capture.state.failed(err)
	}
	return err
}

func (capture *Capture) watch(ctx context.Context, emit func(probe.Event)) error {
	offset, err := kernelclock.Offset(capture.opts.Clock)
	if err != nil {
		return err
	}
	o, err := capture.open(offset)
	if err != nil {
		return err
	}
	defer o.close()
	// A thread of its own, so that its CPU time is the cost of this source.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := threadCPU()
	r := &captureReader{
		capture: capture, flows: newFlows(orDefault(capture.opts.Flows, 32768), capture.opts.Ports),
		limit: newLimiter(capture.perSecond(), capture.opts.Ports, emit),
	}
	capture.state.began(nil)
	tick := time.NewTicker(batch)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		if err := o.nics.update(); err != nil {
			return err
		}
		r.epoch = wallEpoch(capture.opts.Clock)
		if err := o.source.read(r); err != nil {
			return err
		}
		if err := r.tell(o, done, emit); err != nil {
			return err
		}
		capture.state.read(time.Duration(threadCPU() - used))
	}
	return nil
}

func (capture *Capture) perSecond() int {
	return orDefault(capture.opts.MaxPerSecond, defaultPerSecond)
}

// packetSource takes packets from interfaces.
type packetSource interface {
	attach(nic) (io.Closer, error) // in the calling thread's namespace
	read(*captureReader) error
	lost() (uint64, error) // since the last call
	close()
}

// openCapture is a source and the interfaces that it takes packets from.
type openCapture struct {
	source packetSource
	nics   *nics
}

func (o *openCapture) close() {
	o.nics.close()
	o.source.close()
}

// open loads programs into the kernel, or opens plain packet sockets where that
// cannot be done. offset is from CLOCK_MONOTONIC to the run's time.
func (capture *Capture) open(offset time.Duration) (*openCapture, error) {
	if !capture.opts.Sockets {
		if p, err := bpf.OpenPackets(bpf.PacketOptions{Ports: capture.opts.Ports, Flows: capture.opts.Flows, PerSecond: capture.perSecond()}); err == nil {
			o, err := capture.follow(&programSource{packets: p, offset: offset, links: map[int]nic{}})
			if err == nil {
				return o, nil
			}
		}
	}
	return capture.follow(newSocketSource(capture.opts.Ports))
}

func (capture *Capture) follow(s packetSource) (*openCapture, error) {
	n, err := followNICs(capture.opts.Netns, s.attach)
	if err != nil {
		s.close()
		return nil, unsupportedCapture(capture.opts.Netns, err)
	}
	return &openCapture{s, n}, nil
}

// captureReader turns packets into events.
type captureReader struct {
	capture *Capture
	flows   *flows
	limit   *limiter
	epoch   int64 // wall clock of the run's start, in nanoseconds, as of this batch
	flushed time.Duration
	looked  time.Duration // at the statistics
}

// tell emits what was counted and what was lost, from time to time or at last.
func (r *captureReader) tell(o *openCapture, last bool, emit func(probe.Event)) error {
	c, now := r.capture, r.capture.opts.Clock.Now()
	if last || now-r.flushed >= flushEvery {
		r.limit.flush()
		r.flushed = now
	}
	if !last && now-r.looked < time.Second {
		return nil
	}
	r.looked = now
	var parts []*probe.Unsupported
	for _, a := range o.nics.failed() {
		parts = append(parts, &probe.Unsupported{What: "packets of interface " + a.name, Reason: a.err.Error()})
	}
	c.state.lacks(parts)
	lost, err := o.source.lost()
	if lost > 0 {
		c.state.lose(lost)
		emit(probe.Event{Kind: probe.Lost, At: now, Source: c.source, Host: c.source.Host, Count: lost})
	}
	return err
}

// wallEpoch is the wall clock's time of the run's start. The kernel stamps
// packets with the wall clock, so it is read anew for each batch: a step of that
// clock spoils the times of one batch at most. A reading is of both clocks, one
// after the other; an interruption in between makes the start seem earlier, and
// the latest of several readings is the best.
func wallEpoch(clock probe.Clock) int64 {
	var epoch int64
	for range 3 {
		now := time.Now()
		epoch = max(epoch, now.UnixNano()-int64(clock.At(now)))
	}
	return epoch
}

// arrived is a RST that a packet socket was handed.
type arrived struct {
	link
	segment
	wall   time.Time
	length int
	data   []byte
}

// packet handles one packet of a packet socket, and returns it if it is a RST. A
// namespace has several sockets, so what they have gathered is to be sorted before
// it is taken: what comes in at one interface goes out at another later.
func (r *captureReader) packet(l link, wall time.Time, length int, data []byte) (a arrived, ok bool) {
	s, ok := decodeSegment(l.proto, data)
	if !ok {
		return a, false
	}
	if s.flags&flagRST == 0 {
		r.flows.answer(s, l.vantage())
		return a, false
	}
	l.addr = slices.Clone(l.addr)
	return arrived{l, s, wall, length, slices.Clone(data)}, true
}

// takeAll handles what packet returned.
func (r *captureReader) takeAll(list []arrived) {
	slices.SortStableFunc(list, func(a, b arrived) int { return a.wall.Compare(b.wall) })
	for _, a := range list {
		v := a.vantage()
		r.take(a.link, a.segment, v, r.flows.remembered(a.segment, v), a.wall, a.length, a.data)
	}
}

func (l link) vantage() vantage {
	return vantage{l.ifindex, l.pkttype == packetOutgoing, l.hatype == arpLoopback}
}

// take handles one RST.
func (r *captureReader) take(l link, s segment, v vantage, h handshake, wall time.Time, length int, data []byte) {
	at := time.Duration(wall.UnixNano() - r.epoch)
	local, remote, p, ok := r.flows.take(s, v, at, h)
	if !ok {
		return
	}
	data = append(l.header(make([]byte, 0, sll2Length+len(data))), data...)
	r.capture.mu.Lock()
	r.capture.kept.add(kept{wall, length + sll2Length, data, at, local, remote, p})
	r.capture.mu.Unlock()
	r.emit(at, local, remote, p, 0)
}

func (r *captureReader) emit(at time.Duration, local, remote netip.AddrPort, p probe.Packet, count uint64) {
	r.limit.add(probe.Event{
		Kind: probe.RSTPacket, At: at, Source: r.capture.source, Host: r.capture.source.Host, Count: count,
		Local: local, Remote: remote, Reason: string(Sender(p)), Packet: &p,
	})
}
