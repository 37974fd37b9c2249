package runlog

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Schema is the version of the run log that this package writes.
const Schema = 1

// magic opens every run log; the digit is the framing's version.
const magic = "rampload-runlog 1\n"

// maxFrame bounds what a reader allocates for one frame.
const maxFrame = 64 << 20

type frameKind byte

const (
	frameHeader  frameKind = 'H' // JSON
	frameAddress frameKind = 'A'
	frameWindow  frameKind = 'W'
	frameFailure frameKind = 'F'
	frameMetric  frameKind = 'M'
	frameSamples frameKind = 'S'
	frameEvent   frameKind = 'E'
	frameTrailer frameKind = 'T' // JSON
	frameStep    frameKind = 'P' // JSON; again when the step is over
	frameIdle    frameKind = 'I' // JSON
	framePart    frameKind = 'R' // the number of a part and one of its records
	frameClock   frameKind = 'C' // JSON
	frameTaken   frameKind = 'O' // JSON
	frameHand    frameKind = 'N' // JSON
	frameMark    frameKind = 'K' // JSON
	// What the records of seconds add up to (see spans).
	frameWindowSpan frameKind = 'w'
	frameSampleSpan frameKind = 's'
)

// errTorn says that the log ends inside a frame or in damaged bytes.
var errTorn = errors.New("torn frame")

// appendFrame appends kind, length, payload and a CRC-32 (IEEE) of all three, so
// that a torn or damaged tail is noticed and what stands before it is kept.
func appendFrame(b []byte, kind frameKind, payload []byte) []byte {
	start := len(b)
	b = append(b, byte(kind))
	b = binary.AppendUvarint(b, uint64(len(payload)))
	b = append(b, payload...)
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

// frameReader reads frames one by one; the payload is valid until the next call.
type frameReader struct {
	r     *bufio.Reader
	buf   []byte // of a frame that does not fit into r's buffer
	frame []byte // the last one, whole
}

// next returns io.EOF at a clean end and errTorn at any other.
func (f *frameReader) next() (frameKind, []byte, error) {
	kind, size, n, err := f.head()
	if err != nil {
		return 0, nil, err
	}
	if whole := n + int(size) + 4; whole <= f.r.Size() {
		frame, err := f.r.Peek(whole)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return 0, nil, errTorn
		case err != nil:
			return 0, nil, fmt.Errorf("read frame: %w", err)
		}
		f.frame = frame
		_, _ = f.r.Discard(whole) // what was peeked is there
		return f.checked(kind, n)
	}
	f.buf = f.buf[:0]
	// Grow with what is really there: a damaged length must not allocate 64 MiB.
	limited := io.LimitReader(f.r, int64(n)+int64(size)+4)
	for {
		if len(f.buf) == cap(f.buf) {
			f.buf = append(f.buf, 0)[:len(f.buf)]
		}
		got, err := limited.Read(f.buf[len(f.buf):cap(f.buf)])
		f.buf = f.buf[:len(f.buf)+got]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, nil, fmt.Errorf("read frame: %w", err)
		}
	}
	if uint64(len(f.buf)) != uint64(n)+size+4 {
		return 0, nil, errTorn
	}
	f.frame = f.buf
	return f.checked(kind, n)
}

// head looks at the kind and the length of the next frame, which take n bytes, and waits for
// no more than these.
func (f *frameReader) head() (kind byte, size uint64, n int, err error) {
	for want := max(2, min(1+binary.MaxVarintLen64, f.r.Buffered())); ; want++ {
		head, err := f.r.Peek(want)
		if len(head) > 1 {
			if size, m := binary.Uvarint(head[1:]); m > 0 && size <= maxFrame {
				return head[0], size, 1 + m, nil
			} else if m != 0 {
				return 0, 0, 0, errTorn
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) && len(head) == 0:
			return 0, 0, 0, io.EOF
		case errors.Is(err, io.EOF):
			return 0, 0, 0, errTorn
		default:
			return 0, 0, 0, fmt.Errorf("read frame: %w", err)
		}
	}
}

// checked returns the payload of the frame, behind so many bytes.
func (f *frameReader) checked(kind byte, head int) (frameKind, []byte, error) {
	end := len(f.frame) - 4
	if crc32.ChecksumIEEE(f.frame[:end]) != binary.LittleEndian.Uint32(f.frame[end:]) {
		return 0, nil, errTorn
	}
	return frameKind(kind), f.frame[head:end], nil
}

// Whole returns the length of the longest beginning of b that is whole records of a
// run log; first says that b begins with the log's first byte. What follows may become
// a record when more of the log is there. Damage is found by [Reader].
func Whole(b []byte, first bool) int {
	n := 0
	if first {
		if len(b) < len(magic) {
			return 0
		}
		n = len(magic)
	}
	for {
		rest := b[n:]
		if len(rest) < 2 {
			return n
		}
		size, m := binary.Uvarint(rest[1:])
		if m == 0 {
			return n
		}
		if m < 0 || size > maxFrame {
			return len(b) // damaged: the reader says so
		}
		frame := uint64(1+m+4) + size
		if uint64(len(rest)) < frame {
			return n
		}
		n += int(frame)
	}
}
