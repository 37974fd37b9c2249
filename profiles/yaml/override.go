package yaml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// override applies one "path=value" to the tree. The path follows the syntax, so
// that a mistyped key is found here, with the nearest right one.
func override(root *tree.Node, assignment string) *bind.Problem {
	path, value, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return &bind.Problem{File: "--set " + assignment, Message: "an override is a key and a value: write it as client.timeout=2s"}
	}
	o := overrider{at: tree.Position{Override: path}, value: value}
	if err := o.set(root, reflect.TypeFor[profileSyntax](), strings.Split(path, ".")); err != nil {
		return &bind.Problem{File: "--set " + path, Message: err.Error()}
	}
	return nil
}

// overrider walks down a path.
type overrider struct {
	at    tree.Position
	value string
}

// set sets the value at the rest of a path below a node of a type of the syntax.
func (o overrider) set(n *tree.Node, t reflect.Type, path []string) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[requestSyntax]() && len(path) > 0 {
		openRequest(n)
		t = reflect.TypeFor[requestFields]()
	}
	switch {
	case len(path) == 0:
		return o.assign(n, t)
	case t == reflect.TypeFor[turnSyntax]():
		whole, _ := strings.CutSuffix(o.at.Override, "."+strings.Join(path, "."))
		return fmt.Errorf("a turn is one thing and set whole: write --set '%s={%s: ...}'", whole, path[0])
	case t == reflect.TypeFor[tables]():
		return o.table(n, path)
	case t == reflect.TypeFor[scalar.Headers](), t == reflect.TypeFor[extracts]():
		return o.header(n, strings.Join(path, "."))
	case t.Kind() == reflect.Slice && !bind.IsScalar(t):
		return o.enter(n, t, path)
	case t.Kind() == reflect.Struct && !bind.IsScalar(t):
		return o.key(n, t, path)
	}
	return fmt.Errorf("there is nothing below a single value: leave out %q", "."+strings.Join(path, "."))
}

// assign replaces a node with the value: a word where the syntax has a single
// value, else YAML such as [GET /a, GET /b].
func (o overrider) assign(n *tree.Node, t reflect.Type) error {
	opens := strings.HasPrefix(o.value, "[") || strings.HasPrefix(o.value, "{")
	single := bind.IsScalar(t)
	if t == reflect.TypeFor[requestSyntax]() || t == reflect.TypeFor[scalar.Statuses]() { // either
		single = !opens
	}
	if single {
		*n = tree.Node{Kind: tree.Scalar, At: o.at, Text: o.value, Plain: true}
		return nil
	}
	parsed, err := tree.Parse([]byte(o.value))
	if err != nil {
		return err
	}
	parsed.Move(o.at)
	*n = *parsed
	return nil
}

// key enters a mapping, and makes it where there is none.
func (o overrider) key(n *tree.Node, t reflect.Type, path []string) error {
	if t == reflect.TypeFor[stepSyntax]() { // the keys of a step and those of its request
		part := reflect.TypeFor[stepFields]()
		if _, ok := bind.FieldNamed(bind.FieldsOf(part), path[0]); !ok {
			part = reflect.TypeFor[requestFields]()
		}
		return o.key(n, part, path)
	}
	fields := bind.FieldsOf(t)
	f, ok := bind.FieldNamed(fields, path[0])
	if !ok {
		return fmt.Errorf("%s", bind.UnknownKey(reflect.TypeFor[profileSyntax](), path[0], fields))
	}
	switch n.Kind {
	case tree.Null:
		*n = tree.Node{Kind: tree.Mapping, At: n.At}
	case tree.Mapping:
	default:
		return fmt.Errorf("the profile has a single value or a list before %q: correct it there", path[0])
	}
	child := n.Get(path[0])
	if child == nil {
		child = &tree.Node{At: o.at}
	}
	if err := o.set(child, t.Field(f.Index).Type, path[1:]); err != nil {
		return err
	}
	n.Put(path[0], child)
	return nil
}

// enter finds the entry of a list by its index or its name; the index after the
// last one adds an entry.
func (o overrider) enter(n *tree.Node, t reflect.Type, path []string) error {
	if n.Kind != tree.Sequence && n.Kind != tree.Null {
		return fmt.Errorf("the profile has no list before %q: correct it there", path[0])
	}
	if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i <= len(n.Items) {
		child := &tree.Node{At: o.at}
		if i < len(n.Items) {
			child = n.Items[i]
		}
		if err := o.set(child, t.Elem(), path[1:]); err != nil {
			return err
		}
		if i == len(n.Items) {
			n.Kind = tree.Sequence
			n.Items = append(n.Items, child)
		}
		return nil
	}
	var names []string
	for _, item := range n.Items {
		name := item.Get("name")
		if name == nil || name.Kind != tree.Scalar {
			continue
		}
		names = append(names, name.Text)
		words := strings.Count(name.Text, ".") + 1 // a name may have points
		if words <= len(path) && strings.Join(path[:words], ".") == name.Text {
			return o.set(item, t.Elem(), path[words:])
		}
	}
	if near := spelling.Nearest(path[0], names); near != "" {
		return fmt.Errorf("there is no %q in this list; did you mean %q?", path[0], near)
	}
	entries := "an index from 0 to " + strconv.Itoa(len(n.Items))
	if len(names) > 0 {
		entries = strings.Join(names, ", ") + ", or " + entries
	}
	return fmt.Errorf("there is no %q in this list: write %s", path[0], entries)
}

// table sets the file of a table, or one of its fields.
func (o overrider) table(n *tree.Node, path []string) error {
	if n.Kind == tree.Null {
		*n = tree.Node{Kind: tree.Mapping, At: n.At}
	}
	if n.Kind != tree.Mapping {
		return fmt.Errorf("the profile has no tables before %q: correct it there", path[0])
	}
	child := n.Get(path[0])
	if child == nil {
		child = &tree.Node{At: o.at}
	}
	if len(path) == 1 {
		*child = tree.Node{Kind: tree.Scalar, At: o.at, Text: o.value, Plain: true}
	} else {
		if child.Kind == tree.Scalar {
			*child = tree.Node{Kind: tree.Mapping, At: child.At, Entries: []tree.Entry{{Key: "file", At: child.At, Value: new(*child)}}}
		}
		if err := o.key(child, reflect.TypeFor[tableFields](), path[1:]); err != nil {
			return err
		}
	}
	n.Put(path[0], child)
	return nil
}

// header sets one header, whatever the case of its name.
func (o overrider) header(n *tree.Node, name string) error {
	switch n.Kind {
	case tree.Null:
		*n = tree.Node{Kind: tree.Mapping, At: n.At}
	case tree.Mapping:
	default:
		return fmt.Errorf("the profile has no headers before %q: correct it there", name)
	}
	for _, e := range n.Entries {
		if strings.EqualFold(e.Key, name) {
			name = e.Key
		}
	}
	n.Put(name, &tree.Node{Kind: tree.Scalar, At: o.at, Text: o.value, Plain: true})
	return nil
}

// openRequest writes "GET /orders" out, so that its parts can be set.
func openRequest(n *tree.Node) {
	method, path, ok := splitRequest(n)
	if n.Kind != tree.Scalar || !ok {
		return
	}
	*n = tree.Node{Kind: tree.Mapping, At: n.At, Entries: []tree.Entry{{Key: "method", At: n.At, Value: method}, {Key: "path", At: n.At, Value: path}}}
}
