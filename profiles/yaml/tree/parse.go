package tree

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"

	goyaml "github.com/goccy/go-yaml"
)

// Limits of a profile's text. The parser takes memory and time that grow with
// the square of the number of tokens (20,000 cost it at most 0.4 s and 630 MB in
// all, measured) and with the depth of flow collections (400 KB of "[" cost it
// 4.8 GB), so that tokens and depth are limited before it runs. An alias counts
// as all that it stands for.
const (
	MaxBytes  = 1 << 20
	maxTokens = 20000
	maxDepth  = 32
	maxNodes  = 50000
)

// Error is why a text is no tree, and where.
type Error struct {
	At  Position
	Msg string
}

// Error is the message, without the place.
func (e *Error) Error() string { return e.Msg }

func failAt(at Position, format string, args ...any) error {
	return &Error{at, fmt.Sprintf(format, args...)}
}

// Parse turns text into a tree. Errors are of type *[Error]. An empty document is a
// null node.
func Parse(data []byte) (*Node, error) {
	if len(data) > MaxBytes {
		return nil, failAt(Position{}, "the profile has %d bytes, more than %d: put bodies into files (body-file) and requests into a targets file (file)", len(data), MaxBytes)
	}
	text := strings.TrimPrefix(string(data), "\ufeff") // byte order mark
	if at, ok := notUTF8(text); ok {
		return nil, failAt(at, "this byte is not UTF-8: save the profile as UTF-8")
	}
	tokens, err := scan(text)
	if err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // build reports them all
	if err != nil {
		return nil, syntaxError(err, text)
	}
	root := &Node{At: Position{Line: 1, Column: 1}}
	b := builder{anchors: make(map[string]ast.Node)}
	found := false
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if found {
			return nil, failAt(startOf(doc.Body), "a second document begins here: one file is one profile, put it into a file of its own")
		}
		found = true
		if root, err = b.build(doc.Body, 0); err != nil {
			return nil, err
		}
	}
	return root, nil
}

func notUTF8(text string) (Position, bool) {
	if utf8.ValidString(text) {
		return Position{}, false
	}
	at := Position{Line: 1, Column: 1}
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				break
			}
		}
		at.Column++
		if r == '\n' {
			at.Line, at.Column = at.Line+1, 1
		}
	}
	return at, true
}

// scan splits text into tokens and stops at the limits.
func scan(text string) (token.Tokens, error) {
	var s scanner.Scanner
	s.Init(text)
	var tokens token.Tokens
	depth, run, line := 0, 0, 0
	for {
		more, err := s.Scan()
		if errors.Is(err, io.EOF) {
			return tokens, nil
		}
		for _, t := range more {
			switch t.Type {
			case token.SequenceStartType, token.MappingStartType:
				depth++
			case token.SequenceEndType, token.MappingEndType:
				depth--
			case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.AliasType, token.TagType:
				if run++; t.Position.Line != line { // "- - - a" nests on one line
					run, line = 1, t.Position.Line
				}
			case token.CollectEntryType:
				run = 0
			}
			if depth > maxDepth || run > maxDepth {
				return nil, tooDeep(positionOf(t))
			}
		}
		tokens.Add(more...)
		if len(tokens) > maxTokens {
			return nil, failAt(positionOf(tokens[maxTokens]), "the profile has more than %d words and marks: put requests into a targets file (file)", maxTokens)
		}
	}
}

func tooDeep(at Position) error {
	return failAt(at, "brackets and lists nest deeper than %d here: no profile needs that, check the indentation", maxDepth)
}

// syntaxError words an error of the parser.
func syntaxError(err error, text string) error {
	at, message := Position{Line: 1, Column: 1}, ""
	var syntax *goyaml.SyntaxError
	if errors.As(err, &syntax) {
		at, message = positionOf(syntax.Token), syntax.Message
	} else {
		message, _, _ = strings.Cut(err.Error(), "\n")
	}
	lines := strings.Split(text, "\n")
	if at.Line <= len(lines) && strings.Contains(lines[at.Line-1], "${") {
		return failAt(at, "this is not YAML (%s): write \"${NAME}\" in quotes, it has braces itself", message)
	}
	return failAt(at, "this is not YAML (%s): check indentation, quotes and brackets", message)
}

func positionOf(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{Line: 1, Column: 1}
	}
	return Position{Line: t.Position.Line, Column: t.Position.Column}
}

// builder turns the parser's tree into nodes, resolving aliases and merge keys.
type builder struct {
	anchors map[string]ast.Node
	open    []string // anchors being built: an alias to one of them has no end
	nodes   int
}

func (b *builder) build(n ast.Node, depth int) (*Node, error) {
	at := startOf(n)
	if b.nodes++; b.nodes > maxNodes {
		return nil, failAt(at, "the profile has more than %d values, aliases written out: write fewer", maxNodes)
	}
	if depth > maxDepth {
		return nil, tooDeep(at)
	}
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return &Node{At: at}, nil
	case *ast.StringNode:
		return &Node{Kind: Scalar, At: at, Text: n.Value, Plain: n.Token.Type == token.StringType}, nil
	case *ast.LiteralNode:
		return &Node{Kind: Scalar, At: at, Text: n.Value.Value}, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return &Node{Kind: Scalar, At: at, Text: strings.TrimSpace(n.GetToken().Value), Plain: true}, nil
	case *ast.MappingNode:
		return b.mapping(n.Values, at, depth)
	case *ast.MappingValueNode:
		return b.mapping([]*ast.MappingValueNode{n}, at, depth)
	case *ast.SequenceNode:
		out := &Node{Kind: Sequence, At: at}
		for _, v := range n.Values {
			item, err := b.build(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, item)
		}
		return out, nil
	case *ast.AnchorNode:
		return b.anchor(n, depth)
	case *ast.AliasNode:
		return b.alias(n, depth)
	case *ast.MappingKeyNode:
		return nil, failAt(at, "a key is one word here: write key: value")
	case *ast.TagNode:
		return nil, failAt(at, "tags are not used in profiles: leave out %s", n.Start.Value)
	}
	return nil, failAt(at, "%s has no place in a profile: leave it out", strings.ToLower(n.Type().String()))
}

// startOf returns where a node begins: a mapping with its first key, which its
// own token does not tell.
func startOf(n ast.Node) Position {
	switch n := n.(type) {
	case nil:
		return Position{Line: 1, Column: 1}
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return positionOf(n.Values[0].Key.GetToken())
		}
	case *ast.MappingValueNode:
		return positionOf(n.Key.GetToken())
	}
	return positionOf(n.GetToken())
}

func (b *builder) mapping(values []*ast.MappingValueNode, at Position, depth int) (*Node, error) {
	out := &Node{Kind: Mapping, At: at}
	var merged []*Node
	for _, v := range values {
		child, err := b.build(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if _, ok := v.Key.(*ast.MergeKeyNode); ok {
			merged = append(merged, child)
			continue
		}
		key, err := b.build(v.Key, depth+1)
		if err != nil {
			return nil, err
		}
		if key.Kind != Scalar {
			return nil, failAt(key.At, "a key is one word here: write key: value")
		}
		if child.Kind == Null { // it stands where its key does
			child.At = key.At
		}
		out.Entries = append(out.Entries, Entry{key.Text, key.At, child})
	}
	for _, m := range merged {
		if err := out.merge(m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// merge adds the entries that the mapping does not have itself.
func (n *Node) merge(m *Node) error {
	switch m.Kind {
	case Mapping:
		for _, e := range m.Entries {
			if n.Get(e.Key) == nil {
				n.Entries = append(n.Entries, e)
			}
		}
		return nil
	case Sequence:
		for _, item := range m.Items {
			if item.Kind != Mapping {
				return failAt(item.At, "only mappings can be merged: write <<: *anchor of one")
			}
			if err := n.merge(item); err != nil {
				return err
			}
		}
		return nil
	}
	return failAt(m.At, "only mappings can be merged: write <<: *anchor of one")
}

func (b *builder) anchor(n *ast.AnchorNode, depth int) (*Node, error) {
	name := n.Name.GetToken().Value
	b.open = append(b.open, name)
	out, err := b.build(n.Value, depth)
	b.open = b.open[:len(b.open)-1]
	b.anchors[name] = n.Value
	return out, err
}

// alias builds the anchored value once more, so that an override of one does not
// change the other.
func (b *builder) alias(n *ast.AliasNode, depth int) (*Node, error) {
	name := n.Value.GetToken().Value
	for _, open := range b.open {
		if open == name {
			return nil, failAt(positionOf(n.Start), "*%s is part of itself: write the value out", name)
		}
	}
	value, ok := b.anchors[name]
	if !ok {
		return nil, failAt(positionOf(n.Start), "there is no anchor &%s before this: write the value out, or add &%s to one above", name, name)
	}
	return b.build(value, depth)
}
