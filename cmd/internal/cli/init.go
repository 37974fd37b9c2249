package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/profiles/yaml"
)

func newInit(env Env, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "init",
		Short:   "Write a commented starter profile",
		Example: "  rampload init > peak.yaml",
		Args:    exactArgs("rampload init > peak.yaml", 0),
		RunE: func(*cobra.Command, []string) error {
			return writeOut(env, g.out, func(w io.Writer, _ terminal) error {
				_, err := w.Write(yaml.Starter())
				return err
			})
		},
	}
}
