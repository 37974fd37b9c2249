package run

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/runlog"
)

// conclude makes the verdict, shows it to all who watch, and says what was lost.
func (run *running) conclude(ctx context.Context) (*Finished, error) {
	done, err := run.verdict()
	if err == nil {
		run.view.over(done.Report)
		run.view.cast.Over(ctx, done.Report)
	}
	if run.opt.LogFormat == "json" {
		tellCut(run.env, run.stderr)
	}
	if why := run.company.failed(); err == nil && why != nil {
		err = console.NotRun(why)
	}
	return done, err
}

// verdict reads the run log back, so that a report made now and one made later
// from the log are the same, prints the verdict and writes the report. What cannot
// be written where it belongs is told, and costs no verdict.
func (run *running) verdict() (*Finished, error) {
	defer input.Frugal(run.env)()
	progress, earlier := run.progress, run.opt.Baseline
	lost := run.kept.Finish()
	log, err := runlog.Read(run.kept.Reader())
	if err != nil {
		return nil, console.NotRun(fmt.Errorf("%s: %w", run.files.Log, err))
	}
	done := &Finished{log: log}
	if done.logPath = run.files.Log; lost != nil {
		done.logPath = progress.keep(run.files.Log, lost, func(w io.Writer) error { _, err := io.Copy(w, run.kept.Reader()); return err })
	}
	if done.Report, err = input.BuildReport(log, run.profile); err != nil {
		return nil, console.NotRun(fmt.Errorf("make the report of %s: %w", done.logPath, err))
	}
	if err := done.Report.HoldAgainst(run.profile.RunGates(), earlier.Reports, earlier.Files); len(done.Report.Watched) == 0 && err != nil {
		progress.warn(fmt.Sprintf("the run is not held against its baseline: %s", err))
	}
	done.Path = progress.keep(run.files.Report, nil, done.Report.Write)
	opt := run.terminal.RenderOptions()
	for _, file := range []string{done.Path, done.logPath, writeCapture(run.watched.Capture, log, run.files.Capture, progress)} {
		if file != "" {
			opt.Files = append(opt.Files, file)
		}
	}
	progress.settle() // what is printed now is the end
	var table bytes.Buffer
	if err := render.Table(&table, done.Report, opt); err != nil {
		return nil, console.NotRun(fmt.Errorf("print the report: %w", err))
	}
	if _, err := run.env.Stdout.Write(table.Bytes()); err != nil {
		progress.warn(fmt.Sprintf("%s; the verdict is in the report: rampload report %s", keep.CannotWrite("standard output", err), done.Path))
	}
	return done, nil
}

// tellCut says where the failure log is not whole, on the output that is left.
func tellCut(env console.Env, stderr *console.Voice) {
	stderr.Settle()
	switch lines, err := stderr.Lost(); {
	case err != nil:
		fmt.Fprintf(env.Stdout, "\nthe failure log is cut, its reader went away (%s): %s lines are missing; the run log has the failures\n",
			err, format.Number(float64(lines)))
	case lines > 0:
		fmt.Fprintf(env.Stderr, "rampload: warning: the failure log has gaps, its reader was too slow: %s lines are missing; the run log has the failures\n",
			format.Number(float64(lines)))
	}
}
