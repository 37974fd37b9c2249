package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/attack/lab"
	"github.com/rampload/rampload/cmd/internal/eval"
	"github.com/rampload/rampload/report"
)

// runTime bounds one run of a scenario: they take 20 to 45 s.
const runTime = 3 * time.Minute

// labEval are the flags of lab-eval.
type labEval struct {
	scenarios []string
	seeds     string
	dir       string
	resume    bool
	disturbed bool
}

// newLabEval is how "make eval" measures the diagnosis.
func newLabEval(env Env) *cobra.Command {
	var l labEval
	cmd := &cobra.Command{
		Use:    "lab-eval",
		Short:  "Run the lab's scenarios and measure how right the diagnosis is",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return l.run(cmd.Context(), env) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&l.scenarios, "scenarios", []string{"*"}, "run the scenarios whose names match a `GLOB` (repeatable)")
	f.StringVar(&l.seeds, "seeds", "1", "run each with these seeds: `N` or N-M")
	f.StringVar(&l.dir, "dir", "", "keep run logs and truths in `DIR`")
	f.BoolVar(&l.resume, "resume", false, "skip what --dir has already")
	f.BoolVar(&l.disturbed, "repeat-disturbed", false, "with --resume: run again where the load generator was the limit though the scenario leaves it alone")
	return cmd
}

func (l labEval) run(ctx context.Context, env Env) error {
	if l.dir == "" {
		return usage(errors.New("no folder for the run logs: name one with --dir DIR"))
	}
	return l.record(ctx, env)
}

func (l labEval) record(ctx context.Context, env Env) error {
	seeds, err := parseSeeds(l.seeds)
	if err != nil {
		return usage(err)
	}
	plan := eval.Plan{Seeds: seeds}
	for _, s := range lab.Scenarios() {
		match, err := matchesAny(l.scenarios, s.Name)
		if err != nil {
			return usage(err)
		}
		if missing := s.Missing(); match && missing != "" {
			fmt.Fprintf(env.Stderr, "rampload: skipping %s: %s\n", s.Name, missing)
		} else if match {
			plan.Scenarios = append(plan.Scenarios, s.Name)
		}
	}
	if len(plan.Scenarios) == 0 {
		return usage(fmt.Errorf("no scenario that can run here matches %s; rampload demo --list names them", strings.Join(l.scenarios, ", ")))
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return usage(fmt.Errorf("make folder: %w", err))
	}
	exe, err := os.Executable()
	if err != nil {
		return notRun(fmt.Errorf("find own program: %w", err))
	}
	recorder := eval.Recorder{Exe: exe, Dir: l.dir, Timeout: runTime}
	runs := plan.Order(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	for i, run := range runs {
		if l.resume && recorder.Has(run) {
			continue
		}
		begun := time.Now()
		err := recorder.Record(ctx, run)
		if ctx.Err() != nil {
			return exit(report.ExitInterrupted)
		}
		said := "recorded"
		if err != nil {
			// One scenario that cannot run must not cost the others' evaluation.
			said = err.Error()
		}
		fmt.Fprintf(env.Stderr, "%3d/%d %-32s %5.1fs %s\n", i+1, len(runs), run.Name(), time.Since(begun).Seconds(), said)
	}
	return nil
}

func matchesAny(globs []string, name string) (bool, error) {
	for _, g := range globs {
		ok, err := path.Match(g, name)
		if err != nil {
			return false, fmt.Errorf("--scenarios %q is not a pattern: write one like nginx-* or *abort*", g)
		}
		if ok {
			return true, nil
		}
	}
	return false, nil
}

// parseSeeds reads "3" or "1-3".
func parseSeeds(text string) ([]uint64, error) {
	first, last, isRange := strings.Cut(text, "-")
	low, err := strconv.ParseUint(first, 10, 32)
	high := low
	if err == nil && isRange {
		high, err = strconv.ParseUint(last, 10, 32)
	}
	if err != nil || high < low || high-low >= 1000 {
		return nil, fmt.Errorf("--seeds %q is not a number or a range: write 1 or 1-3", text)
	}
	var seeds []uint64
	for s := low; s <= high; s++ {
		seeds = append(seeds, s)
	}
	return seeds, nil
}
