package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/comparison"
)

func newCompare(env console.Env, g *input.Globals) *cobra.Command {
	var (
		c compareFlags
		r input.Flags
	)
	cmd := &cobra.Command{
		ValidArgsFunction: completeReports,
		Use:               "compare OLD NEW",
		Short:             "Compare reports of two releases, or run both in turns",
		Long: `compare says whether NEW resets sooner, more often or answers slower than OLD.
Each side is a report, or a glob of several runs in quotes: with one run a side
the answer is indicative, with five or more it is a test. Exit code 1 is a
supported regression.

With --run, OLD and NEW are the URLs of two releases that stand side by side (or
NAME=URL,NAME=URL for a profile with several targets). compare runs the profile
against them in turns, old, new, new, old and so on, so that what changes with time
falls on both, and compares the reports, which it keeps. Ctrl-C ends it; the runs
that are whole are compared.`,
		Example: `  rampload compare v1.json v2.json
  rampload compare 'v1-*.json' 'v2-*.json' --format md
  rampload compare --run http://old:8080 http://new:8080 --rounds 5 --profile peak.yaml`,
		Args: console.ExactArgs("rampload compare OLD NEW", 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if c.format, err = console.ChooseFormat(c.format, g.Out, comparison.Formats()); err != nil {
				return err
			}
			if c.run {
				return compareRuns(cmd.Context(), env, g, &r, &c, args[0], args[1])
			}
			if err := c.onlyForRuns(cmd.Flags()); err != nil {
				return console.Usage(err)
			}
			old, err := readSide(args[0])
			if err != nil {
				return console.Usage(err)
			}
			new, err := readSide(args[1])
			if err != nil {
				return console.Usage(err)
			}
			return compare(env, g, &c, old, new)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&c.run, "run", false, "OLD and NEW are URLs: run the profile against them in turns")
	f.IntVar(&c.rounds, "rounds", 5, "with --run: `N` runs of each release")
	f.StringVar(&c.reports, "reports", "", "with --run: `PREFIX` of the reports' names (default rampload-compare-NAME-TIME)")
	f.BoolVar(&c.strict, "strict", false, "take an indicative regression (fewer than five runs a side) as one: exit 1; what stays undecided: exit 4")
	f.BoolVar(&c.force, "force", false, "compare although the profiles or engines differ")
	f.StringVar(&c.baseline, "baseline", "", "older runs that show how much runs differ by themselves: a report `FILE`, a glob in quotes, or latest:DIR")
	console.FormatFlag(f, &c.format, comparison.Formats())
	r.Register(f)
	return cmd
}

// compareFlags are the flags of compare.
type compareFlags struct {
	strict, force, run bool
	rounds             int
	format             string
	reports, baseline  string
}

// onlyForRuns refuses flags that say nothing without --run.
func (c *compareFlags) onlyForRuns(f *pflag.FlagSet) error {
	for _, name := range []string{"rounds", "reports", "profile", "target", "scale", "sample-every", "no-trace"} {
		if f.Changed(name) {
			return fmt.Errorf("--%s is for rampload compare --run OLD_URL NEW_URL; without --run, OLD and NEW are reports", name)
		}
	}
	return nil
}

// compare compares two sides and prints what comes out.
func compare(env console.Env, g *input.Globals, flags *compareFlags, old, new []*report.Report) error {
	history, err := input.ReadBaseline(flags.baseline, old[0].Profile.Fingerprint, old[0].Profile.Engine, "")
	if err != nil {
		return console.Usage(err)
	}
	history.Tell(env.Stderr)
	c, err := report.Compare(old, new, report.CompareOptions{Strict: flags.strict, Force: flags.force, History: history.Reports})
	if err != nil {
		return console.Usage(err)
	}
	err = console.WriteOut(env, g.Out, func(w io.Writer, t console.Terminal) error {
		opt := t.RenderOptions()
		if flags.format == "html" {
			var err error
			if opt.Assets, err = chartAssets(); err != nil {
				return err
			}
		}
		return comparison.Write(w, flags.format, c, comparison.Compared{Old: old, New: new}, opt)
	})
	if err != nil {
		return err
	}
	return console.Exit(c.ExitCode)
}

// readSide reads the reports that a file name or a glob names.
func readSide(pattern string) ([]*report.Report, error) {
	paths, err := input.Expand(pattern)
	if err != nil {
		return nil, err
	}
	var reports []*report.Report
	var errs []error
	for _, path := range paths {
		r, err := input.ReadReport(path)
		errs = append(errs, err)
		reports = append(reports, r)
	}
	return reports, errors.Join(errs...)
}
