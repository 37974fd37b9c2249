package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/investigate"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/profiles/fingerprint"
	"github.com/rampload/rampload/report"
	tell "github.com/rampload/rampload/report/investigate"
	"github.com/spf13/cobra"
)

func newRun(env console.Env, g *input.Globals) *cobra.Command {
	r := &input.Flags{}
	cmd := &cobra.Command{
		ValidArgsFunction: completeProfiles,
		Use:               "run PROFILE",
		Short:             "Run a profile, print the verdict, write the report (what rampload --profile does)",
		Example: `  rampload run peak.yaml
  rampload run peak.yaml --once          send each request once, show the answers
  rampload run peak.yaml --only orders   the load of one target`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && r.Profile != "":
				return console.Usage(fmt.Errorf("two profiles, %s and %s: name one", r.Profile, args[0]))
			case len(args) == 1:
				r.Profile = args[0]
			case r.Profile == "":
				return console.Usage(errors.New("no profile: name one, as in rampload run peak.yaml, or write a first one with rampload init > peak.yaml"))
			}
			return runCommand(cmd.Context(), env, g, r)
		},
	}
	r.RegisterAll(cmd.Flags())
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
	earlier, err := input.ReadBaseline(r.Baseline, fingerprint.Of(p), string(p.Client.Engine), "")
	if err != nil {
		return console.Usage(err)
	}
	earlier.Tell(env.Stderr)
	opt := run.Options{Globals: g, SampleEvery: r.SampleEvery, Trace: !r.NoTrace, Baseline: earlier, UI: r.UI, Web: r.Web, Metrics: r.Metrics}
	if r.Web != "" {
		if opt.Assets, err = chartAssets(); err != nil {
			return err
		}
	}
	done, err := run.Run(ctx, env, p, opt)
	if err != nil {
		return err
	}
	if r.Investigate && leavesOpen(done.Report) {
		fmt.Fprintln(env.Stdout)
		err := experiments(ctx, env, g, r, investigate.Options{For: investigate.Usual}, done.Report, p, investigated("", done.Path))
		// What the run showed decides; that the experiments left it open is no news.
		if coded := (*console.Error)(nil); errors.As(err, &coded) && coded.Code != report.ExitUndecided {
			return err
		}
	}
	return console.Exit(done.Report.ExitCode)
}

// leavesOpen reports whether a run that was carried out left more than one cause, or none,
// for failures.
func leavesOpen(r *report.Report) bool {
	if r.Interrupted || len(r.Findings) == 0 {
		return false
	}
	_, left := tell.From(r)
	return len(left) > 1 || r.Findings[0].Verdict == "unexplained"
}
