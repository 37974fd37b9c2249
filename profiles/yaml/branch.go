package yaml

import (
	"strings"

	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// requestSyntax is "GET /orders/42", or the fields of a request.
type requestSyntax struct {
	requestFields
	filled bool // its texts are in the language of package data
}

func (r *requestSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	d.Filling = true
	r.read(d, n, key)
	d.Filling = false
	r.settle(d, n)
}

func (r *requestSyntax) read(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&r.requestFields), n, key)
		if n.Kind == tree.Mapping {
			r.bodies(d, n)
			r.calls(d, n)
		}
		return
	}
	if !d.Speaks.OverHTTP() {
		r.Command = new(scalar.Text)
		d.Scalar(r.Command, n, key)
		return
	}
	if isCall(n.Text) {
		r.Call = new(scalar.Text)
		d.Scalar(r.Call, n, key)
		return
	}
	method, path, ok := splitRequest(n)
	if !ok {
		d.Problem(n.At, key, "%s is not a request: write a method and a path, such as %s", spelling.Cite(n.Text), likelyRequest(n.Text))
		return
	}
	r.Method, r.Path = new(scalar.Word), new(scalar.Text)
	d.Scalar(r.Method, method, key)
	d.Scalar(r.Path, path, key)
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

// bodies notes where a form or multipart stands beside another body.
func (r *requestFields) bodies(d *bind.Decoder, n *tree.Node) {
	var there []string
	for _, key := range []string{"body", "body-file", "form", "multipart"} {
		if n.Get(key) != nil {
			there = append(there, key)
		}
	}
	if len(there) > 1 && (r.Form != nil || len(r.Multipart) > 0) {
		d.Problem(n.Get(there[1]).At, there[1], "the request has %s and %s: write one of them", there[0], there[1])
	}
}
