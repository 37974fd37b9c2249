// Package layout is what the pages of render are made of, whatever they tell: tables, facts
// and values, and how each is written for a terminal, as Markdown and as HTML. It knows
// nothing of what a report concludes.
//
// Text is escaped for the format that it goes to; control characters never reach a
// terminal.
package layout

// Page is what a report says, before it is laid out for a format: the first
// line, the facts below it, the tables, and what was and was not concluded.
type Page struct {
	Word     string
	Mark     Mark
	Headline string
	Facts    []Fact
	Grids    []Grid
	Findings []Fact // label: the target
	Closing  []Fact
	Exit     int
}

// Fact is a label with lines of text; each line wraps by itself.
type Fact struct {
	Label string
	Lines []string
}
