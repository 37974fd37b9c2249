package render

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
	"github.com/rampload/rampload/report"
)

// grid is one table, independent of how it is printed.
type grid struct {
	name    string // anchor and heading where a format has headings
	columns []column
	rows    [][]cell
	note    string // one line below it
}

// column is a column of a grid. Where a line is too short, columns are left out
// in order of drop, highest first; 0 always stays. Where that is not enough,
// names are shortened down to squeeze characters, and at last large counts are
// rounded to "98.8M". At most one column flexes: it takes what is left and wraps.
type column struct {
	title   string
	right   bool // numbers
	drop    int
	squeeze int  // 0: not shortened
	wraps   bool // is broken into lines rather than shortened
	flex    bool
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

// fit returns the columns (by index) that go into width, and the most that each
// of them may take; fits is false where that is still too wide.
func (g grid) fit(width int) (keep, widths []int, fits bool) {
	widths = make([]int, len(g.columns))
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
		used, flexible := -gap, -1
		for c := range g.columns {
			if dropped[c] {
				continue
			}
			used += gap
			if g.columns[c].flex {
				flexible = c
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
			for used > width {
				longest := -1
				for c, col := range g.columns {
					if !dropped[c] && col.squeeze > 0 && widths[c] > col.squeeze && (longest < 0 || widths[c] > widths[longest]) {
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
	for c := range g.columns {
		if !dropped[c] {
			keep = append(keep, c)
		}
	}
	return keep, widths, fits
}

// rounded returns the grid with counts from 100,000 on in short.
func (g grid) rounded() grid {
	rows := make([][]cell, len(g.rows))
	for i, row := range g.rows {
		rows[i] = slices.Clone(row)
		for c, col := range g.columns {
			if !col.right {
				continue
			}
			digits := strings.ReplaceAll(row[c].text, ",", "")
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
			rows[i][c].text = report.FormatNumber(v) + unit
		}
	}
	g.rows = rows
	return g
}

// write prints the grid as aligned columns without lines.
func (g grid) write(w io.Writer, opt Options) error {
	if len(g.rows) == 0 {
		return nil
	}
	keep, widths, fits := g.fit(opt.width())
	if !fits {
		g = g.rounded()
		keep, widths, _ = g.fit(opt.width())
	}
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
			switch col := g.columns[c]; {
			case col.flex:
				s = strings.Join(wrap(s, widths[c]), "\n")
			case col.wraps:
				lines := wrap(s, widths[c])
				for k := range lines {
					lines[k] = shorten(lines[k], widths[c])
				}
				s = strings.Join(lines, "\n")
			case col.squeeze > 0:
				s = shorten(s, widths[c])
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
		if _, err := fmt.Fprintln(w, trimmed(line)); err != nil {
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

// shorten cuts a name in its middle to at most width columns, so that both ends
// stay readable.
func shorten(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width || width < 4 {
		return s
	}
	head := width / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(width-1-head):])
}
