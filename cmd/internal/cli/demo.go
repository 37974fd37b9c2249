package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/teach"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

func newDemo(env console.Env, g *input.Globals) *cobra.Command {
	var (
		list bool
		seed uint64
		opt  demoOptions
	)
	cmd := &cobra.Command{
		ValidArgsFunction: completeScenarios(append(slices.Clone(scenarios(env.Lab)), teach.Fleet())),
		Use:               "demo [SCENARIO]",
		Short:             "Run against a faulty service of rampload's own and see the verdict",
		Long: `demo starts a faulty service on this machine, ramps load against it and says
whether rampload found what is wrong. Without a scenario it takes a payment
service that runs out of file descriptors, then the same service with a sane
limit. Exit code 0 means that the expected verdict was reached.

rampload demo fleet shows several machines: two workers send the load, and an agent
watches the service, as root in network namespaces of their own.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return listScenarios(env)
			}
			names := []string{"descriptors", "healthy"}
			if len(args) == 1 {
				names = args
			}
			return demoCommand(cmd.Context(), env, g, names, seed, opt)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the scenarios")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "vary the scenario's parameters: `N`")
	cmd.Flags().Float64Var(&opt.shorten, "shorten", 1, "load for a part of the time: `N` times shorter")
	_ = cmd.Flags().MarkHidden("shorten") // the flag is there
	input.ViewFlags(cmd.Flags(), &opt.ui, &opt.web)
	input.MetricsFlag(cmd.Flags(), &opt.metrics)
	if env.Lab.KeepTruth != nil {
		cmd.Flags().StringVar(&opt.truth, "truth", "", "write what was expected and what the scenario's injector counted to `FILE` (JSON)")
		cmd.Flags().BoolVar(&opt.agents, "agents", false, "watch the scenario's hosts twice: as namespaces of this machine, and by agents, as other machines")
	}
	return cmd
}

// demoOptions are how a demo is shown, and what is for whoever measures the demos.
type demoOptions struct {
	ui      bool
	web     string  // address; empty: not in a browser
	metrics string  // address; empty: nobody fetches
	truth   string  // file for the truth; empty: none
	shorten float64 // divides the length of the load
	agents  bool    // the scenario's hosts are watched by agents too
	assets  layout.Assets
}

func listScenarios(env console.Env) error {
	byFamily := map[string][]lab.Scenario{}
	var families []string
	for _, s := range append(slices.Clone(scenarios(env.Lab)), teach.Fleet()) {
		if len(byFamily[s.Family]) == 0 {
			families = append(families, s.Family)
		}
		byFamily[s.Family] = append(byFamily[s.Family], s)
	}
	for _, family := range families {
		fmt.Fprintln(console.Plain(env.Stdout), family)
		for _, s := range byFamily[family] {
			fmt.Fprintf(console.Plain(env.Stdout), "  %-28s %s", s.Name, s.About)
			if missing := s.Missing(); missing != "" {
				fmt.Fprint(console.Plain(env.Stdout), " [cannot run here]")
			}
			fmt.Fprintln(console.Plain(env.Stdout))
		}
	}
	return nil
}

func demoCommand(ctx context.Context, env console.Env, g *input.Globals, names []string, seed uint64, opt demoOptions) error {
	if !(opt.shorten >= 1 && opt.shorten <= 10) {
		return console.Usage(fmt.Errorf("--shorten %g is out of range: write a number from 1 to 10", opt.shorten))
	}
	if opt.web != "" {
		var err error
		if opt.assets, err = chartAssets(); err != nil {
			return err
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return console.NotRun(fmt.Errorf("find own program: %w", err))
	}
	dir, err := os.MkdirTemp("", "rampload-demo-")
	if err != nil {
		return console.NotRun(fmt.Errorf("make a folder for the demo: %w", err))
	}
	defer env.InOrder()() // a service that was started is stopped
	reached := true
	out := g.Out
	for i, name := range names {
		s, err := scenario(append(slices.Clone(scenarios(env.Lab)), teach.Fleet()), name)
		if err != nil {
			return console.Usage(err)
		}
		g := *g
		if out != "" && i > 0 { // each has a report of its own
			g.Out = strings.TrimSuffix(out, filepath.Ext(out)) + "-" + name + filepath.Ext(out)
		}
		if i > 0 {
			fmt.Fprintln(console.Plain(env.Stdout))
		}
		ok, err := demo(ctx, env, &g, s, lab.Env{Dir: dir, Exe: exe, Seed: seed}, opt)
		if err != nil {
			return err
		}
		reached = reached && ok
		if ctx.Err() != nil {
			return console.Exit(report.ExitInterrupted)
		}
	}
	if !reached {
		return console.Exit(report.ExitFailed)
	}
	return nil
}

// likelyScenarios are what somebody who wrote a name that is not there may mean.
func likelyScenarios(all []lab.Scenario, name string) string {
	var names, parts []string
	for _, s := range all {
		names = append(names, s.Name)
		if strings.Contains(strings.ReplaceAll(s.Name, "-", ""), strings.ReplaceAll(name, "-", "")) {
			parts = append(parts, s.Name)
		}
	}
	if near := spelling.Nearest(name, names); near != "" && !slices.Contains(parts, near) {
		parts = append([]string{near}, parts...)
	}
	if len(parts) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(parts[:min(4, len(parts))], ", ") + "?"
}

func scenario(all []lab.Scenario, name string) (lab.Scenario, error) {
	s, ok := lab.Lookup(all, name)
	if !ok {
		return s, fmt.Errorf("no scenario %q%s; rampload demo --list names them", name, likelyScenarios(all, name))
	}
	if missing := s.Missing(); missing != "" {
		return s, errors.New(missing)
	}
	return s, nil
}

// demo runs one scenario and reports whether its expected verdict was reached.
func demo(ctx context.Context, env console.Env, g *input.Globals, s lab.Scenario, le lab.Env, how demoOptions) (bool, error) {
	fmt.Fprintf(console.Plain(env.Stdout), "demo %s: %s\n\n", s.Name, s.About)
	running, err := s.Start(ctx, le)
	if err != nil {
		return false, console.NotRun(fmt.Errorf("start scenario %s: %w", s.Name, err))
	}
	defer func() { _ = running.Stop() }() // may be called twice; the first call tells
	for i, stage := range running.Profile.Load {
		running.Profile.Load[i] = stage.Lasting(time.Duration(float64(stage.Duration()) / how.shorten))
	}
	if how.agents && !running.WithTwins(le.Exe) {
		return false, console.Usage(fmt.Errorf("scenario %s has no host that is a namespace: there is none that an agent would watch as another machine", s.Name))
	}
	opt := *g
	if opt.Out == "" {
		opt.Out = filepath.Join(le.Dir, s.Name+".json")
	}
	var r *report.Report
	if running.ClientNetns != "" || running.ClientFiles != 0 || running.ClientCgroup != "" {
		r, err = runElsewhere(ctx, env, running, opt, le, how)
	} else {
		var done *run.Finished
		done, err = run.Run(ctx, env, running.Profile.WithDefaults(), run.Options{Globals: &opt, SampleEvery: input.WindowInterval, Trace: true, UI: how.ui, Web: how.web, Metrics: how.metrics, Assets: how.assets})
		if done != nil {
			r = done.Report
		}
	}
	if err != nil {
		return false, err
	}
	got := r.Findings[0]
	stopErr := running.Stop()
	truth := running.Truth()
	fmt.Fprintf(console.Plain(env.Stdout), "\nexpected %s, found %s\n", s.Cause, describe(got))
	if truth.Source != "" {
		least := ""
		if truth.Least() {
			least = "at least "
		}
		fmt.Fprintf(console.Plain(env.Stdout), "resets sent as %s counted them: %s%s; as rampload did: %s\n",
			truth.Source, least, format.Number(float64(truth.Resets)), format.Number(float64(r.Totals.WireResets)))
	}
	if stopErr != nil {
		return false, console.NotRun(fmt.Errorf("stop scenario %s: %w", s.Name, stopErr))
	}
	if how.truth != "" {
		if err := env.Lab.KeepTruth(how.truth, s, le.Seed, running.Expect, truth); err != nil {
			return false, console.NotRun(err)
		}
	}
	return got.Cause == s.Cause || slices.Contains(running.Expect.Causes, got.Cause), nil
}

func describe(f report.Finding) string {
	if f.Verdict == f.Cause {
		return f.Verdict
	}
	return fmt.Sprintf("%s (%s, confidence %.2f)", f.Cause, f.Verdict, f.Confidence)
}

// enter is a shell script that moves itself to a control group and a limit of
// open files before it becomes its arguments: both are inherited by execve.
const enter = `if [ -n "$1" ]; then echo $$ > "$1/cgroup.procs" || exit 125; fi
if [ "$2" != 0 ]; then ulimit -n "$2" || exit 125; fi
shift 2; exec "$@"`

// runElsewhere runs the profile in a process of its own where the scenario's
// client has to be: a running process cannot move all of its threads there.
func runElsewhere(ctx context.Context, env console.Env, running *lab.Running, opt input.Globals, le lab.Env, how demoOptions) (*report.Report, error) {
	text, err := yaml.Marshal(running.Profile.WithDefaults())
	if err != nil {
		return nil, console.NotRun(fmt.Errorf("write the scenario's profile: %w", err))
	}
	path := filepath.Join(le.Dir, fmt.Sprintf("%s-%d.yaml", running.Profile.Name, time.Now().UnixNano()))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, console.NotRun(fmt.Errorf("write the scenario's profile: %w", err))
	}
	args := []string{"sh", "-c", enter, "rampload", running.ClientCgroup, strconv.FormatUint(running.ClientFiles, 10)}
	if running.ClientNetns != "" {
		// nsenter rather than ip netns exec: that one hides /sys/kernel/tracing.
		args = append(args, "nsenter", "--net=/run/netns/"+running.ClientNetns, "--")
	}
	args = append(args, le.Exe, "run", "--profile", path, "--out", opt.Out)
	if opt.Quiet {
		args = append(args, "--quiet")
	}
	if how.ui {
		args = append(args, "--ui")
	}
	if how.web != "" {
		args = append(args, "--web", how.web)
	}
	if how.metrics != "" {
		args = append(args, "--metrics", how.metrics)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Stdin, cmd.Stdout, cmd.Stderr = env.Stdin, env.Stdout, env.Stderr
	var exited *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exited) {
		return nil, console.NotRun(fmt.Errorf("run the scenario's client: %w", err))
	}
	r, err := input.ReadReport(opt.Out)
	if err != nil {
		return nil, console.NotRun(fmt.Errorf("the scenario's client left no report: %w", err))
	}
	return r, nil
}
