package bind

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Problem is one mistake in a profile.
type Problem struct {
	File    string // as passed to Decode; of an override, "--set key"
	Line    int    // from 1; 0 when the mistake has no place, and in overrides
	Column  int    // from 1, in characters
	Message string // what is wrong, and what to do
}

// String returns "file:line:column: message", as editors and CI logs know it.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column) + ": " + p.Message
}

// Error is why a profile cannot be used: at least one problem, in the order of
// the file, those of overrides last.
type Error struct{ Problems []Problem }

// Error returns the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// NewError sorts the problems; it returns nil when there are none.
func NewError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(noPlace(a), noPlace(b)), // what has a place comes first
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		)
	})
	return &Error{slices.Compact(problems)}
}

func noPlace(p Problem) int {
	if p.Line == 0 {
		return 1
	}
	return 0
}
