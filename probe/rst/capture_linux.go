package rst

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/rampload/rampload/probe"
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
func (c *Capture) Source() probe.Source { return c.source }

// Status says how well the resets are captured so far, and at what CPU cost. It
// may be called at any time.
func (c *Capture) Status() probe.Status { return c.state.report() }

// Missing is nil: packets are captured wholly or not at all.
func (c *Capture) Missing() []*probe.Unsupported { return nil }

// Ready returns a channel that closes when packets are being captured.
func (c *Capture) Ready() <-chan struct{} { return c.state.ready }

// Check reports whether packets can be captured here, by opening and closing the
// capture. An error that matches [probe.ErrUnsupported] says what is missing.
func (c *Capture) Check() error {
	s, err := c.open()
	if err != nil {
		return err
	}
	return s.close()
}

// Kept returns how many packets WritePcapng would write.
func (c *Capture) Kept() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.kept.first) + len(c.kept.last)
}

// WritePcapng writes the RSTs kept so far as a pcapng file, each with a comment
// that begins with what comment says of it (the attempt that it hit; may be nil
// or return "") and goes on with its sender. comment gets the ends as the host
// sees them and the run's time. It may be called while the capture runs.
func (c *Capture) WritePcapng(w io.Writer, comment func(local, remote netip.AddrPort, at time.Duration) string) error {
	c.mu.Lock()
	packets, dropped := c.kept.all(), c.kept.dropped
	c.mu.Unlock()
	return writePcapng(w, packets, dropped, c.source.Host, fmt.Sprintf("tcp RST, ports %v", c.opts.Ports), comment)
}

// batch is how long packets gather after one has been seen, so that many cost
// one wake-up.
const batch = 20 * time.Millisecond

// Watch reports events until ctx is done. See [probe.Watcher].
func (c *Capture) Watch(ctx context.Context, emit func(probe.Event)) error {
	err := c.watch(ctx, emit)
	if err != nil {
		c.state.failed(err)
	}
	return err
}

func (c *Capture) watch(ctx context.Context, emit func(probe.Event)) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.close()
	// A thread of its own, so that its CPU time is the cost of this source.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := threadCPU()
	r := &captureReader{
		capture: c, flows: newFlows(orDefault(c.opts.Flows, 32768), c.opts.Ports),
		limit: newLimiter(orDefault(c.opts.MaxPerSecond, 20000), c.opts.Ports, emit),
	}
	c.state.began(nil)

	defer context.AfterFunc(ctx, s.wake)()
	for {
		// A second without packets ends the wait too: there may be counts to emit.
		if err := s.wait(time.Second); err != nil {
			return fmt.Errorf("wait for packets: %w", err)
		}
		done := ctx.Err() != nil
		r.epoch = wallEpoch(c.opts.Clock)
		if err := s.drain(r.take); err != nil {
			return fmt.Errorf("read packets: %w", err)
		}
		if err := r.tell(s, done, emit); err != nil {
			return err
		}
		c.state.read(time.Duration(threadCPU() - used))
		if done {
			return nil
		}
		if err := s.gather(batch); err != nil {
			return fmt.Errorf("wait for packets: %w", err)
		}
	}
}

func (c *Capture) open() (*packetSocket, error) {
	filter, err := captureFilter(c.opts.Ports)
	if err != nil {
		return nil, err
	}
	return openPacketSocket(c.opts.Netns, filter)
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
func (r *captureReader) tell(s *packetSocket, last bool, emit func(probe.Event)) error {
	c, now := r.capture, r.capture.opts.Clock.Now()
	if last || now-r.flushed >= flushEvery {
		r.limit.flush()
		r.flushed = now
	}
	if !last && now-r.looked < time.Second {
		return nil
	}
	r.looked = now
	drops, err := s.drops()
	if drops > 0 {
		c.state.lose(drops)
		emit(probe.Event{Kind: probe.Lost, At: now, Source: c.source, Host: c.source.Host, Count: drops})
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

// take handles one packet; data is valid during the call only.
func (r *captureReader) take(l link, wall time.Time, length int, data []byte) {
	s, ok := decodeSegment(l.proto, data)
	if !ok {
		return
	}
	at := time.Duration(wall.UnixNano() - r.epoch)
	local, remote, p, ok := r.flows.take(s, vantage{l.ifindex, l.pkttype == packetOutgoing, l.hatype == arpLoopback}, at)
	if !ok {
		return
	}
	data = append(l.header(make([]byte, 0, sll2Length+len(data))), data...)
	r.capture.mu.Lock()
	r.capture.kept.add(kept{wall, length + sll2Length, data, at, local, remote, p})
	r.capture.mu.Unlock()
	r.limit.add(probe.Event{
		Kind: probe.RSTPacket, At: at, Source: r.capture.source, Host: r.capture.source.Host,
		Local: local, Remote: remote, Reason: string(Sender(p)), Packet: &p,
	})
}
