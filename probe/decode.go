package probe

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/rampload/rampload/profiles/fields"
)

// DecodeMetric reads what [AppendMetric] wrote. It never panics and allocates in
// proportion to len(b).
func DecodeMetric(b []byte) (Metric, error) {
	d := decoder{fields.New(b, ErrMalformed)}
	d.version()
	m := Metric{Host: d.Text(), Process: d.Text(), PID: d.Int32(), Name: d.Text(), Instance: d.Text()}
	if err := d.End(); err != nil {
		return Metric{}, fmt.Errorf("decode metric: %w", err)
	}
	return m, nil
}

// DecodeSamples reads what [AppendSamples] wrote, appending the readings to dst,
// which may be nil. It never panics and allocates in proportion to len(b).
func DecodeSamples(dst []IDSample, b []byte) (at time.Duration, samples []IDSample, err error) {
	d := decoder{fields.New(b, ErrMalformed)}
	d.version()
	at = d.Duration()
	next := int64(0)
	samples = dst
	for range d.Count(2) { // an id and a form at least
		s := IDSample{ID: d.uint32From(next)}
		next = int64(s.ID) + 1
		form := d.Byte()
		s.Value = d.number(form & 3)
		s.Limit = d.number(form >> 2)
		if math.IsNaN(s.Value) {
			d.Fail("reading without a value")
		}
		if d.Failed() {
			break
		}
		samples = append(samples, s)
	}
	if err := d.End(); err != nil {
		return 0, dst, fmt.Errorf("decode samples: %w", err)
	}
	return at, samples, nil
}

// DecodeEvent reads what [AppendEvent] wrote. It never panics and allocates in
// proportion to len(b).
func DecodeEvent(b []byte) (Event, error) {
	d := decoder{fields.New(b, ErrMalformed)}
	version := d.versionUpTo(eventVersion)
	e := Event{Kind: d.eventKind(version), At: d.Duration(), Source: d.source()}
	e.Host, e.Process, e.PID, e.Comm = d.Text(), d.Text(), d.Int32(), d.Text()
	e.Local, e.Remote = d.addrPort(), d.addrPort()
	e.Reason, e.State = d.Text(), d.Text()
	e.Count = d.Uvarint()
	e.Value = d.number(d.Byte())
	if math.IsNaN(e.Value) {
		d.Fail("event value not a number")
	}
	var packet, kernel, line, trace bool
	switch version {
	case 1:
		d.Flags(&packet)
	case 2:
		d.Flags(&packet, &kernel)
	case 3, 4:
		d.Flags(&packet, &kernel, &line)
	default:
		d.Flags(&packet, &kernel, &line, &trace)
	}
	if packet {
		p := &Packet{}
		d.Flags(&p.FromPeer, &p.DF, &p.HasOptions, &p.SynAckFlow)
		p.Flags, p.TTL, p.SynAckTTL = d.Byte(), d.Byte(), d.Byte()
		p.Window, p.IPID = d.Fixed16(), d.Fixed16()
		p.Seq = uint32(d.Fixed16())<<16 | uint32(d.Fixed16())
		e.Packet = p
	}
	if kernel {
		k := &Kernel{TID: d.Int32(), Owner: d.Int32(), Netns: d.Uint32(), Cookie: d.Uvarint()}
		for _, s := range []*string{&k.Path, &k.Packet, &k.OwnerComm, &k.Container, &k.Hook, &k.Table, &k.Chain, &k.Interface} {
			*s = d.Text()
		}
		e.Kernel = k
	}
	if line {
		l := &Line{Status: d.status()}
		for _, s := range []*string{&l.File, &l.Level, &l.ID, &l.Peer, &l.Format} {
			*s = d.Text()
		}
		e.Line = l
	}
	if trace {
		t := &Trace{}
		d.Flags(&t.Good, &t.Calls)
		t.Spans, t.Services, t.Status = d.Uint32(), d.Uint32(), d.status()
		for _, s := range []*string{&t.ID, &t.From, &t.To, &t.Operation, &t.Peer} {
			*s = d.Text()
		}
		e.Trace = t
	}
	if err := d.End(); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}

// decoder reads the fields of this package's records.
type decoder struct{ fields.Reader }

func (d *decoder) version() { d.versionUpTo(codecVersion) }

// versionUpTo reads the version of a record of a kind whose newest is known.
func (d *decoder) versionUpTo(known byte) byte { return d.Version(known, ErrVersion) }

// status reads a status of HTTP, 0 for none.
func (d *decoder) status() uint16 {
	n := d.Uvarint()
	if n > 999 {
		d.Fail("status")
		return 0
	}
	return uint16(n)
}

// uint32From reads a difference from base, which is at most 2³².
func (d *decoder) uint32From(base int64) uint32 {
	v := d.Varint()
	if v < -base || v > math.MaxUint32-base {
		d.Fail("id outside 32 bits")
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
		v := d.Uvarint()
		if v >= maxWhole {
			d.Fail("whole number too large")
		}
		return float64(v)
	case formFloat:
		return d.Float64()
	default:
		d.Fail("unknown form of a number")
		return 0
	}
}

func (d *decoder) source() Source { return Source{Host: d.Text(), Name: d.Text()} }

func (d *decoder) eventKind(version byte) EventKind {
	k := EventKind(d.Byte())
	if int(k) >= len(eventNames) || version == 1 && k > Lost || version == 2 && k > Waited || version == 3 && k > LogLine || version == 4 && k > PodChange || version == 5 && k > TraceRead || version == 6 && k > AddressHeld || version == 7 && k > Answered || version == 8 && k > StreamsAnswered {
		d.Fail("unknown event kind")
		return 0
	}
	return k
}

func (d *decoder) addrPort() netip.AddrPort {
	a := d.AddrPort()
	if a != (netip.AddrPort{}) && !a.IsValid() {
		d.Fail("address")
		return netip.AddrPort{}
	}
	return a
}
