package grpc

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/mux"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/schema"
	"github.com/rampload/rampload/profiles/spelling"
)

// Request is a call, encoded once. It is safe for concurrent use.
type Request struct {
	head     mux.Head
	messages [][]part
	fixed    []byte // all messages with their prefixes, where nothing is filled in
	isFixed  bool

	tracing    attack.Tracing
	method     *schema.Method // of the answers; nil: they are kept as they came
	oneAnswer  bool           // the method has one
	repeatable bool
	deadline   time.Duration // of the call, 0: the attempt's
	every      time.Duration // between two messages
	take       int           // messages of the answer after which the call is given up; 0: all
}

// Repeatable implements [attack.Request].
func (r *Request) Repeatable() bool { return r.repeatable }

// part is a part of a message: see [schema.Part].
type part struct {
	literal []byte
	tag     []byte
	leaf    *schema.Leaf
	value   *fill.Template // of the leaf
	nested  []part
}

func (x *exchanger) compile(r profiles.Request) (*Request, error) {
	if r.Call == nil {
		return nil, fmt.Errorf("compile call %s: it is no call: write call: package.Service/Method", r.Path)
	}
	if x.schema == nil {
		return nil, fmt.Errorf("compile call %s: the target has no schema: give protos: [FILE.proto]", r.Path)
	}
	m, err := x.schema.Method(r.Path)
	if err != nil {
		return nil, fmt.Errorf("compile call: %w", err)
	}
	texts := r.Call.Messages
	if !m.IsStreamingClient() && len(texts) == 0 {
		texts = []string{"{}"}
	}
	if !m.IsStreamingClient() && len(texts) != 1 {
		return nil, fmt.Errorf("compile call %s: the method takes one message, not %d", r.Path, len(texts))
	}
	scope := x.scope()
	out := &Request{
		tracing: x.target.Tracing, method: &m, oneAnswer: !m.IsStreamingServer(), repeatable: m.Idempotent(),
		deadline: r.Call.Deadline, every: r.Call.Every, take: r.Call.Take, isFixed: true,
	}
	for i, text := range texts {
		encoded, problems := m.Encode(text, r.Filled)
		if len(problems) > 0 {
			return nil, fmt.Errorf("compile call %s: message %d: %s: %s", r.Path, i+1, problems[0].Path, problems[0].Message)
		}
		parts, err := compileParts(encoded.Parts, scope)
		if err != nil {
			return nil, fmt.Errorf("compile call %s: message %d: %w", r.Path, i+1, err)
		}
		_, fixed := encoded.Literal()
		out.isFixed = out.isFixed && fixed
		out.messages = append(out.messages, parts)
	}
	if out.isFixed {
		for _, parts := range out.messages {
			out.fixed = appendMessage(out.fixed, parts, nil)
		}
	}
	if err := out.encodeHead(x.target, r, scope); err != nil {
		return nil, fmt.Errorf("compile call %s: %w", r.Path, err)
	}
	return out, nil
}

// scope is what the target's requests are filled with.
func (x *exchanger) scope() fill.Scope {
	return fill.Scope{Tables: x.target.Data, Vars: x.target.Vars}
}

func compileParts(of []schema.Part, scope fill.Scope) ([]part, error) {
	var out []part
	for _, p := range of {
		one := part{literal: p.Literal, tag: p.Tag, leaf: p.Leaf}
		var err error
		if p.Leaf != nil {
			one.value, err = fill.CompilePieces(p.Leaf.Pieces, func(int) fill.Escape { return fill.Raw }, scope)
		} else {
			one.nested, err = compileParts(p.Nested, scope)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// prefix is the length of what goes before each message: a flag and its length.
const prefix = 5

// appendMessage appends a message with its prefix. fill appends the text of a value; it is
// not called where nothing is filled in.
func appendMessage(b []byte, parts []part, text func(*part) []byte) []byte {
	at := len(b)
	b = appendParts(append(b, 0, 0, 0, 0, 0), parts, text)
	binary.BigEndian.PutUint32(b[at+1:], uint32(len(b)-at-prefix))
	return b
}

func appendParts(b []byte, parts []part, text func(*part) []byte) []byte {
	for i := range parts {
		p := &parts[i]
		switch {
		case p.tag == nil:
			b = append(b, p.literal...)
		case p.leaf != nil:
			at := len(b)
			var err error
			if b, err = p.leaf.Append(append(b, p.tag...), text(p)); err != nil {
				b = b[:at] // no value of the field, as of a step that failed: it is left out
			}
		default:
			b = append(b, p.tag...)
			at := len(b)
			b = appendParts(append(b, 0), p.nested, text) // most lengths take one byte
			length := len(b) - at - 1
			if more := protowire.SizeVarint(uint64(length)) - 1; more > 0 {
				b = append(b, make([]byte, more)...)
				copy(b[at+1+more:], b[at+1:at+1+length])
			}
			protowire.AppendVarint(b[:at], uint64(length))
		}
	}
	return b
}

// encodeHead encodes the headers of the call.
func (r *Request) encodeHead(to wire.Target, of profiles.Request, scope fill.Scope) error {
	scheme := "http"
	if to.TLS {
		scheme = "https"
	}
	b := &r.head
	b.Add(":method", "POST")
	b.Add(":scheme", scheme)
	b.Add(":authority", to.Authority)
	b.Add(":path", strings.TrimSuffix(to.Prefix, "/")+of.Path)
	b.Add("content-type", "application/grpc+proto")
	b.Add("te", "trailers")
	b.Add("user-agent", wire.UserAgent)
	for _, h := range message.OwnIDs(to) {
		b.ID(h.Name, h.Value)
	}
	if to.Authorization != "" && !named(of.Headers, "authorization") {
		b.Add("authorization", to.Authorization)
	}
	for _, h := range of.Headers {
		name := strings.ToLower(h.Name)
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(h.Value) {
			return fmt.Errorf("metadata %s: its name or value has a character that is not allowed", spelling.Quote(h.Name))
		}
		value := strings.Trim(h.Value, " \t")
		if !of.Filled {
			b.Add(name, value)
			continue
		}
		pieces, err := data.Parse(value)
		if err != nil {
			return fmt.Errorf("metadata %s: %w", name, err)
		}
		hole, err := fill.CompilePieces(pieces, func(int) fill.Escape { return fill.Field }, scope)
		if err != nil {
			return fmt.Errorf("metadata %s: %w", name, err)
		}
		b.Fill(name, hole)
	}
	return nil
}

func named(headers []profiles.Header, name string) bool {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

// appendTimeout appends the value of grpc-timeout: at most eight digits, and a unit.
func appendTimeout(b []byte, d time.Duration) []byte {
	const most = 99_999_999
	for _, unit := range []struct {
		of   time.Duration
		name byte
	}{{time.Microsecond, 'u'}, {time.Millisecond, 'm'}, {time.Second, 'S'}, {time.Minute, 'M'}} {
		if n := max(d/unit.of, 0); n <= most {
			return append(appendNumber(b, uint64(n)), unit.name)
		}
	}
	return append(appendNumber(b, most), 'H')
}

func appendNumber(b []byte, n uint64) []byte {
	var digits [20]byte
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return append(b, digits[i:]...)
		}
	}
}

var _ attack.Request = (*Request)(nil)
