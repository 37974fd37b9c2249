package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/rst"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/runlog"
)

const (
	windowInterval = 250 * time.Millisecond
	// baseline is the time until the load begins: the probes are opened in it, and
	// look long enough for rates of counters and for what was full from the start.
	baseline = 2 * time.Second
	coolDown = time.Second
	directGC = 25 // GOGC of a run with engine direct
)

// runFlags are the flags of a run.
type runFlags struct {
	profile     string
	targets     []string
	scale       float64
	noTrace     bool
	sampleEvery time.Duration
}

func (r *runFlags) register(f *pflag.FlagSet) {
	f.StringVarP(&r.profile, "profile", "p", "", "profile to run: a `FILE`, or builtin:demo, builtin:peak, builtin:spike, builtin:soak")
	f.StringArrayVar(&r.targets, "target", nil, "send a target's load to another URL: `NAME=URL` (repeatable)")
	f.Float64Var(&r.scale, "scale", 1, "multiply every rate of the profile by `FACTOR`")
	f.DurationVar(&r.sampleEvery, "sample-every", windowInterval, "how often the probes read: `DURATION` from 100ms")
	f.BoolVar(&r.noTrace, "no-trace", false, "do not trace or capture resets in the kernel")
}

func newRun(env Env, g *globals) *cobra.Command {
	r := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run --profile FILE",
		Short: "Run a profile, print the verdict, write the report (what rampload --profile does)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.profile == "" {
				return usage(errors.New("no profile: name one with --profile FILE, or write a first one with rampload init > peak.yaml"))
			}
			return runCommand(cmd.Context(), env, g, r)
		},
	}
	r.register(cmd.Flags())
	return cmd
}

func runCommand(ctx context.Context, env Env, g *globals, r *runFlags) error {
	p, err := loadProfile(env, g, r)
	if err != nil {
		return err
	}
	if r.sampleEvery < 100*time.Millisecond || r.sampleEvery > 10*time.Second {
		return usage(fmt.Errorf("--sample-every %s is out of range: write a duration from 100ms to 10s", r.sampleEvery))
	}
	done, err := run(ctx, env, p, runOptions{globals: g, sampleEvery: r.sampleEvery, trace: !r.noTrace})
	if err != nil {
		return err
	}
	return exit(done.report.ExitCode)
}

// runOptions are what a run needs beyond its profile.
type runOptions struct {
	*globals
	sampleEvery time.Duration
	trace       bool
}

// finished is a run that was carried out, well or not.
type finished struct {
	report  *report.Report
	log     *runlog.Log
	path    string
	logPath string
}

// run carries a profile out from preflight to printed report.
func run(ctx context.Context, env Env, p profiles.Profile, opt runOptions) (*finished, error) {
	if opt.logFormat != "text" && opt.logFormat != "json" {
		return nil, usage(fmt.Errorf("--log-format %q is not a format: write text or json", opt.logFormat))
	}
	terminal := newTerminal(env)
	plan, err := planLoad(p)
	if err != nil {
		return nil, usage(err)
	}
	warnings, err := preflight(ctx, p)
	if err != nil {
		return nil, notRun(err)
	}
	addrs := resolveTargets(ctx, p.Targets) // before the start: a slow resolver must not eat the baseline
	start := time.Now().Add(baseline)
	clock := probe.NewClock(start)
	id := newRunID()
	loader, err := plan.loader(id, start)
	if err != nil {
		return nil, usage(err)
	}
	files, err := createFiles(opt.out, p.Name, time.Now())
	if err != nil {
		return nil, usage(err)
	}
	defer files.close()
	if _, set := env.LookupEnv("GOGC"); !set && p.Client.Engine == profiles.EngineDirect {
		// The direct loop allocates next to nothing, so collecting often costs nothing
		// and memory is at its final size from the start.
		defer debug.SetGCPercent(debug.SetGCPercent(directGC))
	}
	watched := watchHosts(ctx, p.Hosts, p.Targets, addrs, clock, opt.trace)
	for _, w := range append(warnings, watched.alreadyFull(ctx)...) {
		fmt.Fprintf(env.Stderr, "rampload: warning: %s\n", w)
	}
	log, err := runlog.NewWriter(files.log, newHeader(p, id, start, opt.label, watched))
	if err != nil {
		return nil, notRun(err)
	}
	progress := newProgress(terminal, env.Stderr, plan, opt.quiet)
	var recorder session.Recorder = log
	if opt.logFormat == "json" {
		recorder = newFailureLog(log, env.Stderr, targetNames(p), id, start)
	}
	outcome, err := session.Run(ctx, session.Config{
		Clock: clock, Loader: loader, Samplers: watched.Samplers, Watchers: watched.Watchers, Recorder: recorder,
		SampleEvery: opt.sampleEvery, CoolDown: coolDown,
		Targets: targetNames(p), Interval: windowInterval, Offered: plan.rate, AbortIf: p.AbortIf, Progress: progress.update,
		Search: plan.search(log), After: idleStage(p, id, log, progress),
	})
	progress.done()
	trailer := runlog.Trailer{
		Ended: outcome.Summary.Ended, Interrupted: outcome.Summary.Interrupted && outcome.Aborted == "",
		Aborted: outcome.Aborted, Sources: append(outcome.Sources, watched.Missing...),
	}
	if err != nil {
		trailer.Error = err.Error()
	}
	if closeErr := log.Close(trailer); closeErr != nil {
		return nil, notRun(fmt.Errorf("keep the run: %w; free some space and run again", closeErr))
	}
	if err != nil {
		return nil, notRun(err)
	}
	return conclude(env, terminal, p, files, watched.capture)
}

func newRunID() attack.RunID {
	var id attack.RunID
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return id
}

// files are the report and the run log beside it.
type files struct {
	report, log *os.File
	done        bool
}

// createFiles creates both files before any load is sent: a report that cannot
// be written must not be found out after the run.
func createFiles(out, name string, now time.Time) (*files, error) {
	if out == "" {
		out = fmt.Sprintf("rampload-%s-%s.json", fileName(name), now.UTC().Format("20060102-150405"))
	}
	logPath := strings.TrimSuffix(out, filepath.Ext(out)) + ".runlog"
	if logPath == out {
		return nil, fmt.Errorf("--out %s would take the run log's name: end the report's name in .json", out)
	}
	reportFile, err := report.Create(out)
	if err != nil {
		return nil, err
	}
	logFile, err := report.Create(logPath)
	if err != nil {
		reportFile.Close()
		os.Remove(out)
		return nil, err
	}
	return &files{report: reportFile, log: logFile}, nil
}

// close closes both files and removes a report that was never written.
func (f *files) close() {
	f.log.Close()
	f.report.Close()
	if !f.done {
		os.Remove(f.report.Name())
	}
}

// fileName makes a profile's name fit for a file.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, name)
}

// conclude reads the run log back, so that a report made now and one made later
// from the log are the same, and writes and prints the report.
func conclude(env Env, t terminal, p profiles.Profile, f *files, capture *rst.Capture) (*finished, error) {
	log, err := readLogFile(f.log.Name())
	if err != nil {
		return nil, notRun(err)
	}
	r, err := buildReport(log, p)
	if err != nil {
		return nil, notRun(fmt.Errorf("make the report of %s: %w", f.log.Name(), err))
	}
	if err := r.Write(f.report); err != nil {
		return nil, notRun(fmt.Errorf("%w; the run is kept: rampload report %s", err, f.log.Name()))
	}
	f.done = true
	done := &finished{report: r, log: log, path: f.report.Name(), logPath: f.log.Name()}
	opt := t.renderOptions()
	opt.Files = []string{done.path, done.logPath}
	pcap, err := writePcap(capture, log, done.path)
	if err != nil {
		// The packets support the verdict, which stands without them.
		fmt.Fprintf(env.Stderr, "rampload: warning: %s\n", err)
	} else if pcap != "" {
		opt.Files = append(opt.Files, pcap)
	}
	if err := render.Table(env.Stdout, r, opt); err != nil {
		return nil, notRun(fmt.Errorf("print the report: %w", err))
	}
	return done, nil
}

func targetNames(p profiles.Profile) []string {
	names := make([]string, len(p.Targets))
	for i, t := range p.Targets {
		names[i] = t.Name
	}
	return names
}

func hexID(id attack.RunID) string { return hex.EncodeToString(id[:]) }
