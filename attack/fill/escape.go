package fill

import "unicode/utf8"

// Escape is how a value is written where it stands.
type Escape uint8

// The places of values.
const (
	Raw     Escape = iota // as it is
	Path                  // in the path of a URL
	Query                 // in a query, or in a form
	Field                 // in a header field: without control characters
	InQuote               // within the quotes of a JSON string
)

const upperHex = "0123456789ABCDEF"

// tail escapes what was appended to b from an index on. Most values need nothing, and
// are left in place.
func (e Escape) tail(b []byte, at int) []byte {
	if e == Raw {
		return b
	}
	i := at
	for i < len(b) && e.plain(b[i]) {
		i++
	}
	if i == len(b) {
		return b
	}
	rest := append([]byte(nil), b[i:]...)
	b = b[:i]
	for _, c := range rest {
		switch {
		case e.plain(c):
			b = append(b, c)
		case e == Field:
			b = append(b, ' ')
		case e == Query && c == ' ':
			b = append(b, '+')
		case e == InQuote:
			b = appendQuoted(b, c)
		default:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// plain reports whether a byte stands for itself.
func (e Escape) plain(c byte) bool {
	switch e {
	case Field:
		return c >= ' ' && c != 0x7f || c == '\t'
	case InQuote:
		return c >= ' ' && c != '"' && c != '\\'
	case Path, Query: // unreserved (RFC 3986 §2.3)
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
	}
	return true
}

// appendQuoted appends a byte that a JSON string may not have (RFC 8259 §7).
func appendQuoted(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', upperHex[c>>4], upperHex[c&15])
}

// Quotes returns, for each piece of a JSON text, whether it begins within the quotes of
// a string. ok is false if the text, with a number in the place of each value that
// stands outside of quotes, is no JSON: then nothing is known of it.
func Quotes(pieces []string, literal []bool, valid func([]byte) bool) (inside []bool, ok bool) {
	var text []byte
	quoted, escaped := false, false
	for i, p := range pieces {
		inside = append(inside, quoted)
		if !literal[i] {
			text = append(text, '0')
			continue
		}
		for j := 0; j < len(p); j++ {
			switch c := p[j]; {
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			}
		}
		text = append(text, p...)
	}
	return inside, utf8.Valid(text) && valid(text)
}
