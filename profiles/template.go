package profiles

import (
	"errors"
	"fmt"
	"text/template/parse"
)

// TemplatePart is a piece of a body template: literal text, or, where Field is
// set, the place of a value that differs from request to request.
type TemplatePart struct {
	Text  string
	Field TemplateField
}

// TemplateField is what a template fills in.
type TemplateField string

// The fields of templates.
const (
	FieldNone TemplateField = ""    // literal text
	FieldN    TemplateField = "N"   // the request's number in the schedule, from 0
	FieldID   TemplateField = "ID"  // the transaction id
	FieldNow  TemplateField = "Now" // the time at which the request is sent, RFC 3339
)

// ParseTemplate splits a body template into its parts. The syntax is that of
// text/template, limited to {{.N}}, {{.ID}}, {{.Now}}, comments and quoted strings
// (for the braces themselves: {{"{{"}}), so that filling it in is copying.
func ParseTemplate(body string) ([]TemplatePart, error) {
	trees, err := parse.Parse("body", body, "", "")
	if err != nil {
		return nil, errors.New("the template does not parse: write {{.N}}, {{.ID}} or {{.Now}}, and {{\"{{\"}} for the braces themselves")
	}
	tree := trees["body"]
	if tree == nil || tree.Root == nil { // nothing but blanks
		return []TemplatePart{{Text: body}}, nil
	}
	parts := make([]TemplatePart, 0, len(tree.Root.Nodes))
	for _, node := range tree.Root.Nodes {
		part, ok := templatePart(node)
		if !ok {
			return nil, fmt.Errorf("the template knows {{.N}}, {{.ID}} and {{.Now}} only: write one of them instead of %s", quote(node.String()))
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func templatePart(node parse.Node) (TemplatePart, bool) {
	switch node := node.(type) {
	case *parse.TextNode:
		return TemplatePart{Text: string(node.Text)}, true
	case *parse.ActionNode:
		if len(node.Pipe.Decl) > 0 || len(node.Pipe.Cmds) != 1 || len(node.Pipe.Cmds[0].Args) != 1 {
			return TemplatePart{}, false
		}
		switch arg := node.Pipe.Cmds[0].Args[0].(type) {
		case *parse.StringNode:
			return TemplatePart{Text: arg.Text}, true
		case *parse.FieldNode:
			switch field := TemplateField(arg.Ident[0]); field {
			case FieldN, FieldID, FieldNow:
				return TemplatePart{Field: field}, len(arg.Ident) == 1
			}
		}
	}
	return TemplatePart{}, false
}
