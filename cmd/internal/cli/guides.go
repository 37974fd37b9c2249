package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/explain"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles/spelling"
)

// newGuides are pages that "rampload help NAME" prints. A command that cannot be run is a
// topic of help to cobra.
func newGuides(t console.Terminal) []*cobra.Command {
	var out []*cobra.Command
	for _, g := range append(explain.Guides(), resourcesGuide()) {
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

// resourcesGuide lists what is measured, as the catalogue has it.
func resourcesGuide() explain.Guide {
	g := explain.Guide{Name: "resources", Short: "what is measured, and which of it can run out"}
	var out strings.Builder
	out.WriteString("# Resources: " + g.Short + "\n\n")
	out.WriteString("Gates name them: headroom(open-files) > 20%. rampload probe --once shows them now.\n")
	for _, part := range []struct {
		title string
		kinds []probe.Kind
	}{
		{"Limits: what is full refuses", []probe.Kind{probe.HardLimit}},
		{"Capacities: what is full slows down", []probe.Kind{probe.Utilisation}},
		{"Counters that move only when something was full", []probe.Kind{probe.Counter}},
		{"Levels without a limit", []probe.Kind{probe.Gauge}},
		{"Where requests and threads stand", []probe.Kind{probe.Standing}},
		{"Symptoms: they move because of resets and are never a cause", []probe.Kind{probe.Symptom}},
	} {
		out.WriteString("\n## " + part.title + "\n\n")
		for _, d := range probe.Catalogue() {
			if slices.Contains(part.kinds, d.Kind) {
				fmt.Fprintf(&out, "  %-22s %s\n", d.Name, d.About)
			}
		}
	}
	g.Text = out.String()
	return g
}

// newHelp is "rampload help NAME": of a command or of a topic.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND or TOPIC]",
		Short: "Help about a command or a topic",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				var names []string
				for _, c := range root.Commands() {
					if !c.Hidden {
						names = append(names, c.Name())
					}
				}
				hint := "rampload help lists them"
				if near := spelling.Nearest(strings.Join(args, " "), names); near != "" {
					hint = fmt.Sprintf("did you mean %s?", near)
				}
				return console.Usage(fmt.Errorf("no command or topic %q; %s", strings.Join(args, " "), hint))
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}
