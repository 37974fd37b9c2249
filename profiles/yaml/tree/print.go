package tree

import (
	"strconv"
	"strings"
)

// printer writes a tree as YAML: short leaves on one line in braces, the rest in
// blocks. It quotes whatever might be read as something else, which an encoder
// for all of YAML cannot be relied on to do for text such as bodies.
type printer struct{ strings.Builder }

// Print returns the tree as YAML.
func (n *Node) Print() string {
	var w printer
	w.block(n, 0)
	return w.String()
}

// lineWidth is how long a mapping or list on one line may be.
const lineWidth = 100

func (w *printer) block(n *Node, indent int) {
	for _, e := range n.Entries {
		w.indent(indent)
		w.WriteString(keyText(e.Key) + ":")
		w.child(e.Value, indent)
	}
	for _, item := range n.Items {
		w.indent(indent)
		w.WriteString("-")
		if line, ok := flow(item); ok && len(line)+indent < lineWidth {
			w.WriteString(" " + line + "\n")
			continue
		}
		var inner printer // "- key: value": the first line moves behind the dash
		inner.block(item, indent+2)
		w.WriteString(" " + inner.String()[indent+2:])
	}
}

// child writes the value of a key: on the key's line, or as a block below it.
func (w *printer) child(n *Node, indent int) {
	leaf := n.Kind == Scalar || len(n.Entries) == 0 && len(n.Items) == 0
	line, ok := flow(n)
	if leaf || ok && n.Kind == Sequence && allScalars(n) && len(line)+indent < lineWidth && !hasGates(n) || ok && n.Kind == Mapping && len(line)+indent < lineWidth/2 {
		w.WriteString(" " + line + "\n")
		return
	}
	w.WriteByte('\n')
	w.block(n, indent+2)
}

func allScalars(n *Node) bool {
	for _, item := range n.Items {
		if item.Kind != Scalar {
			return false
		}
	}
	return true
}

// hasGates reports whether the entries are more than words: those are easier to
// read one a line.
func hasGates(n *Node) bool {
	for _, item := range n.Items {
		if strings.Contains(item.Text, " ") {
			return true
		}
	}
	return false
}

func (w *printer) indent(n int) { w.WriteString(strings.Repeat(" ", n)) }

// flow writes a node on one line; false when that would not be read well.
func flow(n *Node) (string, bool) {
	switch n.Kind {
	case Scalar:
		return scalarText(n), true
	case Sequence:
		parts := make([]string, len(n.Items))
		for i, item := range n.Items {
			part, ok := flow(item)
			if !ok {
				return "", false
			}
			parts[i] = part
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	case Mapping:
		parts := make([]string, len(n.Entries))
		for i, e := range n.Entries {
			part, ok := flow(e.Value)
			if !ok || len(part) > lineWidth/2 {
				return "", false
			}
			parts[i] = keyText(e.Key) + ": " + part
		}
		return "{" + strings.Join(parts, ", ") + "}", true
	}
	return "", false
}

func keyText(key string) string { return scalarText(&Node{Text: key, Plain: IsPlain(key)}) }

// scalarText writes a scalar: as it is, in single quotes where that saves
// backslashes, else in double quotes. Go's escapes are YAML's, but for \x, which
// Go uses for DEL only (in text that is UTF-8), where both mean the same.
func scalarText(n *Node) string {
	if n.Plain {
		return n.Text
	}
	printable := strings.IndexFunc(n.Text, func(r rune) bool { return r < ' ' || r > '~' }) < 0
	if printable && strings.ContainsAny(n.Text, `"\`) && !strings.Contains(n.Text, "'") {
		return "'" + n.Text + "'"
	}
	return strconv.Quote(n.Text)
}

// IsPlain reports whether text is safe without quotes, in braces, too: it begins
// with a letter or a slash, holds no character that might mean something, and is
// no word that YAML knows.
func IsPlain(text string) bool {
	for i, r := range text {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '/'
		digit := r >= '0' && r <= '9'
		switch {
		case letter, i > 0 && (digit || strings.ContainsRune("._-$()<>=%+~?&@;", r)):
		case i > 0 && r == ' ' && i < len(text)-1:
		case i > 0 && r == ':' && i < len(text)-1 && text[i+1] != ' ':
		default:
			return false
		}
	}
	switch strings.ToLower(text) {
	case "", "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}
