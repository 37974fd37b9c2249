// Package cli is the commands of rampload: the one place where adapters are
// chosen and joined. What a command computes lives in the packages below; here
// are flags, files, terminals and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/cli/fleetcmd"
	"github.com/rampload/rampload/cmd/internal/cli/probecmd"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/preflight"
	"github.com/rampload/rampload/report"
)

func execute(ctx context.Context, env console.Env) int {
	root := newRoot(env)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return report.ExitPassed
	}
	var coded *console.Error
	if !errors.As(err, &coded) {
		// Only cobra itself returns other errors: unknown commands, flags, arguments.
		coded = &console.Error{Code: report.ExitUsage, Err: fmt.Errorf("%w; see rampload --help", err)}
	}
	if coded.Err != nil {
		fmt.Fprintf(env.Stderr, "rampload: %s\n", console.Message(coded.Err.Error()))
	}
	return coded.Code
}

// Command returns the whole command line as a tree, for what is made of it: man pages
// and completions.
func Command(env console.Env) *cobra.Command { return newRoot(env) }

func newRoot(env console.Env) *cobra.Command {
	g := &input.Globals{}
	r := &input.Flags{}
	env.Plain = new(bool)
	root := &cobra.Command{
		Use:   "rampload --profile FILE",
		Short: "Ramp load until connections reset, and say what ran out, where, and who sent the reset",
		Long: `rampload ramps load against services, counts every connection reset at the
connection, finds the load at which resets begin, and names the resource that
ran out, the host and who sent the reset, with evidence.

Exit codes: 0 passed; 1 a gate failed, an abort-if condition struck, or compare
found a regression; 2 wrong usage or an invalid profile; 3 the run could not be
carried out; 4 a gate could not be judged; 130 interrupted.`,
		Example: `  rampload demo                          see it at work on a faulty service
  rampload init > peak.yaml              write a commented starter profile
  rampload --profile peak.yaml           run it
  rampload compare v1.json v2.json       compare two reports`,
		Args:          cobra.NoArgs,
		Version:       console.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			g.Reflect = preflight.Reflector(cmd.Context())
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Profile == "" {
				return cmd.Help()
			}
			return runCommand(cmd.Context(), env, g, r)
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	f := root.PersistentFlags()
	f.StringArrayVar(&g.Set, "set", nil, "override a profile value: `KEY=VALUE`, such as client.timeout=2s (repeatable)")
	f.StringVar(&g.Label, "label", "", "name this run in its report, such as a release: `TEXT`")
	f.StringVar(&g.Out, "out", "", "write the report to `FILE` (default rampload-NAME-TIME.json)")
	f.StringVar(&g.LogFormat, "log-format", "text", "`FORMAT` of the failure log on stderr: text (none) or json (a line for each failed attempt)")
	f.BoolVar(&g.Quiet, "quiet", false, "print no progress")
	f.BoolVar(env.Plain, "plain", env.Env("RAMPLOAD_PLAIN") == "1", "print sentences instead of tables, colours and lines that are rewritten: for screen readers (or RAMPLOAD_PLAIN=1)")
	r.RegisterAll(root.Flags())

	root.AddCommand(
		newRun(env, g), newCompare(env, g), newHistory(env, g), newExplain(env, g), newReport(env, g), newCheck(env, g), newConfirm(env, g), newInvestigate(env, g),
		newWatch(env, g), newMark(env), newInit(env, g), newImport(env, g), newDemo(env, g), probecmd.NewProbe(env, g), fleetcmd.NewAgent(env), fleetcmd.NewWorker(env), fleetcmd.NewFleet(env), newIdle(env, g), newDashboard(env), newAlerts(env), newLabService(env),
	)
	for _, command := range env.Lab.Commands {
		root.AddCommand(command(env))
	}
	root.AddCommand(newGuides(console.NewTerminal(env))...)
	root.SetHelpCommand(newHelp(root))
	complete(root)
	return root
}
