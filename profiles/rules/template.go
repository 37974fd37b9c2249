package rules

import (
	"errors"
	"fmt"
	"slices"
	"text/template/parse"

	"github.com/rampload/rampload/profiles/spelling"
)

// checkTemplate checks a body template: text/template with the fields N, ID and
// Now and the built-in functions, without loops, variables and further templates,
// so that filling it in always ends.
func checkTemplate(body string) error {
	functions := make(map[string]any)
	for _, name := range []string{
		"and", "or", "not", "len", "index", "slice", "print", "printf", "println",
		"html", "js", "urlquery", "eq", "ne", "lt", "le", "gt", "ge",
	} {
		functions[name] = true
	}
	trees, err := parse.Parse("body", body, "", "", functions)
	if err != nil {
		return errors.New("the template does not parse: write {{.N}}, {{.ID}} or {{.Now}}, and {{\"{{\"}} for the braces themselves")
	}
	if len(trees) > 1 {
		return errors.New("the template defines another one: leave out define and block")
	}
	if tree := trees["body"]; tree != nil && tree.Root != nil {
		return checkNode(tree.Root)
	}
	return nil
}

// checkNode checks a node of a template and those below it.
func checkNode(node parse.Node) error {
	var below []parse.Node
	switch node := node.(type) {
	case *parse.TextNode, *parse.CommentNode, *parse.IdentifierNode, *parse.DotNode,
		*parse.StringNode, *parse.NumberNode, *parse.BoolNode:
	case *parse.FieldNode:
		if len(node.Ident) == 1 && slices.Contains([]string{"N", "ID", "Now"}, node.Ident[0]) {
			return nil
		}
		return fmt.Errorf("the template has no %s: write {{.N}}, {{.ID}} or {{.Now}}", spelling.Quote(node.String()))
	case *parse.ListNode:
		if node != nil {
			below = node.Nodes
		}
	case *parse.ActionNode:
		below = []parse.Node{node.Pipe}
	case *parse.IfNode:
		below = []parse.Node{node.Pipe, node.List, node.ElseList}
	case *parse.PipeNode:
		if len(node.Decl) > 0 {
			return fmt.Errorf("%s sets a variable: write {{.N}}, {{.ID}} or {{.Now}} where they belong", spelling.Quote(node.String()))
		}
		for _, c := range node.Cmds {
			below = append(below, c)
		}
	case *parse.CommandNode:
		below = node.Args
	default:
		return fmt.Errorf("%s is more than a body template can do: write {{.N}}, {{.ID}} or {{.Now}}", spelling.Quote(node.String()))
	}
	for _, n := range below {
		if err := checkNode(n); err != nil {
			return err
		}
	}
	return nil
}
