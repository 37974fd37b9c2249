package bind

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// Scalar is one scalar of the syntax.
type Scalar interface {
	// Parse reads the text of a scalar. quoted tells "5" from 5. The error cites
	// the text and shows the right spelling.
	Parse(text string, quoted bool) error
	// Format is the inverse of Parse; plain says that it needs no quotes.
	Format() (text string, plain bool)
}

// FreeText is a scalar that may be any text: what it takes from the environment is secret,
// and it may have references where a request is read.
type FreeText interface{ FreeText() }

// Private is a section whose keys are not offered where an unknown key is met: its
// words are common elsewhere.
type Private interface{ Private() }

func isPrivate(t reflect.Type) bool { return t.Implements(reflect.TypeFor[Private]()) }

// IsScalar reports whether a type of the syntax is a single value.
func IsScalar(t reflect.Type) bool { return reflect.PointerTo(t).Implements(reflect.TypeFor[Scalar]()) }

// Decoder reads nodes into the types of the syntax and collects all problems.
type Decoder struct {
	File     string // in messages
	Getenv   func(string) (string, bool)
	Secrets  profiles.Secrets
	Problems []Problem
	Root     reflect.Type // of the whole syntax: where an unknown key may belong

	// What holds for the part that is read.
	Filling bool            // in a request: references of texts stay, see package data
	Speaks  profiles.Spoken // to the target that is read

	// Expander fills in the environment in a text that may have references.
	Expander func(text string, getenv func(string) (string, bool)) (expanded string, taken []string, err error)
}

// Problem notes a mistake in the value of a key; the key is left out where the
// position says it.
func (d *Decoder) Problem(at tree.Position, key, format string, args ...any) {
	p := Problem{File: d.File, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)}
	if at.Override != "" {
		p.File, p.Line, p.Column = "--set "+at.Override, 0, 0
	} else if key != "" {
		p.Message = key + ": " + p.Message
	}
	d.Problems = append(d.Problems, p)
}

// Branch is a part of the syntax that is not only fields, a list or a scalar.
type Branch interface {
	Decode(d *Decoder, n *tree.Node, key string)
}

// into reads a node into a value of the syntax. Key is the node's key, for
// messages.
func (d *Decoder) into(v reflect.Value, n *tree.Node, key string) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		d.into(v.Elem(), n, key)
		return
	}
	switch target := v.Addr().Interface().(type) {
	case Branch:
		target.Decode(d, n, key)
		return
	case Scalar:
		d.Scalar(target, n, key)
		return
	}
	switch {
	case n.Kind == tree.Null: // a section whose lines are all commented out
	case v.Kind() == reflect.Slice:
		d.list(v, n, key)
	default:
		d.Fields(v, n, key)
	}
}

func (d *Decoder) list(v reflect.Value, n *tree.Node, key string) {
	if n.Kind != tree.Sequence {
		d.Problem(n.At, key, "this must be a list: begin each entry with \"- \"")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items)))
	for i, item := range n.Items {
		if item.Kind == tree.Null {
			d.Problem(item.At, key, "entry %d is empty: write it, or leave out the \"-\"", i+1)
			continue
		}
		d.into(v.Index(i), item, key)
	}
}

// Fields reads a mapping into a struct.
func (d *Decoder) Fields(v reflect.Value, n *tree.Node, key string) {
	fields := FieldsOf(v.Type())
	if n.Kind != tree.Mapping {
		example := "key: value"
		if len(fields) > 0 {
			example = fields[0].Key + ": ..."
		}
		d.Problem(n.At, key, "this must be keys with values: write them as %s", example)
		return
	}
	seen := make(map[string]bool, len(n.Entries))
	for _, e := range n.Entries {
		if seen[e.Key] {
			d.Problem(e.At, "", "key %s is there twice: leave one of them out", spelling.Quote(e.Key))
			continue
		}
		seen[e.Key] = true
		f, ok := FieldNamed(fields, e.Key)
		if !ok {
			d.Problem(e.At, "", "%s", UnknownKey(d.Root, e.Key, fields))
			continue
		}
		d.into(v.Field(f.Index), e.Value, e.Key)
	}
	for _, f := range fields {
		if f.Required && (!seen[f.Key] || v.Field(f.Index).IsZero() && n.Get(f.Key).Kind == tree.Null) {
			d.Problem(n.At, "", "%q is missing: %s", f.Key, f.Example)
		}
	}
}

// UnknownKey says what to do about a key that a section of the syntax does not know.
func UnknownKey(root reflect.Type, key string, fields []Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Key
	}
	if places := sectionsWith(key, root, "at the top"); len(places) == 1 {
		return fmt.Sprintf("unknown key %s; it belongs %s", spelling.Quote(key), places[0])
	}
	if near := spelling.Nearest(key, names); near != "" {
		return fmt.Sprintf("unknown key %s; did you mean %q?", spelling.Quote(key), near)
	}
	return fmt.Sprintf("unknown key %s; known here: %s", spelling.Quote(key), strings.Join(names, ", "))
}

// sectionsWith are the places in the syntax below t, itself at the place named,
// that know the key: "under client.tls".
func sectionsWith(key string, t reflect.Type, place string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || IsScalar(t) || isPrivate(t) {
		return nil
	}
	var found []string
	for _, f := range FieldsOf(t) {
		if f.Key == key {
			found = append(found, place)
		}
		below := place
		if f.Key != "" { // not a part of the same section
			below = "under " + f.Key
			if within, ok := strings.CutPrefix(place, "under "); ok {
				below = "under " + within + "." + f.Key
			}
		}
		found = append(found, sectionsWith(key, t.Field(f.Index).Type, below)...)
	}
	return found
}

// Scalar reads a single value.
func (d *Decoder) Scalar(v Scalar, n *tree.Node, key string) {
	switch n.Kind {
	case tree.Null:
		d.Problem(n.At, key, "there is no value: write one, or leave the key out")
		return
	case tree.Mapping, tree.Sequence:
		d.Problem(n.At, key, "this must be a single value: write it behind the colon, without a list or keys below")
		return
	}
	_, free := v.(FreeText)
	fill := Expand
	if free && d.Filling {
		fill = d.Expander
	}
	expanded, taken, err := fill(n.Text, d.Getenv)
	if err == nil {
		if free {
			for _, secret := range taken {
				d.Secrets.Add(secret)
			}
		}
		err = v.Parse(expanded, !n.Plain && len(taken) == 0)
	}
	if err != nil {
		d.Problem(n.At, key, "%s", err)
	}
}

// Field is a field of a struct of the syntax.
type Field struct {
	Key, About string
	Required   bool
	Example    string // what to write when it is missing
	Index      int
}

// FieldsOf returns the fields of a struct of the syntax, in their order.
func FieldsOf(t reflect.Type) []Field {
	fields := make([]Field, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		fields = append(fields, Field{
			Key: key, About: f.Tag.Get("about"), Required: options == "required",
			Example: f.Tag.Get("example"), Index: i,
		})
	}
	return fields
}

// FieldNamed finds a field by its key.
func FieldNamed(fields []Field, key string) (Field, bool) {
	for _, f := range fields {
		if f.Key == key {
			return f, true
		}
	}
	return Field{}, false
}

// ValueOf is the settable value of what a pointer points to.
func ValueOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }
