package layout

// Options is how text for a terminal is laid out.
type Options struct {
	Width  int      // columns of the terminal; 0 is 80; less than 40 is taken as 40, more than 160 as 160
	Colour bool     // ANSI colours
	Plain  bool     // to be read aloud: no columns and no broken lines, each row as a sentence
	Files  []string // names of the files of this run, for the last line
	Assets Assets   // for HTML
}

// Assets are the chart library's files, which a self-contained page embeds.
// Without them the page has tables only.
type Assets struct {
	UPlotJS  []byte
	UPlotCSS []byte
}

const (
	minWidth = 40
	usual    = 80
	maxWidth = 160 // beyond it lines are hard to follow
)

func (o Options) width() int {
	if o.Width == 0 {
		return usual
	}
	return min(maxWidth, max(minWidth, o.Width))
}

func (o Options) paint(m Mark, s string) string {
	if !o.Colour || s == "" {
		return s
	}
	code := map[Mark]string{Good: "32", Bad: "1;31", Unsure: "33", Faint: "2"}[m]
	if code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + reset
}

// reset ends a colour.
const reset = "\x1b[0m"
