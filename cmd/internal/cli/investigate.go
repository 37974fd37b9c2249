package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/investigate"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/fingerprint"
	"github.com/rampload/rampload/report"
)

// experimentFlags are those of experiments.
func experimentFlags(f *pflag.FlagSet, o *investigate.Options) {
	f.DurationVar(&o.For, "for", investigate.Usual, "how long each experiment sends load: `DURATION` from 3s to 30s")
	f.StringVar(&o.Direct, "direct", "", "`URL` of the service behind the proxy, to go around that")
}

func newInvestigate(env console.Env, g *input.Globals) *cobra.Command {
	r, o := &input.Flags{}, investigate.Options{}
	cmd := &cobra.Command{
		ValidArgsFunction: completeReports,
		Use:               "investigate REPORT",
		Short:             "Tell apart what a report left open, by experiments at the onset",
		Long: `investigate sends the load of the onset again, for at most 30 s each time, with one
thing changed: kept connections or fresh ones, half the connections at the same
rate, half the rate over as many connections, small requests or large ones, one
address, two source addresses, rests below and above a suspected idle timeout, no
retries, and, with --direct, around a proxy. It begins with the load unchanged,
chooses the experiment that tells most of what is left, says what it is about to
send, and ends when one cause is left or nothing can tell the others apart. Where
the report names no cause, it says what the failures depend on.

It never sends more than the run had sent. abort-if of the profile ends a load
early; gates are of the whole load, and are not judged. What it did is written into
a new report beside the old one (or --out). A profile with secrets is named again
with --profile, because a report holds none.

Exit code 0: one cause is left. 4: it stays open. 130: interrupted.`,
		Example: "  rampload investigate peak.json",
		Args:    console.ExactArgs("rampload investigate REPORT", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			before, err := input.ReadReport(args[0])
			if err != nil {
				return console.Usage(err)
			}
			p, err := profileOf(env, g, r, before)
			if err != nil {
				return console.Usage(err)
			}
			return experiments(cmd.Context(), env, g, r, o, before, p, investigated(g.Out, args[0]))
		},
	}
	r.Register(cmd.Flags())
	experimentFlags(cmd.Flags(), &o)
	return cmd
}

// investigated is the file that a report with experiments goes to.
func investigated(out, path string) string {
	if out != "" {
		return out
	}
	return strings.TrimSuffix(strings.TrimSuffix(path, ".runlog"), ".json") + "-investigated.json"
}

// experiments makes them and writes what they told into a new report.
func experiments(ctx context.Context, env console.Env, g *input.Globals, r *input.Flags, o investigate.Options, before *report.Report, p profiles.Profile, out string) error {
	if fingerprint.Of(p) != before.Profile.Fingerprint {
		return console.Usage(fmt.Errorf("%w: this is not the profile of the report", report.ErrDifferent))
	}
	if err := cmp.Or(o.Check(), r.Check(), report.Vacant(out)); err != nil {
		return console.Usage(err)
	}
	dir, err := os.MkdirTemp("", "rampload-investigate-")
	if err != nil {
		return console.NotRun(fmt.Errorf("make room for experiments: %w", err))
	}
	defer os.RemoveAll(dir)
	o.Stdout = console.Plain(env.Stdout)
	o.Send = func(ctx context.Context, name string, p profiles.Profile) (*report.Report, error) {
		env, g := env, *g
		env.Stdout = io.Discard
		g.Out, g.Quiet, g.LogFormat = filepath.Join(dir, name+".json"), true, "text"
		done, err := run.Run(ctx, env, p, run.Options{Globals: &g, SampleEvery: r.SampleEvery})
		if err != nil {
			return nil, err
		}
		return done.Report, nil
	}
	got, err := investigate.Run(ctx, before, p, o)
	switch {
	case errors.Is(err, investigate.ErrNothing):
		fmt.Fprintf(o.Stdout, "NOTHING TO INVESTIGATE  %s\n", strings.TrimPrefix(err.Error(), investigate.ErrNothing.Error()+": "))
		return console.Exit(report.ExitUndecided)
	case err != nil:
		if coded := (*console.Error)(nil); errors.As(err, &coded) {
			return err
		}
		return console.Usage(err)
	}
	if err := keep.Create(out, got.Report.Write); err != nil {
		return console.NotRun(err)
	}
	fmt.Fprintf(o.Stdout, "\nreport       %s\n", out)
	switch {
	case got.Interrupted:
		return console.Exit(report.ExitInterrupted)
	case got.Decided:
		return nil
	}
	return console.Exit(report.ExitUndecided)
}
