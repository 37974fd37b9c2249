// Package fill puts values into the texts of requests: rows of tables, what a journey
// has extracted, and generated ones. A text is compiled once, so that filling it in is a
// few copies. Generated values follow from the run's id, the request's number and the
// words of the reference: the same request of the same run has the same values, in every
// try, on every machine, without anything that is shared.
package fill

import (
	"fmt"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
)

// Scope is what references may name.
type Scope struct {
	Tables []profiles.Table
	Vars   []string // of a journey, as login.token, by their index in [attack.Fill]
	// Callback is the base of ${callback.url}, which its transaction id follows.
	Callback string
}

// Template is a compiled text. It is immutable and safe for concurrent use.
type Template struct{ parts []part }

// part is literal text, or a value.
type part struct {
	literal []byte
	value   appender
	escape  Escape
}

// appender appends a value. It allocates nothing, but for what generators of names do.
type appender interface {
	append(b []byte, v values) []byte
}

// values is what the values of one attempt follow from.
type values struct {
	run attack.RunID
	a   *attack.Attempt
	now time.Time
}

// Compile compiles a text of the language of package data; escape says how values are
// written where they stand.
func Compile(text string, escape Escape, scope Scope) (*Template, error) {
	pieces, err := data.Parse(text)
	if err != nil {
		return nil, err
	}
	return CompilePieces(pieces, func(int) Escape { return escape }, scope)
}

// CompilePieces is [Compile] for a text that was parsed; escape tells how the value of
// each piece is written.
func CompilePieces(pieces []data.Piece, escape func(piece int) Escape, scope Scope) (*Template, error) {
	t := &Template{}
	for i, p := range pieces {
		if p.Literal() {
			t.parts = append(t.parts, part{literal: []byte(p.Text)})
			continue
		}
		v, err := scope.value(p.Ref)
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, part{value: v, escape: escape(i)})
	}
	return t, nil
}

// Append appends the text of an attempt, with the rows and variables of its Fill.
func (t *Template) Append(b []byte, run attack.RunID, a *attack.Attempt, now time.Time) []byte {
	v := values{run, a, now}
	for i := range t.parts {
		p := &t.parts[i]
		if p.value == nil {
			b = append(b, p.literal...)
			continue
		}
		at := len(b)
		b = p.value.append(b, v)
		b = p.escape.tail(b, at)
	}
	return b
}

// value returns what a reference stands for.
func (s Scope) value(ref data.Ref) (appender, error) {
	if ref.Source == "callback" {
		if _, err := data.ParseArgs(ref); err != nil {
			return nil, err
		}
		return callback(s.Callback), nil
	}
	if slices.Contains(data.Families(), ref.Source) {
		return generator(ref)
	}
	for i, t := range s.Tables {
		if t.Name != ref.Source {
			continue
		}
		column := slices.Index(t.Columns, ref.String()[len(ref.Source)+1:])
		if column < 0 || len(t.Rows) == 0 {
			return nil, fmt.Errorf("fill in ${%s}: the table %s has no such column, or has not been read", ref, t.Name)
		}
		return cell{t.Rows, i, column}, nil
	}
	if i := slices.Index(s.Vars, ref.String()); i >= 0 {
		return variable(i), nil
	}
	return nil, fmt.Errorf("fill in ${%s}: there is nothing of that name", ref)
}

// Tables returns the indexes of the tables that a request needs a row of.
func (s Scope) TablesOf(r profiles.Request) []int {
	if len(s.Tables) == 0 {
		return nil
	}
	var out []int
	for _, ref := range data.Refs(r) {
		for i, t := range s.Tables {
			if t.Name == ref.Source && !slices.Contains(out, i) {
				out = append(out, i)
			}
		}
	}
	return out
}

// cell is a column of the row that the attempt has of a table.
type cell struct {
	rows   [][]string
	table  int
	column int
}

func (c cell) append(b []byte, v values) []byte {
	if v.a.Fill == nil || c.table >= len(v.a.Fill.Rows) { // whoever sends it gave it no rows
		return b
	}
	return append(b, c.rows[v.a.Fill.Rows[c.table]][c.column]...)
}

// variable is what a journey extracted.
type variable int

func (i variable) append(b []byte, v values) []byte {
	if v.a.Fill == nil || int(i) >= len(v.a.Fill.Vars) {
		return b
	}
	return append(b, v.a.Fill.Vars[i]...)
}

// callback is the base of a URL that tells of one transaction.
type callback string

func (c callback) append(b []byte, v values) []byte {
	b = append(append(b, c...), '/')
	return v.run.AppendTransactionID(b, v.a.Request)
}
