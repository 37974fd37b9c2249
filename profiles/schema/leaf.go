package schema

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/spelling"
)

// Leaf is a value of a message that is filled in.
type Leaf struct {
	Pieces    []data.Piece
	kind      protoreflect.Kind
	enum      protoreflect.EnumDescriptor
	timestamp bool
}

// errValue is matched by the error of a text that is no value of its field.
var errValue = errors.New("no value of its field")

// Append appends the encoded value that a text stands for, with its length where it has
// one. On an error b comes back as it was.
func (l *Leaf) Append(b, text []byte) ([]byte, error) {
	out, err := l.append(b, text)
	if err != nil {
		return b, err
	}
	return out, nil
}

func (l *Leaf) append(b, text []byte) ([]byte, error) {
	if l.timestamp {
		return appendTimestamp(b, text)
	}
	switch l.kind {
	case protoreflect.StringKind:
		if !utf8.Valid(text) {
			return b, errValue
		}
		return protowire.AppendBytes(b, text), nil
	case protoreflect.BytesKind:
		return appendBase64(b, text)
	case protoreflect.BoolKind:
		v, err := strconv.ParseBool(string(text))
		return protowire.AppendVarint(b, protowire.EncodeBool(v)), or(err)
	case protoreflect.EnumKind:
		return l.appendEnum(b, text)
	case protoreflect.FloatKind:
		v, err := strconv.ParseFloat(string(text), 32)
		return protowire.AppendFixed32(b, math.Float32bits(float32(v))), or(err)
	case protoreflect.DoubleKind:
		v, err := strconv.ParseFloat(string(text), 64)
		return protowire.AppendFixed64(b, math.Float64bits(v)), or(err)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		v, err := strconv.ParseUint(string(text), 10, l.bits())
		return l.appendInteger(b, v), or(err)
	}
	v, err := strconv.ParseInt(string(text), 10, l.bits())
	switch l.kind {
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return protowire.AppendVarint(b, protowire.EncodeZigZag(v)), or(err)
	}
	return l.appendInteger(b, uint64(v)), or(err)
}

func or(err error) error {
	if err != nil {
		return errValue
	}
	return nil
}

func (l *Leaf) bits() int {
	switch l.kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return 32
	}
	return 64
}

func (l *Leaf) appendInteger(b []byte, v uint64) []byte {
	switch wireType(l.kind) {
	case protowire.Fixed32Type:
		return protowire.AppendFixed32(b, uint32(v))
	case protowire.Fixed64Type:
		return protowire.AppendFixed64(b, v)
	}
	return protowire.AppendVarint(b, v)
}

func (l *Leaf) appendEnum(b, text []byte) ([]byte, error) {
	if v := l.enum.Values().ByName(protoreflect.Name(text)); v != nil {
		return protowire.AppendVarint(b, uint64(int64(v.Number()))), nil
	}
	n, err := strconv.ParseInt(string(text), 10, 32)
	return protowire.AppendVarint(b, uint64(n)), or(err)
}

// appendBase64 appends the bytes of a base64 text of either alphabet, padded or not, as the
// JSON of protocol buffers has it.
func appendBase64(b, text []byte) ([]byte, error) {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(string(text), "="))
	v, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		return b, errValue
	}
	return protowire.AppendBytes(b, v), nil
}

func appendTimestamp(b, text []byte) ([]byte, error) {
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return b, errValue
	}
	var m [24]byte
	out := protowire.AppendVarint(protowire.AppendTag(m[:0], 1, protowire.VarintType), uint64(at.Unix()))
	out = protowire.AppendVarint(protowire.AppendTag(out, 2, protowire.VarintType), uint64(at.Nanosecond()))
	return protowire.AppendBytes(b, out), nil
}

// Check says what is wrong with a text; nil if it is a value of the field.
func (l *Leaf) Check(text string) error {
	if _, err := l.Append(nil, []byte(text)); err != nil {
		return fmt.Errorf("%s is no %s", spelling.Quote(text), l.Type())
	}
	return nil
}

// Type returns what the field takes, such as int64.
func (l *Leaf) Type() string {
	switch {
	case l.timestamp:
		return "time (RFC 3339)"
	case l.enum != nil:
		return string(l.enum.FullName())
	case l.kind == protoreflect.BytesKind:
		return "base64"
	}
	return l.kind.String()
}

// zero appends some value of the field.
func (l *Leaf) zero(b []byte) []byte {
	if l.timestamp {
		return append(b, 0)
	}
	switch wireType(l.kind) {
	case protowire.Fixed32Type:
		return protowire.AppendFixed32(b, 0)
	case protowire.Fixed64Type:
		return protowire.AppendFixed64(b, 0)
	}
	return append(b, 0) // a number, or a length
}

func wireType(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	}
	return protowire.VarintType
}
