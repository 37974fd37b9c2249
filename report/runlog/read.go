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

func (c *collector) add(r Record) error {
	if !c.begun && r.kind() != frameHeader {
		return fmt.Errorf("read run log header: %w", ErrNotRunLog)
	}
	if kind := r.kind(); kind == frameWindowSpan || kind == frameSampleSpan {
		return c.span(r)
	}
	if waits, err := c.waits(r); waits || err != nil {
		return err
	}
	return c.decoder.Decode(r, c)
}

// The collector is the decoder's Sink.
var _ Sink = (*collector)(nil)

// Header begins the log.
func (c *collector) Header(h Header) {
	c.begun = true
	c.log.Header = h
	c.log.Windows = make([][]attack.Window, len(h.Targets))
}

// Address collects an address.
func (c *collector) Address(a attack.Address) { c.log.Addresses = append(c.log.Addresses, a) }

// Window collects a window.
func (c *collector) Window(w attack.Window) {
	c.fold.window(&c.log.Windows[w.Target], &w, 0)
}

// Failure collects a failure.
func (c *collector) Failure(f attack.Failure) {
	c.log.Failures = append(c.log.Failures, f)
	if len(c.log.Failures) > mostFailures {
		c.halveFailures()
	}
}

// Samples collects readings by their metric.
func (c *collector) Samples(samples []IndexedSample) {
	for _, s := range samples {
		for int(s.ID) >= len(c.log.Series) {
			c.log.Series = append(c.log.Series, Series{Metric: c.decoder.metrics[len(c.log.Series)]})
			c.thin = append(c.thin, thinned{})
		}
		c.fold.samples += c.thin[s.ID].add(&c.log.Series[s.ID], s, c.fold.every)
	}
	if c.fold.samples > c.fold.mostSamples {
		c.fold.thinAll()
	}
}

// Event collects an event.
func (c *collector) Event(e probe.Event) { c.log.Events = append(c.log.Events, e) }

// Step collects a step, and its end.
func (c *collector) Step(s attack.Step) {
	if n := len(c.log.Steps); n > 0 && c.log.Steps[n-1].Number == s.Number {
		c.log.Steps[n-1] = s // now it is over
		return
	}
	c.log.Steps = append(c.log.Steps, s)
}

// IdleSweep collects an idle sweep.
func (c *collector) IdleSweep(s attack.IdleSweep) { c.log.Idle = append(c.log.Idle, s) }

// Clock collects a comparison of clocks.
func (c *collector) Clock(r ClockReading) { c.log.Clocks = append(c.log.Clocks, r) }

// Takeover collects a takeover.
func (c *collector) Takeover(t Takeover) { c.log.Takeovers = append(c.log.Takeovers, t) }

// Hand collects a change by hand.
func (c *collector) Hand(h Hand) { c.log.Hands = append(c.log.Hands, h) }

// Mark collects a mark.
func (c *collector) Mark(m Mark) { c.log.Marks = append(c.log.Marks, m) }

// Part collects a record of a part. Damage to a part ends that part and no other.
func (c *collector) Part(number uint64, r Record) error {
	if c.nested {
		return errRecord
	}
	part := c.parts[number]
	if part == nil {
		if c.parts == nil {
			c.parts = map[uint64]*collector{}
		}
		part = newCollector(c.fold)
		part.nested = true
		c.parts[number] = part
	}
	if part.log.Truncated {
		return nil // what comes after damage cannot be relied on
	}
	begun := part.begun
	if err := part.add(r); err != nil {
		part.log.Truncated = true
	}
	if !begun && part.begun {
		c.log.Parts = append(c.log.Parts, &part.log)
	}
	return nil
}

// Trailer ends the log.
func (c *collector) Trailer(t Trailer) { c.log.Trailer = &t }
