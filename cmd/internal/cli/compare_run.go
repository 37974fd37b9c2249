package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/cmd/internal/preflight"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/fingerprint"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

// mostRounds bounds the rounds of one comparison: beyond it nothing is learnt any more.
const mostRounds = 100

// sideRuns is one release of a comparison that is run.
type sideRuns struct {
	name    string // old, new
	urls    string // as the user wrote them
	profile profiles.Profile
	done    []*report.Report
}

// compareRuns runs a profile against two releases in turns and compares the runs that went
// to their end.
func compareRuns(ctx context.Context, env console.Env, g *input.Globals, r *input.Flags, c *compareFlags, oldURL, newURL string) error {
	if c.rounds < 1 || c.rounds > mostRounds {
		return console.Usage(fmt.Errorf("--rounds %d: write 1 to %d runs of each release; 5 are the fewest for a test", c.rounds, mostRounds))
	}
	if err := r.Check(); err != nil {
		return err
	}
	sides := [2]*sideRuns{{name: "old", urls: oldURL}, {name: "new", urls: newURL}}
	for _, s := range sides {
		var err error
		if s.profile, err = profileAgainst(env, g, r, s.urls); err != nil {
			return err
		}
		if err := input.NeedsBaseline(s.profile.Gate, ""); err != nil {
			return console.Usage(fmt.Errorf("%w; in a comparison leave the gate out: --set gate=[]", err))
		}
	}
	if fingerprint.Of(sides[0].profile) != fingerprint.Of(sides[1].profile) {
		return console.Usage(fmt.Errorf("%s and %s differ in more than the host, so that their runs could not be compared: write both with the same path", oldURL, newURL))
	}
	for _, s := range sides { // what cannot be reached is known before the first load
		if _, err := preflight.Look(ctx, s.profile); err != nil {
			return err
		}
	}
	if sides[0].urls == sides[1].urls {
		fmt.Fprintln(env.Stderr, "rampload: warning: both sides are the same URL: what differs is what runs differ by themselves")
	}
	if g.Out != "" {
		if err := report.Vacant(g.Out); err != nil {
			return console.Usage(err) // before the load, not after it
		}
	}
	prefix := cmp.Or(c.reports, fmt.Sprintf("rampload-compare-%s-%s", keep.FileName(sides[0].profile.Name), time.Now().UTC().Format("20060102-150405")))
	broken := inTurns(ctx, c.rounds, func(side, round, nth int) error {
		return sides[side].run(ctx, env, g, r, fmt.Sprintf("%s-%s-%d.json", prefix, sides[side].name, round), nth, 2*c.rounds)
	})
	interrupted := ctx.Err() != nil
	whole := len(sides[0].done) > 0 && len(sides[1].done) > 0
	if broken != nil && !interrupted && whole { // else it is the command's own error
		fmt.Fprintf(env.Stderr, "rampload: the comparison ends here: %s\n", console.Message(broken.Error()))
	}
	if !whole {
		if interrupted {
			return &console.Error{Code: report.ExitInterrupted, Err: errors.New("interrupted before both releases had a whole run: nothing to compare")}
		}
		return cmp.Or(broken, console.NotRun(errors.New("no release has a whole run: nothing to compare")))
	}
	err := compare(env, g, c, sides[0].done, sides[1].done)
	switch {
	case interrupted:
		return console.Exit(report.ExitInterrupted)
	case broken != nil:
		return console.Exit(codeOf(broken))
	}
	return err
}

// inTurns calls run for each of two sides and each round, in the order old, new, new, old,
// old, new and so on, until one fails or the context ends. nth counts from 1.
func inTurns(ctx context.Context, rounds int, run func(side, round, nth int) error) error {
	nth := 0
	for round := range rounds {
		for turn := range 2 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			nth++
			if err := run((round+turn)%2, round+1, nth); err != nil {
				return err
			}
		}
	}
	return nil
}

// run carries out one run of a release. One that was interrupted is not whole and does not
// count.
func (s *sideRuns) run(ctx context.Context, env console.Env, g *input.Globals, r *input.Flags, out string, nth, of int) error {
	own := *g
	own.Out, own.Label = out, s.name
	if g.Label != "" {
		own.Label = g.Label + " " + s.name
	}
	if !g.Quiet {
		fmt.Fprintf(env.Stderr, "run %d of %d: %s, %s\n", nth, of, s.name, console.Message(s.urls))
	}
	silent := env
	silent.Stdout = io.Discard // the comparison is what is printed
	done, err := run.Run(ctx, silent, s.profile, run.Options{Globals: &own, SampleEvery: r.SampleEvery, Trace: !r.NoTrace})
	if err != nil {
		return err
	}
	if done.Report.Interrupted || !done.Report.Complete {
		return errNotWhole
	}
	s.done = append(s.done, done.Report)
	if !g.Quiet {
		fmt.Fprintf(env.Stderr, "run %d of %d: %s: %s; %s\n", nth, of, s.name, oneLine(done.Report), done.Path)
	}
	return nil
}

var errNotWhole = errors.New("a run did not go to its end")

// oneLine is a run in short.
func oneLine(r *report.Report) string {
	parts := []string{fmt.Sprintf("%s of %s requests failed", format.Count(r.Totals.Failed), format.Count(r.Totals.Requests))}
	for _, t := range r.Targets {
		if o := t.Onset; o.Status == report.OnsetFound && o.LoadRPS != nil {
			parts = append(parts, fmt.Sprintf("%s from %s", o.Fault, format.Rate(*o.LoadRPS)))
		}
	}
	return strings.Join(parts, ", ")
}

// codeOf is the exit code that an error carries.
func codeOf(err error) int {
	var coded *console.Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return report.ExitNotRun
}

// profileAgainst loads the profile with its targets sent to other URLs: one URL for its
// only target, or NAME=URL,NAME=URL. Without a profile it is builtin:peak.
func profileAgainst(env console.Env, g *input.Globals, r *input.Flags, urls string) (profiles.Profile, error) {
	own := *r
	own.Profile = cmp.Or(own.Profile, input.BuiltinPrefix+"peak")
	if !strings.Contains(urls, "://") {
		return profiles.Profile{}, console.Usage(fmt.Errorf("%q is no URL: with --run, OLD and NEW are URLs such as http://old:8080", urls))
	}
	plain, err := input.LoadProfile(env, g, &own)
	if err != nil {
		return plain, err
	}
	var targets []string
	for part := range strings.SplitSeq(urls, ",") {
		name, _, named := strings.Cut(part, "=")
		switch {
		case named && !strings.Contains(name, "/"):
			targets = append(targets, part)
		case len(plain.Targets) == 1:
			targets = append(targets, plain.Targets[0].Name+"="+part)
		default:
			var names []string
			for _, t := range plain.Targets {
				names = append(names, t.Name+"=URL")
			}
			return plain, console.Usage(fmt.Errorf("the profile has %d targets: write %s in place of %q", len(plain.Targets), strings.Join(names, ","), urls))
		}
	}
	own.Targets = append(append([]string(nil), r.Targets...), targets...)
	return input.LoadProfile(env, g, &own)
}
