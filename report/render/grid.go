package render

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// grid is one table, independent of how it is printed.
type grid struct {
	name    string // anchor and heading where a format has headings
	columns []column
	rows    [][]cell
	note    string // one line below it
}

// column is a column of a grid. Where a line is too short, columns are left out
// in order of drop, highest first; 0 always stays. At most one column flexes: it
// takes what is left and wraps.
type column struct {
	title string
	right bool // numbers
	drop  int
	flex  bool
}

// cell is one value. mark colours it where colours are wanted.
type cell struct {
	text string
	mark mark
}

type mark uint8

const (
	plain mark = iota
	good
	bad
	unsure
	faint
)

func text(s string) cell { return cell{text: s} }

// without leaves out those of the named columns that say nothing in any row.
func (g grid) without(titles ...string) grid {
	for c := len(g.columns) - 1; c >= 0; c-- {
		says := !slices.Contains(titles, g.columns[c].title)
		for _, row := range g.rows {
			says = says || row[c].text != "" && row[c].text != none
		}
		if says {
			continue
		}
		g.columns = slices.Delete(g.columns, c, c+1)
		for i := range g.rows {
			g.rows[i] = slices.Delete(g.rows[i], c, c+1)
		}
	}
	return g
}

// minFlex is the least width of a flexible column; below it the column is left
// out, or if it cannot be, the line overflows.
const minFlex = 24

// gap is the space between columns.
const gap = 2

// fit returns the columns (by index) that go into width, and the width of the
// flexible one.
func (g grid) fit(width int) (keep []int, flex int) {
	widths := make([]int, len(g.columns))
	for c, col := range g.columns {
		widths[c] = twwidth.Width(col.title)
		for _, row := range g.rows {
			for line := range strings.SplitSeq(row[c].text, "\n") {
				widths[c] = max(widths[c], twwidth.Width(line))
			}
		}
	}
	dropped := make([]bool, len(g.columns))
	for {
		used, natural, flexible := -gap, 0, false
		for c := range g.columns {
			if dropped[c] {
				continue
			}
			used += gap
			if g.columns[c].flex {
				flexible, natural = true, widths[c]
				used += min(widths[c], minFlex)
				continue
			}
			used += widths[c]
		}
		worst := -1
		for c, col := range g.columns {
			if !dropped[c] && col.drop > 0 && (worst < 0 || col.drop > g.columns[worst].drop) {
				worst = c
			}
		}
		if used <= width || worst < 0 {
			if flexible {
				flex = min(natural, max(minFlex, width-used+min(natural, minFlex)))
			}
			break
		}
		dropped[worst] = true
	}
	for c := range g.columns {
		if !dropped[c] {
			keep = append(keep, c)
		}
	}
	return keep, flex
}

// write prints the grid as aligned columns without lines.
func (g grid) write(w io.Writer, opt Options) error {
	if len(g.rows) == 0 {
		return nil
	}
	keep, flex := g.fit(opt.width())
	align := make([]tw.Align, len(keep))
	header := make([]string, len(keep))
	for i, c := range keep {
		align[i] = tw.AlignLeft
		if g.columns[c].right {
			align[i] = tw.AlignRight
		}
		header[i] = opt.paint(faint, g.columns[c].title)
	}
	var buf bytes.Buffer
	table := tablewriter.NewTable(&buf,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Settings: tw.Settings{
				Separators: tw.SeparatorsNone,
				Lines:      tw.LinesNone,
			},
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithPadding(tw.Padding{Right: strings.Repeat(" ", gap), Overwrite: true}),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
	)
	table.Header(header)
	for _, row := range g.rows {
		line := make([]string, len(keep))
		for i, c := range keep {
			s := row[c].text
			if g.columns[c].flex {
				s = strings.Join(wrap(s, flex), "\n")
			}
			if row[c].mark != plain {
				parts := strings.Split(s, "\n")
				for k := range parts {
					parts[k] = opt.paint(row[c].mark, parts[k])
				}
				s = strings.Join(parts, "\n")
			}
			line[i] = s
		}
		if err := table.Append(line); err != nil {
			return fmt.Errorf("lay out table: %w", err)
		}
	}
	if err := table.Render(); err != nil {
		return fmt.Errorf("lay out table: %w", err)
	}
	for line := range strings.Lines(buf.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	if g.note != "" {
		for _, line := range wrap(g.note, opt.width()) {
			if _, err := fmt.Fprintln(w, opt.paint(faint, line)); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrap breaks text at spaces into lines of at most width columns. A word that is
// longer has a line of its own. Line breaks in the text stay.
func wrap(s string, width int) []string {
	var out []string
	for paragraph := range strings.SplitSeq(s, "\n") {
		line, used := "", 0
		for _, word := range strings.Fields(paragraph) {
			n := twwidth.Width(word)
			switch {
			case used == 0:
				line, used = word, n
			case used+1+n <= width:
				line, used = line+" "+word, used+1+n
			default:
				out = append(out, line)
				line, used = word, n
			}
		}
		out = append(out, line)
	}
	return out
}

// shorten cuts a name in its middle to at most width columns, so that both ends
// stay readable.
func shorten(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width || width < 4 {
		return s
	}
	head := (width - 1 + 1) / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(width-1-head):])
}
