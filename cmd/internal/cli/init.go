package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/profiles/yaml"
)

func newInit(env console.Env, g *input.Globals) *cobra.Command {
	return &cobra.Command{
		Use:     "init",
		Short:   "Write a commented starter profile",
		Example: "  rampload init > peak.yaml",
		Args:    console.ExactArgs("rampload init > peak.yaml", 0),
		RunE: func(*cobra.Command, []string) error {
			return console.WriteOut(env, g.Out, func(w io.Writer, _ console.Terminal) error {
				_, err := w.Write(yaml.Starter())
				return err
			})
		},
	}
}
