package runlog

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// ErrNotRunLog says that a file is not a run log.
var ErrNotRunLog = errors.New("not a run log")

// ErrNewerSchema says that a run log was written by a newer rampload.
var ErrNewerSchema = errors.New("run log is of a newer schema")

// IsRunLog reports whether a file that begins with prefix is a run log, plain or
// compressed with gzip. 18 bytes suffice.
func IsRunLog(prefix []byte) bool {
	return bytes.HasPrefix(prefix, []byte(magic)) || isGzip(prefix)
}

func isGzip(prefix []byte) bool { return bytes.HasPrefix(prefix, []byte{0x1f, 0x8b}) }

// Read reads a whole run log, plain or compressed with gzip. A log that ends in
// the middle (a crash, a full disk) is read up to there and marked Truncated;
// one without a trailer has a nil Trailer. Errors match ErrNotRunLog,
// ErrNewerSchema or come from r.
func Read(r io.Reader) (*Log, error) {
	log, err := read(r)
	if err != nil {
		return nil, err
	}
	// Sources write side by side: only each one's own events are in order.
	slices.SortStableFunc(log.Events, func(a, b probe.Event) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(log.Failures, func(a, b attack.Failure) int { return cmp.Compare(a.End, b.End) })
	return log, nil
}

func read(r io.Reader) (*Log, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	if prefix, _ := br.Peek(2); isGzip(prefix) {
		unzipped, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("read run log: %w", errors.Join(ErrNotRunLog, err))
		}
		defer unzipped.Close()
		br = bufio.NewReaderSize(unzipped, 1<<16)
	}
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(br, head); err != nil || string(head) != magic {
		return nil, fmt.Errorf("read run log: %w", ErrNotRunLog)
	}
	d := decoder{frames: frameReader{r: br}}
	if err := d.header(); err != nil {
		return nil, err
	}
	for {
		kind, payload, err := d.frames.next()
		switch {
		case errors.Is(err, io.EOF):
			return &d.log, nil
		case err != nil && !isTear(err):
			return nil, fmt.Errorf("read run log: %w", err)
		case err != nil:
			d.log.Truncated = true
			return &d.log, nil
		}
		if err := d.record(kind, payload); err != nil {
			// The frame's checksum held, so what came before is sound.
			d.log.Truncated = true
			return &d.log, nil
		}
	}
}

// isTear tells a log that stops short from a reader that fails.
func isTear(err error) bool {
	return errors.Is(err, errTorn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum)
}

type decoder struct {
	frames  frameReader
	log     Log
	samples []probe.IDSample
}

func (d *decoder) header() error {
	kind, payload, err := d.frames.next()
	if err != nil || kind != frameHeader {
		return fmt.Errorf("read run log header: %w", ErrNotRunLog)
	}
	if err := json.Unmarshal(payload, &d.log.Header); err != nil {
		return fmt.Errorf("read run log header: %w", errors.Join(ErrNotRunLog, err))
	}
	if s := d.log.Header.Schema; s > Schema {
		return fmt.Errorf("%w: schema %d, this rampload reads up to %d; use the rampload that wrote it or a newer one",
			ErrNewerSchema, s, Schema)
	}
	d.log.Windows = make([][]attack.Window, len(d.log.Header.Targets))
	return nil
}

var errRecord = errors.New("record out of place")

func (d *decoder) record(kind frameKind, payload []byte) error {
	switch kind {
	case frameAddress:
		a, err := attack.DecodeAddress(payload)
		if err != nil {
			return err
		}
		d.log.Addresses = append(d.log.Addresses, a)
	case frameWindow:
		w, err := attack.DecodeWindow(payload)
		if err != nil {
			return err
		}
		if int(w.Target) >= len(d.log.Windows) {
			return errRecord
		}
		d.log.Windows[w.Target] = append(d.log.Windows[w.Target], w)
	case frameFailure:
		f, err := attack.DecodeFailure(payload)
		if err != nil {
			return err
		}
		d.log.Failures = append(d.log.Failures, f)
	case frameMetric:
		m, err := probe.DecodeMetric(payload)
		if err != nil {
			return err
		}
		// Metrics are numbered in the order in which they were written.
		d.log.Series = append(d.log.Series, Series{Metric: m})
	case frameSamples:
		at, samples, err := probe.DecodeSamples(d.samples[:0], payload)
		if err != nil {
			return err
		}
		d.samples = samples
		for _, s := range samples {
			if int(s.ID) >= len(d.log.Series) {
				return errRecord
			}
			series := &d.log.Series[s.ID]
			series.At = append(series.At, at)
			series.Value = append(series.Value, s.Value)
			series.Limit = append(series.Limit, s.Limit)
		}
	case frameEvent:
		e, err := probe.DecodeEvent(payload)
		if err != nil {
			return err
		}
		d.log.Events = append(d.log.Events, e)
	case frameStep:
		var s attack.Step
		if err := json.Unmarshal(payload, &s); err != nil {
			return fmt.Errorf("decode step: %w", err)
		}
		if n := len(d.log.Steps); n > 0 && d.log.Steps[n-1].Number == s.Number {
			d.log.Steps[n-1] = s // now it is over
			return nil
		}
		d.log.Steps = append(d.log.Steps, s)
	case frameIdle:
		var s attack.IdleSweep
		if err := json.Unmarshal(payload, &s); err != nil {
			return fmt.Errorf("decode idle sweep: %w", err)
		}
		if int(s.Target) >= len(d.log.Header.Targets) {
			return errRecord
		}
		d.log.Idle = append(d.log.Idle, s)
	case frameTrailer:
		var t Trailer
		if err := json.Unmarshal(payload, &t); err != nil {
			return fmt.Errorf("decode trailer: %w", err)
		}
		d.log.Trailer = &t
	}
	// A kind that this version does not know was added by a later one of the same
	// schema: it is skipped.
	return nil
}
