package probe

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// DecodeMetric reads what [AppendMetric] wrote. It never panics and allocates in
// proportion to len(b).
func DecodeMetric(b []byte) (Metric, error) {
	d := decoder{b: b}
	d.version()
	m := Metric{Host: d.string(), Process: d.string(), PID: d.int32(), Name: d.string(), Instance: d.string()}
	if err := d.end(); err != nil {
		return Metric{}, fmt.Errorf("decode metric: %w", err)
	}
	return m, nil
}

// DecodeSamples reads what [AppendSamples] wrote, appending the readings to dst,
// which may be nil. It never panics and allocates in proportion to len(b).
func DecodeSamples(dst []IDSample, b []byte) (at time.Duration, samples []IDSample, err error) {
	d := decoder{b: b}
	d.version()
	at = d.duration()
	next := int64(0)
	samples = dst
	for range d.count(2) { // an id and a form at least
		s := IDSample{ID: d.uint32From(next)}
		next = int64(s.ID) + 1
		form := d.byte()
		s.Value = d.number(form & 3)
		s.Limit = d.number(form >> 2)
		if math.IsNaN(s.Value) {
			d.fail("reading without a value")
		}
		if d.err != nil {
			break
		}
		samples = append(samples, s)
	}
	if err := d.end(); err != nil {
		return 0, dst, fmt.Errorf("decode samples: %w", err)
	}
	return at, samples, nil
}

// DecodeEvent reads what [AppendEvent] wrote. It never panics and allocates in
// proportion to len(b).
func DecodeEvent(b []byte) (Event, error) {
	d := decoder{b: b}
	version := d.versionUpTo(eventVersion)
	e := Event{Kind: d.eventKind(version), At: d.duration(), Source: d.source()}
	e.Host, e.Process, e.PID, e.Comm = d.string(), d.string(), d.int32(), d.string()
	e.Local, e.Remote = d.addrPort(), d.addrPort()
	e.Reason, e.State = d.string(), d.string()
	e.Count = d.uvarint()
	e.Value = d.number(d.byte())
	if math.IsNaN(e.Value) {
		d.fail("event value not a number")
	}
	var packet, kernel, line, trace bool
	switch version {
	case 1:
		d.flags(&packet)
	case 2:
		d.flags(&packet, &kernel)
	case 3, 4:
		d.flags(&packet, &kernel, &line)
	default:
		d.flags(&packet, &kernel, &line, &trace)
	}
	if packet {
		p := &Packet{}
		d.flags(&p.FromPeer, &p.DF, &p.HasOptions, &p.SynAckFlow)
		p.Flags, p.TTL, p.SynAckTTL = d.byte(), d.byte(), d.byte()
		p.Window, p.IPID = d.fixed16(), d.fixed16()
		p.Seq = uint32(d.fixed16())<<16 | uint32(d.fixed16())
		e.Packet = p
	}
	if kernel {
		k := &Kernel{TID: d.int32(), Owner: d.int32(), Netns: d.uint32(), Cookie: d.uvarint()}
		for _, s := range []*string{&k.Path, &k.Packet, &k.OwnerComm, &k.Container, &k.Hook, &k.Table, &k.Chain, &k.Interface} {
			*s = d.string()
		}
		e.Kernel = k
	}
	if line {
		l := &Line{Status: d.status()}
		for _, s := range []*string{&l.File, &l.Level, &l.ID, &l.Peer, &l.Format} {
			*s = d.string()
		}
		e.Line = l
	}
	if trace {
		t := &Trace{}
		d.flags(&t.Good, &t.Calls)
		t.Spans, t.Services, t.Status = d.uint32(), d.uint32(), d.status()
		for _, s := range []*string{&t.ID, &t.From, &t.To, &t.Operation, &t.Peer} {
			*s = d.string()
		}
		e.Trace = t
	}
	if err := d.end(); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}

// DecodeStatus reads what [AppendStatus] wrote. A state other than the known
// ones is malformed. It never panics and allocates in proportion to len(b).
func DecodeStatus(b []byte) (Status, error) {
	d := decoder{b: b}
	d.version()
	s := Status{Source: d.source(), State: State(d.string()), Reason: d.string(), CPU: d.duration(), Reads: d.uvarint()}
	switch s.State {
	case Measured, Partial, NotMeasured:
	default:
		d.fail("unknown state")
	}
	if err := d.end(); err != nil {
		return Status{}, fmt.Errorf("decode status: %w", err)
	}
	return s, nil
}

// decoder reads fields until one does not fit; every later read then gives 0,
// so that callers check once, in end.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	d.b = nil
}

func (d *decoder) version() { d.versionUpTo(codecVersion) }

// versionUpTo reads the version of a record of a kind whose newest is known.
func (d *decoder) versionUpTo(known byte) byte {
	v := d.byte()
	switch {
	case d.err != nil:
	case v == 0:
		d.fail("version 0")
	case v > known:
		d.err, d.b = fmt.Errorf("%w (version %d, this build knows %d)", ErrVersion, v, known), nil
	}
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.uvarint()
	if v > math.MaxUint32 {
		d.fail("number outside 32 bits")
		return 0
	}
	return uint32(v)
}

// status reads a status of HTTP, 0 for none.
func (d *decoder) status() uint16 {
	n := d.uvarint()
	if n > 999 {
		d.fail("status")
		return 0
	}
	return uint16(n)
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

func (d *decoder) fixed16() uint16 { return uint16(d.byte())<<8 | uint16(d.byte()) }

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

func (d *decoder) int32() int32 {
	v := d.varint()
	if v < math.MinInt32 || v > math.MaxInt32 {
		d.fail("number outside 32 bits")
		return 0
	}
	return int32(v)
}

// uint32From reads a difference from base, which is at most 2³².
func (d *decoder) uint32From(base int64) uint32 {
	v := d.varint()
	if v < -base || v > math.MaxUint32-base {
		d.fail("id outside 32 bits")
		return 0
	}
	return uint32(base + v)
}

// number reads a number of a form; formNone gives NaN.
func (d *decoder) number(form byte) float64 {
	switch form {
	case formNone:
		return math.NaN()
	case formWhole:
		v := d.uvarint()
		if v >= maxWhole {
			d.fail("whole number too large")
		}
		return float64(v)
	case formFloat:
		if len(d.b) < 8 {
			d.fail("cut short")
			return 0
		}
		v := math.Float64frombits(binary.LittleEndian.Uint64(d.b))
		d.b = d.b[8:]
		if !finite(v) {
			d.fail("number not finite")
		}
		return v
	default:
		d.fail("unknown form of a number")
		return 0
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

func (d *decoder) string() string {
	n := d.count(1)
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) source() Source { return Source{Host: d.string(), Name: d.string()} }

func (d *decoder) eventKind(version byte) EventKind {
	k := EventKind(d.byte())
	if int(k) >= len(eventNames) || version == 1 && k > Lost || version == 2 && k > Waited || version == 3 && k > LogLine || version == 4 && k > PodChange {
		d.fail("unknown event kind")
		return 0
	}
	return k
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

func (d *decoder) addrPort() netip.AddrPort {
	n := d.count(1)
	if n == 0 {
		return netip.AddrPort{}
	}
	var a netip.AddrPort
	if err := a.UnmarshalBinary(d.b[:n]); err != nil || !a.IsValid() {
		d.fail("address")
		return netip.AddrPort{}
	}
	d.b = d.b[n:]
	return a
}
