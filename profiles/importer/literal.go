package importer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// literal reads a literal of JavaScript: objects, lists, strings, numbers, truth
// values. Anything that would have to be run is an error.
type literal struct {
	text  string
	at    int
	depth int
}

var errNotLiteral = errors.New("not a literal")

// parseLiteral reads the literal at the begin of the text.
func parseLiteral(text string) (any, error) {
	l := &literal{text: text}
	v, err := l.value()
	if err != nil {
		line := 1 + strings.Count(text[:min(l.at, len(text))], "\n")
		return nil, fmt.Errorf("%w in line %d behind options", err, line)
	}
	return v, nil
}

// skip passes blanks and comments.
func (l *literal) skip() {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "//"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			l.at += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest, "*/")
			if n < 0 {
				l.at = len(l.text)
				return
			}
			l.at += n + 2
		default:
			return
		}
	}
}

func (l *literal) peek() byte {
	l.skip()
	if l.at >= len(l.text) {
		return 0
	}
	return l.text[l.at]
}

func (l *literal) value() (any, error) {
	const deepest = 32
	if l.depth++; l.depth > deepest {
		return nil, errNotLiteral
	}
	defer func() { l.depth-- }()
	switch c := l.peek(); {
	case c == '{':
		return l.object()
	case c == '[':
		return l.list()
	case c == '"' || c == '\'' || c == '`':
		return l.string()
	case c == '-' || c == '.' || c >= '0' && c <= '9':
		return l.number()
	}
	switch word := l.word(); word {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null", "undefined":
		return nil, nil
	}
	return nil, errNotLiteral
}

func (l *literal) object() (any, error) {
	out := map[string]any{}
	l.at++
	for {
		switch l.peek() {
		case '}':
			l.at++
			return out, nil
		case ',':
			l.at++
			continue
		case 0:
			return nil, errNotLiteral
		}
		key, err := l.key()
		if err != nil {
			return nil, err
		}
		if l.peek() != ':' {
			return nil, errNotLiteral
		}
		l.at++
		if out[key], err = l.value(); err != nil {
			return nil, err
		}
	}
}

func (l *literal) key() (string, error) {
	if c := l.peek(); c == '"' || c == '\'' {
		return l.string()
	}
	word := l.word()
	if word == "" {
		return "", errNotLiteral
	}
	return word, nil
}

func (l *literal) list() (any, error) {
	out := []any{}
	l.at++
	for {
		switch l.peek() {
		case ']':
			l.at++
			return out, nil
		case ',':
			l.at++
			continue
		case 0:
			return nil, errNotLiteral
		}
		v, err := l.value()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

func (l *literal) string() (string, error) {
	mark := l.text[l.at]
	var b strings.Builder
	for i := l.at + 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == mark:
			l.at = i + 1
			return b.String(), nil
		case c == '\\' && i+1 < len(l.text):
			i++
			b.WriteByte(l.text[i])
		case mark == '`' && c == '$' && i+1 < len(l.text) && l.text[i+1] == '{':
			l.at = i
			return "", errNotLiteral
		default:
			b.WriteByte(c)
		}
	}
	return "", errNotLiteral
}

func (l *literal) number() (any, error) {
	end := l.at
	for end < len(l.text) && strings.IndexByte("+-.0123456789eE_", l.text[end]) >= 0 {
		end++
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(l.text[l.at:end], "_", ""), 64)
	if err != nil {
		return nil, errNotLiteral
	}
	l.at = end
	if next := l.peek(); next != 0 && strings.IndexByte(",]};)", next) < 0 {
		return nil, errNotLiteral // 5 * 60
	}
	return v, nil
}

func (l *literal) word() string {
	l.skip()
	end := l.at
	for end < len(l.text) {
		c := l.text[end]
		if c != '_' && c != '$' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			break
		}
		end++
	}
	word := l.text[l.at:end]
	l.at = end
	return word
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
