package message

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/spelling"
)

// holeMark begins a URI or a value that stands for a hole. No message can have it.
const holeMark = "\x00"

// Hole returns what is to be put in the place of a URI, or of a value of Fields; nil if
// it stands for itself.
func (m *Message) Hole(value string) *fill.Template {
	if !strings.HasPrefix(value, holeMark) {
		return nil
	}
	i, err := strconv.Atoi(value[len(holeMark):])
	if err != nil || i >= len(m.Holes) {
		return nil
	}
	return m.Holes[i]
}

// hole compiles a text of the language of package data. What has no references comes
// back as it goes out.
func (m *Message) hole(text string, escape fill.Escape, scope fill.Scope) (string, error) {
	pieces, err := data.Parse(text)
	if err != nil {
		return "", err
	}
	return m.dig(pieces, func(int) fill.Escape { return escape }, scope)
}

func (m *Message) dig(pieces []data.Piece, escape func(int) fill.Escape, scope fill.Scope) (string, error) {
	if plain, ok := plainText(pieces); ok {
		return plain, nil
	}
	t, err := fill.CompilePieces(pieces, escape, scope)
	if err != nil {
		return "", err
	}
	m.Holes = append(m.Holes, t)
	return holeMark + strconv.Itoa(len(m.Holes)-1), nil
}

// plainText returns the text of pieces without references.
func plainText(pieces []data.Piece) (string, bool) {
	var b strings.Builder
	for _, p := range pieces {
		if !p.Literal() {
			return "", false
		}
		b.WriteString(p.Text)
	}
	return b.String(), true
}

// fillURI compiles a path with references. Its literal parts are brought into the form
// that they have on the wire, as those of other paths are.
func (m *Message) fillURI(prefix, path string, scope fill.Scope) (string, error) {
	pieces, err := data.Parse(path)
	if err != nil {
		return "", err
	}
	mark := "zq"
	for strings.Contains(path+prefix, mark) {
		mark += "z"
	}
	var masked strings.Builder
	var refs []data.Piece
	for _, p := range pieces {
		if p.Literal() {
			masked.WriteString(p.Text)
			continue
		}
		refs = append(refs, p)
		masked.WriteString(mark)
	}
	uri, err := requestURI(prefix, masked.String())
	if err != nil {
		return "", err
	}
	if len(refs) == 0 {
		return uri, nil
	}
	literals := strings.Split(uri, mark)
	if len(literals) != len(refs)+1 {
		return "", fmt.Errorf("path %s: a value cannot stand in a fragment", spelling.Quote(path))
	}
	var out []data.Piece
	var escapes []fill.Escape
	escape := fill.Path
	for i, text := range literals {
		if text != "" {
			out, escapes = append(out, data.Piece{Text: text}), append(escapes, fill.Raw)
		}
		if strings.Contains(text, "?") {
			escape = fill.Query
		}
		if i < len(refs) {
			out, escapes = append(out, refs[i]), append(escapes, escape)
		}
	}
	return m.dig(out, func(i int) fill.Escape { return escapes[i] }, scope)
}

// fillBody compiles a body with references. In a form, and within the quotes of JSON,
// values are written so that the body stays what it is; elsewhere they stand as they
// are.
func (m *Message) fillBody(body string, r profiles.Request, scope fill.Scope) error {
	pieces, err := data.Parse(body)
	if err != nil {
		return fmt.Errorf("parse body: %w", err)
	}
	if plain, ok := plainText(pieces); ok {
		m.Body = []byte(plain)
		return nil
	}
	texts, literal := make([]string, len(pieces)), make([]bool, len(pieces))
	for i, p := range pieces {
		texts[i], literal[i] = p.Text, p.Literal()
	}
	inside, isJSON := fill.Quotes(texts, literal, json.Valid)
	isForm := slices.ContainsFunc(r.Headers, func(h profiles.Header) bool {
		return strings.EqualFold(h.Name, "Content-Type") && strings.HasPrefix(strings.ToLower(h.Value), "application/x-www-form-urlencoded")
	})
	t, err := fill.CompilePieces(pieces, func(i int) fill.Escape {
		switch {
		case isForm:
			return fill.Query
		case isJSON && inside[i]:
			return fill.InQuote
		}
		return fill.Raw
	}, scope)
	if err != nil {
		return fmt.Errorf("compile body: %w", err)
	}
	m.Template = &Template{fill: t}
	return nil
}
