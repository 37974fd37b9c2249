package attack

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
)

// The binary form of the records that a run keeps and a fleet sends. A record
// is a version byte followed by its fields in a fixed order: unsigned numbers
// are varints, signed ones zig-zag varints (encoding/binary), flags share one
// byte, lists and addresses carry their length. A histogram stores differences
// of ascending values. The length of a record and what kind it is belong to the
// frame around it.
//
// A new field is added at the end under the next version; decoders keep reading
// every older one.
//
//   - 1: the first.
//   - 2: cells and failures may have a [Detail]; requests of a target may number
//     more than 65,535.
//   - 3: windows count by request; failures have the bytes that were sent and received,
//     and may have an [Answer].
//   - 4: windows say how many connections are wanted and not opened, and what was not
//     waited for or looked up.
//   - 5: details of gRPC, of other servers, and of why a connection ends (max-age).
//   - 6: details of content; answers may say why they are none that was expected.
const codecVersion = 6

// Errors of the decoders, to be judged with errors.Is.
var (
	// ErrMalformed means that the bytes are no record of the kind asked for:
	// cut short, too long, or with a value outside its range.
	ErrMalformed = errors.New("malformed record")
	// ErrVersion means that a newer build wrote the record.
	ErrVersion = errors.New("unknown record version: read it with the release that wrote it")
)

// AppendWindow appends the binary form of a window to b.
func AppendWindow(b []byte, w Window) []byte {
	b = append(b, codecVersion)
	b = binary.AppendUvarint(b, uint64(w.Target))
	b = binary.AppendVarint(b, int64(w.Index))
	for _, n := range [...]uint64{w.Scheduled, w.Sent, w.Unsent, w.Retries, w.Dials} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendVarint(b, w.Open)
	b = binary.AppendVarint(b, w.InFlight)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(w.IdleConnSeconds))

	b = binary.AppendUvarint(b, uint64(len(w.Cells)))
	for _, c := range w.Cells {
		b = binary.AppendVarint(b, int64(c.DueWindow)-int64(w.Index))
		b = binary.AppendUvarint(b, uint64(c.Remote))
		b = append(b, byte(c.Fault), byte(c.Phase), flags(c.Reused, c.Held, !c.Detail.IsZero()))
		b = binary.AppendUvarint(b, c.Attempts)
		b = binary.AppendUvarint(b, c.Requests)
		b = binary.AppendUvarint(b, c.WireResets)
		b = appendDetail(b, c.Detail)
	}
	b = binary.AppendUvarint(b, uint64(len(w.Statuses)))
	for _, s := range w.Statuses {
		b = binary.AppendUvarint(b, uint64(s.Status))
		b = binary.AppendUvarint(b, s.Count)
	}
	for _, h := range [...]Histogram{w.FromDue, w.FromSend, w.Lag, w.IdleAge, w.Served} {
		b = appendHistogram(b, h)
	}
	b = binary.AppendUvarint(b, w.FailuresDropped)
	b = binary.AppendUvarint(b, uint64(len(w.Requests)))
	for _, r := range w.Requests {
		b = binary.AppendUvarint(b, uint64(r.Endpoint))
		for _, n := range [...]uint64{r.Attempts, r.Failed, r.Sent, r.Received} {
			b = binary.AppendUvarint(b, n)
		}
	}
	b = binary.AppendVarint(b, w.Wanted)
	b = binary.AppendVarint(b, w.Undialled)
	b = binary.AppendUvarint(b, w.Unawaited)
	return binary.AppendUvarint(b, w.LookupFailures)
}

// resized returns a list of n elements, in place where it has the room.
func resized[S ~[]E, E any](list S, n int) S {
	if cap(list) < n {
		return make(S, n)
	}
	return list[:n]
}

// AppendFailure appends the binary form of a failure to b.
func AppendFailure(b []byte, f Failure) []byte {
	b = append(b, codecVersion,
		flags(f.Last, f.WireReset, f.Conn.Reused, f.Info.Valid, f.Info.OutOfOrder > 0, f.Held, !f.Detail.IsZero(), f.Answer != nil), byte(f.Fault), byte(f.Phase))
	b = binary.AppendUvarint(b, f.Request)
	for _, n := range [...]uint32{uint32(f.Try), uint32(f.Target), f.Endpoint, uint32(f.Status)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	// Due, start and end lie close together.
	b = binary.AppendVarint(b, int64(f.Due))
	b = binary.AppendVarint(b, int64(f.Start-f.Due))
	b = binary.AppendVarint(b, int64(f.End-f.Start))

	b = binary.AppendUvarint(b, f.Conn.ID)
	b = binary.AppendUvarint(b, uint64(f.Conn.Served))
	b = binary.AppendVarint(b, int64(f.Conn.Age))
	b = binary.AppendVarint(b, int64(f.Conn.Idle))
	b = appendAddrPort(b, f.Conn.Local)
	b = appendAddrPort(b, f.Conn.Remote)
	b = binary.AppendUvarint(b, uint64(f.Conn.RemoteIndex))

	b = append(b, f.Info.State, f.Info.Retransmits)
	for _, n := range [...]uint32{f.Info.TotalRetrans, f.Info.Lost, f.Info.Unacked, f.Info.NotSent} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendVarint(b, int64(f.Info.RTT))
	b = binary.AppendVarint(b, int64(f.Info.RTTVar))
	if f.Info.OutOfOrder > 0 { // a flag tells: records of earlier versions have none
		b = binary.AppendUvarint(b, uint64(f.Info.OutOfOrder))
	}
	b = appendDetail(b, f.Detail)
	b = binary.AppendUvarint(b, uint64(f.Sent))
	b = binary.AppendUvarint(b, f.Received)
	if f.Answer != nil {
		b = appendAnswer(b, f.Answer)
	}
	return b
}

// AppendAddress appends the binary form of an address to b.
func AppendAddress(b []byte, a Address) []byte {
	b = append(b, codecVersion)
	b = binary.AppendUvarint(b, uint64(a.Target))
	b = binary.AppendUvarint(b, uint64(a.Index))
	return appendAddrPort(b, a.Addr)
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

func appendHistogram(b []byte, h Histogram) []byte {
	b = binary.AppendUvarint(b, uint64(len(h)))
	var last int64
	for _, k := range h {
		b = binary.AppendVarint(b, k.Value-last) // wraps and unwraps alike
		b = binary.AppendUvarint(b, k.Count)
		last = k.Value
	}
	return b
}

// appendAddrPort writes a length and netip's own form, which keeps IPv6 zones
// and the difference between 1.2.3.4 and ::ffff:1.2.3.4.
func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	if a == (netip.AddrPort{}) {
		return append(b, 0)
	}
	raw, err := a.MarshalBinary()
	if err != nil { // it has none to give
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(raw)))
	return append(b, raw...)
}

// appendDetail appends a detail, nothing if it is zero: a flag tells.
func appendDetail(b []byte, detail Detail) []byte {
	if detail.IsZero() {
		return b
	}
	return binary.AppendUvarint(append(b, byte(detail.Kind)), uint64(detail.Code))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendAnswer(b []byte, a *Answer) []byte {
	b = binary.AppendVarint(b, a.Declared)
	b = binary.AppendVarint(b, a.Received)
	b = binary.AppendUvarint(b, uint64(len(a.Headers)))
	for _, h := range a.Headers {
		b = appendText(appendText(b, h.Name), h.Value)
	}
	return appendText(appendText(b, a.Body), a.Why)
}
