package yaml

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// Options are what a profile needs besides its text. The zero value is for a
// profile that stands alone, such as one from a report.
type Options struct {
	// Getenv looks up the variables of ${NAME}; nil: there are none.
	Getenv func(name string) (value string, ok bool)
	// Set overrides values: "client.timeout=2s", "load.0.to=3000/s",
	// "targets.orders.url=http://127.0.0.1:8080". They are applied in order, as
	// if the file had said so; lists are entered by index or by name.
	Set []string
	// Dir is the directory that file names in the profile are relative to. They
	// are joined to it, and must be files that can be opened. Without Dir, file
	// names stay as they are and no file is touched.
	Dir string
	// Reflect asks a gRPC target without .proto files for its schema, as an encoded
	// FileDescriptorSet: nil where it cannot be asked now. Nil: targets are not asked.
	// It needs Dir.
	Reflect func(t profiles.Target, c profiles.Client) ([]byte, error)
	// Resources are the names that headroom gates may use; nil: any.
	Resources []string
}

// Decode reads a profile, fills in the defaults and validates it. Name is the
// name of the file in messages; without its directory and extension it is also
// the name of a profile that has none. Every problem is in the error, an
// *[Error]; rules are checked only once every value could be read.
//
// "${NAME}" in a value (never in a key) is taken from the environment, and "$$"
// stands for "$"; what came from the environment becomes one of the profile's
// secrets, unless it is a name, a number or a gate.
func Decode(name string, data []byte, opt Options) (profiles.Profile, error) {
	d := &decoder{file: name, getenv: opt.Getenv, speaks: profiles.SpeaksHTTP}
	root, err := tree.Parse(data)
	if err != nil {
		d.fail(err)
		return profiles.Profile{}, newError(d.problems)
	}
	for _, assignment := range opt.Set {
		if err := override(root, assignment); err != nil {
			d.problems = append(d.problems, *err)
		}
	}
	var s profileSyntax
	if root.Kind == tree.Null {
		d.problem(root.At, "", "the profile is empty: write targets and load, or let \"rampload init\" write a first one")
	} else {
		d.fields(valueOf(&s), root, "")
		if root.Kind == tree.Mapping && root.Get("targets") == nil && root.Get("journeys") == nil {
			d.problem(root.At, "", "\"targets\" is missing: write targets: [{name: orders, url: http://127.0.0.1:8080}]")
		}
	}
	p := s.profile()
	if len(d.problems) > 0 {
		return profiles.Profile{}, newError(d.problems)
	}
	if s.Name == nil {
		p.Name = nameOf(name)
	}
	p.Secrets = d.secrets
	p = p.WithDefaults()
	if opt.Dir != "" {
		d.files(&p, root, opt) // before the rules, which know the columns of tables then
		p = p.WithDefaults()   // the steps of journeys name the same files
	}
	for _, problem := range rules.Profile(p, opt.Resources) {
		d.problem(root.Find(problem.Path), "", "%s", problem.Message)
	}
	if len(d.problems) > 0 {
		return profiles.Profile{}, newError(d.problems)
	}
	return p, nil
}

// nameOf makes the name of a profile from that of its file.
func nameOf(file string) string {
	base := filepath.Base(file)
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, strings.TrimSuffix(base, filepath.Ext(base)))
	name = strings.TrimLeft(name, "._-")
	if name == "" {
		return "profile"
	}
	return name[:min(len(name), 64)] // as long as a name may be
}

// decoder reads nodes into the types of the syntax and collects all problems.
type decoder struct {
	file     string
	getenv   func(string) (string, bool)
	secrets  profiles.Secrets
	problems []Problem
	filling  bool            // in a request: references stay, see package data
	speaks   profiles.Spoken // to the target that is read
}

// problem notes a mistake in the value of a key; the key is left out where the
// position says it.
func (d *decoder) problem(at tree.Position, key, format string, args ...any) {
	p := Problem{File: d.file, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)}
	if at.Override != "" {
		p.File, p.Line, p.Column = "--set "+at.Override, 0, 0
	} else if key != "" {
		p.Message = key + ": " + p.Message
	}
	d.problems = append(d.problems, p)
}

func (d *decoder) fail(err error) {
	if p, ok := err.(*tree.Error); ok { //nolint:errorlint // parseText returns nothing else, and wraps nothing
		d.problem(p.At, "", "%s", p.Msg)
		return
	}
	d.problem(tree.Position{}, "", "%s", err)
}

// branch is a part of the syntax that is not only fields, a list or a scalar.
type branch interface {
	decode(d *decoder, n *tree.Node, key string)
}

// into reads a node into a value of the syntax. Key is the node's key, for
// messages.
func (d *decoder) into(v reflect.Value, n *tree.Node, key string) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		d.into(v.Elem(), n, key)
		return
	}
	switch target := v.Addr().Interface().(type) {
	case branch:
		target.decode(d, n, key)
		return
	case value:
		d.scalar(target, n, key)
		return
	}
	switch {
	case n.Kind == tree.Null: // a section whose lines are all commented out
	case v.Kind() == reflect.Slice:
		d.list(v, n, key)
	default:
		d.fields(v, n, key)
	}
}

func (d *decoder) list(v reflect.Value, n *tree.Node, key string) {
	if n.Kind != tree.Sequence {
		d.problem(n.At, key, "this must be a list: begin each entry with \"- \"")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items)))
	for i, item := range n.Items {
		if item.Kind == tree.Null {
			d.problem(item.At, key, "entry %d is empty: write it, or leave out the \"-\"", i+1)
			continue
		}
		d.into(v.Index(i), item, key)
	}
}

// fields reads a mapping into a struct.
func (d *decoder) fields(v reflect.Value, n *tree.Node, key string) {
	fields := fieldsOf(v.Type())
	if n.Kind != tree.Mapping {
		example := "key: value"
		if len(fields) > 0 {
			example = fields[0].key + ": ..."
		}
		d.problem(n.At, key, "this must be keys with values: write them as %s", example)
		return
	}
	seen := make(map[string]bool, len(n.Entries))
	for _, e := range n.Entries {
		if seen[e.Key] {
			d.problem(e.At, "", "key %s is there twice: leave one of them out", quote(e.Key))
			continue
		}
		seen[e.Key] = true
		f, ok := fieldNamed(fields, e.Key)
		if !ok {
			d.problem(e.At, "", "%s", unknownKey(e.Key, fields))
			continue
		}
		d.into(v.Field(f.index), e.Value, e.Key)
	}
	for _, f := range fields {
		if f.required && (!seen[f.key] || v.Field(f.index).IsZero() && n.Get(f.key).Kind == tree.Null) {
			d.problem(n.At, "", "%q is missing: %s", f.key, f.example)
		}
	}
}

func unknownKey(key string, fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	if places := sectionsWith(key, reflect.TypeFor[profileSyntax](), "at the top"); len(places) == 1 {
		return fmt.Sprintf("unknown key %s; it belongs %s", quote(key), places[0])
	}
	if near := profiles.Nearest(key, names); near != "" {
		return fmt.Sprintf("unknown key %s; did you mean %q?", quote(key), near)
	}
	return fmt.Sprintf("unknown key %s; known here: %s", quote(key), strings.Join(names, ", "))
}

// sectionsWith are the places in the syntax below t, itself at the place named,
// that know the key: "under client.tls".
func sectionsWith(key string, t reflect.Type, place string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || isScalar(t) || t == reflect.TypeFor[metricsFields]() { // its keys are known elsewhere better
		return nil
	}
	var found []string
	for _, f := range fieldsOf(t) {
		if f.key == key {
			found = append(found, place)
		}
		below := place
		if f.key != "" { // not a part of the same section
			below = "under " + f.key
			if within, ok := strings.CutPrefix(place, "under "); ok {
				below = "under " + within + "." + f.key
			}
		}
		found = append(found, sectionsWith(key, t.Field(f.index).Type, below)...)
	}
	return found
}

// scalar reads a single value.
func (d *decoder) scalar(v value, n *tree.Node, key string) {
	switch n.Kind {
	case tree.Null:
		d.problem(n.At, key, "there is no value: write one, or leave the key out")
		return
	case tree.Mapping, tree.Sequence:
		d.problem(n.At, key, "this must be a single value: write it behind the colon, without a list or keys below")
		return
	}
	expanded, taken, err := d.expand(v, n.Text)
	if err == nil {
		if _, ok := v.(*text); ok {
			for _, secret := range taken {
				d.secrets.Add(secret)
			}
		}
		err = v.parse(expanded, !n.Plain && len(taken) == 0)
	}
	if err != nil {
		d.problem(n.At, key, "%s", err)
	}
}

// field is a field of a struct of the syntax.
type field struct {
	key, about string
	required   bool
	example    string // what to write when it is missing
	index      int
}

func fieldsOf(t reflect.Type) []field {
	fields := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		fields = append(fields, field{
			key: key, about: f.Tag.Get("about"), required: options == "required",
			example: f.Tag.Get("example"), index: i,
		})
	}
	return fields
}

func fieldNamed(fields []field, key string) (field, bool) {
	for _, f := range fields {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}
