package render

import (
	"bufio"
	"fmt"
	"io"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
)

// Markdown writes a report as GitHub-flavoured Markdown, short enough for a
// comment: the verdict, why, the targets and the gates, and the rest folded.
func Markdown(w io.Writer, r *report.Report) error {
	p := pageOf(r)
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "### %s: %s\n\n", p.Word, layout.EscapeMarkdown(p.Headline))
	title := "rampload " + r.Name
	if r.Label != "" {
		title += " " + r.Label
	}
	fmt.Fprintf(out, "%s, %s, exit %d\n\n", layout.EscapeMarkdown(title), r.Started.UTC().Format("2006-01-02 15:04 MST"), p.Exit)
	layout.WriteMarkdownFacts(out, p.Facts)
	var folded []layout.Grid
	for _, g := range p.Grids {
		switch {
		case len(g.Rows) == 0:
		case g.Name == "targets" || g.Name == "gates":
			layout.WriteMarkdownGrid(out, g)
		default:
			folded = append(folded, g)
		}
	}
	layout.WriteMarkdownFacts(out, p.Findings)
	for _, g := range folded {
		fmt.Fprintf(out, "<details><summary>%s</summary>\n\n", g.Name)
		layout.WriteMarkdownGrid(out, g)
		fmt.Fprint(out, "</details>\n\n")
	}
	layout.WriteMarkdownFacts(out, p.Closing)
	return out.Flush()
}
