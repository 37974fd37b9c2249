package probe

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"time"
)

// The binary form of what a run keeps and an agent sends. A record is a version
// byte followed by its fields in a fixed order: unsigned numbers are varints,
// signed ones zig-zag varints (encoding/binary), strings, lists and addresses
// carry their length. The length of a record and what kind it is belong to the
// frame around it.
//
// A new field is added at the end under the next version; decoders keep reading
// every older one.
const codecVersion = 1

// eventVersion is the version of events. 2 has the kinds from RSTRejected on, and
// Event.Kernel; 3 has LogLine, and Event.Line; 4 has PodChange; 5 has TraceRead, and
// Event.Trace; 6 has NeighbourChange and AddressHeld; 7 has Answered; 8 has
// StreamsOpen and StreamsAnswered; 9 has StreamsShare. An event is written in
// the oldest version that has it, 2 at least, so that an older build reads all that it knows.
const eventVersion = 9

// Errors of the decoders, to be judged with errors.Is.
var (
	// ErrMalformed means that the bytes are no record of the kind asked for:
	// cut short, too long, or with a value outside its range.
	ErrMalformed = errors.New("malformed record")
	// ErrVersion means that a newer build wrote the record.
	ErrVersion = errors.New("unknown record version: read it with the release that wrote it")
)

// IDSample is one reading of a metric that the record knows by a number: whoever
// writes the record gives each metric an id and writes the metric once. Limit is
// NaN where there is none.
type IDSample struct {
	ID    uint32
	Value float64
	Limit float64
}

// AppendMetric appends the binary form of a metric to b.
func AppendMetric(b []byte, m Metric) []byte {
	b = append(b, codecVersion)
	b = appendString(b, m.Host)
	b = appendString(b, m.Process)
	b = binary.AppendVarint(b, int64(m.PID))
	b = appendString(b, m.Name)
	return appendString(b, m.Instance)
}

// AppendSamples appends the binary form of readings that were taken together at
// one time. It takes 3 to 8 bytes for the usual reading: ids are differences from
// the last id plus one, and whole numbers are varints. A reading whose value is
// not finite was not measured and is left out; a limit that is not finite is no
// limit.
func AppendSamples(b []byte, at time.Duration, samples []IDSample) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, int64(at))
	n := 0
	for _, s := range samples {
		if finite(s.Value) {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	next := int64(0)
	for _, s := range samples {
		if !finite(s.Value) {
			continue
		}
		b = binary.AppendVarint(b, int64(s.ID)-next)
		next = int64(s.ID) + 1
		value, limit := formOf(s.Value), formOf(s.Limit)
		b = append(b, value|limit<<2)
		b = appendNumber(b, value, s.Value)
		b = appendNumber(b, limit, s.Limit)
	}
	return b
}

// AppendEvent appends the binary form of an event to b. A Value that is not
// finite is written as 0.
func AppendEvent(b []byte, e Event) []byte {
	version := byte(2)
	switch {
	case e.Kind > StreamsAnswered:
		version = eventVersion
	case e.Kind > Answered:
		version = 8
	case e.Kind > AddressHeld:
		version = 7
	case e.Kind > TraceRead:
		version = 6
	case e.Kind > PodChange || e.Trace != nil:
		version = 5
	case e.Kind > LogLine:
		version = 4
	case e.Kind > Waited || e.Line != nil:
		version = 3
	}
	b = append(b, version, byte(e.Kind))
	b = binary.AppendVarint(b, int64(e.At))
	b = appendSource(b, e.Source)
	b = appendString(b, e.Host)
	b = appendString(b, e.Process)
	b = binary.AppendVarint(b, int64(e.PID))
	b = appendString(b, e.Comm)
	b = appendAddrPort(b, e.Local)
	b = appendAddrPort(b, e.Remote)
	b = appendString(b, e.Reason)
	b = appendString(b, e.State)
	b = binary.AppendUvarint(b, e.Count)
	if !finite(e.Value) {
		e.Value = 0
	}
	form := formOf(e.Value)
	b = append(b, form)
	b = appendNumber(b, form, e.Value)
	b = append(b, flags(e.Packet != nil, e.Kernel != nil, e.Line != nil, e.Trace != nil))
	if p := e.Packet; p != nil {
		b = append(b, flags(p.FromPeer, p.DF, p.HasOptions, p.SynAckFlow), p.Flags, p.TTL, p.SynAckTTL)
		b = binary.BigEndian.AppendUint16(b, p.Window)
		b = binary.BigEndian.AppendUint16(b, p.IPID)
		b = binary.BigEndian.AppendUint32(b, p.Seq)
	}
	if k := e.Kernel; k != nil {
		b = binary.AppendVarint(binary.AppendVarint(b, int64(k.TID)), int64(k.Owner))
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(k.Netns)), k.Cookie)
		for _, s := range []string{k.Path, k.Packet, k.OwnerComm, k.Container, k.Hook, k.Table, k.Chain, k.Interface} {
			b = appendString(b, s)
		}
	}
	if l := e.Line; l != nil {
		b = binary.AppendUvarint(b, uint64(l.Status))
		for _, s := range []string{l.File, l.Level, l.ID, l.Peer, l.Format} {
			b = appendString(b, s)
		}
	}
	if t := e.Trace; t != nil {
		b = append(b, flags(t.Good, t.Calls))
		for _, n := range []uint64{uint64(t.Spans), uint64(t.Services), uint64(t.Status)} {
			b = binary.AppendUvarint(b, n)
		}
		for _, s := range []string{t.ID, t.From, t.To, t.Operation, t.Peer} {
			b = appendString(b, s)
		}
	}
	return b
}

// The forms of a number, two bits each.
const (
	formNone  = 0 // NaN: no limit
	formWhole = 1 // uvarint
	formFloat = 2 // 8 bytes, little endian, finite
)

// maxWhole is where float64 stops holding every whole number.
const maxWhole = 1 << 53

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func formOf(v float64) byte {
	switch {
	case !finite(v):
		return formNone
	case v >= 0 && v < maxWhole && v == math.Trunc(v) && !math.Signbit(v):
		return formWhole
	default:
		return formFloat
	}
}

func appendNumber(b []byte, form byte, v float64) []byte {
	switch form {
	case formWhole:
		return binary.AppendUvarint(b, uint64(v))
	case formFloat:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	default:
		return b
	}
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendSource(b []byte, s Source) []byte {
	return appendString(appendString(b, s.Host), s.Name)
}

// appendAddrPort writes a length and netip's own form, which keeps IPv6 zones
// and the difference between 1.2.3.4 and ::ffff:1.2.3.4. An address that is not
// valid is written as none.
func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	raw, err := a.MarshalBinary()
	if !a.IsValid() || err != nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(raw)))
	return append(b, raw...)
}

func flags(set ...bool) byte {
	var v byte
	for i, on := range set {
		if on {
			v |= 1 << i
		}
	}
	return v
}
