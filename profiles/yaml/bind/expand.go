package bind

import (
	"fmt"
	"strings"

	"github.com/rampload/rampload/profiles/spelling"
)

// Expand fills in "${NAME}" and turns "$$" into "$". It returns also the values
// that it took from the environment. A "$" before anything else is itself.
func Expand(text string, getenv func(string) (string, bool)) (expanded string, taken []string, err error) {
	if !strings.Contains(text, "$") {
		return text, nil, nil
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), taken, nil
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			text = after[1:]
		case strings.HasPrefix(after, "{"):
			name, rest, closed := strings.Cut(after[1:], "}")
			if !closed || len(name) > 255 || !isVariable(name) {
				return "", nil, fmt.Errorf("%s is not the name of an environment variable: write ${NAME}, or $${ for the text itself", spelling.Quote("${"+name))
			}
			value, ok := "", false
			if getenv != nil {
				value, ok = getenv(name)
			}
			if !ok {
				return "", nil, fmt.Errorf("the environment has no %s: set it, or write $${%s} for the text itself", name, name)
			}
			b.WriteString(value)
			taken = append(taken, value)
			text = rest
		default:
			b.WriteByte('$')
			text = after
		}
	}
}

// Escape is the inverse of expand.
func Escape(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// isVariable reports whether the text is the name of an environment variable as
// POSIX has them.
func isVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
