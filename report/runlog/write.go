package runlog

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// Writer appends a run to w as it goes. Its methods may be called from several
// goroutines. The first error sticks: later records are dropped, and Err and
// Close return it, so that a full disk costs the record and not the run.
type Writer struct {
	mu      sync.Mutex
	w       *bufio.Writer
	scratch []byte
	frame   []byte
	metrics map[probe.Metric]uint32
	samples []probe.IDSample
	spans   spans
	err     error
	closed  bool
}

var _ attack.Sink = (*Writer)(nil)

// NewWriter writes the header and returns a writer of the rest. Its Schema field
// is set by this function. Every call of w's Write carries whole records, the first
// one the magic bytes before them.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	out := &Writer{w: bufio.NewWriterSize(w, 1<<16), metrics: map[probe.Metric]uint32{}, spans: spans{interval: h.Interval, from: spansFrom}}
	h.Schema = Schema
	payload, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode run log header: %w", err)
	}
	if _, err := out.w.WriteString(magic); err != nil {
		return nil, fmt.Errorf("write run log: %w", err)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	out.append(frameHeader, payload)
	out.flush()
	return out, out.err
}

// Address records a remote address of a target.
func (out *Writer) Address(a attack.Address) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.scratch = attack.AppendAddress(out.scratch[:0], a)
	out.append(frameAddress, out.scratch)
}

// Window records a window and flushes, so that a crash loses at most the window
// that was being filled.
func (out *Writer) Window(win attack.Window) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if t := out.spans.window(&win); t != nil {
		out.scratch = appendWindowSpan(out.scratch[:0], t)
		out.append(frameWindowSpan, out.scratch)
		t.count = 0
		t.add(&win)
	}
	out.scratch = attack.AppendWindow(out.scratch[:0], win)
	out.append(frameWindow, out.scratch)
	out.flush()
}

// Failure records a failed attempt.
func (out *Writer) Failure(f attack.Failure) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.scratch = attack.AppendFailure(out.scratch[:0], f)
	out.append(frameFailure, out.scratch)
}

// Samples records readings. Those that follow each other with the same time take
// one record.
func (out *Writer) Samples(samples []probe.Sample) {
	out.mu.Lock()
	defer out.mu.Unlock()
	for len(samples) > 0 {
		n := 1
		for n < len(samples) && samples[n].At == samples[0].At {
			n++
		}
		out.together(samples[:n])
		samples = samples[n:]
	}
}

// together records samples of one time.
func (out *Writer) together(samples []probe.Sample) {
	out.samples = out.samples[:0]
	for _, r := range samples {
		id, ok := out.metrics[r.Metric]
		if !ok {
			id = uint32(len(out.metrics))
			out.metrics[r.Metric] = id
			out.scratch = probe.AppendMetric(out.scratch[:0], r.Metric)
			out.append(frameMetric, out.scratch)
		}
		out.samples = append(out.samples, probe.IDSample{ID: id, Value: r.Value, Limit: r.Limit})
	}
	if at := samples[0].At; out.spans.over(at) {
		out.scratch = out.spans.appendSampleSpan(out.scratch[:0])
		out.append(frameSampleSpan, out.scratch)
	}
	out.spans.samples(samples[0].At, out.samples)
	out.scratch = probe.AppendSamples(out.scratch[:0], samples[0].At, out.samples)
	out.append(frameSamples, out.scratch)
}

// Event records an event.
func (out *Writer) Event(e probe.Event) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.scratch = probe.AppendEvent(out.scratch[:0], e)
	out.append(frameEvent, out.scratch)
}

// Step records a load of a search: when it begins and, with the same number, when
// it is over. It flushes, as [Writer.Window] does.
func (out *Writer) Step(s attack.Step) { out.json(frameStep, s) }

// IdleSweep records what holding idle connections of a target has shown.
func (out *Writer) IdleSweep(s attack.IdleSweep) { out.json(frameIdle, s) }

// Record records a record of this run log as it was written before. It is not the
// header, and the metrics of readings come before them, in their own order: a log is
// copied as a whole, or not at all.
func (out *Writer) Record(r Record) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if len(r) > 0 && r.kind() != frameHeader {
		out.append(r.kind(), r[1:])
	}
}

// Part records a record of another machine's run log, as it is. number tells the
// parts apart; the first record of a part is its header.
func (out *Writer) Part(number int, r Record) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.scratch = binary.AppendUvarint(out.scratch[:0], uint64(number))
	out.scratch = append(out.scratch, r...)
	out.append(framePart, out.scratch)
	if r.kind() == frameWindow || r.kind() == frameTrailer {
		out.flush()
	}
}

// Clock records a comparison of clocks.
func (out *Writer) Clock(c ClockReading) { out.json(frameClock, c) }

// Takeover records that the slice of a lost worker was taken over.
func (out *Writer) Takeover(t Takeover) { out.json(frameTaken, t) }

// Hand records that the load was changed by hand.
func (out *Writer) Hand(h Hand) { out.json(frameHand, h) }

// Mark records that something happened which a person wants to see in the run.
func (out *Writer) Mark(m Mark) { out.json(frameMark, m) }

// Flush hands on what was recorded. Windows and ends of steps do so by themselves.
func (out *Writer) Flush() {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.flush()
}

func (out *Writer) json(kind frameKind, v any) {
	payload, err := json.Marshal(v)
	out.mu.Lock()
	defer out.mu.Unlock()
	if err != nil && out.err == nil {
		out.err = fmt.Errorf("encode record: %w", err)
	}
	out.append(kind, payload)
	out.flush()
}

// Close writes the trailer and flushes; it does not close the underlying writer.
// A log without a trailer reads as incomplete.
func (out *Writer) Close(t Trailer) error {
	payload, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode run log trailer: %w", err)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	out.append(frameTrailer, payload)
	out.flush()
	out.closed = true
	return out.err
}

// Err returns the first error of writing.
func (out *Writer) Err() error {
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.err
}

func (out *Writer) append(kind frameKind, payload []byte) {
	if out.err != nil || out.closed {
		return
	}
	out.frame = appendFrame(out.frame[:0], kind, payload)
	if len(out.frame) > out.w.Available() {
		out.flush()
	}
	if _, err := out.w.Write(out.frame); err != nil {
		out.err = fmt.Errorf("write run log: %w", err)
	}
}

func (out *Writer) flush() {
	if out.err != nil {
		return
	}
	if err := out.w.Flush(); err != nil {
		out.err = fmt.Errorf("write run log: %w", err)
	}
}
