package yaml

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// turnSyntax is one turn of a script: close, reset or ping, or one key with its value.
type turnSyntax struct {
	kind profiles.TurnKind
	by   profiles.By
	text scalar.Text
	hold scalar.Duration
}

const turnExample = `{send: "PING\r\n"}, {expect: "+PONG\r\n"}, {expect: {line: "^250 "}}, {hold: 2s}, close or reset`

// Decode reads what is spoken to a target first: requests are written as it is.
func (t *targetSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	d.Speaks = profiles.SpeaksHTTP
	if n.Kind == tree.Mapping {
		if u := n.Get("url"); u != nil && u.Kind == tree.Scalar {
			raw, _, err := bind.Expand(u.Text, d.Getenv)
			if err != nil { // which is told of the url
				raw = u.Text
			}
			if s, ok := profiles.SchemeOf(raw); ok {
				d.Speaks = s.Speaks
			} else if begin, _, found := strings.Cut(raw, "://"); found { // what comes behind is wrong, or a template
				if s, ok := profiles.FindScheme(begin); ok {
					d.Speaks = s.Speaks
				}
			}
		}
	}
	d.Fields(bind.ValueOf(t), n, key)
	d.Speaks = profiles.SpeaksHTTP
	for _, list := range [][]*string{sentTexts(t.OnConnect), asStrings(expectedTexts(t.OnConnect))} {
		for _, s := range list {
			if hasRefs(*s) {
				d.Problem(n.Get("on-connect").At, "on-connect", "a connection is no request, and has no row of a table: write ${...} in the script of a request")
			}
			*s = tree.Unescape(*s)
		}
	}
}

func asStrings(list []*scalar.Text) []*string {
	out := make([]*string, len(list))
	for i := range list {
		out[i] = (*string)(list[i])
	}
	return out
}

func (t *turnSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	was := d.Filling
	d.Filling = true // also where a connection begins: a $ of a regular expression is one
	defer func() { d.Filling = was }()
	plain, valued := profiles.TurnKinds()
	if n.Kind == tree.Scalar {
		t.kind = profiles.TurnKind(n.Text)
		if !slices.Contains(plain, t.kind) {
			d.Problem(n.At, key, "%s is no turn of a script: write %s", spelling.Cite(n.Text), turnExample)
		}
		return
	}
	if n.Kind != tree.Mapping || len(n.Entries) != 1 {
		d.Problem(n.At, key, "a turn is one thing: write %s", turnExample)
		return
	}
	e := n.Entries[0]
	t.kind = profiles.TurnKind(e.Key)
	switch {
	case t.kind == profiles.TurnHold:
		d.Scalar(&t.hold, e.Value, e.Key)
	case slices.Contains(plain, t.kind):
		d.Problem(e.At, "", "%s needs no value: write - %s", e.Key, e.Key)
	case !slices.Contains(valued, t.kind):
		d.Problem(e.At, "", "unknown turn %s%s: write %s", spelling.Quote(e.Key), suggestTurn(e.Key), turnExample)
	case e.Value.Kind == tree.Scalar:
		t.by = profiles.ByText
		d.Scalar(&t.text, e.Value, e.Key)
	default:
		t.ways(d, e)
	}
}

func suggestTurn(key string) string {
	plain, valued := profiles.TurnKinds()
	var all []string
	for _, k := range slices.Concat(plain, valued) {
		all = append(all, string(k))
	}
	if near := spelling.Nearest(key, all); near != "" {
		return `; did you mean "` + near + `"?`
	}
	return ""
}

// ways reads {bytes: ...}, {line: ...} and the like.
func (t *turnSyntax) ways(d *bind.Decoder, e tree.Entry) {
	allowed := profiles.ExpectBys()
	example := `{text: ...}, {bytes: "2b 0d"}, {length: 9}, {line: "^250 "}, {regexp: END} or {any: true}`
	if t.kind == profiles.TurnSend {
		allowed, example = []profiles.By{profiles.ByText, profiles.ByBytes}, `{bytes: "00 ff"} and {text: ...}`
	}
	if e.Value.Kind != tree.Mapping || len(e.Value.Entries) != 1 || !slices.Contains(allowed, profiles.By(e.Value.Entries[0].Key)) {
		d.Problem(e.Value.At, e.Key, "write a text or one of %s", example)
		return
	}
	way := e.Value.Entries[0]
	t.by = profiles.By(way.Key)
	switch t.by {
	case profiles.ByLength:
		var n scalar.Limit
		d.Scalar(&n, way.Value, way.Key)
		t.text = scalar.Text(strconv.Itoa(int(n)))
	case profiles.ByAny:
		var any scalar.Toggle
		if d.Scalar(&any, way.Value, way.Key); !bool(any) && len(d.Problems) == 0 {
			d.Problem(way.At, way.Key, "write any: true, or leave out the turn")
		}
	default:
		d.Scalar(&t.text, way.Value, way.Key)
	}
}

func (t *turnSyntax) Node() *tree.Node {
	one := func(key string, value *tree.Node) *tree.Node {
		return &tree.Node{Kind: tree.Mapping, Entries: []tree.Entry{{Key: key, Value: value}}}
	}
	switch t.kind {
	case profiles.TurnHold:
		return one(string(t.kind), bind.TextNode(t.hold.Format()))
	case profiles.TurnSend, profiles.TurnExpect:
		value := bind.TextNode(string(t.text), false)
		switch t.by {
		case profiles.ByText:
			return one(string(t.kind), value)
		case profiles.ByLength:
			value = bind.TextNode(string(t.text), true)
		case profiles.ByAny:
			value = bind.TextNode("true", true)
		}
		return one(string(t.kind), one(string(t.by), value))
	}
	return bind.TextNode(string(t.kind), true)
}

// sentTexts are the texts of a script that may have references.
func sentTexts(script []turnSyntax) []*string {
	var out []*string
	for i := range script {
		if t := &script[i]; t.kind == profiles.TurnSend && t.by == profiles.ByText {
			out = append(out, (*string)(&t.text))
		}
	}
	return out
}

// expectedTexts are the others.
func expectedTexts(script []turnSyntax) []*scalar.Text {
	var out []*scalar.Text
	for i := range script {
		if t := &script[i]; t.kind != profiles.TurnSend || t.by != profiles.ByText {
			out = append(out, &t.text)
		}
	}
	return out
}

func turns(script []turnSyntax) []profiles.Turn {
	var out []profiles.Turn
	for _, t := range script {
		turn := profiles.Turn{Kind: t.kind, By: t.by, Text: string(t.text)}
		if t.kind == profiles.TurnHold {
			turn.For = time.Duration(t.hold)
		}
		out = append(out, turn)
	}
	return out
}

func turnsOf(script []profiles.Turn) []turnSyntax {
	var out []turnSyntax
	for _, t := range script {
		out = append(out, turnSyntax{kind: t.Kind, by: t.By, text: scalar.Text(t.Text), hold: scalar.Duration(t.For)})
	}
	return out
}

func turnSchema() *jsonschema.Schema {
	plain, _ := profiles.TurnKinds()
	var words []any
	for _, k := range plain {
		words = append(words, string(k))
	}
	text := func() *jsonschema.Schema { return &jsonschema.Schema{Types: []string{"string", "number", "boolean"}} }
	only := func(key string, s *jsonschema.Schema) *jsonschema.Schema {
		return &jsonschema.Schema{
			Type: "object", Properties: map[string]*jsonschema.Schema{key: s}, Required: []string{key},
			AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
		}
	}
	expect := []*jsonschema.Schema{text()}
	for _, by := range profiles.ExpectBys() {
		s := text()
		switch by {
		case profiles.ByLength:
			s = schemaOf(reflect.TypeFor[scalar.Limit]())
		case profiles.ByAny:
			s = schemaOf(reflect.TypeFor[scalar.Toggle]())
		}
		expect = append(expect, only(string(by), s))
	}
	return &jsonschema.Schema{Description: "One turn of a script.", AnyOf: []*jsonschema.Schema{
		{Enum: words},
		only("send", &jsonschema.Schema{AnyOf: []*jsonschema.Schema{text(), only("text", text()), only("bytes", text())}}),
		only("expect", &jsonschema.Schema{AnyOf: expect}),
		only("hold", schemaOf(reflect.TypeFor[scalar.Duration]())),
	}}
}
