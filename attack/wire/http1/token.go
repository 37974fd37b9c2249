package http1

import (
	"bytes"
	"encoding/binary"
)

// hex reads a chunk size, at most 2^61 so that sums of it do not overflow.
func hex(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 16 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | uint64(c)
	}
	return int64(n), n <= 1<<61
}

// trim cuts spaces and tabs.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// isValue reports whether all bytes may be in a header's value.
func isValue(b []byte) bool {
	const ones = 0x0101010101010101
	for len(b) >= 8 {
		// Eight at once: a byte below the space, or DEL, has its top bit set in one of
		// the terms (Anderson, Bit Twiddling Hacks, "Determine if a word has a byte less
		// than n"). Tabs are rare.
		w := binary.LittleEndian.Uint64(b)
		del := w ^ 0x7f*ones
		if ((w-' '*ones)&^w|(del-ones)&^del)&(0x80*ones) != 0 && !areValue(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return areValue(b)
}

func areValue(b []byte) bool {
	for _, c := range b {
		if byteClass[c]&inValue == 0 {
			return false
		}
	}
	return true
}

// equalFold compares with a text in lower case; only ASCII letters fold.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// hasToken reports whether a comma-separated list has a token.
func hasToken(b []byte, lower string) bool {
	for len(b) > 0 {
		end := bytes.IndexByte(b, ',')
		token := b
		if end >= 0 {
			token, b = b[:end], b[end+1:]
		} else {
			b = nil
		}
		if equalFold(trim(token), lower) {
			return true
		}
	}
	return false
}

const (
	inName  = 1 << iota // token characters (RFC 9110 §5.6.2), and the space that net/http allows
	inValue             // visible, space, tab and obs-text (§5.5)
)

var byteClass = func() (class [256]uint8) {
	for c := range class {
		if c == '\t' || c >= ' ' && c != 0x7f {
			class[c] |= inValue
		}
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == ' ' ||
			c < 0x80 && bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0 {
			class[c] |= inName
		}
	}
	return class
}()
