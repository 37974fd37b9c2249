package attack

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is kept of an answer.
const (
	MaxAnswerBody    = 512 // bytes of the body
	MaxAnswerHeaders = 12
	MaxAnswerWhy     = 360 // bytes
	maxHeaderValue   = 120 // bytes
)

// Answer is the beginning of a response that was not the expected one, or that broke
// off: what whoever wrote it said. Drivers keep it of a bounded sample of failures.
type Answer struct {
	Headers  []AnswerHeader // those that tell who answered and why, in the order in which they came
	Body     string         // its first bytes, as they came on the hot path, as plain text in a record (see [Answer.Clean])
	Declared int64          // length of the body that the response announced, in bytes; -1: none
	Received int64          // bytes of the body that came
	// Why says which part of its content was not expected, what was wanted and what came;
	// "" where its status says enough.
	Why string
}

// AnswerHeader is one header field of an answer; the name is in lower case.
type AnswerHeader struct{ Name, Value string }

// TellingHeader reports whether a header field says who wrote a response, or why it is
// what it is. The name is in lower case. No field that holds credentials is one.
func TellingHeader(name []byte) bool {
	switch string(name) { // allocates nothing
	case "server", "via", "retry-after", "content-type", "content-encoding", "x-cache", "x-cache-status", "cf-cache-status", "cache-status", "age", "x-served-by", "x-powered-by",
		"www-authenticate", "proxy-status", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
		"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy", "allow", "location":
		return true
	}
	return len(name) > len("x-envoy-") && string(name[:len("x-envoy-")]) == "x-envoy-"
}

// Header returns the value of a field, "" without it. The name is in lower case.
func (a *Answer) Header(name string) string {
	if a == nil {
		return ""
	}
	for _, h := range a.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// Clean returns the answer as a record may hold it: bounded, without control
// characters, and passed through redact, which removes secrets. A body that is no text
// becomes empty.
func (a *Answer) Clean(redact func(string) string) *Answer {
	out := &Answer{Declared: a.Declared, Received: a.Received}
	for _, h := range a.Headers[:min(len(a.Headers), MaxAnswerHeaders)] {
		out.Headers = append(out.Headers, AnswerHeader{h.Name, cutText(plainText(redact(h.Value)), maxHeaderValue)})
	}
	out.Why = cutText(plainText(redact(a.Why)), MaxAnswerWhy)
	coded := a.Header("content-encoding")
	if coded == "" || strings.EqualFold(coded, "identity") {
		out.Body = cutText(plainText(redact(cutText(a.Body, MaxAnswerBody))), MaxAnswerBody)
	}
	return out
}

// plainText returns a text on one line, "" if it is none: control characters become
// spaces, and spaces that follow each other one.
func plainText(s string) string {
	var b strings.Builder
	odd, all := 0, 0
	space := false
	for _, r := range s {
		all++
		switch {
		case r == utf8.RuneError || r < ' ' && r != '\n' && r != '\r' && r != '\t':
			odd++
			space = b.Len() > 0
		case unicode.IsSpace(r) || !unicode.IsPrint(r):
			space = b.Len() > 0
		default:
			if space {
				b.WriteByte(' ')
				space = false
			}
			b.WriteRune(r)
		}
	}
	if odd > 2 && 10*odd > all {
		return ""
	}
	return b.String()
}

// cutText returns at most so many bytes of a text, whole characters.
func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
