// Package labeval is the command that runs the whole lab and measures how right
// the diagnosis is.
package labeval

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

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/eval"
	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
)

// runTime bounds one run of a scenario: they take 20 to 45 s.
const runTime = 3 * time.Minute

// command is the flags of lab-eval.
type command struct {
	scenarios []string
	seeds     string
	dir       string
	resume    bool
	shorten   float64
	disturbed bool
	replay    string
	table     string
	keep      string
	agents    bool
}

// New is how "make eval" measures the diagnosis.
func New(env console.Env) *cobra.Command {
	var l command
	cmd := &cobra.Command{
		Use:   "lab-eval",
		Short: "Run the lab's scenarios and measure how right the diagnosis is",
		Long: `lab-eval runs scenarios of the lab one at a time, in random order, keeps each
run log with the truth that the fault's injector counted, and prints how often
the diagnosis is right, with all sources of evidence and with each left out,
beside simpler methods on the same logs (Markdown). Half a minute a run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return l.run(cmd.Context(), env) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&l.scenarios, "scenarios", []string{"*"}, "run the scenarios whose names match a `GLOB` (repeatable)")
	f.StringVar(&l.seeds, "seeds", "1", "run each with these seeds: `N` or N-M")
	f.StringVar(&l.dir, "dir", "", "keep run logs and truths in `DIR`")
	f.BoolVar(&l.resume, "resume", false, "skip what --dir has already")
	f.BoolVar(&l.disturbed, "repeat-disturbed", false, "with --resume: run again where the load generator was said to be the limit though the scenario leaves it alone")
	f.Float64Var(&l.shorten, "shorten", 1, "load for a part of the time: `N` times shorter")
	f.StringVar(&l.replay, "replay", "", "run nothing: analyse the runs recorded in `DIR`")
	f.StringVar(&l.keep, "keep", "", "also write each run, thinned, to `DIR` as a golden input of the diagnosis's tests")
	f.BoolVar(&l.agents, "agents", false, "watch hosts twice, as namespaces of this machine and by agents, and say whether the verdict is the same")
	f.StringVar(&l.table, "table", "", "write the evaluation to `FILE` instead of printing it")
	return cmd
}

func (l command) run(ctx context.Context, env console.Env) error {
	dir := l.replay
	if dir == "" {
		dir = l.dir
		if dir == "" {
			return console.Usage(errors.New("no folder for the run logs: name one with --dir DIR, or recorded ones with --replay DIR"))
		}
		if err := l.record(ctx, env); err != nil {
			return err
		}
	}
	return l.evaluate(env, dir)
}

// evaluate analyses the recorded runs of a folder and writes the tables.
func (l command) evaluate(env console.Env, dir string) error {
	cases, err := eval.ReadDir(dir)
	if err != nil {
		return console.NotRun(err)
	}
	recorded := map[string]bool{}
	for _, c := range cases {
		recorded[c.Scenario] = true
	}
	if cases, err = l.selected(cases); err != nil {
		return console.Usage(err)
	}
	if l.agents {
		return l.compare(env, cases)
	}
	if len(cases) == 0 {
		return console.Usage(fmt.Errorf("no recorded runs in %s that match %s", dir, strings.Join(l.scenarios, ", ")))
	}
	if l.keep != "" {
		if err := keepRuns(env, cases, l.keep); err != nil {
			return console.NotRun(err)
		}
	}
	e, err := eval.Evaluate(cases, func(r eval.Result) {
		said := "right"
		if j := r.By[0]; !j.Right {
			said = fmt.Sprintf("%s expected, %s (%s, %.2f) found", r.Causes[0], j.Cause, j.Verdict, j.Confidence)
		}
		fmt.Fprintf(console.Plain(env.Stderr), "%-34s %s\n", r.Name(), said)
	})
	if err != nil {
		return console.NotRun(err)
	}
	var skipped []eval.Skipped
	for _, s := range env.Lab.Scenarios {
		if missing := s.Missing(); missing != "" && !recorded[s.Name] {
			skipped = append(skipped, eval.Skipped{Scenario: s.Name, Reason: missing})
		} else if !recorded[s.Name] {
			skipped = append(skipped, eval.Skipped{Scenario: s.Name, Reason: "not recorded"})
		}
	}
	if l.table == "" {
		return notRunIf(e.WriteMarkdown(env.Stdout, skipped))
	}
	f, err := os.Create(l.table)
	if err != nil {
		return console.Usage(fmt.Errorf("write the evaluation: %w", err))
	}
	return notRunIf(errors.Join(e.WriteMarkdown(f, skipped), f.Close()))
}

// compare judges runs by what was seen of their hosts as namespaces, and by agents.
func (l command) compare(env console.Env, cases []eval.Recorded) error {
	pairs, err := eval.Twins(cases)
	if err != nil {
		return console.NotRun(err)
	}
	if len(pairs) == 0 {
		return console.Usage(errors.New("no run was recorded both ways: record some with --agents"))
	}
	if l.table == "" {
		return notRunIf(eval.WritePairs(env.Stdout, pairs))
	}
	f, err := os.Create(l.table)
	if err != nil {
		return console.Usage(fmt.Errorf("write the comparison: %w", err))
	}
	return notRunIf(errors.Join(eval.WritePairs(f, pairs), f.Close()))
}

// keepRuns keeps the first run of each scenario that was not disturbed.
func keepRuns(env console.Env, cases []eval.Recorded, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	kept := map[string]bool{}
	for _, c := range cases {
		if kept[c.Scenario] {
			continue
		}
		switch err := eval.Keep(c, dir); {
		case errors.Is(err, eval.ErrDisturbed):
			fmt.Fprintf(console.Plain(env.Stderr), "rampload-lab: %s\n", err)
		case err != nil:
			return err
		default:
			kept[c.Scenario] = true
		}
	}
	return nil
}

func (l command) selected(cases []eval.Recorded) ([]eval.Recorded, error) {
	var out []eval.Recorded
	for _, c := range cases {
		match, err := matchesAny(l.scenarios, c.Scenario)
		if err != nil {
			return nil, err
		}
		if match {
			out = append(out, c)
		}
	}
	return out, nil
}

func notRunIf(err error) error {
	if err == nil {
		return nil
	}
	return console.NotRun(err)
}

func (l command) record(ctx context.Context, env console.Env) error {
	seeds, err := parseSeeds(l.seeds)
	if err != nil {
		return console.Usage(err)
	}
	plan := eval.Plan{Seeds: seeds}
	for _, s := range env.Lab.Scenarios {
		match, err := matchesAny(l.scenarios, s.Name)
		if err != nil {
			return console.Usage(err)
		}
		if missing := s.Missing(); match && missing != "" {
			fmt.Fprintf(console.Plain(env.Stderr), "rampload-lab: skipping %s: %s\n", s.Name, missing)
		} else if match {
			plan.Scenarios = append(plan.Scenarios, s.Name)
		}
	}
	if len(plan.Scenarios) == 0 {
		return console.Usage(fmt.Errorf("no scenario that can run here matches %s; rampload-lab demo --list names them", strings.Join(l.scenarios, ", ")))
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return console.Usage(fmt.Errorf("make folder: %w", err))
	}
	exe, err := os.Executable()
	if err != nil {
		return console.NotRun(fmt.Errorf("find own program: %w", err))
	}
	defer env.InOrder()() // a scenario that was started is stopped
	recorder := eval.Recorder{Exe: exe, Dir: l.dir, Timeout: runTime, Shorten: l.shorten, Agents: l.agents}
	runs := plan.Order(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	for i, run := range runs {
		if l.resume && recorder.Has(run) && (!l.disturbed || !disturbed(l.dir, run)) {
			continue
		}
		begun := time.Now()
		err := recorder.Record(ctx, run)
		if ctx.Err() != nil {
			return console.Exit(report.ExitInterrupted)
		}
		said := "recorded"
		if err != nil {
			// One scenario that cannot run must not cost the others' evaluation.
			said = err.Error()
		}
		fmt.Fprintf(console.Plain(env.Stderr), "%3d/%d %-32s %5.1fs %s\n", i+1, len(runs), run.Name(), time.Since(begun).Seconds(), said)
	}
	return nil
}

// disturbed reports whether the generator could not keep up in a recorded run
// whose scenario leaves it alone: something else was using the machine.
func disturbed(dir string, run eval.Run) bool {
	c, err := eval.ReadRun(dir, run)
	if err != nil {
		return true
	}
	log, err := c.Log()
	return err != nil || eval.Judge(c.Case, log, diagnose.Analyze(log)).Disturbed
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

// KeepTruth writes a scenario that has run as a case of the evaluation.
func KeepTruth(file string, s lab.Scenario, seed uint64, expect lab.Expect, truth lab.Truth) error {
	return eval.NewCase(s, seed, expect, truth).Write(file)
}
