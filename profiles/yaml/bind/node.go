package bind

import (
	"reflect"

	"github.com/rampload/rampload/profiles/yaml/tree"
)

// Noder is a part of the syntax that is not written by its fields.
type Noder interface {
	Node() *tree.Node
}

// NodeOf turns a value of the syntax into a node, nil for what is left out.
func NodeOf(v reflect.Value) *tree.Node {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
	}
	pointer := reflect.New(v.Type())
	pointer.Elem().Set(v)
	switch x := pointer.Interface().(type) {
	case Noder:
		return x.Node()
	case Scalar:
		return TextNode(x.Format())
	}
	if v.Kind() == reflect.Slice {
		n := &tree.Node{Kind: tree.Sequence}
		for i := range v.Len() {
			n.Items = append(n.Items, NodeOf(v.Index(i)))
		}
		return n
	}
	n := &tree.Node{Kind: tree.Mapping}
	for _, f := range FieldsOf(v.Type()) {
		if child := NodeOf(v.Field(f.Index)); child != nil {
			n.Entries = append(n.Entries, tree.Entry{Key: f.Key, Value: child})
		}
	}
	return n
}

// TextNode is the node of a text; plain says that it needs no quotes.
func TextNode(text string, plain bool) *tree.Node {
	if !plain {
		text = Escape(text)
	}
	return &tree.Node{Kind: tree.Scalar, Text: text, Plain: plain || tree.IsPlain(text)}
}
