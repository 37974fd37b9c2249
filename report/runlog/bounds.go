package runlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrTooLarge says that a run log unfolds to more than a run can have recorded: it
// was made to exhaust this machine's memory.
var ErrTooLarge = errors.New("run log is too large")

// Bounds of what Read takes into memory: roomFixed, and room for so many bytes for
// each byte of the input. Plain run logs unfold to about 8 times their size, those
// of a quiet run that are compressed well to 100 times. roomMost is an end in any
// case; windows and samples are folded long before.
const (
	roomFixed   = 64 << 20
	roomPerByte = 300
	roomMost    = 8 << 30
)

// unfolds is an upper bound of the memory that a byte of a record becomes.
var unfolds = map[frameKind]int64{
	frameWindow:     8,  // a bucket of a histogram: 2 bytes, 16 in memory
	frameSamples:    12, // a sample of a whole number: 2 bytes, 24 in memory
	frameWindowSpan: 8,
	frameSampleSpan: 12,
	frameFailure:    8,
	frameAddress:    8,
	frameMetric:     48, // an empty name: 6 bytes, 200 in memory with its series
	frameEvent:      16,
	frameHeader:     50, // JSON: an empty target is 3 bytes
	frameStep:       50,
	frameIdle:       50,
	frameClock:      50,
	frameTaken:      50,
	frameHand:       50,
	frameMark:       50,
	frameTrailer:    50,
}

// Memory that every record takes at most, and every record of a part: it may be the
// part's first.
const (
	perRecord = 64
	perPart   = 400
)

// room counts what is taken into memory against what was read of the input.
type room struct {
	r     io.Reader
	read  int64
	taken int64
	kept  int64 // of taken, without what is folded (see fold)
}

// Read reads the input, which may be compressed.
func (c *room) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += int64(n)
	return n, err
}

// take counts a record before it is decoded.
func (c *room) take(r Record) error {
	size := int64(len(r))
	c.taken += perRecord
	if r.kind() == framePart {
		c.taken += perPart
		_, n := binary.Uvarint(r[1:])
		r = r[1+max(n, 0):]
		size *= 2 // merging makes a copy
	}
	c.taken += unfolds[r.kind()] * size
	switch kind := r.kind(); kind {
	case frameWindow, frameSamples, frameWindowSpan, frameSampleSpan:
	default:
		c.kept += perRecord + unfolds[kind]*size
	}
	if c.taken > roomFixed+roomPerByte*c.read || c.kept > roomMost {
		return fmt.Errorf("read run log: %w: %d bytes unfold to more records than a run can have", ErrTooLarge, c.read)
	}
	return nil
}
