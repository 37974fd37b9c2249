package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/attack/lab"
)

// newLabService is how demos start a faulty service as a process of its own,
// with limits of its own.
func newLabService(env Env) *cobra.Command {
	return &cobra.Command{
		Use:                "lab-service NAME [ARG ...]",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("no service named: write rampload lab-service NAME"))
			}
			if err := lab.RunService(cmd.Context(), args[0], args[1:], env.Stdout); err != nil {
				return notRun(err)
			}
			return nil
		},
	}
}
