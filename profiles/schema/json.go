package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rampload/rampload/profiles/data"
)

// value is a JSON value, with the members of objects in their order.
type value struct {
	kind    jsonKind
	raw     string // number, true, false
	text    string
	items   []*value
	members []member
}

type member struct {
	name  string
	value *value
}

type jsonKind uint8

const (
	null jsonKind = iota
	plain
	text
	array
	object
)

// parseJSON reads one JSON value.
func parseJSON(s string) (*value, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return v, nil
}

func parseValue(d *json.Decoder, depth int) (*value, error) {
	if depth > 2*maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", 2*maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case nil:
		return &value{}, nil
	case bool:
		return &value{kind: plain, raw: fmt.Sprint(t)}, nil
	case json.Number:
		return &value{kind: plain, raw: t.String()}, nil
	case string:
		return &value{kind: text, text: t}, nil
	case json.Delim:
		if t == '[' {
			v := &value{kind: array}
			for d.More() {
				item, err := parseValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				v.items = append(v.items, item)
			}
			_, err := d.Token()
			return v, err
		}
		v := &value{kind: object}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			name, _ := key.(string)
			of, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			v.members = append(v.members, member{name, of})
		}
		_, err := d.Token()
		return v, err
	}
	return nil, fmt.Errorf("unexpected %v", t)
}

// write writes the value as JSON.
func (v *value) write(b *bytes.Buffer) {
	switch v.kind {
	case null:
		b.WriteString("null")
	case plain:
		b.WriteString(v.raw)
	case text:
		writeText(b, v.text)
	case array:
		b.WriteByte('[')
		for i, item := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.write(b)
		}
		b.WriteByte(']')
	case object:
		b.WriteByte('{')
		for i, m := range v.members {
			if i > 0 {
				b.WriteByte(',')
			}
			writeText(b, m.name)
			b.WriteByte(':')
			m.value.write(b)
		}
		b.WriteByte('}')
	}
}

func writeText(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)       // a string into a buffer
	b.Truncate(b.Len() - 1) // the line end
}

// unescaped returns the value of a text without references in the language of package
// data.
func (v *value) unescaped() *value {
	out := *v
	out.items, out.members = nil, nil
	if v.kind == text {
		out.text = unescape(v.text)
	}
	for _, item := range v.items {
		out.items = append(out.items, item.unescaped())
	}
	for _, m := range v.members {
		out.members = append(out.members, member{unescape(m.name), m.value.unescaped()})
	}
	return &out
}

func unescape(s string) string {
	plain, err := data.Mask(s, "")
	if err != nil {
		return s
	}
	return plain
}
