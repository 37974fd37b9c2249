package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	verify "github.com/rampload/rampload/report/confirm"
)

func newConfirm(env Env, g *globals) *cobra.Command {
	r := &runFlags{}
	cmd := &cobra.Command{
		Use:   "confirm REPORT",
		Short: "Run a report's profile again after a fix: did the onset move with the limit?",
		Long: `confirm settles what one run cannot. Raise the limit that a report suspects, and
only that one; confirm runs the same profile again and says whether the onset
moved with it. A profile with secrets is named again with --profile, because a
report holds none.

Exit code 0: a suspected limit was the cause. 1: it was refuted. 4: unsettled.`,
		Example: "  rampload confirm peak.json",
		Args:    exactArgs("rampload confirm REPORT", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			before, err := readReport(args[0])
			if err != nil {
				return usage(err)
			}
			p, err := profileOf(env, g, r, before)
			if err != nil {
				return usage(err)
			}
			return confirm(cmd.Context(), env, g, r, before, p)
		},
	}
	r.register(cmd.Flags())
	return cmd
}

// profileOf returns the profile that a report was made with.
func profileOf(env Env, g *globals, r *runFlags, before *report.Report) (profiles.Profile, error) {
	if r.profile != "" {
		return loadProfile(env, g, r)
	}
	p, err := decodeProfile(env, g, r, "the report's profile", "", []byte(before.Profile.YAML))
	if err != nil {
		return p, fmt.Errorf("%w; name the profile with --profile FILE", err)
	}
	if p.Fingerprint() != before.Profile.Fingerprint {
		return p, errors.New("this is not the profile of the report: leave out what changes its load, or, where its secrets are redacted, name the profile with --profile FILE")
	}
	return p, nil
}

func confirm(ctx context.Context, env Env, g *globals, r *runFlags, before *report.Report, p profiles.Profile) error {
	// A run of another profile would be in vain: say so before, not after.
	if p.Fingerprint() != before.Profile.Fingerprint {
		return usage(fmt.Errorf("%w: this is not the profile of the report", report.ErrDifferent))
	}
	suspected, err := verify.Compare(before, before)
	if err != nil {
		return usage(err)
	}
	if len(suspected) == 0 {
		fmt.Fprintln(plainText{env.Stdout}, "NOTHING TO CONFIRM  the report suspects no resource")
		return exit(report.ExitUndecided)
	}
	done, err := run(ctx, env, p, runOptions{globals: g, sampleEvery: r.sampleEvery, trace: !r.noTrace})
	if err != nil {
		return err
	}
	if done.report.Interrupted {
		return exit(report.ExitInterrupted)
	}
	results, err := verify.Compare(before, done.report)
	if err != nil {
		return usage(err)
	}
	fmt.Fprintln(plainText{env.Stdout})
	code := report.ExitUndecided
	for _, c := range results {
		fmt.Fprintf(plainText{env.Stdout}, "%-11s %s: %s\n", strings.ToUpper(c.Outcome), c.Target, c.Summary)
		switch {
		case c.Outcome == verify.Confirmed:
			code = report.ExitPassed
		case c.Outcome == verify.Refuted && code == report.ExitUndecided:
			code = report.ExitFailed
		}
	}
	return exit(code)
}
