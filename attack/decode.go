package attack

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// DecodeWindow reads what [AppendWindow] wrote. Empty lists come back nil. It
// never panics and allocates in proportion to len(b).
func DecodeWindow(b []byte) (Window, error) {
	var w Window
	if err := DecodeWindowInto(&w, b); err != nil {
		return Window{}, err
	}
	return w, nil
}

// DecodeWindowInto is [DecodeWindow] into a window whose lists it overwrites and makes
// larger where they are too small: for readers of many windows. Empty lists of a new
// window stay nil. After an error the window holds nothing of use.
func DecodeWindowInto(w *Window, b []byte) error {
	*w = Window{
		Cells: w.Cells[:0], Statuses: w.Statuses[:0],
		FromDue: w.FromDue[:0], FromSend: w.FromSend[:0], Lag: w.Lag[:0], IdleAge: w.IdleAge[:0], Served: w.Served[:0],
	}
	d := decoder{b: b}
	d.version()
	w.Target = d.uint16()
	w.Index = d.int32()
	for _, n := range [...]*uint64{&w.Scheduled, &w.Sent, &w.Unsent, &w.Retries, &w.Dials} {
		*n = d.uvarint()
	}
	w.Open = d.varint()
	w.InFlight = d.varint()
	w.IdleConnSeconds = d.float64()

	if n := d.count(8); n > 0 { // a cell takes at least 8 bytes
		w.Cells = resized(w.Cells, n)
		for i := range w.Cells {
			c := &w.Cells[i]
			*c = Cell{}
			c.DueWindow = d.int32From(int64(w.Index))
			c.Remote = d.uint16()
			c.Fault, c.Phase = d.fault(), d.phase()
			var detailed bool
			d.flags(&c.Reused, &c.Held, &detailed)
			c.Attempts, c.Requests, c.WireResets = d.uvarint(), d.uvarint(), d.uvarint()
			if detailed {
				c.Detail = d.detail()
			}
		}
	}
	if n := d.count(2); n > 0 {
		w.Statuses = resized(w.Statuses, n)
		for i := range w.Statuses {
			w.Statuses[i] = StatusCount{d.uint16(), d.uvarint()}
		}
	}
	for _, h := range [...]*Histogram{&w.FromDue, &w.FromSend, &w.Lag, &w.IdleAge, &w.Served} {
		*h = d.histogram(*h)
	}
	w.FailuresDropped = d.uvarint()
	if d.of >= 3 {
		if n := d.count(5); n > 0 {
			w.Requests = make([]RequestCount, n)
			for i := range w.Requests {
				r := &w.Requests[i]
				r.Endpoint = d.uint32()
				r.Attempts, r.Failed, r.Sent, r.Received = d.uvarint(), d.uvarint(), d.uvarint(), d.uvarint()
			}
		}
	}
	if d.of >= 4 {
		w.Wanted, w.Undialled = d.varint(), d.varint()
		w.Unawaited, w.LookupFailures = d.uvarint(), d.uvarint()
	}
	if err := d.end(); err != nil {
		return fmt.Errorf("decode window: %w", err)
	}
	return nil
}

// DecodeFailure reads what [AppendFailure] wrote. It never panics and allocates
// in proportion to len(b).
func DecodeFailure(b []byte) (Failure, error) {
	var f Failure
	var gaps, detailed, answered bool
	d := decoder{b: b}
	d.version()
	d.flags(&f.Last, &f.WireReset, &f.Conn.Reused, &f.Info.Valid, &gaps, &f.Held, &detailed, &answered)
	f.Fault, f.Phase = d.fault(), d.phase()
	f.Request = d.uvarint()
	f.Try, f.Target, f.Endpoint, f.Status = d.uint16(), d.uint16(), d.uint32(), d.uint16()
	f.Due = d.duration()
	f.Start = f.Due + d.duration()
	f.End = f.Start + d.duration()

	f.Conn.ID = d.uvarint()
	f.Conn.Served = d.uint32()
	f.Conn.Age = d.duration()
	f.Conn.Idle = d.duration()
	f.Conn.Local = d.addrPort()
	f.Conn.Remote = d.addrPort()
	f.Conn.RemoteIndex = d.uint16()

	f.Info.State, f.Info.Retransmits = d.byte(), d.byte()
	for _, n := range [...]*uint32{&f.Info.TotalRetrans, &f.Info.Lost, &f.Info.Unacked, &f.Info.NotSent} {
		*n = d.uint32()
	}
	f.Info.RTT = d.duration()
	f.Info.RTTVar = d.duration()
	if gaps {
		if f.Info.OutOfOrder = d.uint32(); f.Info.OutOfOrder == 0 && d.err == nil {
			d.fail("segments out of order: flagged, but none")
		}
	}
	if detailed {
		f.Detail = d.detail()
	}
	if d.of >= 3 {
		f.Sent, f.Received = d.uint32(), d.uvarint()
	}
	if answered {
		f.Answer = d.answer()
	}
	if err := d.end(); err != nil {
		return Failure{}, fmt.Errorf("decode failure: %w", err)
	}
	return f, nil
}

// DecodeAddress reads what [AppendAddress] wrote. It never panics and allocates
// in proportion to len(b).
func DecodeAddress(b []byte) (Address, error) {
	d := decoder{b: b}
	d.version()
	a := Address{Target: d.uint16(), Index: d.uint16(), Addr: d.addrPort()}
	if err := d.end(); err != nil {
		return Address{}, fmt.Errorf("decode address: %w", err)
	}
	return a, nil
}

// decoder reads fields until one does not fit; every later read then gives 0,
// so that callers check once, in end.
type decoder struct {
	b   []byte
	of  byte // version of the record
	err error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	d.b = nil
}

func (d *decoder) version() {
	d.of = d.byte()
	switch v := d.of; {
	case d.err != nil:
	case v == 0:
		d.fail("version 0")
	case v > codecVersion:
		d.err, d.b = fmt.Errorf("%w (version %d, this build knows %d)", ErrVersion, v, codecVersion), nil
	}
}

func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("bytes after the last field")
	}
	return d.err
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail("cut short")
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("cut short or number too long")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail("cut short or number too long")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) duration() time.Duration { return time.Duration(d.varint()) }

func (d *decoder) uint16() uint16 {
	v := d.uvarint()
	if v > math.MaxUint16 {
		d.fail("number outside 16 bits")
		return 0
	}
	return uint16(v)
}

func (d *decoder) uint32() uint32 {
	v := d.uvarint()
	if v > math.MaxUint32 {
		d.fail("number outside 32 bits")
		return 0
	}
	return uint32(v)
}

func (d *decoder) int32() int32 { return d.int32From(0) }

// int32From reads a difference from base.
func (d *decoder) int32From(base int64) int32 {
	v := d.varint() + base
	if v < math.MinInt32 || v > math.MaxInt32 {
		d.fail("number outside 32 bits")
		return 0
	}
	return int32(v)
}

func (d *decoder) float64() float64 {
	if len(d.b) < 8 {
		d.fail("cut short")
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(d.b))
	d.b = d.b[8:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.fail("number not finite")
		return 0
	}
	return v
}

func (d *decoder) fault() Fault {
	f := Fault(d.byte())
	if int(f) >= Faults {
		d.fail("unknown fault")
		return None
	}
	return f
}

func (d *decoder) detail() Detail {
	out := Detail{DetailKind(d.byte()), d.uint16()}
	if d.err == nil && (out.IsZero() || !out.valid()) {
		d.fail("unknown detail")
		return Detail{}
	}
	return out
}

func (d *decoder) text() string {
	n := d.count(1)
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) answer() *Answer {
	a := &Answer{Declared: d.varint(), Received: d.varint()}
	if n := d.count(2); n > 0 {
		a.Headers = make([]AnswerHeader, n)
		for i := range a.Headers {
			a.Headers[i] = AnswerHeader{d.text(), d.text()}
		}
	}
	a.Body = d.text()
	return a
}

func (d *decoder) phase() Phase {
	p := Phase(d.byte())
	if int(p) >= Phases {
		d.fail("unknown phase")
		return 0
	}
	return p
}

func (d *decoder) flags(set ...*bool) {
	v := d.byte()
	for i, on := range set {
		*on = v&(1<<i) != 0
	}
	if v>>len(set) != 0 {
		d.fail("unknown flag")
	}
}

// count reads the length of a list whose elements take at least size bytes
// each, so that a hostile length cannot allocate more than a small multiple of
// the input.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail("list longer than the record")
		return 0
	}
	return int(n)
}

// histogram reads a histogram into the room of another.
func (d *decoder) histogram(h Histogram) Histogram {
	n := d.count(2)
	if n == 0 {
		return h[:0]
	}
	h = resized(h, n)
	var last int64
	for i := range h {
		if len(d.b) > 1 && d.b[0]|d.b[1] < 0x80 { // both take one byte, as most do
			step := int64(d.b[0])
			last += step>>1 ^ -(step & 1)
			h[i] = Bucket{last, uint64(d.b[1])}
			d.b = d.b[2:]
			continue
		}
		last += d.varint()
		h[i] = Bucket{last, d.uvarint()}
	}
	return h
}

func (d *decoder) addrPort() netip.AddrPort {
	n := d.count(1)
	if n == 0 {
		return netip.AddrPort{}
	}
	var a netip.AddrPort
	if err := a.UnmarshalBinary(d.b[:n]); err != nil {
		d.fail("address")
		return netip.AddrPort{}
	}
	d.b = d.b[n:]
	return a
}
