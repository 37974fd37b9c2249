package runlog

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
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

// Read reads a whole run log, plain or compressed with gzip, and merges what other
// machines recorded of the run into it (see [Merge]). A log that ends in the middle
// (a crash, a full disk) is read up to there and marked Truncated; one without a
// trailer has a nil Trailer. Errors match ErrNotRunLog, ErrNewerSchema, ErrOtherRun,
// ErrTooLarge or come from r. What it takes of memory is bounded by the length of
// the input.
func Read(r io.Reader) (*Log, error) {
	log, err := ReadParts(r)
	if err != nil {
		return nil, err
	}
	return Merge(log)
}

// ReadParts reads a run log as Read does, and leaves its parts apart.
func ReadParts(r io.Reader) (*Log, error) {
	log, err := readAll(r)
	if err != nil {
		return nil, err
	}
	log.sort()
	return log, nil
}

// sort puts events and failures in order: sources write side by side, so only each
// one's own are.
func (l *Log) sort() {
	slices.SortStableFunc(l.Events, func(a, b probe.Event) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(l.Failures, func(a, b attack.Failure) int { return cmp.Compare(a.End, b.End) })
	for _, p := range l.Parts {
		p.sort()
	}
}

func readAll(r io.Reader) (*Log, error) { return readFolded(r, newFold()) }

func readFolded(r io.Reader, f *fold) (*Log, error) {
	input := &room{r: r}
	br := bufio.NewReaderSize(input, 1<<18)
	if prefix, _ := br.Peek(2); isGzip(prefix) {
		unzipped, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("read run log: %w", errors.Join(ErrNotRunLog, err))
		}
		defer unzipped.Close()
		br = bufio.NewReaderSize(unzipped, 1<<18)
	}
	records, err := NewReader(br)
	if err != nil {
		return nil, err
	}
	c := newCollector(f)
	defer c.fold.done()
	for {
		record, err := records.view()
		switch {
		case errors.Is(err, io.EOF):
			if !c.begun {
				return nil, fmt.Errorf("read run log header: %w", ErrNotRunLog)
			}
			return &c.log, nil
		case err != nil && !isTear(err):
			return nil, fmt.Errorf("read run log: %w", err)
		case err != nil && c.begun:
			c.log.Truncated = true
			return &c.log, nil
		case err != nil:
			return nil, fmt.Errorf("read run log header: %w", ErrNotRunLog)
		}
		if err := input.take(record); err != nil {
			return nil, err
		}
		first := !c.begun
		if err := c.add(record); err != nil && first {
			return nil, err
		} else if err != nil {
			// The frame's checksum held, so what came before is sound.
			c.log.Truncated = true
			return &c.log, nil
		}
		if c.fold.full() {
			return nil, fmt.Errorf("read run log: %w: its windows have more values than a run can have", ErrTooLarge)
		}
	}
}

// isTear tells a log that stops short from a reader that fails.
func isTear(err error) bool {
	return errors.Is(err, errTorn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum)
}

// collector puts records together to a Log.
type collector struct {
	begun   bool
	nested  bool // it is a part, which has no parts
	log     Log
	decoder Decoder
	fold    *fold
	thin    []thinned // by series
	parts   map[uint64]*collector
	// What is not decoded as long as a folded record may follow it: windows by target.
	windows  []waiting
	readings waiting
}

func newCollector(f *fold) *collector {
	c := &collector{fold: f}
	c.decoder.lent = new(attack.Window)
	f.logs = append(f.logs, c)
	return c
}

func (gathered *collector) add(r Record) error {
	if !gathered.begun && r.kind() != frameHeader {
		return fmt.Errorf("read run log header: %w", ErrNotRunLog)
	}
	if kind := r.kind(); kind == frameWindowSpan || kind == frameSampleSpan {
		return gathered.span(r)
	}
	if waits, err := gathered.waits(r); waits || err != nil {
		return err
	}
	return gathered.decoder.Decode(r, gathered)
}

// The collector is the decoder's Sink.
var _ Sink = (*collector)(nil)

// Header begins the log.
func (gathered *collector) Header(h Header) {
	gathered.begun = true
	gathered.log.Header = h
	gathered.log.Windows = make([][]attack.Window, len(h.Targets))
}

// Address collects an address.
func (gathered *collector) Address(a attack.Address) {
	gathered.log.Addresses = append(gathered.log.Addresses, a)
}

// Window collects a window.
func (gathered *collector) Window(w attack.Window) {
	gathered.fold.window(&gathered.log.Windows[w.Target], &w, 0)
}

// Failure collects a failure.
func (gathered *collector) Failure(f attack.Failure) {
	gathered.log.Failures = append(gathered.log.Failures, f)
	if len(gathered.log.Failures) > mostFailures {
		gathered.halveFailures()
	}
}

// Samples collects readings by their metric.
func (gathered *collector) Samples(samples []IndexedSample) {
	for _, s := range samples {
		for int(s.ID) >= len(gathered.log.Series) {
			gathered.log.Series = append(gathered.log.Series, Series{Metric: gathered.decoder.metrics[len(gathered.log.Series)]})
			gathered.thin = append(gathered.thin, thinned{})
		}
		gathered.fold.samples += gathered.thin[s.ID].add(&gathered.log.Series[s.ID], s, gathered.fold.every)
	}
	if gathered.fold.samples > gathered.fold.mostSamples {
		gathered.fold.thinAll()
	}
}

// Event collects an event.
func (gathered *collector) Event(e probe.Event) { gathered.log.Events = append(gathered.log.Events, e) }

// Step collects a step, and its end.
func (gathered *collector) Step(s attack.Step) {
	if n := len(gathered.log.Steps); n > 0 && gathered.log.Steps[n-1].Number == s.Number {
		gathered.log.Steps[n-1] = s // now it is over
		return
	}
	gathered.log.Steps = append(gathered.log.Steps, s)
}

// IdleSweep collects an idle sweep.
func (gathered *collector) IdleSweep(s attack.IdleSweep) {
	gathered.log.Idle = append(gathered.log.Idle, s)
}

// Clock collects a comparison of clocks.
func (gathered *collector) Clock(r ClockReading) {
	gathered.log.Clocks = append(gathered.log.Clocks, r)
}

// Takeover collects a takeover.
func (gathered *collector) Takeover(t Takeover) {
	gathered.log.Takeovers = append(gathered.log.Takeovers, t)
}

// Hand collects a change by hand.
func (gathered *collector) Hand(h Hand) { gathered.log.Hands = append(gathered.log.Hands, h) }

// Mark collects a mark.
func (gathered *collector) Mark(m Mark) { gathered.log.Marks = append(gathered.log.Marks, m) }

// Part collects a record of a part. Damage to a part ends that part and no other.
func (gathered *collector) Part(number uint64, r Record) error {
	if gathered.nested {
		return errRecord
	}
	part := gathered.parts[number]
	if part == nil {
		if gathered.parts == nil {
			gathered.parts = map[uint64]*collector{}
		}
		part = newCollector(gathered.fold)
		part.nested = true
		gathered.parts[number] = part
	}
	if part.log.Truncated {
		return nil // what comes after damage cannot be relied on
	}
	begun := part.begun
	if err := part.add(r); err != nil {
		part.log.Truncated = true
	}
	if !begun && part.begun {
		gathered.log.Parts = append(gathered.log.Parts, &part.log)
	}
	return nil
}

// Trailer ends the log.
func (gathered *collector) Trailer(t Trailer) { gathered.log.Trailer = &t }
