package message

import (
	"bytes"
	"strconv"
	texttemplate "text/template"
	"text/template/parse"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
)

// Template is a request body that differs between requests: filled in (see attack/fill),
// or in the language of text/template over {{.N}},
// {{.ID}} and {{.Now}}. A body that only inserts them, the usual one, is
// rendered without allocating.
type Template struct {
	parts []part // nil: general
	full  *texttemplate.Template
	fill  *fill.Template // nil: one of text/template
}

// part is literal text, or the field named.
type part struct {
	text  []byte
	field string
}

// templateData is what a template sees.
type templateData struct {
	N   uint64
	ID  string
	Now string
}

func parseTemplate(text string) (*Template, error) {
	full, err := texttemplate.New("body").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	// A field that does not exist shows only when it is executed.
	if err := full.Execute(new(bytes.Buffer), templateData{}); err != nil {
		return nil, err
	}
	t := &Template{full: full}
	if full.Tree == nil { // an empty text
		t.parts = []part{}
		return t, nil
	}
	for _, n := range full.Root.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			t.parts = append(t.parts, part{text: n.Text})
		case *parse.ActionNode:
			f := plainField(n)
			if f == "" {
				t.parts = nil
				return t, nil
			}
			t.parts = append(t.parts, part{field: f})
		default:
			t.parts = nil
			return t, nil
		}
	}
	return t, nil
}

// plainField returns the field of {{.Field}}, empty for any other action.
func plainField(n *parse.ActionNode) string {
	if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 {
		return ""
	}
	f, ok := n.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(f.Ident) != 1 {
		return ""
	}
	return f.Ident[0]
}

// Render appends the body of an attempt's request.
func (t *Template) Render(b []byte, id attack.RunID, a *attack.Attempt, now time.Time) []byte {
	if t.fill != nil {
		return t.fill.Append(b, id, a, now)
	}
	request := a.Request
	if t.parts == nil {
		buf := bytes.NewBuffer(b)
		// Executed with these types before: what can still fail, as an index
		// out of range, leaves what was rendered until then.
		_ = t.full.Execute(buf, templateData{
			N: request, ID: string(id.AppendTransactionID(nil, request)), Now: now.Format(time.RFC3339Nano),
		})
		return buf.Bytes()
	}
	for _, p := range t.parts {
		switch p.field {
		case "N":
			b = strconv.AppendUint(b, request, 10)
		case "ID":
			b = id.AppendTransactionID(b, request)
		case "Now":
			b = now.AppendFormat(b, time.RFC3339Nano)
		default:
			b = append(b, p.text...)
		}
	}
	return b
}
