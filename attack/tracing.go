package attack

import (
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/rampload/rampload/profiles"
)

// Tracing says which trace context requests carry. The zero value asks no service to
// record anything. It is a value, and safe to share.
type Tracing struct {
	bound uint64 // requests whose hash is at most this are sampled; 0: none
	B3    bool   // Zipkin's header goes along
}

// TracingOf is the tracing that a profile asks for.
func TracingOf(t profiles.Traces) Tracing {
	out := Tracing{B3: t.B3}
	switch {
	case t.Sample >= 1:
		out.bound = math.MaxUint64
	case t.Sample > 0:
		out.bound = max(uint64(t.Sample*(1<<63))<<1, 1)
	}
	return out
}

// Samples reports whether the services that a request passes are asked to record it. It
// follows from the run and the number alone, so that whoever knows them knows it later; the
// hash spreads the sampled ones evenly over time, targets and users (splitmix64, Steele et
// al. 2014, "Fast splittable pseudorandom number generators").
func (t Tracing) Samples(run RunID, request uint64) bool {
	if t.bound == 0 {
		return false
	}
	z := request + 0x9e3779b97f4a7c15 + binary.LittleEndian.Uint64(run[:])
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z^z>>31 <= t.bound
}

// Any reports whether any request is sampled.
func (t Tracing) Any() bool { return t.bound > 0 }

// TraceParentLen is the length of a traceparent header's value.
const TraceParentLen = 55

// TraceID is the id of a trace.
type TraceID [16]byte

// String returns the 32 hex digits.
func (t TraceID) String() string { return hex.EncodeToString(t[:]) }

// TraceID returns the trace id of a request: the run and the request.
func (id RunID) TraceID(request uint64) TraceID {
	var out TraceID
	copy(out[:], id[:])
	binary.BigEndian.PutUint64(out[8:], request)
	return out
}

// SpanID returns the span id of one try: the request and the try, never 0.
func SpanID(request uint64, try uint16) [8]byte {
	var out [8]byte
	binary.BigEndian.PutUint64(out[:], spanNumber(request, try))
	return out
}

func spanNumber(request uint64, try uint16) uint64 { return (request+1)<<8 | uint64(try&0xff) }

// AppendTraceParent appends the W3C traceparent of one try
// (https://www.w3.org/TR/trace-context/).
func (id RunID) AppendTraceParent(b []byte, request uint64, try uint16, sampled bool) []byte {
	b = append(b, '0', '0', '-')
	b = id.appendContext(b, request, try)
	return append(b, '-', '0', flag(sampled))
}

// B3Len is the length of a b3 header's value.
const B3Len = 51

// AppendB3 appends the same context as Zipkin's single b3 header
// (https://github.com/openzipkin/b3-propagation).
func (id RunID) AppendB3(b []byte, request uint64, try uint16, sampled bool) []byte {
	return append(id.appendContext(b, request, try), '-', flag(sampled))
}

func (id RunID) appendContext(b []byte, request uint64, try uint16) []byte {
	b = appendHex16(b, binary.BigEndian.Uint64(id[:]))
	b = appendHex16(b, request)
	b = append(b, '-')
	return appendHex16(b, spanNumber(request, try))
}

func flag(on bool) byte {
	if on {
		return '1'
	}
	return '0'
}
