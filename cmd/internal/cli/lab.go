package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/services"
	"github.com/rampload/rampload/cmd/internal/lab/teach"
)

// Lab is what a program knows of the lab. The zero value is the installed tool's:
// the few scenarios that teach.
type Lab struct {
	// Scenarios are those that "demo" can run; nil: [teach.Scenarios].
	Scenarios []lab.Scenario
	// Commands make further commands of the program.
	Commands []func(Env) *cobra.Command
	// KeepTruth, if set, gives "demo" the flag --truth: it writes to a file what was
	// expected of a scenario and what its injector counted.
	KeepTruth func(file string, s lab.Scenario, seed uint64, expect lab.Expect, truth lab.Truth) error
}

func (l Lab) scenarios() []lab.Scenario {
	if l.Scenarios == nil {
		return teach.Scenarios()
	}
	return l.Scenarios
}

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
			if err := services.Run(cmd.Context(), args[0], args[1:], env.Stdout); err != nil {
				return notRun(err)
			}
			return nil
		},
	}
}
