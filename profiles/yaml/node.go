package yaml

import (
	"strconv"
	"strings"
)

// kind is the shape of a node.
type kind uint8

const (
	null kind = iota
	scalar
	mapping
	sequence
)

// node is one value of a profile with its position. Decoding, overriding and
// encoding work on trees of nodes, which hold no anchors, tags or comments.
type node struct {
	kind    kind
	at      position
	text    string // scalar, before the environment is filled in
	plain   bool   // scalar: written without quotes
	entries []entry
	items   []*node
}

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	at    position
	value *node
}

// position is where a node stands: a place in the file, or an override.
type position struct {
	line, column int
	override     string // the key of the override, empty for the file
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// put sets the value of a key, in place if it is there.
func (n *node) put(key string, value *node) {
	for i, e := range n.entries {
		if e.key == key {
			n.entries[i].value = value
			return
		}
	}
	n.entries = append(n.entries, entry{key, value.at, value})
}

// find returns the position of the value at a path such as
// "targets.0.requests.1.method", or of the innermost part of the path that
// exists. An index leads to that entry of a mapping, too: headers are a list in
// the vocabulary of profiles.
func (n *node) find(path string) position {
	for _, key := range strings.Split(path, ".") {
		var child *node
		index, err := strconv.Atoi(key)
		numbered := err == nil && index >= 0
		switch {
		case n.kind == mapping && n.get(key) != nil:
			child = n.get(key)
		case n.kind == mapping && numbered && index < len(n.entries):
			return n.entries[index].at
		case n.kind == sequence && numbered && index < len(n.items):
			child = n.items[index]
		}
		if child == nil {
			break
		}
		n = child
	}
	return n.at
}
