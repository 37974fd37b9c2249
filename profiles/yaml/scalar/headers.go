package scalar

import (
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

func (v *Form) Decode(d *bind.Decoder, n *tree.Node, key string) {
	(*Headers)(v).fields(d, n, key, "field", "these must be names with values: write user: anna")
	if *v == nil {
		*v = Form{}
	}
}

func (v *Headers) Decode(d *bind.Decoder, n *tree.Node, key string) {
	v.fields(d, n, key, "header", "these must be names with values: write X-Tenant: a")
}

// fields reads names with values, or with lists of them.
func (v *Headers) fields(d *bind.Decoder, n *tree.Node, key, noun, advice string) {
	if n.Kind == tree.Null {
		return
	}
	if n.Kind != tree.Mapping {
		d.Problem(n.At, key, "%s", advice)
		return
	}
	seen := make(map[string]bool, len(n.Entries))
	for _, e := range n.Entries {
		if seen[e.Key] {
			d.Problem(e.At, "", "%s %s is there twice: write its values as a list, %s: [a, b]", noun, spelling.Quote(e.Key), e.Key)
			continue
		}
		seen[e.Key] = true
		values := []*tree.Node{e.Value}
		if e.Value.Kind == tree.Sequence {
			values = e.Value.Items
		}
		for _, value := range values {
			var s Text
			d.Scalar(&s, value, e.Key)
			*v = append(*v, profiles.Header{Name: e.Key, Value: string(s)})
		}
	}
}

func (v *Headers) Node() *tree.Node {
	n := &tree.Node{Kind: tree.Mapping}
	for _, h := range *v {
		value := bind.TextNode(h.Value, false)
		switch present := n.Get(h.Name); {
		case present == nil:
			n.Put(h.Name, value)
		case present.Kind == tree.Sequence:
			present.Items = append(present.Items, value)
		default:
			n.Put(h.Name, &tree.Node{Kind: tree.Sequence, Items: []*tree.Node{present, value}})
		}
	}
	return n
}
