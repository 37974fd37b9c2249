package yaml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/rampload/rampload/profiles"
)

// override applies one "path=value" to the tree. The path follows the syntax, so
// that a mistyped key is found here, with the nearest right one.
func override(root *node, assignment string) *Problem {
	path, value, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return &Problem{File: "--set " + assignment, Message: "an override is a key and a value: write it as client.timeout=2s"}
	}
	o := overrider{at: position{override: path}, value: value}
	if err := o.set(root, reflect.TypeFor[profileSyntax](), strings.Split(path, ".")); err != nil {
		return &Problem{File: "--set " + path, Message: err.Error()}
	}
	return nil
}

// overrider walks down a path.
type overrider struct {
	at    position
	value string
}

// set sets the value at the rest of a path below a node of a type of the syntax.
func (o overrider) set(n *node, t reflect.Type, path []string) error {
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
	case t == reflect.TypeFor[tables]():
		return o.table(n, path)
	case t == reflect.TypeFor[headers](), t == reflect.TypeFor[extracts]():
		return o.header(n, strings.Join(path, "."))
	case t.Kind() == reflect.Slice && !isScalar(t):
		return o.enter(n, t, path)
	case t.Kind() == reflect.Struct && !isScalar(t):
		return o.key(n, t, path)
	}
	return fmt.Errorf("there is nothing below a single value: leave out %q", "."+strings.Join(path, "."))
}

func isScalar(t reflect.Type) bool { return reflect.PointerTo(t).Implements(reflect.TypeFor[value]()) }

// assign replaces a node with the value: a word where the syntax has a single
// value, else YAML such as [GET /a, GET /b].
func (o overrider) assign(n *node, t reflect.Type) error {
	opens := strings.HasPrefix(o.value, "[") || strings.HasPrefix(o.value, "{")
	single := isScalar(t)
	if t == reflect.TypeFor[requestSyntax]() || t == reflect.TypeFor[statuses]() { // either
		single = !opens
	}
	if single {
		*n = node{kind: scalar, at: o.at, text: o.value, plain: true}
		return nil
	}
	parsed, err := parseText([]byte(o.value))
	if err != nil {
		return err
	}
	parsed.move(o.at)
	*n = *parsed
	return nil
}

// move puts a tree to a position.
func (n *node) move(at position) {
	n.at = at
	for i := range n.entries {
		n.entries[i].at = at
		n.entries[i].value.move(at)
	}
	for _, item := range n.items {
		item.move(at)
	}
}

// key enters a mapping, and makes it where there is none.
func (o overrider) key(n *node, t reflect.Type, path []string) error {
	if t == reflect.TypeFor[stepSyntax]() { // the keys of a step and those of its request
		part := reflect.TypeFor[stepFields]()
		if _, ok := fieldNamed(fieldsOf(part), path[0]); !ok {
			part = reflect.TypeFor[requestFields]()
		}
		return o.key(n, part, path)
	}
	fields := fieldsOf(t)
	f, ok := fieldNamed(fields, path[0])
	if !ok {
		return fmt.Errorf("%s", unknownKey(path[0], fields))
	}
	switch n.kind {
	case null:
		*n = node{kind: mapping, at: n.at}
	case mapping:
	default:
		return fmt.Errorf("the profile has a single value or a list before %q: correct it there", path[0])
	}
	child := n.get(path[0])
	if child == nil {
		child = &node{at: o.at}
	}
	if err := o.set(child, t.Field(f.index).Type, path[1:]); err != nil {
		return err
	}
	n.put(path[0], child)
	return nil
}

// enter finds the entry of a list by its index or its name; the index after the
// last one adds an entry.
func (o overrider) enter(n *node, t reflect.Type, path []string) error {
	if n.kind != sequence && n.kind != null {
		return fmt.Errorf("the profile has no list before %q: correct it there", path[0])
	}
	if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i <= len(n.items) {
		child := &node{at: o.at}
		if i < len(n.items) {
			child = n.items[i]
		}
		if err := o.set(child, t.Elem(), path[1:]); err != nil {
			return err
		}
		if i == len(n.items) {
			n.kind = sequence
			n.items = append(n.items, child)
		}
		return nil
	}
	var names []string
	for _, item := range n.items {
		name := item.get("name")
		if name == nil || name.kind != scalar {
			continue
		}
		names = append(names, name.text)
		words := strings.Count(name.text, ".") + 1 // a name may have points
		if words <= len(path) && strings.Join(path[:words], ".") == name.text {
			return o.set(item, t.Elem(), path[words:])
		}
	}
	if near := profiles.Nearest(path[0], names); near != "" {
		return fmt.Errorf("there is no %q in this list; did you mean %q?", path[0], near)
	}
	entries := "an index from 0 to " + strconv.Itoa(len(n.items))
	if len(names) > 0 {
		entries = strings.Join(names, ", ") + ", or " + entries
	}
	return fmt.Errorf("there is no %q in this list: write %s", path[0], entries)
}

// table sets the file of a table, or one of its fields.
func (o overrider) table(n *node, path []string) error {
	if n.kind == null {
		*n = node{kind: mapping, at: n.at}
	}
	if n.kind != mapping {
		return fmt.Errorf("the profile has no tables before %q: correct it there", path[0])
	}
	child := n.get(path[0])
	if child == nil {
		child = &node{at: o.at}
	}
	if len(path) == 1 {
		*child = node{kind: scalar, at: o.at, text: o.value, plain: true}
	} else {
		if child.kind == scalar {
			*child = node{kind: mapping, at: child.at, entries: []entry{{"file", child.at, new(*child)}}}
		}
		if err := o.key(child, reflect.TypeFor[tableFields](), path[1:]); err != nil {
			return err
		}
	}
	n.put(path[0], child)
	return nil
}

// header sets one header, whatever the case of its name.
func (o overrider) header(n *node, name string) error {
	switch n.kind {
	case null:
		*n = node{kind: mapping, at: n.at}
	case mapping:
	default:
		return fmt.Errorf("the profile has no headers before %q: correct it there", name)
	}
	for _, e := range n.entries {
		if strings.EqualFold(e.key, name) {
			name = e.key
		}
	}
	n.put(name, &node{kind: scalar, at: o.at, text: o.value, plain: true})
	return nil
}

// openRequest writes "GET /orders" out, so that its parts can be set.
func openRequest(n *node) {
	method, path, ok := splitRequest(n)
	if n.kind != scalar || !ok {
		return
	}
	*n = node{kind: mapping, at: n.at, entries: []entry{{"method", n.at, method}, {"path", n.at, path}}}
}
