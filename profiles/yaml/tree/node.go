// Package tree is the text of a profile as a tree of nodes, each with its position: read
// from YAML within limits of size and depth, and written as YAML that a person would write.
// It knows no key of a profile.
package tree

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is the shape of a node.
type Kind uint8

// The kinds of nodes.
const (
	Null Kind = iota
	Scalar
	Mapping
	Sequence
)

// Node is one value of a profile with its position. Decoding, overriding and
// encoding work on trees of nodes, which hold no anchors, tags or comments.
type Node struct {
	Kind    Kind
	At      Position
	Text    string // scalar: as it is written, with what the environment fills in later
	Plain   bool   // scalar: written without quotes
	Entries []Entry
	Items   []*Node
}

// Entry is a key of a mapping with its value.
type Entry struct {
	Key   string
	At    Position
	Value *Node
}

// Position is where a node stands: a place in the file, or an override.
type Position struct {
	Line, Column int
	Override     string // the key of the override, empty for the file
}

// Get returns the value of a key, or nil.
func (n *Node) Get(key string) *Node {
	for _, e := range n.Entries {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// Put sets the value of a key, in place if it is there.
func (n *Node) Put(key string, value *Node) {
	for i, e := range n.Entries {
		if e.Key == key {
			n.Entries[i].Value = value
			return
		}
	}
	n.Entries = append(n.Entries, Entry{key, value.At, value})
}

// Find returns the position of the value at a path such as
// "targets.0.requests.1.method", or of the innermost part of the path that
// exists. An index leads to that entry of a mapping, too: headers are a list in
// the vocabulary of profiles.
func (n *Node) Find(path string) Position {
	for _, key := range strings.Split(path, ".") {
		var child *Node
		index, err := strconv.Atoi(key)
		numbered := err == nil && index >= 0
		switch {
		case n.Kind == Mapping && n.Get(key) != nil:
			child = n.Get(key)
		case n.Kind == Mapping && numbered && index < len(n.Entries):
			return n.Entries[index].At
		case n.Kind == Sequence && numbered && index < len(n.Items):
			child = n.Items[index]
		}
		if child == nil {
			break
		}
		n = child
	}
	return n.At
}

// Move puts a tree to a position.
func (n *Node) Move(at Position) {
	n.At = at
	for i := range n.Entries {
		n.Entries[i].At = at
		n.Entries[i].Value.Move(at)
	}
	for _, item := range n.Items {
		item.Move(at)
	}
}

// NotUTF8 returns a text in the tree that YAML cannot hold, or "".
func (n *Node) NotUTF8() string {
	if !utf8.ValidString(n.Text) {
		return n.Text
	}
	for _, e := range n.Entries {
		if !utf8.ValidString(e.Key) {
			return e.Key
		}
		if bad := e.Value.NotUTF8(); bad != "" {
			return bad
		}
	}
	for _, item := range n.Items {
		if bad := item.NotUTF8(); bad != "" {
			return bad
		}
	}
	return ""
}

// Unescaped undoes the escapes in a tree whose texts are in the language already.
func (n *Node) Unescaped() *Node {
	n.Text = Unescape(n.Text)
	for _, e := range n.Entries {
		e.Value.Unescaped()
	}
	for _, item := range n.Items {
		item.Unescaped()
	}
	return n
}

// Unescape undoes the escape of a dollar sign, $$.
func Unescape(s string) string { return strings.ReplaceAll(s, "$$", "$") }
