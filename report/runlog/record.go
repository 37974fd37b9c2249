package runlog

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// Record is one record of a run log as a machine wrote it: its kind and its
// payload. It can be kept and passed on without being understood.
type Record []byte

func (r Record) kind() frameKind {
	if len(r) == 0 {
		return 0
	}
	return frameKind(r[0])
}

// Last reports whether the record is a trailer: no other follows.
func (r Record) Last() bool { return r.kind() == frameTrailer }

// Reader reads the records of a run log one by one, as they arrive.
type Reader struct{ frames frameReader }

// NewReader reads the first bytes of a run log, not compressed; an error matches
// ErrNotRunLog.
func NewReader(r io.Reader) (*Reader, error) {
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReaderSize(r, 1<<16)
	}
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(br, head); err != nil || string(head) != magic {
		return nil, fmt.Errorf("read run log: %w", ErrNotRunLog)
	}
	return &Reader{frames: frameReader{r: br}}, nil
}

// Next returns the next record, which is the caller's to keep. The error is io.EOF
// at a clean end; any other says that the log is damaged or could not be read on.
func (r *Reader) Next() (Record, error) {
	kind, payload, err := r.frames.next()
	if err != nil {
		return nil, err
	}
	return append(Record{byte(kind)}, payload...), nil
}

// view is Next without a copy: the record is valid until the next call.
func (r *Reader) view() (Record, error) {
	kind, payload, err := r.frames.next()
	if err != nil {
		return nil, err
	}
	// The payload lies behind its kind and length: the byte before it takes the kind.
	at := len(r.frames.frame) - 4 - len(payload) - 1
	r.frames.frame[at] = byte(kind)
	return Record(r.frames.frame[at : at+1+len(payload)]), nil
}

// IndexedSample is a sample whose metric is known by its number among those of its
// run log.
type IndexedSample struct {
	At time.Duration
	probe.IDSample
}

// Sink takes what a run log holds.
type Sink interface {
	attack.Sink
	Header(Header)
	Samples([]IndexedSample) // valid until it returns
	Event(probe.Event)
	Step(attack.Step) // when it begins and, with the same number, when it is over
	IdleSweep(attack.IdleSweep)
	Clock(ClockReading)
	Takeover(Takeover)
	Hand(Hand)
	Mark(Mark)
	Part(number uint64, r Record) error
	Trailer(Trailer)
}

// Decoder decodes the records of one run log. The zero value is ready for the first
// one, the header.
type Decoder struct {
	targets int
	metrics []probe.Metric
	samples []probe.IDSample
	indexed []IndexedSample
	// lent is what windows are decoded into, for a sink that keeps copies; nil: each gets
	// its own.
	lent *attack.Window
}

// Metric returns the metric with a number.
func (d *Decoder) Metric(id uint32) probe.Metric { return d.metrics[id] }

var errRecord = errors.New("record out of place")

// Decode hands what a record holds to the sink. An error means that the record is
// damaged or of a newer version. A kind that this version does not know was added by
// a later one of the same schema: it is skipped.
func (d *Decoder) Decode(r Record, to Sink) error {
	if len(r) == 0 {
		return errRecord
	}
	payload := []byte(r[1:])
	switch r.kind() {
	case frameHeader:
		return d.header(payload, to)
	case frameAddress:
		return decoded(attack.DecodeAddress, payload, to.Address)
	case frameWindow:
		w, err := d.window(payload)
		if err != nil {
			return err
		}
		if int(w.Target) >= d.targets {
			return errRecord
		}
		to.Window(w)
	case frameFailure:
		return decoded(attack.DecodeFailure, payload, to.Failure)
	case frameMetric:
		m, err := probe.DecodeMetric(payload)
		if err != nil {
			return err
		}
		d.metrics = append(d.metrics, m) // numbered in the order in which they were written
	case frameSamples:
		return d.readings(payload, to)
	case frameEvent:
		return decoded(probe.DecodeEvent, payload, to.Event)
	case frameStep:
		return decoded(fromJSON[attack.Step], payload, to.Step)
	case frameIdle:
		s, err := fromJSON[attack.IdleSweep](payload)
		if err != nil {
			return err
		}
		if int(s.Target) >= d.targets {
			return errRecord
		}
		to.IdleSweep(s)
	case frameClock:
		return decoded(fromJSON[ClockReading], payload, to.Clock)
	case frameTaken:
		return decoded(fromJSON[Takeover], payload, to.Takeover)
	case frameHand:
		return decoded(fromJSON[Hand], payload, to.Hand)
	case frameMark:
		return decoded(fromJSON[Mark], payload, to.Mark)
	case framePart:
		number, n := binary.Uvarint(payload)
		if n <= 0 {
			return errRecord
		}
		return to.Part(number, Record(payload[n:]))
	case frameTrailer:
		return decoded(fromJSON[Trailer], payload, to.Trailer)
	}
	return nil
}

func (d *Decoder) header(payload []byte, to Sink) error {
	h, err := fromJSON[Header](payload)
	if err != nil {
		return fmt.Errorf("read run log header: %w", errors.Join(ErrNotRunLog, err))
	}
	if h.Schema > Schema {
		return fmt.Errorf("%w: schema %d, this rampload reads up to %d; use the rampload that wrote it or a newer one",
			ErrNewerSchema, h.Schema, Schema)
	}
	d.targets = len(h.Targets)
	to.Header(h)
	return nil
}

// window decodes a window; with lent it is valid until the next.
func (d *Decoder) window(payload []byte) (attack.Window, error) {
	if d.lent == nil {
		return attack.DecodeWindow(payload)
	}
	err := attack.DecodeWindowInto(d.lent, payload)
	return *d.lent, err
}

func (d *Decoder) readings(payload []byte, to Sink) error {
	at, samples, err := probe.DecodeSamples(d.samples[:0], payload)
	if err != nil {
		return err
	}
	d.samples, d.indexed = samples, d.indexed[:0]
	for _, s := range samples {
		if int(s.ID) >= len(d.metrics) {
			return errRecord
		}
		d.indexed = append(d.indexed, IndexedSample{at, s})
	}
	to.Samples(d.indexed)
	return nil
}

func decoded[T any](decode func([]byte) (T, error), payload []byte, to func(T)) error {
	v, err := decode(payload)
	if err == nil {
		to(v)
	}
	return err
}

func fromJSON[T any](payload []byte) (T, error) {
	var v T
	if err := json.Unmarshal(payload, &v); err != nil {
		return v, fmt.Errorf("decode record: %w", err)
	}
	return v, nil
}
