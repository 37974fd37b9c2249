package yaml

import (
	"reflect"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// requestSyntax is "GET /orders/42", or the fields of a request.
type requestSyntax struct {
	requestFields
	filled bool // its texts are in the language of package data
}

// valueOf is the settable value of what a pointer points to.
func valueOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }

func (r *requestSyntax) decode(d *decoder, n *tree.Node, key string) {
	d.filling = true
	r.read(d, n, key)
	d.filling = false
	r.settle(d, n)
}

func (r *requestSyntax) read(d *decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.fields(valueOf(&r.requestFields), n, key)
		if n.Kind == tree.Mapping {
			r.bodies(d, n)
			r.calls(d, n)
		}
		return
	}
	if !d.speaks.OverHTTP() {
		r.Command = new(text)
		d.scalar(r.Command, n, key)
		return
	}
	if isCall(n.Text) {
		r.Call = new(text)
		d.scalar(r.Call, n, key)
		return
	}
	method, path, ok := splitRequest(n)
	if !ok {
		d.problem(n.At, key, "%s is not a request: write a method and a path, such as %s", cite(n.Text), likelyRequest(n.Text))
		return
	}
	r.Method, r.Path = new(word), new(text)
	d.scalar(r.Method, method, key)
	d.scalar(r.Path, path, key)
}

// splitRequest makes nodes of the two words of "GET /orders/42".
func splitRequest(n *tree.Node) (method, path *tree.Node, ok bool) {
	words := strings.Fields(n.Text)
	if len(words) != 2 || !strings.ContainsRune("/?*$", rune(words[1][0])) {
		return nil, nil, false
	}
	return &tree.Node{Kind: tree.Scalar, At: n.At, Text: words[0], Plain: true},
		&tree.Node{Kind: tree.Scalar, At: n.At, Text: words[1], Plain: true}, true
}

// likelyRequest is what somebody who wrote the text probably meant.
func likelyRequest(text string) string {
	if words := strings.Fields(text); len(words) == 1 && strings.HasPrefix(text, "/") {
		return "GET " + text
	}
	return "GET /orders/42"
}

func (v *statuses) decode(d *decoder, n *tree.Node, key string) {
	if n.Kind != tree.Sequence {
		d.scalar(v, n, key)
		return
	}
	*v = statuses{}
	for _, item := range n.Items {
		var one statuses
		d.scalar(&one, item, key)
		*v = append(*v, one...)
	}
}

// bodies notes where a form or multipart stands beside another body.
func (r *requestFields) bodies(d *decoder, n *tree.Node) {
	var there []string
	for _, key := range []string{"body", "body-file", "form", "multipart"} {
		if n.Get(key) != nil {
			there = append(there, key)
		}
	}
	if len(there) > 1 && (r.Form != nil || len(r.Multipart) > 0) {
		d.problem(n.Get(there[1]).At, there[1], "the request has %s and %s: write one of them", there[0], there[1])
	}
}

func (v *form) decode(d *decoder, n *tree.Node, key string) {
	(*headers)(v).fields(d, n, key, "field", "these must be names with values: write user: anna")
	if *v == nil {
		*v = form{}
	}
}

func (v *headers) decode(d *decoder, n *tree.Node, key string) {
	v.fields(d, n, key, "header", "these must be names with values: write X-Tenant: a")
}

// fields reads names with values, or with lists of them.
func (v *headers) fields(d *decoder, n *tree.Node, key, noun, advice string) {
	if n.Kind == tree.Null {
		return
	}
	if n.Kind != tree.Mapping {
		d.problem(n.At, key, "%s", advice)
		return
	}
	seen := make(map[string]bool, len(n.Entries))
	for _, e := range n.Entries {
		if seen[e.Key] {
			d.problem(e.At, "", "%s %s is there twice: write its values as a list, %s: [a, b]", noun, quote(e.Key), e.Key)
			continue
		}
		seen[e.Key] = true
		values := []*tree.Node{e.Value}
		if e.Value.Kind == tree.Sequence {
			values = e.Value.Items
		}
		for _, value := range values {
			var s text
			d.scalar(&s, value, e.Key)
			*v = append(*v, profiles.Header{Name: e.Key, Value: string(s)})
		}
	}
}
