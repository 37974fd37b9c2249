// Package fields reads the fields of binary records, one after the other. It knows no
// record.
package fields

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Reader reads fields until one does not fit; every later read then gives 0, so that
// callers check once, by [Reader.End]. What it allocates is in proportion to the record.
type Reader struct {
	rest      []byte
	err       error
	malformed error
}

// New returns a reader of a record. What does not fit is an error that wraps malformed.
func New(record []byte, malformed error) Reader { return Reader{rest: record, malformed: malformed} }

// Fail says what does not fit; the first time counts.
func (reader *Reader) Fail(what string) {
	if reader.err == nil {
		reader.err = fmt.Errorf("%w: %s", reader.malformed, what)
	}
	reader.rest = nil
}

// Failed reports whether something did not fit.
func (reader *Reader) Failed() bool { return reader.err != nil }

// Version reads a version of the record, from 1 to known; a newer one is an error that
// wraps newer.
func (reader *Reader) Version(known byte, newer error) byte {
	v := reader.Byte()
	switch {
	case reader.err != nil:
	case v == 0:
		reader.Fail("version 0")
	case v > known:
		reader.err, reader.rest = fmt.Errorf("%w (version %d, this build knows %d)", newer, v, known), nil
	}
	return v
}

// End returns what did not fit, bytes that are left over included.
func (reader *Reader) End() error {
	if reader.err == nil && len(reader.rest) > 0 {
		reader.Fail("bytes after the last field")
	}
	return reader.err
}

// Byte reads one byte.
func (reader *Reader) Byte() byte {
	if len(reader.rest) == 0 {
		reader.Fail("cut short")
		return 0
	}
	v := reader.rest[0]
	reader.rest = reader.rest[1:]
	return v
}

// Fixed16 reads two bytes, the high one first.
func (reader *Reader) Fixed16() uint16 { return uint16(reader.Byte())<<8 | uint16(reader.Byte()) }

// Uvarint reads a number as [binary.AppendUvarint] writes it.
func (reader *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(reader.rest)
	if n <= 0 {
		reader.Fail("cut short or number too long")
		return 0
	}
	reader.rest = reader.rest[n:]
	return v
}

// Varint reads a number as [binary.AppendVarint] writes it.
func (reader *Reader) Varint() int64 {
	v, n := binary.Varint(reader.rest)
	if n <= 0 {
		reader.Fail("cut short or number too long")
		return 0
	}
	reader.rest = reader.rest[n:]
	return v
}

// Duration reads nanoseconds.
func (reader *Reader) Duration() time.Duration { return time.Duration(reader.Varint()) }

// Uint16 reads a number of 16 bits.
func (reader *Reader) Uint16() uint16 {
	v := reader.Uvarint()
	if v > math.MaxUint16 {
		reader.Fail("number outside 16 bits")
		return 0
	}
	return uint16(v)
}

// Uint32 reads a number of 32 bits.
func (reader *Reader) Uint32() uint32 {
	v := reader.Uvarint()
	if v > math.MaxUint32 {
		reader.Fail("number outside 32 bits")
		return 0
	}
	return uint32(v)
}

// Int32 reads a signed number of 32 bits.
func (reader *Reader) Int32() int32 { return reader.Int32From(0) }

// Int32From reads a difference from base.
func (reader *Reader) Int32From(base int64) int32 {
	v := reader.Varint() + base
	if v < math.MinInt32 || v > math.MaxInt32 {
		reader.Fail("number outside 32 bits")
		return 0
	}
	return int32(v)
}

// Float64 reads eight bytes, little endian, of a finite number.
func (reader *Reader) Float64() float64 {
	if len(reader.rest) < 8 {
		reader.Fail("cut short")
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(reader.rest))
	reader.rest = reader.rest[8:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		reader.Fail("number not finite")
		return 0
	}
	return v
}

// Count reads how many elements of at least size bytes follow.
func (reader *Reader) Count(size int) int {
	n := reader.Uvarint()
	if n > uint64(len(reader.rest)/size) {
		reader.Fail("list longer than the record")
		return 0
	}
	return int(n)
}

// Text reads a text behind its length.
func (reader *Reader) Text() string {
	n := reader.Count(1)
	s := string(reader.rest[:n])
	reader.rest = reader.rest[n:]
	return s
}

// AddrPort reads an address behind its length; of length 0 it is the zero one.
func (reader *Reader) AddrPort() netip.AddrPort {
	n := reader.Count(1)
	if n == 0 {
		return netip.AddrPort{}
	}
	var a netip.AddrPort
	if err := a.UnmarshalBinary(reader.rest[:n]); err != nil {
		reader.Fail("address")
		return netip.AddrPort{}
	}
	reader.rest = reader.rest[n:]
	return a
}

// Pair reads a [Reader.Varint] and a [Reader.Uvarint].
func (reader *Reader) Pair() (int64, uint64) {
	if len(reader.rest) > 1 && reader.rest[0]|reader.rest[1] < 0x80 { // both take one byte, as most do
		step, n := int64(reader.rest[0]), uint64(reader.rest[1])
		reader.rest = reader.rest[2:]
		return step>>1 ^ -(step & 1), n
	}
	return reader.Varint(), reader.Uvarint()
}

// Flags reads a byte of up to eight switches, the first in the lowest bit.
func (reader *Reader) Flags(set ...*bool) {
	v := reader.Byte()
	for i, on := range set {
		*on = v&(1<<i) != 0
	}
	if v>>len(set) != 0 {
		reader.Fail("unknown flag")
	}
}
