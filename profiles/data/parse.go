package data

import (
	"fmt"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// Ref is a reference to a value. The zero value is none.
type Ref struct {
	Source string // a table, a step of a journey, or a generator's family
	Name   string // a column, a variable, or a generator
	Args   string // between the parentheses, as written
	Called bool   // there are parentheses
}

// String returns the reference as it is written, without ${ and }.
func (r Ref) String() string {
	s := r.Source + "." + r.Name
	if r.Called {
		s += "(" + r.Args + ")"
	}
	return s
}

// Piece is literal text, or a reference.
type Piece struct {
	Text string
	Ref  Ref
}

// Literal reports whether the piece is text.
func (p Piece) Literal() bool { return p.Ref == Ref{} }

// Parse splits a text of the language into its pieces. A dollar sign before anything
// but a brace or a dollar sign stands for itself. An error cites the reference.
func Parse(text string) ([]Piece, error) {
	var pieces []Piece
	var literal strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		literal.WriteString(before)
		switch {
		case !found:
			if literal.Len() > 0 {
				pieces = append(pieces, Piece{Text: literal.String()})
			}
			return pieces, nil
		case strings.HasPrefix(after, "$"):
			literal.WriteByte('$')
			text = after[1:]
		case strings.HasPrefix(after, "{"):
			inside, rest, closed := strings.Cut(after[1:], "}")
			if !closed {
				return nil, fmt.Errorf("${%s has no end: write ${users.id}, or $${ for the text itself", short(inside))
			}
			ref, err := ParseRef(inside)
			if err != nil {
				return nil, err
			}
			if literal.Len() > 0 {
				pieces = append(pieces, Piece{Text: literal.String()})
				literal.Reset()
			}
			pieces = append(pieces, Piece{Ref: ref})
			text = rest
		default:
			literal.WriteByte('$')
			text = after
		}
	}
}

// ParseRef reads what stands between ${ and }.
func ParseRef(inside string) (Ref, error) {
	wrong := func() (Ref, error) {
		return Ref{}, fmt.Errorf("%s is no reference: write ${users.id}, ${random.int(1..100)}, or $${ for the text itself", spelling.Quote("${"+inside+"}"))
	}
	source, name, ok := strings.Cut(inside, ".")
	if !ok || !isName(source) {
		return wrong()
	}
	ref := Ref{Source: source, Name: name}
	if before, args, called := strings.Cut(name, "("); called {
		args, ok = strings.CutSuffix(args, ")")
		if !ok {
			return wrong()
		}
		ref.Name, ref.Args, ref.Called = before, strings.TrimSpace(args), true
	}
	if ref.Name == "" || ref.Name != strings.TrimSpace(ref.Name) || strings.ContainsAny(ref.String(), "{}$\n\r") {
		return wrong()
	}
	return ref, nil
}

// isName reports whether the text can be the name of a source.
func isName(text string) bool {
	for i, c := range []byte(text) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '_' && c != '-') {
			return false
		}
	}
	return text != ""
}

func short(text string) string {
	if r := []rune(text); len(r) > 30 {
		return string(r[:30]) + "..."
	}
	return text
}

// Literal returns a text that Parse reads as this text alone.
func Literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// Mask returns the text with something in the place of each reference, for rules that
// know none, and what is wrong with a reference.
func Mask(text, with string) (string, error) {
	pieces, err := Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range pieces {
		if p.Literal() {
			b.WriteString(p.Text)
		} else {
			b.WriteString(with)
		}
	}
	return b.String(), nil
}

// Refs returns the references in the texts of a request, in order.
func Refs(r profiles.Request) []Ref {
	if !r.Filled {
		return nil
	}
	var out []Ref
	for _, text := range Texts(&r) {
		pieces, _ := Parse(*text)
		for _, p := range pieces {
			if !p.Literal() {
				out = append(out, p.Ref)
			}
		}
	}
	return out
}

// Texts returns the texts of a request that may have references.
func Texts(r *profiles.Request) []*string {
	out := []*string{&r.Path, &r.Body}
	for i := range r.Headers {
		out = append(out, &r.Headers[i].Value)
	}
	for i := range r.Parts {
		out = append(out, &r.Parts[i].Value)
	}
	out = append(out, &r.Command)
	for i := range r.Script {
		if t := &r.Script[i]; t.Kind == profiles.TurnSend && t.By == profiles.ByText {
			out = append(out, &t.Text)
		}
	}
	if r.Call != nil {
		for i := range r.Call.Messages {
			out = append(out, &r.Call.Messages[i])
		}
	}
	return out
}
