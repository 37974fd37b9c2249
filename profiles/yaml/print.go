package yaml

import (
	"strconv"
	"strings"
)

// printer writes a tree as YAML: short leaves on one line in braces, the rest in
// blocks. It quotes whatever might be read as something else, which an encoder
// for all of YAML cannot be relied on to do for text such as bodies.
type printer struct{ strings.Builder }

// lineWidth is how long a mapping or list on one line may be.
const lineWidth = 100

func (w *printer) block(n *node, indent int) {
	for _, e := range n.entries {
		w.indent(indent)
		w.WriteString(keyText(e.key) + ":")
		w.child(e.value, indent)
	}
	for _, item := range n.items {
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
func (w *printer) child(n *node, indent int) {
	leaf := n.kind == scalar || len(n.entries) == 0 && len(n.items) == 0
	line, ok := flow(n)
	if leaf || ok && n.kind == sequence && allScalars(n) && len(line)+indent < lineWidth && !hasGates(n) || ok && n.kind == mapping && len(line)+indent < lineWidth/2 {
		w.WriteString(" " + line + "\n")
		return
	}
	w.WriteByte('\n')
	w.block(n, indent+2)
}

func allScalars(n *node) bool {
	for _, item := range n.items {
		if item.kind != scalar {
			return false
		}
	}
	return true
}

// hasGates reports whether the entries are more than words: those are easier to
// read one a line.
func hasGates(n *node) bool {
	for _, item := range n.items {
		if strings.Contains(item.text, " ") {
			return true
		}
	}
	return false
}

func (w *printer) indent(n int) { w.WriteString(strings.Repeat(" ", n)) }

// flow writes a node on one line; false when that would not be read well.
func flow(n *node) (string, bool) {
	switch n.kind {
	case scalar:
		return scalarText(n), true
	case sequence:
		parts := make([]string, len(n.items))
		for i, item := range n.items {
			part, ok := flow(item)
			if !ok {
				return "", false
			}
			parts[i] = part
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	case mapping:
		parts := make([]string, len(n.entries))
		for i, e := range n.entries {
			part, ok := flow(e.value)
			if !ok || len(part) > lineWidth/2 {
				return "", false
			}
			parts[i] = keyText(e.key) + ": " + part
		}
		return "{" + strings.Join(parts, ", ") + "}", true
	}
	return "", false
}

func keyText(key string) string { return scalarText(&node{text: key, plain: isPlain(key)}) }

// scalarText writes a scalar: as it is, in single quotes where that saves
// backslashes, else in double quotes. Go's escapes are YAML's, but for \x, which
// Go uses for DEL only (in text that is UTF-8), where both mean the same.
func scalarText(n *node) string {
	if n.plain {
		return n.text
	}
	printable := strings.IndexFunc(n.text, func(r rune) bool { return r < ' ' || r > '~' }) < 0
	if printable && strings.ContainsAny(n.text, `"\`) && !strings.Contains(n.text, "'") {
		return "'" + n.text + "'"
	}
	return strconv.Quote(n.text)
}

// isPlain reports whether text is safe without quotes, in braces, too: it begins
// with a letter or a slash, holds no character that might mean something, and is
// no word that YAML knows.
func isPlain(text string) bool {
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
