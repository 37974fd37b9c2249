package yaml

import (
	"reflect"
	"strings"

	"github.com/rampload/rampload/profiles"
)

// requestSyntax is "GET /orders/42", or the fields of a request.
type requestSyntax struct {
	requestFields
	filled bool // its texts are in the language of package data
}

// valueOf is the settable value of what a pointer points to.
func valueOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }

func (r *requestSyntax) decode(d *decoder, n *node, key string) {
	d.filling = true
	r.read(d, n, key)
	d.filling = false
	r.settle(d, n)
}

func (r *requestSyntax) read(d *decoder, n *node, key string) {
	if n.kind != scalar {
		d.fields(valueOf(&r.requestFields), n, key)
		if n.kind == mapping {
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
	if isCall(n.text) {
		r.Call = new(text)
		d.scalar(r.Call, n, key)
		return
	}
	method, path, ok := splitRequest(n)
	if !ok {
		d.problem(n.at, key, "%s is not a request: write a method and a path, such as %s", cite(n.text), likelyRequest(n.text))
		return
	}
	r.Method, r.Path = new(word), new(text)
	d.scalar(r.Method, method, key)
	d.scalar(r.Path, path, key)
}

// splitRequest makes nodes of the two words of "GET /orders/42".
func splitRequest(n *node) (method, path *node, ok bool) {
	words := strings.Fields(n.text)
	if len(words) != 2 || !strings.ContainsRune("/?*$", rune(words[1][0])) {
		return nil, nil, false
	}
	return &node{kind: scalar, at: n.at, text: words[0], plain: true},
		&node{kind: scalar, at: n.at, text: words[1], plain: true}, true
}

// likelyRequest is what somebody who wrote the text probably meant.
func likelyRequest(text string) string {
	if words := strings.Fields(text); len(words) == 1 && strings.HasPrefix(text, "/") {
		return "GET " + text
	}
	return "GET /orders/42"
}

func (v *statuses) decode(d *decoder, n *node, key string) {
	if n.kind != sequence {
		d.scalar(v, n, key)
		return
	}
	*v = statuses{}
	for _, item := range n.items {
		var one statuses
		d.scalar(&one, item, key)
		*v = append(*v, one...)
	}
}

// bodies notes where a form or multipart stands beside another body.
func (r *requestFields) bodies(d *decoder, n *node) {
	var there []string
	for _, key := range []string{"body", "body-file", "form", "multipart"} {
		if n.get(key) != nil {
			there = append(there, key)
		}
	}
	if len(there) > 1 && (r.Form != nil || len(r.Multipart) > 0) {
		d.problem(n.get(there[1]).at, there[1], "the request has %s and %s: write one of them", there[0], there[1])
	}
}

func (v *form) decode(d *decoder, n *node, key string) {
	(*headers)(v).fields(d, n, key, "field", "these must be names with values: write user: anna")
	if *v == nil {
		*v = form{}
	}
}

func (v *headers) decode(d *decoder, n *node, key string) {
	v.fields(d, n, key, "header", "these must be names with values: write X-Tenant: a")
}

// fields reads names with values, or with lists of them.
func (v *headers) fields(d *decoder, n *node, key, noun, advice string) {
	if n.kind == null {
		return
	}
	if n.kind != mapping {
		d.problem(n.at, key, "%s", advice)
		return
	}
	seen := make(map[string]bool, len(n.entries))
	for _, e := range n.entries {
		if seen[e.key] {
			d.problem(e.at, "", "%s %s is there twice: write its values as a list, %s: [a, b]", noun, quote(e.key), e.key)
			continue
		}
		seen[e.key] = true
		values := []*node{e.value}
		if e.value.kind == sequence {
			values = e.value.items
		}
		for _, value := range values {
			var s text
			d.scalar(&s, value, e.key)
			*v = append(*v, profiles.Header{Name: e.key, Value: string(s)})
		}
	}
}
