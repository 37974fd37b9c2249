package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/explain"
)

// newGuides are pages that "rampload help NAME" prints. A command that cannot be run is a
// topic of help to cobra.
func newGuides(t console.Terminal) []*cobra.Command {
	var out []*cobra.Command
	for _, g := range explain.Guides() {
		c := &cobra.Command{Use: g.Name, Short: g.Short}
		c.SetHelpFunc(func(cmd *cobra.Command, _ []string) { cmd.Print(forTerminal(unfenced(g.Text), t)) })
		out = append(out, c)
	}
	return out
}

// unfenced shows the blocks of a page by an indent instead of by fences.
func unfenced(text string) string {
	var out strings.Builder
	block := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "```"):
			block = !block
		case block:
			out.WriteString("    " + line)
		default:
			out.WriteString(line)
		}
	}
	return out.String()
}
