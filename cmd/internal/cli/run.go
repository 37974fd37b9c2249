package cli

import (
	"context"
	"errors"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/spf13/cobra"
)

func newRun(env console.Env, g *input.Globals) *cobra.Command {
	r := &input.Flags{}
	cmd := &cobra.Command{
		Use:   "run --profile FILE",
		Short: "Run a profile, print the verdict, write the report (what rampload --profile does)",
		Example: `  rampload run --profile peak.yaml
  rampload run --profile peak.yaml --once          send each request once, show the answers
  rampload run --profile peak.yaml --only orders   the load of one target`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Profile == "" {
				return console.Usage(errors.New("no profile: name one with --profile FILE, or write a first one with rampload init > peak.yaml"))
			}
			return runCommand(cmd.Context(), env, g, r)
		},
	}
	r.RegisterAll(cmd.Flags())
	cmd.Flags().BoolVar(&r.Once, "once", false, "send each request once, show the answers, and end")
	return cmd
}

func runCommand(ctx context.Context, env console.Env, g *input.Globals, r *input.Flags) error {
	p, err := input.LoadProfile(env, g, r)
	if err != nil {
		return err
	}
	if err := r.Check(); err != nil {
		return err
	}
	if r.Once {
		return sendOnce(ctx, env, p)
	}
	if err := input.NeedsBaseline(p.Gate, r.Baseline); err != nil {
		return console.Usage(err)
	}
	earlier, err := input.ReadBaseline(r.Baseline, p.Fingerprint(), string(p.Client.Engine), "")
	if err != nil {
		return console.Usage(err)
	}
	done, err := run.Run(ctx, env, p, run.Options{Globals: g, SampleEvery: r.SampleEvery, Trace: !r.NoTrace, Baseline: earlier, UI: r.UI})
	if err != nil {
		return err
	}
	return console.Exit(done.Report.ExitCode)
}
