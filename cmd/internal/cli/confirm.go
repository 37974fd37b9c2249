package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/fingerprint"
	"github.com/rampload/rampload/report"
	verify "github.com/rampload/rampload/report/confirm"
)

func newConfirm(env console.Env, g *input.Globals) *cobra.Command {
	r := &input.Flags{}
	cmd := &cobra.Command{
		ValidArgsFunction: completeReports,
		Use:               "confirm REPORT",
		Short:             "Run a report's profile again after a fix: did the onset move with the limit?",
		Long: `confirm settles what one run cannot. Raise the limit that a report suspects, and
only that one; confirm runs the same profile again and says whether the onset
moved with it. A profile with secrets is named again with --profile, because a
report holds none.

Exit code 0: a suspected limit was the cause. 1: it was refuted. 4: unsettled.`,
		Example: "  rampload confirm peak.json",
		Args:    console.ExactArgs("rampload confirm REPORT", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			before, err := input.ReadReport(args[0])
			if err != nil {
				return console.Usage(err)
			}
			p, err := profileOf(env, g, r, before)
			if err != nil {
				return console.Usage(err)
			}
			return confirm(cmd.Context(), env, g, r, before, p)
		},
	}
	r.Register(cmd.Flags())
	return cmd
}

// profileOf returns the profile that a report was made with.
func profileOf(env console.Env, g *input.Globals, r *input.Flags, before *report.Report) (profiles.Profile, error) {
	if r.Profile != "" {
		return input.LoadProfile(env, g, r)
	}
	p, err := input.DecodeProfile(env, g, r, "the report's profile", "", []byte(before.Profile.YAML))
	if err != nil {
		return p, fmt.Errorf("%w; name the profile with --profile FILE", err)
	}
	if fingerprint.Of(p) != before.Profile.Fingerprint {
		return p, errors.New("this is not the profile of the report: leave out what changes its load, or, where its secrets are redacted, name the profile with --profile FILE")
	}
	return p, nil
}

func confirm(ctx context.Context, env console.Env, g *input.Globals, r *input.Flags, before *report.Report, p profiles.Profile) error {
	// A run of another profile would be in vain: say so before, not after.
	if fingerprint.Of(p) != before.Profile.Fingerprint {
		return console.Usage(fmt.Errorf("%w: this is not the profile of the report", report.ErrDifferent))
	}
	suspected, err := verify.Compare(before, before)
	if err != nil {
		return console.Usage(err)
	}
	if len(suspected) == 0 {
		fmt.Fprintln(console.Plain(env.Stdout), "NOTHING TO CONFIRM  the report suspects no resource")
		return console.Exit(report.ExitUndecided)
	}
	done, err := run.Run(ctx, env, p, run.Options{Globals: g, SampleEvery: r.SampleEvery, Trace: !r.NoTrace})
	if err != nil {
		return err
	}
	if done.Report.Interrupted {
		return console.Exit(report.ExitInterrupted)
	}
	results, err := verify.Compare(before, done.Report)
	if err != nil {
		return console.Usage(err)
	}
	fmt.Fprintln(console.Plain(env.Stdout))
	code := report.ExitUndecided
	for _, c := range results {
		fmt.Fprintf(console.Plain(env.Stdout), "%-11s %s: %s\n", strings.ToUpper(c.Outcome), c.Target, c.Summary)
		switch {
		case c.Outcome == verify.Confirmed:
			code = report.ExitPassed
		case c.Outcome == verify.Refuted && code == report.ExitUndecided:
			code = report.ExitFailed
		}
	}
	return console.Exit(code)
}
