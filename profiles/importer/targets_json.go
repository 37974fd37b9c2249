package importer

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

const example = `{"method": "GET", "url": "http://127.0.0.1:8080/path"}`

// jsonFormat reads vegeta's JSON format: one object a line, with the body in
// base64.
type jsonFormat struct{ lines *lines }

func (f *jsonFormat) next() (parsed, error) {
	text := ""
	for text == "" {
		var ok bool
		if text, ok = f.lines.next(); !ok {
			return parsed{}, io.EOF
		}
	}
	t := parsed{line: f.lines.number}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		return t, fault(t.line, "%s: write an object such as %s on one line", jsonCause(err), example)
	}
	// A key that is not known, "headers" say, would be lost without a word.
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if known := []string{"method", "url", "body", "header"}; !slices.Contains(known, key) {
			near := ""
			if k := spelling.Nearest(key, known); k != "" {
				near = "; did you mean " + quote(k) + "?"
			}
			return t, fault(t.line, "there is no key %s in a target: method, url, body and header are%s", quoted(key), near)
		}
	}
	var syntax struct {
		Method string              `json:"method"`
		URL    string              `json:"url"`
		Body   []byte              `json:"body"`
		Header map[string][]string `json:"header"`
	}
	if err := json.Unmarshal([]byte(text), &syntax); err != nil {
		return t, fault(t.line, "%s: write an object such as %s", jsonCause(err), example)
	}
	if syntax.Method == "" || syntax.URL == "" {
		return t, fault(t.line, "the target has no method or no url: write both, such as %s", example)
	}
	t.url = syntax.URL
	t.request = profiles.Request{Method: syntax.Method, Body: string(syntax.Body)}
	for name, values := range syntax.Header {
		for _, v := range values {
			t.request.Headers = append(t.request.Headers, profiles.Header{Name: name, Value: v})
		}
	}
	sortHeaders(t.request.Headers)
	return t, nil
}

// jsonCause says what is wrong without the words of the library.
func jsonCause(err error) string {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind):
		return "the value of " + strconv.Quote(kind.Field) + " is of the wrong kind"
	case errors.As(err, &syntax):
		return "the line is not JSON from character " + strconv.FormatInt(syntax.Offset, 10) + " on"
	}
	return "the body is not in base64"
}

// quote returns a text as one line that is safe on a terminal.
func quote(text string) string { return strconv.QuoteToASCII(text) }
