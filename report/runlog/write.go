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
func (w *Writer) Address(a attack.Address) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scratch = attack.AppendAddress(w.scratch[:0], a)
	w.append(frameAddress, w.scratch)
}

// Window records a window and flushes, so that a crash loses at most the window
// that was being filled.
func (w *Writer) Window(win attack.Window) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.spans.window(&win); t != nil {
		w.scratch = appendWindowSpan(w.scratch[:0], t)
		w.append(frameWindowSpan, w.scratch)
		t.count = 0
		t.add(&win)
	}
	w.scratch = attack.AppendWindow(w.scratch[:0], win)
	w.append(frameWindow, w.scratch)
	w.flush()
}

// Failure records a failed attempt.
func (w *Writer) Failure(f attack.Failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scratch = attack.AppendFailure(w.scratch[:0], f)
	w.append(frameFailure, w.scratch)
}

// Samples records readings. Those that follow each other with the same time take
// one record.
func (w *Writer) Samples(samples []probe.Sample) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(samples) > 0 {
		n := 1
		for n < len(samples) && samples[n].At == samples[0].At {
			n++
		}
		w.together(samples[:n])
		samples = samples[n:]
	}
}

// together records samples of one time.
func (w *Writer) together(samples []probe.Sample) {
	w.samples = w.samples[:0]
	for _, r := range samples {
		id, ok := w.metrics[r.Metric]
		if !ok {
			id = uint32(len(w.metrics))
			w.metrics[r.Metric] = id
			w.scratch = probe.AppendMetric(w.scratch[:0], r.Metric)
			w.append(frameMetric, w.scratch)
		}
		w.samples = append(w.samples, probe.IDSample{ID: id, Value: r.Value, Limit: r.Limit})
	}
	if at := samples[0].At; w.spans.over(at) {
		w.scratch = w.spans.appendSampleSpan(w.scratch[:0])
		w.append(frameSampleSpan, w.scratch)
	}
	w.spans.samples(samples[0].At, w.samples)
	w.scratch = probe.AppendSamples(w.scratch[:0], samples[0].At, w.samples)
	w.append(frameSamples, w.scratch)
}

// Event records an event.
func (w *Writer) Event(e probe.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scratch = probe.AppendEvent(w.scratch[:0], e)
	w.append(frameEvent, w.scratch)
}

// Step records a load of a search: when it begins and, with the same number, when
// it is over. It flushes, as [Writer.Window] does.
func (w *Writer) Step(s attack.Step) { w.json(frameStep, s) }

// IdleSweep records what holding idle connections of a target has shown.
func (w *Writer) IdleSweep(s attack.IdleSweep) { w.json(frameIdle, s) }

// Record records a record of this run log as it was written before. It is not the
// header, and the metrics of readings come before them, in their own order: a log is
// copied as a whole, or not at all.
func (w *Writer) Record(r Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(r) > 0 && r.kind() != frameHeader {
		w.append(r.kind(), r[1:])
	}
}

// Part records a record of another machine's run log, as it is. number tells the
// parts apart; the first record of a part is its header.
func (w *Writer) Part(number int, r Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scratch = binary.AppendUvarint(w.scratch[:0], uint64(number))
	w.scratch = append(w.scratch, r...)
	w.append(framePart, w.scratch)
	if r.kind() == frameWindow || r.kind() == frameTrailer {
		w.flush()
	}
}

// Clock records a comparison of clocks.
func (w *Writer) Clock(c ClockReading) { w.json(frameClock, c) }

// Takeover records that the slice of a lost worker was taken over.
func (w *Writer) Takeover(t Takeover) { w.json(frameTaken, t) }

// Hand records that the load was changed by hand.
func (w *Writer) Hand(h Hand) { w.json(frameHand, h) }

// Mark records that something happened which a person wants to see in the run.
func (w *Writer) Mark(m Mark) { w.json(frameMark, m) }

// Flush hands on what was recorded. Windows and ends of steps do so by themselves.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
}

func (w *Writer) json(kind frameKind, v any) {
	payload, err := json.Marshal(v)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("encode record: %w", err)
	}
	w.append(kind, payload)
	w.flush()
}

// Close writes the trailer and flushes; it does not close the underlying writer.
// A log without a trailer reads as incomplete.
func (w *Writer) Close(t Trailer) error {
	payload, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode run log trailer: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.append(frameTrailer, payload)
	w.flush()
	w.closed = true
	return w.err
}

// Err returns the first error of writing.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *Writer) append(kind frameKind, payload []byte) {
	if w.err != nil || w.closed {
		return
	}
	w.frame = appendFrame(w.frame[:0], kind, payload)
	if len(w.frame) > w.w.Available() {
		w.flush()
	}
	if _, err := w.w.Write(w.frame); err != nil {
		w.err = fmt.Errorf("write run log: %w", err)
	}
}

func (w *Writer) flush() {
	if w.err != nil {
		return
	}
	if err := w.w.Flush(); err != nil {
		w.err = fmt.Errorf("write run log: %w", err)
	}
}
