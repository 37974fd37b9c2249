package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/spelling"
)

// Problem is what is wrong with a message. Path leads to the value by the keys of the JSON
// and indices from 0, such as customer.name; it is empty for all of it. Message ends with
// what to do.
type Problem struct{ Path, Message string }

// Message is a message in the encoding of the wire, with holes for what is filled in.
type Message struct{ Parts []Part }

// Part is bytes that are known, or a field.
type Part struct {
	Literal []byte // encoded; nil for a field
	Tag     []byte // of a field, encoded
	Leaf    *Leaf  // its value; nil for a message
	Nested  []Part // of a message, whose length goes before them
}

// maxDepth bounds how deep messages are nested.
const maxDepth = 64

// Encode encodes a message of the method's input that is written as JSON
// (https://protobuf.dev/programming-guides/json/). Where filled is set, its texts are in
// the language of package data.
func (m Method) Encode(text string, filled bool) (Message, []Problem) {
	c := &encoder{schema: m.schema, filled: filled}
	v, err := parseJSON(text)
	if err != nil {
		return Message{}, []Problem{{"", fmt.Sprintf("the message is no JSON (%s): write it as YAML, or as JSON", err)}}
	}
	parts := c.message(m.Input(), v, "", 0)
	if len(c.problems) == 0 {
		c.complete(m.Input(), parts)
	}
	return Message{merge(parts)}, c.problems
}

// JSON returns a message of the method's output as JSON.
func (m Method) JSON(b []byte) ([]byte, error) { return m.json(m.Output(), b) }

// InputJSON returns a message of the method's input as JSON.
func (m Method) InputJSON(b []byte) ([]byte, error) { return m.json(m.Input(), b) }

func (m Method) json(of protoreflect.MessageDescriptor, b []byte) ([]byte, error) {
	out := dynamicpb.NewMessage(of)
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(b, out); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	text, err := protojson.MarshalOptions{EmitDefaultValues: true, AllowPartial: true, Resolver: m.schema.resolver()}.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	var compact bytes.Buffer // protojson's spaces differ from build to build
	if err := json.Compact(&compact, text); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	return compact.Bytes(), nil
}

// Literal returns the bytes of a message in which nothing is filled in.
func (m Message) Literal() ([]byte, bool) {
	switch {
	case len(m.Parts) == 0:
		return nil, true
	case len(m.Parts) == 1 && m.Parts[0].Tag == nil:
		return m.Parts[0].Literal, true
	}
	return nil, false
}

// Leaves calls f with every value that is filled in.
func (m Message) Leaves(f func(*Leaf)) { leaves(m.Parts, f) }

func leaves(parts []Part, f func(*Leaf)) {
	for i := range parts {
		if l := parts[i].Leaf; l != nil {
			f(l)
		}
		leaves(parts[i].Nested, f)
	}
}

func (s *Schema) resolver() *dynamicpb.Types { return dynamicpb.NewTypes(s.files) }

// encoder encodes one message.
type encoder struct {
	schema   *Schema
	filled   bool
	problems []Problem
}

func (c *encoder) problem(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{path, fmt.Sprintf(format, args...)})
}

// message encodes the fields of an object.
func (c *encoder) message(md protoreflect.MessageDescriptor, v *value, path string, depth int) []Part {
	switch {
	case depth > maxDepth:
		c.problem(path, "messages are nested deeper than %d: leave some out", maxDepth)
		return nil
	case v.kind != object:
		c.problem(path, "this is a %s: write its fields, such as %s", md.FullName(), example(md))
		return nil
	}
	var parts []Part
	seen := map[string]string{}
	for i := range v.members {
		m := &v.members[i]
		at := join(path, m.name)
		if strings.HasPrefix(m.name, "[") { // an extension
			parts = append(parts, c.literal(md, m.name, m.value, at))
			continue
		}
		fd := field(md, m.name)
		if fd == nil {
			c.problem(at, "%s has no field %s%s", md.FullName(), spelling.Quote(m.name), hint(m.name, fieldNames(md)))
			continue
		}
		unit := string(fd.FullName())
		if one := fd.ContainingOneof(); one != nil && !one.IsSynthetic() {
			unit = string(one.FullName())
		}
		if m.value.kind == null && !nullable(fd) {
			continue
		}
		if other, twice := seen[unit]; twice {
			c.problem(at, "%s and %s exclude each other: leave one of them out", spelling.Quote(other), spelling.Quote(m.name))
			continue
		}
		seen[unit] = m.name
		parts = append(parts, c.field(md, fd, m, at, depth)...)
	}
	return parts
}

// field encodes one field: lists and maps are several.
func (c *encoder) field(md protoreflect.MessageDescriptor, fd protoreflect.FieldDescriptor, m *member, path string, depth int) []Part {
	wrap := func(v *value) *value { return v }
	var parts []Part
	switch {
	case fd.IsMap() && m.value.kind == object:
		keys := map[string]bool{}
		for i := range m.value.members {
			e := &m.value.members[i]
			if keys[e.name] {
				c.problem(join(path, e.name), "the key %s is there twice: leave one of them out", spelling.Quote(e.name))
			}
			keys[e.name] = true
			parts = append(parts, c.entry(md, fd, e, join(path, e.name), depth))
		}
		return parts
	case fd.IsMap(), fd.IsList() && m.value.kind != array:
		return []Part{c.literal(md, m.name, m.value, path)} // says what is wrong
	case fd.IsList():
		wrap = func(v *value) *value { return &value{kind: array, items: []*value{v}} }
		if !c.refs(m.value) && fd.Message() == nil { // packed
			return []Part{c.literal(md, m.name, m.value, path)}
		}
		for i, item := range m.value.items {
			parts = append(parts, c.single(md, fd, item, wrap, m.name, join(path, strconv.Itoa(i)), depth))
		}
		return parts
	}
	return []Part{c.single(md, fd, m.value, wrap, m.name, path, depth)}
}

// entry encodes an entry of a map: a message with key and value.
func (c *encoder) entry(md protoreflect.MessageDescriptor, fd protoreflect.FieldDescriptor, e *member, path string, depth int) Part {
	plain := func(v *value) *value {
		return &value{kind: object, members: []member{{name: e.name, value: v}}}
	}
	of := fd.MapValue()
	if c.filled && hasRefs(e.name) {
		c.problem(path, "keys of a map cannot be filled in: write them out")
		return Part{}
	}
	if !c.refs(e.value) && (of.Message() == nil || known(of.Message())) {
		return c.literal(md, string(fd.Name()), plain(e.value), path)
	}
	key, name := &Leaf{kind: fd.MapKey().Kind()}, e.name
	if c.filled {
		name = unescape(name)
	}
	encoded, err := key.Append(tag(fd.MapKey()), []byte(name))
	if err != nil {
		c.problem(path, "the key %s is no %s: write another", spelling.Quote(name), key.Type())
	}
	if of.Message() == nil && e.value.kind == null {
		c.problem(path, "a value of a map cannot be null: leave the key out")
		return Part{}
	}
	v := c.single(fd.Message(), of, e.value, func(v *value) *value { return v }, "value", path, depth)
	return Part{Tag: tag(fd), Nested: []Part{{Literal: encoded}, v}}
}

// single encodes one value. wrap makes of a value what stands for the field, as the only
// element of a list does.
func (c *encoder) single(md protoreflect.MessageDescriptor, fd protoreflect.FieldDescriptor, v *value, wrap func(*value) *value, name, path string, depth int) Part {
	switch of := fd.Message(); {
	case of != nil && fd.Kind() == protoreflect.MessageKind && !known(of):
		return Part{Tag: tag(fd), Nested: c.message(of, v, path, depth+1)}
	case !c.refs(v):
		return c.literal(md, name, wrap(v), path)
	case of == nil:
		return Part{Tag: tag(fd), Leaf: c.leaf(fd, v, path)}
	case v.kind == text && of.FullName() == "google.protobuf.Timestamp":
		return Part{Tag: tag(fd), Leaf: c.leafOf(&Leaf{timestamp: true}, v, path)}
	case v.kind == text && wrapper(of):
		inner := of.Fields().ByNumber(1)
		return Part{Tag: tag(fd), Nested: []Part{{Tag: tag(inner), Leaf: c.leaf(inner, v, path)}}}
	default:
		c.problem(path, "values cannot be filled into a %s: write it out", of.FullName())
	}
	return Part{}
}

// leaf compiles a value that is filled in.
func (c *encoder) leaf(fd protoreflect.FieldDescriptor, v *value, path string) *Leaf {
	l := &Leaf{kind: fd.Kind(), enum: fd.Enum()}
	if v.kind != text {
		c.problem(path, "this is a %s: write one value", fd.Kind())
		return l
	}
	return c.leafOf(l, v, path)
}

func (c *encoder) leafOf(l *Leaf, v *value, path string) *Leaf {
	var err error
	if l.Pieces, err = data.Parse(v.text); err != nil {
		c.problem(path, "%s", err)
	}
	return l
}

// literal encodes a field in which nothing is filled in.
func (c *encoder) literal(md protoreflect.MessageDescriptor, name string, v *value, path string) Part {
	if c.filled {
		v = v.unescaped()
	}
	var b bytes.Buffer
	b.WriteByte('{')
	writeText(&b, name)
	b.WriteByte(':')
	v.write(&b)
	b.WriteByte('}')
	m := dynamicpb.NewMessage(md)
	types := c.schema.resolver()
	if err := (protojson.UnmarshalOptions{AllowPartial: true, Resolver: types}).Unmarshal(b.Bytes(), m); err != nil {
		c.problem(path, "%s", c.wrong(md, name, v, err))
		return Part{}
	}
	out, err := proto.MarshalOptions{AllowPartial: true, Deterministic: true}.Marshal(m)
	if err != nil {
		c.problem(path, "%s", err)
	}
	return Part{Literal: out}
}

// wrong says what is wrong with a value.
func (c *encoder) wrong(md protoreflect.MessageDescriptor, name string, v *value, err error) string {
	fd := field(md, name)
	if fd == nil {
		return strings.TrimSpace(strings.TrimPrefix(err.Error(), "proto:")) + ": correct it"
	}
	var shown bytes.Buffer
	if v.kind == text {
		shown.WriteString(v.text)
	} else {
		v.write(&shown)
	}
	wants := fd.Kind().String()
	switch {
	case fd.IsMap():
		wants = "map"
	case fd.Enum() != nil:
		var names []string
		for i := range fd.Enum().Values().Len() {
			names = append(names, string(fd.Enum().Values().Get(i).Name()))
		}
		word := ""
		if v.kind == text {
			word = v.text
		}
		return fmt.Sprintf("%s is no %s%s", spelling.Quote(shown.String()), fd.Enum().FullName(), hint(word, names))
	case fd.Message() != nil:
		wants = string(fd.Message().FullName())
	}
	if fd.IsList() && v.kind != array {
		return fmt.Sprintf("%s is a list of %s: write [%s]", name, wants, shown.String())
	}
	return fmt.Sprintf("%s is no %s: write another value", spelling.Quote(shown.String()), wants)
}

// refs reports whether a value has references in it.
func (c *encoder) refs(v *value) bool {
	if !c.filled {
		return false
	}
	switch v.kind {
	case text:
		return hasRefs(v.text)
	case array:
		return slices.ContainsFunc(v.items, c.refs)
	case object:
		return slices.ContainsFunc(v.members, func(m member) bool { return hasRefs(m.name) || c.refs(m.value) })
	}
	return false
}

func hasRefs(s string) bool {
	if !strings.Contains(s, "$") {
		return false
	}
	pieces, err := data.Parse(s)
	return err != nil || slices.ContainsFunc(pieces, func(p data.Piece) bool { return !p.Literal() })
}

// complete checks what concerns the whole message: fields that must be there.
func (c *encoder) complete(md protoreflect.MessageDescriptor, parts []Part) {
	m := dynamicpb.NewMessage(md)
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(sample(nil, parts), m); err != nil {
		c.problem("", "the message cannot be encoded (%s): write it otherwise", strings.TrimPrefix(err.Error(), "proto: "))
		return
	}
	if err := proto.CheckInitialized(m); err != nil {
		c.problem("", "%s: write it", strings.TrimSpace(strings.TrimPrefix(err.Error(), "proto:")))
	}
}

// sample encodes parts with something in the place of what is filled in.
func sample(b []byte, parts []Part) []byte {
	for i := range parts {
		p := &parts[i]
		switch {
		case p.Tag == nil:
			b = append(b, p.Literal...)
		case p.Leaf != nil:
			b = p.Leaf.zero(append(b, p.Tag...))
		default:
			b = protowire.AppendBytes(append(b, p.Tag...), sample(nil, p.Nested))
		}
	}
	return b
}

// merge joins bytes that are known.
func merge(parts []Part) []Part {
	var out []Part
	for _, p := range parts {
		if p.Tag != nil && p.Leaf == nil {
			p.Nested = merge(p.Nested)
			if inner, ok := (Message{p.Nested}).Literal(); ok {
				p = Part{Literal: protowire.AppendBytes(p.Tag, inner)}
			}
		}
		last := len(out) - 1
		switch {
		case p.Tag == nil && len(p.Literal) == 0:
		case p.Tag == nil && last >= 0 && out[last].Tag == nil:
			out[last].Literal = append(out[last].Literal, p.Literal...)
		default:
			out = append(out, p)
		}
	}
	return out
}

func tag(fd protoreflect.FieldDescriptor) []byte {
	return protowire.AppendTag(nil, fd.Number(), wireType(fd.Kind()))
}

// field finds a field by its JSON name or by that in the .proto file.
func field(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByJSONName(name); fd != nil {
		return fd
	}
	return md.Fields().ByTextName(name)
}

func fieldNames(md protoreflect.MessageDescriptor) []string {
	var out []string
	for i := range md.Fields().Len() {
		out = append(out, string(md.Fields().Get(i).Name()))
	}
	return out
}

// example is what a message looks like.
func example(md protoreflect.MessageDescriptor) string {
	if md.Fields().Len() == 0 {
		return "{}"
	}
	return "{" + string(md.Fields().Get(0).Name()) + ": ...}"
}

// known reports whether a message has a JSON form of its own.
func known(md protoreflect.MessageDescriptor) bool {
	switch md.FullName() {
	case "google.protobuf.Any", "google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.Struct",
		"google.protobuf.Value", "google.protobuf.ListValue", "google.protobuf.FieldMask":
		return true
	}
	return wrapper(md)
}

func wrapper(md protoreflect.MessageDescriptor) bool {
	switch md.FullName() {
	case "google.protobuf.BoolValue", "google.protobuf.StringValue", "google.protobuf.BytesValue", "google.protobuf.DoubleValue",
		"google.protobuf.FloatValue", "google.protobuf.Int32Value", "google.protobuf.Int64Value", "google.protobuf.UInt32Value", "google.protobuf.UInt64Value":
		return true
	}
	return false
}

// nullable reports whether null is a value of a field and not its absence.
func nullable(fd protoreflect.FieldDescriptor) bool {
	switch {
	case fd.IsList(), fd.IsMap():
		return false
	case fd.Message() != nil:
		return fd.Message().FullName() == "google.protobuf.Value"
	case fd.Enum() != nil:
		return fd.Enum().FullName() == "google.protobuf.NullValue"
	}
	return false
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
