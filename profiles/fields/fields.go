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
func (r *Reader) Fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", r.malformed, what)
	}
	r.rest = nil
}

// Failed reports whether something did not fit.
func (r *Reader) Failed() bool { return r.err != nil }

// Version reads a version of the record, from 1 to known; a newer one is an error that
// wraps newer.
func (r *Reader) Version(known byte, newer error) byte {
	v := r.Byte()
	switch {
	case r.err != nil:
	case v == 0:
		r.Fail("version 0")
	case v > known:
		r.err, r.rest = fmt.Errorf("%w (version %d, this build knows %d)", newer, v, known), nil
	}
	return v
}

// End returns what did not fit, bytes that are left over included.
func (r *Reader) End() error {
	if r.err == nil && len(r.rest) > 0 {
		r.Fail("bytes after the last field")
	}
	return r.err
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.rest) == 0 {
		r.Fail("cut short")
		return 0
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	return v
}

// Fixed16 reads two bytes, the high one first.
func (r *Reader) Fixed16() uint16 { return uint16(r.Byte())<<8 | uint16(r.Byte()) }

// Uvarint reads a number as [binary.AppendUvarint] writes it.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.Fail("cut short or number too long")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Varint reads a number as [binary.AppendVarint] writes it.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.Fail("cut short or number too long")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Duration reads nanoseconds.
func (r *Reader) Duration() time.Duration { return time.Duration(r.Varint()) }

// Uint16 reads a number of 16 bits.
func (r *Reader) Uint16() uint16 {
	v := r.Uvarint()
	if v > math.MaxUint16 {
		r.Fail("number outside 16 bits")
		return 0
	}
	return uint16(v)
}

// Uint32 reads a number of 32 bits.
func (r *Reader) Uint32() uint32 {
	v := r.Uvarint()
	if v > math.MaxUint32 {
		r.Fail("number outside 32 bits")
		return 0
	}
	return uint32(v)
}

// Int32 reads a signed number of 32 bits.
func (r *Reader) Int32() int32 { return r.Int32From(0) }

// Int32From reads a difference from base.
func (r *Reader) Int32From(base int64) int32 {
	v := r.Varint() + base
	if v < math.MinInt32 || v > math.MaxInt32 {
		r.Fail("number outside 32 bits")
		return 0
	}
	return int32(v)
}

// Float64 reads eight bytes, little endian, of a finite number.
func (r *Reader) Float64() float64 {
	if len(r.rest) < 8 {
		r.Fail("cut short")
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.rest))
	r.rest = r.rest[8:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.Fail("number not finite")
		return 0
	}
	return v
}

// Count reads how many elements of at least size bytes follow.
func (r *Reader) Count(size int) int {
	n := r.Uvarint()
	if n > uint64(len(r.rest)/size) {
		r.Fail("list longer than the record")
		return 0
	}
	return int(n)
}

// Text reads a text behind its length.
func (r *Reader) Text() string {
	n := r.Count(1)
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

// AddrPort reads an address behind its length; of length 0 it is the zero one.
func (r *Reader) AddrPort() netip.AddrPort {
	n := r.Count(1)
	if n == 0 {
		return netip.AddrPort{}
	}
	var a netip.AddrPort
	if err := a.UnmarshalBinary(r.rest[:n]); err != nil {
		r.Fail("address")
		return netip.AddrPort{}
	}
	r.rest = r.rest[n:]
	return a
}

// Pair reads a [Reader.Varint] and a [Reader.Uvarint].
func (r *Reader) Pair() (int64, uint64) {
	if len(r.rest) > 1 && r.rest[0]|r.rest[1] < 0x80 { // both take one byte, as most do
		step, n := int64(r.rest[0]), uint64(r.rest[1])
		r.rest = r.rest[2:]
		return step>>1 ^ -(step & 1), n
	}
	return r.Varint(), r.Uvarint()
}

// Flags reads a byte of up to eight switches, the first in the lowest bit.
func (r *Reader) Flags(set ...*bool) {
	v := r.Byte()
	for i, on := range set {
		*on = v&(1<<i) != 0
	}
	if v>>len(set) != 0 {
		r.Fail("unknown flag")
	}
}
