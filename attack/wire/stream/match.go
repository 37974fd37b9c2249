package stream

import (
	"bytes"
	"regexp"
)

// verdict is what can be said of an answer so far.
type verdict uint8

const (
	more     verdict = iota // it may match with more
	match                   // it does
	mismatch                // it cannot
)

// matcher judges what has come. It returns how many bytes a match takes. It depends on
// the bytes alone, and not on the pieces in which they came, but for [until] and
// [anything], which take what there is.
type matcher interface {
	match(b []byte) (used int, v verdict)
}

// exactly is these bytes.
type exactly []byte

func (m exactly) match(b []byte) (int, verdict) {
	n := min(len(b), len(m))
	switch {
	case !bytes.Equal(b[:n], m[:n]):
		return 0, mismatch
	case n < len(m):
		return 0, more
	}
	return n, match
}

// length is so many bytes.
type length int

func (m length) match(b []byte) (int, verdict) {
	if len(b) < int(m) {
		return 0, more
	}
	return int(m), match
}

// anything is at least one byte.
type anything struct{}

func (anything) match(b []byte) (int, verdict) {
	if len(b) == 0 {
		return 0, more
	}
	return len(b), match
}

// line is one whole line that matches, without its end.
type line struct{ *regexp.Regexp }

func (m line) match(b []byte) (int, verdict) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0, more
	}
	if !m.Match(bytes.TrimSuffix(b[:end], []byte("\r"))) {
		return 0, mismatch
	}
	return end + 1, match
}

// until is everything up to the end of a match.
type until struct{ *regexp.Regexp }

func (m until) match(b []byte) (int, verdict) {
	at := m.FindIndex(b)
	if at == nil {
		return 0, more
	}
	return at[1], match
}
