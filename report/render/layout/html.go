package layout

import (
	"bytes"
	"fmt"
	"io"

	htmlpage "github.com/rampload/rampload/report/render/page"
)

// WritePage writes a page that a template makes, without control characters: the template
// escapes markup, and those are text to it.
func WritePage(w io.Writer, make func(io.Writer) error) error {
	var b bytes.Buffer
	if err := make(&b); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	if _, err := io.WriteString(w, Clean(b.String())); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// Class is the style of a mark on the page.
func (m Mark) Class() string { return [...]string{"", "good", "bad", "unsure", "faint"}[m] }

// HTMLGrids are the tables that have rows, for a page.
func HTMLGrids(grids []Grid) []htmlpage.Grid {
	var all []htmlpage.Grid
	for _, g := range grids {
		if len(g.Rows) == 0 {
			continue
		}
		out := htmlpage.Grid{Name: g.Name, Note: g.Note}
		for _, c := range g.Columns {
			out.Columns = append(out.Columns, htmlpage.Column{Title: c.Title, Right: c.Right})
		}
		for _, row := range g.Rows {
			cells := make([]htmlpage.Cell, len(row))
			for i, c := range row {
				cells[i] = htmlpage.Cell{Text: Clean(c.Text), Class: c.Mark.Class(), Right: g.Columns[i].Right}
			}
			out.Rows = append(out.Rows, cells)
		}
		all = append(all, out)
	}
	return all
}

// HTMLFacts are facts, for a page.
func HTMLFacts(facts []Fact) []htmlpage.Fact {
	out := make([]htmlpage.Fact, len(facts))
	for i, f := range facts {
		out[i].Label = Clean(f.Label)
		for _, line := range f.Lines {
			out[i].Lines = append(out[i].Lines, Clean(line))
		}
	}
	return out
}
