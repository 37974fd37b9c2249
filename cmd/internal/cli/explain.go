package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/explain"
	"github.com/rampload/rampload/cmd/internal/input"
)

func newExplain(env console.Env, g *input.Globals) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CAUSE]",
		Short: "Say what a cause looks like, how it is proven and what to do",
		Long: `explain prints the page of a cause that a report names; without one, all causes
in a line each.`,
		Example:           `  rampload explain server-file-descriptors`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeCauses,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				page, ok := explain.Page(args[0])
				if !ok {
					return console.Usage(unknownCause(args[0]))
				}
				return console.WriteOut(env, g.Out, func(w io.Writer, t console.Terminal) error {
					_, err := io.WriteString(w, forTerminal(page, t))
					return err
				})
			}
			return console.WriteOut(env, g.Out, func(w io.Writer, _ console.Terminal) error {
				for _, topic := range explain.Topics() {
					if _, err := fmt.Fprintf(w, "%-27s %s\n", topic.Key, topic.Says); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func unknownCause(asked string) error {
	if near := explain.Nearest(asked); len(near) > 0 {
		return fmt.Errorf("no cause is called %q; there are %s", asked, strings.Join(near, ", "))
	}
	return fmt.Errorf("no cause is called %q; rampload explain lists all of them", asked)
}

func completeCauses(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, topic := range explain.Topics() {
		out = append(out, topic.Key+"\t"+topic.Says)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// forTerminal shows the headings of a page in bold instead of in Markdown where colours
// are taken.
func forTerminal(page string, t console.Terminal) string {
	if !t.Colour {
		return page
	}
	var out strings.Builder
	for line := range strings.Lines(page) {
		if text := strings.TrimLeft(line, "# "); text != line {
			line = "\x1b[1m" + strings.TrimSuffix(text, "\n") + "\x1b[0m\n"
		}
		out.WriteString(line)
	}
	return out.String()
}
