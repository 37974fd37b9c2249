package layout

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
	"github.com/rampload/rampload/report/format"
)

// Grid is one table, independent of how it is printed.
type Grid struct {
	Name    string // anchor and heading where a format has headings
	Columns []Column
	Rows    [][]Cell
	Note    string // one line below it
}

// Column is a column of a grid. Where a line is too short, columns are left out
// in order of drop, highest first; 0 always stays. Where that is not enough,
// names are shortened down to squeeze characters, and at last large counts are
// rounded to "98.8M". At most one column flexes: it takes what is left and wraps.
type Column struct {
	Title   string
	Right   bool // numbers
	Drop    int
	Squeeze int  // 0: not shortened
	Wraps   bool // is broken into lines rather than shortened
	Flex    bool
}

// Cell is one value. mark colours it where colours are wanted.
type Cell struct {
	Text string
	Mark Mark
}

type Mark uint8

const (
	Plain Mark = iota
	Good
	Bad
	Unsure
	Faint
)

func Text(s string) Cell { return Cell{Text: s} }

// Without leaves out those of the named columns that say nothing in any row.
func (g Grid) Without(titles ...string) Grid {
	for c := len(g.Columns) - 1; c >= 0; c-- {
		says := !slices.Contains(titles, g.Columns[c].Title)
		for _, row := range g.Rows {
			says = says || row[c].Text != "" && row[c].Text != None
		}
		if says {
			continue
		}
		g.Columns = slices.Delete(g.Columns, c, c+1)
		for i := range g.Rows {
			g.Rows[i] = slices.Delete(g.Rows[i], c, c+1)
		}
	}
	return g
}

// minFlex is the least width of a flexible column; below it the column is left
// out, or if it cannot be, the line overflows.
const minFlex = 24

// maxName is the most columns of a name in a table.
const MaxName = 20

// gap is the space between columns.
const gap = 2

// fit returns the columns (by index) that go into width, and the most that each
// of them may take; fits is false where that is still too wide.
func (g Grid) fit(width int) (keep, widths []int, fits bool) {
	widths = make([]int, len(g.Columns))
	for c, col := range g.Columns {
		widths[c] = twwidth.Width(col.Title)
		for _, row := range g.Rows {
			for line := range strings.SplitSeq(row[c].Text, "\n") {
				widths[c] = max(widths[c], twwidth.Width(line))
			}
		}
	}
	dropped := make([]bool, len(g.Columns))
	for {
		used, flexible := -gap, -1
		for c := range g.Columns {
			if dropped[c] {
				continue
			}
			used += gap
			if g.Columns[c].Flex {
				flexible = c
				used += min(widths[c], minFlex)
				continue
			}
			used += widths[c]
		}
		worst := -1
		for c, col := range g.Columns {
			if !dropped[c] && col.Drop > 0 && (worst < 0 || col.Drop > g.Columns[worst].Drop) {
				worst = c
			}
		}
		if used <= width || worst < 0 {
			for used > width {
				longest := -1
				for c, col := range g.Columns {
					if !dropped[c] && col.Squeeze > 0 && widths[c] > col.Squeeze && (longest < 0 || widths[c] > widths[longest]) {
						longest = c
					}
				}
				if longest < 0 {
					break
				}
				widths[longest]--
				used--
			}
			fits = used <= width
			if c := flexible; c >= 0 {
				widths[c] = min(widths[c], max(minFlex, width-used+min(widths[c], minFlex)))
			}
			break
		}
		dropped[worst] = true
	}
	for c := range g.Columns {
		if !dropped[c] {
			keep = append(keep, c)
		}
	}
	return keep, widths, fits
}

// rounded returns the grid with counts from 100,000 on in short.
func (g Grid) rounded() Grid {
	rows := make([][]Cell, len(g.Rows))
	for i, row := range g.Rows {
		rows[i] = slices.Clone(row)
		for c, col := range g.Columns {
			if !col.Right {
				continue
			}
			digits := strings.ReplaceAll(row[c].Text, ",", "")
			n, err := strconv.ParseUint(digits, 10, 64)
			if err != nil || n < 1e5 {
				continue
			}
			v, unit := float64(n)/1e3, "k"
			if v >= 1000 {
				v, unit = v/1000, "M"
			}
			if v >= 1000 {
				v, unit = v/1000, "G"
			}
			rows[i][c].Text = format.Fine(v) + unit
		}
	}
	g.Rows = rows
	return g
}

// Write prints the grid as aligned columns without lines.
func (g Grid) Write(w io.Writer, opt Options) error {
	if len(g.Rows) == 0 {
		return nil
	}
	if opt.Plain {
		return g.writeRecords(w, math.MaxInt)
	}
	keep, widths, fits := g.fit(opt.width())
	if !fits {
		g = g.rounded()
		keep, widths, fits = g.fit(opt.width())
	}
	if !fits {
		return g.writeRecords(w, opt.width())
	}
	align := make([]tw.Align, len(keep))
	header := make([]string, len(keep))
	for i, c := range keep {
		align[i] = tw.AlignLeft
		if g.Columns[c].Right {
			align[i] = tw.AlignRight
		}
		header[i] = opt.paint(Faint, g.Columns[c].Title)
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
	for _, row := range g.Rows {
		line := make([]string, len(keep))
		for i, c := range keep {
			s := row[c].Text
			switch col := g.Columns[c]; {
			case col.Flex:
				s = strings.Join(wrap(s, widths[c]), "\n")
			case col.Wraps:
				lines := wrap(s, widths[c])
				for k := range lines {
					lines[k] = Shorten(lines[k], widths[c])
				}
				s = strings.Join(lines, "\n")
			case col.Squeeze > 0:
				s = Shorten(s, widths[c])
			}
			if row[c].Mark != Plain {
				parts := strings.Split(s, "\n")
				for k := range parts {
					parts[k] = opt.paint(row[c].Mark, parts[k])
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
		if _, err := fmt.Fprintln(w, trimmed(line)); err != nil {
			return err
		}
	}
	if g.Note != "" {
		for _, line := range wrap(g.Note, opt.width()) {
			if _, err := fmt.Fprintln(w, opt.paint(Faint, line)); err != nil {
				return err
			}
		}
	}
	return nil
}

// trimmed returns a line without the spaces at its end, which a colour may
// enclose.
func trimmed(line string) string {
	line = strings.TrimRight(line, " \n")
	for {
		inside, painted := strings.CutSuffix(line, reset)
		if !painted || !strings.HasSuffix(inside, " ") {
			return line
		}
		line = strings.TrimRight(inside, " ") + reset
	}
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

// Shorten cuts a name in its middle to at most width columns, so that both ends
// stay readable.
func Shorten(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width || width < 4 {
		return s
	}
	head := width / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(width-1-head):])
}
