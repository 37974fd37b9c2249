package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/services"
	"github.com/rampload/rampload/cmd/internal/lab/teach"
)

// scenarios are those that "demo" can run.
func scenarios(l console.Lab) []lab.Scenario {
	if l.Scenarios == nil {
		return teach.Scenarios()
	}
	return l.Scenarios
}

// newLabService is how demos start a faulty service as a process of its own,
// with limits of its own.
func newLabService(env console.Env) *cobra.Command {
	return &cobra.Command{
		Use:                "lab-service NAME [ARG ...]",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return console.Usage(errors.New("no service named: write rampload lab-service NAME"))
			}
			if err := services.Run(cmd.Context(), args[0], args[1:], env.Stdout); err != nil {
				return console.NotRun(err)
			}
			return nil
		},
	}
}
