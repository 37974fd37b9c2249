package yaml

import (
	"net/url"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// tables are the tables of a profile, in the order written.
type tables []table

type table struct {
	name string
	tableFields
}

// Decode reads names with files, or with the fields of a table.
func (v *tables) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind == tree.Null {
		return
	}
	if n.Kind != tree.Mapping {
		d.Problem(n.At, key, "these must be names with files: write {users: users.csv}")
		return
	}
	for _, e := range n.Entries {
		t := table{name: e.Key}
		if slices.ContainsFunc(*v, func(other table) bool { return other.name == e.Key }) {
			d.Problem(e.At, "", "data %s is there twice: leave one of them out", spelling.Quote(e.Key))
			continue
		}
		if e.Value.Kind == tree.Scalar {
			t.File = new(scalar.Text)
			d.Scalar(t.File, e.Value, e.Key)
		} else {
			d.Fields(bind.ValueOf(&t.tableFields), e.Value, e.Key)
		}
		*v = append(*v, t)
	}
}

func (v *tables) Node() *tree.Node {
	n := &tree.Node{Kind: tree.Mapping}
	for _, t := range *v {
		value := bind.TextNode(string(bind.Deref(t.File)), false)
		if t.Pick != nil {
			value = &tree.Node{Kind: tree.Mapping, Entries: []tree.Entry{{Key: "file", Value: value}, {Key: "pick", Value: bind.TextNode(t.Pick.Format())}}}
		}
		n.Entries = append(n.Entries, tree.Entry{Key: t.name, Value: value})
	}
	return n
}

func (v *tables) tables() []profiles.Table {
	var out []profiles.Table
	for _, t := range *v {
		out = append(out, profiles.Table{Name: t.name, File: string(bind.Deref(t.File)), Pick: profiles.Pick(bind.Or(t.Pick, scalar.RowPick(profiles.PickSequential)))})
	}
	return out
}

func tablesOf(list []profiles.Table) *tables {
	var out tables
	for _, t := range list {
		file := scalar.Text(t.File)
		one := table{name: t.Name, tableFields: tableFields{File: &file}}
		if t.Pick != profiles.PickSequential {
			p := scalar.RowPick(t.Pick)
			one.Pick = &p
		}
		out = append(out, one)
	}
	return &out
}

// expandFilled is expand for a text that may have references, which have a point and so
// are no variables: they stay as they are.
func expandFilled(s string, getenv func(string) (string, bool)) (string, []string, error) {
	var b strings.Builder
	var taken []string
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String(), taken, nil
		}
		inside, rest, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteString("$$")
			s = after[1:]
		case !strings.HasPrefix(after, "{"):
			b.WriteString("$$")
			s = after
		case closed && strings.Contains(inside, "."):
			if _, err := data.ParseRef(inside); err != nil {
				return "", nil, err
			}
			b.WriteString("${" + inside + "}")
			s = rest
		default:
			value, from, err := bind.Expand("$"+after[:min(len(after), len(inside)+2)], getenv)
			if err != nil {
				return "", nil, err
			}
			b.WriteString(data.Literal(value))
			taken = append(taken, from...)
			s = rest
		}
	}
}

// settle finds out whether a request has references. One that has none holds plain
// text.
func (r *requestSyntax) settle(d *bind.Decoder, n *tree.Node) {
	plain := []*scalar.Text{r.BodyFile, r.Call}
	var texts []*string
	plain = append(plain, expectedTexts(r.Script)...)
	texts = append(texts, sentTexts(r.Script)...)
	for _, t := range []*scalar.Text{r.Path, r.Body, r.Command} {
		if t != nil {
			texts = append(texts, (*string)(t))
		}
	}
	if r.Message != nil {
		texts = append(texts, (*string)(r.Message))
	}
	for i := range r.Messages {
		texts = append(texts, (*string)(&r.Messages[i]))
	}
	for _, list := range []*scalar.Headers{r.Headers, (*scalar.Headers)(r.Form), r.Metadata} {
		if list == nil {
			continue
		}
		for i := range *list {
			texts = append(texts, &(*list)[i].Value)
		}
	}
	for i := range r.Multipart {
		p := &r.Multipart[i]
		plain = append(plain, p.Name, p.File, p.Type)
		if p.Value != nil {
			texts = append(texts, (*string)(p.Value))
		}
	}
	for _, t := range plain {
		if t == nil {
			continue
		}
		if hasRefs(string(*t)) {
			d.Problem(n.At, "", "%s is the name of something and cannot change with each request: write ${...} in paths, headers and bodies", spelling.Cite(string(*t)))
		}
		*t = scalar.Text(tree.Unescape(string(*t)))
	}
	r.filled = slices.ContainsFunc(texts, func(s *string) bool { return hasRefs(*s) })
	if !r.filled {
		for _, s := range texts {
			*s = tree.Unescape(*s)
		}
	}
}

func hasRefs(s string) bool {
	pieces, err := data.Parse(s)
	return err == nil && slices.ContainsFunc(pieces, func(p data.Piece) bool { return !p.Literal() })
}

// escapeAround escapes a value of a form, and leaves its references for the time at
// which they are filled in and escaped.
func escapeAround(s string) string {
	pieces, err := data.Parse(s)
	if err != nil { // the rules say so
		return s
	}
	var b strings.Builder
	for _, p := range pieces {
		if p.Literal() {
			b.WriteString(url.QueryEscape(p.Text))
		} else {
			b.WriteString("${" + p.Ref.String() + "}")
		}
	}
	return b.String()
}
