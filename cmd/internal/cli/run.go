package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/fleet"
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
	baseline    string
	only        []string
	once        bool // not of check
}

func (r *runFlags) register(f *pflag.FlagSet) {
	f.StringVarP(&r.profile, "profile", "p", "", "profile to run: a `FILE`, or builtin:demo, builtin:peak, builtin:spike, builtin:soak")
	f.StringArrayVar(&r.targets, "target", nil, "send a target's load to another URL: `NAME=URL` (repeatable)")
	f.Float64Var(&r.scale, "scale", 1, "multiply every rate of the profile by `FACTOR`")
	f.DurationVar(&r.sampleEvery, "sample-every", windowInterval, "how often the probes read: `DURATION` from 100ms")
	f.StringArrayVar(&r.only, "only", nil, "leave out all targets but this, with their share of the load: `TARGET` (repeatable)")
	f.BoolVar(&r.noTrace, "no-trace", false, "do not trace or capture resets in the kernel")
}

// registerAll adds what only a run of its own takes.
func (r *runFlags) registerAll(f *pflag.FlagSet) {
	r.register(f)
	baselineFlag(f, &r.baseline)
}

// check refuses values of flags that are out of range.
func (r *runFlags) check() error {
	if r.sampleEvery < 100*time.Millisecond || r.sampleEvery > 10*time.Second {
		return usage(fmt.Errorf("--sample-every %s is out of range: write a duration from 100ms to 10s", r.sampleEvery))
	}
	return nil
}

func newRun(env Env, g *globals) *cobra.Command {
	r := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run --profile FILE",
		Short: "Run a profile, print the verdict, write the report (what rampload --profile does)",
		Example: `  rampload run --profile peak.yaml
  rampload run --profile peak.yaml --once          send each request once, show the answers
  rampload run --profile peak.yaml --only orders   the load of one target`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.profile == "" {
				return usage(errors.New("no profile: name one with --profile FILE, or write a first one with rampload init > peak.yaml"))
			}
			return runCommand(cmd.Context(), env, g, r)
		},
	}
	r.registerAll(cmd.Flags())
	cmd.Flags().BoolVar(&r.once, "once", false, "send each request once, show the answers, and end")
	return cmd
}

func runCommand(ctx context.Context, env Env, g *globals, r *runFlags) error {
	p, err := loadProfile(env, g, r)
	if err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	if r.once {
		return sendOnce(ctx, env, p)
	}
	if err := needsBaseline(p.Gate, r.baseline); err != nil {
		return usage(err)
	}
	earlier, err := readBaseline(r.baseline, p.Fingerprint(), string(p.Client.Engine), "")
	if err != nil {
		return usage(err)
	}
	done, err := run(ctx, env, p, runOptions{globals: g, sampleEvery: r.sampleEvery, trace: !r.noTrace, baseline: earlier})
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
	baseline    baselineRuns
}

// finished is a run that was carried out, well or not.
type finished struct {
	report  *report.Report
	log     *runlog.Log
	path    string
	logPath string
}

// run carries a profile out from preflight to printed report. From its first load
// on no file, and no reader of the output, can end it.
func run(ctx context.Context, env Env, p profiles.Profile, opt runOptions) (*finished, error) {
	if opt.logFormat != "text" && opt.logFormat != "json" {
		return nil, usage(fmt.Errorf("--log-format %q is not a format: write text or json", opt.logFormat))
	}
	terminal := newTerminal(env)
	plan, err := planLoad(p)
	if err != nil {
		return nil, usage(err)
	}
	if err := sharedLimits(p); err != nil {
		return nil, usage(err)
	}
	warnings, err := preflight(ctx, p)
	if ctx.Err() != nil {
		return nil, errNothingSent
	}
	if err != nil {
		return nil, notSent(env, terminal, err)
	}
	stderr := newVoice(env.Stderr)
	defer stderr.settle()
	progress := newProgress(terminal, stderr, plan, opt.quiet)
	files, err := reserve(opt.out, p.Name, time.Now())
	if err != nil {
		return nil, usage(err)
	}
	begun := false
	defer func() {
		if !begun {
			files.release()
		}
	}()
	addrs := resolveTargets(ctx, p.Targets) // before the start: a slow resolver must not eat the baseline
	id := newRunID()
	company, err := gatherCompany(ctx, p, plan, id, opt, streamFolder(files.log), progress.warn)
	if err != nil {
		return nil, err
	}
	others := connectAgents(ctx, p, hexID(id), opt.sampleEvery, opt.trace)
	defer others.close()
	others.add(company)
	start := time.Now().Add(baseline)
	clock := probe.NewClock(start)
	loader, err := plan.loader(id, start, company)
	if err != nil {
		company.abandon()
		return nil, usage(err)
	}
	if ctx.Err() != nil {
		company.abandon()
		return nil, errNothingSent
	}
	if err := company.start(ctx, start); err != nil {
		return nil, err
	}
	begun = true
	defer env.InOrder()()
	if _, set := env.LookupEnv("GOGC"); !set && p.Client.Engine == profiles.EngineDirect {
		// The direct loop allocates next to nothing, so collecting often costs nothing
		// and memory is at its final size from the start.
		defer debug.SetGCPercent(debug.SetGCPercent(directGC))
	}
	record := newRecord(files.reserved, start, progress.warn)
	defer record.close()
	watched := watchHosts(ctx, p.Hosts, p.Targets, addrs, clock, opt.trace, others)
	for _, w := range slices.Concat(warnings, others.warnings(), watched.alreadyFull(ctx)) {
		progress.warn(w)
	}
	header := newHeader(p, id, start, opt.label, watched)
	if company.sends() {
		header.Role = runlog.RoleCoordinator
	}
	log, err := runlog.NewWriter(record, header)
	if err == nil {
		err = company.keep(header, hexID(id))
	}
	if err != nil {
		company.abandon()
		return nil, notRun(err)
	}
	recorder := company.recorder(log)
	if opt.logFormat == "json" {
		recorder = newFailureLog(recorder, stderr, targetNames(p), id, start)
	}
	outcome, err := session.Run(ctx, session.Config{
		Clock: clock, Loader: loader, Samplers: watched.Samplers, Watchers: watched.Watchers, Recorder: recorder,
		SampleEvery: opt.sampleEvery, CoolDown: coolDown,
		Targets: targetNames(p), Interval: windowInterval, Offered: plan.rate, AbortIf: p.AbortIf, Progress: progress.update,
		Others: func(seen func([]probe.Sample)) {
			others.follow(ctx, clock, log, seen)
			company.follow(ctx, log, len(others.links), seen)
		},
		Search: plan.search(company.step(log), company), After: idleStage(p, id, log, progress),
	})
	progress.done()
	statuses, complete := company.end()
	trailer := runlog.Trailer{
		Ended: outcome.Summary.Ended, Interrupted: outcome.Summary.Interrupted && outcome.Aborted == "",
		Aborted: outcome.Aborted, Sources: slices.Concat(outcome.Sources, watched.Missing, others.stop(), statuses),
	}
	if err == nil && company.forsaken() {
		trailer.Error = fleet.ErrNoWorkers.Error()
	}
	if err != nil {
		trailer.Error = err.Error()
	}
	company.leave(trailer, complete, files.log, progress.warn)
	if closeErr := log.Close(trailer); closeErr != nil {
		return nil, notRun(fmt.Errorf("keep the run: %w", closeErr))
	}
	if err != nil {
		return nil, notRun(err)
	}
	done, err := conclude(env, terminal, p, opt.baseline, files, record, watched.capture, progress)
	if opt.logFormat == "json" {
		tellCut(env, stderr)
	}
	if err == nil && company.forsaken() {
		err = notRun(fleet.ErrNoWorkers)
	}
	return done, err
}

// errNothingSent is the end of a run that was interrupted before its load.
var errNothingSent = &exitError{report.ExitInterrupted, errors.New("interrupted before the load began; nothing was sent")}

// tellCut says where the failure log is not whole, on the output that is left.
func tellCut(env Env, stderr *voice) {
	stderr.settle()
	switch lines, err := stderr.lost(); {
	case err != nil:
		fmt.Fprintf(env.Stdout, "\nthe failure log is cut, its reader went away (%s): %s lines are missing; the run log has the failures\n",
			err, report.FormatNumber(float64(lines)))
	case lines > 0:
		fmt.Fprintf(env.Stderr, "rampload: warning: the failure log has gaps, its reader was too slow: %s lines are missing; the run log has the failures\n",
			report.FormatNumber(float64(lines)))
	}
}

func newRunID() attack.RunID {
	var id attack.RunID
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return id
}

// conclude reads the run log back, so that a report made now and one made later
// from the log are the same, prints the verdict and writes the report. What cannot
// be written where it belongs is told, and costs no verdict.
func conclude(env Env, t terminal, p profiles.Profile, earlier baselineRuns, f *outputs, record *record, capture *rst.Capture, progress *progress) (*finished, error) {
	defer frugal(env)()
	lost := record.finish()
	log, err := runlog.Read(record.reader())
	if err != nil {
		return nil, notRun(fmt.Errorf("%s: %w", f.log, err))
	}
	done := &finished{log: log}
	if done.logPath = f.log; lost != nil {
		done.logPath = progress.keep(f.log, lost, func(w io.Writer) error { _, err := io.Copy(w, record.reader()); return err })
	}
	if done.report, err = buildReport(log, p); err != nil {
		return nil, notRun(fmt.Errorf("make the report of %s: %w", done.logPath, err))
	}
	if err := done.report.HoldAgainst(p.RunGates(), earlier.reports, earlier.files); err != nil {
		progress.warn(fmt.Sprintf("the run is not held against its baseline: %s", err))
	}
	done.path = progress.keep(f.report, nil, done.report.Write)
	opt := t.renderOptions()
	for _, file := range []string{done.path, done.logPath, writeCapture(capture, log, f.capture, progress)} {
		if file != "" {
			opt.Files = append(opt.Files, file)
		}
	}
	progress.settle() // what is printed now is the end
	var table bytes.Buffer
	if err := render.Table(&table, done.report, opt); err != nil {
		return nil, notRun(fmt.Errorf("print the report: %w", err))
	}
	if _, err := env.Stdout.Write(table.Bytes()); err != nil {
		progress.warn(fmt.Sprintf("%s; the verdict is in the report: rampload report %s", cannotWrite("standard output", err), done.path))
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

// notSent ends a run whose targets cannot be spoken to. Where stdout goes to a file or
// another program it gets the verdict too: whoever reads it there sees nothing else.
func notSent(env Env, t terminal, err error) error {
	var coded *exitError
	if !t.shown && errors.As(err, &coded) && coded.code == report.ExitNotRun {
		// An error shows in the exit code; this line is for readers.
		fmt.Fprintf(plainText{env.Stdout}, "NO VERDICT  nothing was sent: %s\n\nexit %d\n", err, coded.code)
	}
	return err
}
