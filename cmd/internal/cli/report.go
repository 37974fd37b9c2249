package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/tsenart/vegeta/v12/lib/plot"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/assemble"
	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/runlog"
)

func newReport(env Env, g *globals) *cobra.Command {
	var (
		format, annotate, baseline string
		resume                     resumeFlags
	)
	cmd := &cobra.Command{
		Use:   "report FILE [RUNLOG...]",
		Short: "Print a report again, or make one from a run log",
		Long: `report prints a report in another format. It takes a run log as well, also one
that a crash cut short, and makes the report from it. Several run logs are those of
one run on several machines, and make one report. The exit code is 0: the run's own
exit code is in the report.`,
		Example: `  rampload report peak.json
  rampload report peak.json --out peak.html
  rampload report peak.runlog --out peak.json
  rampload report peak.runlog worker-1.runlog orders-1.runlog
  rampload report --resume peak.runlog --out peak.json    of a fleet whose coordinator was killed`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := chooseFormat(format, g.out, reportFormats())
			if err != nil {
				return err
			}
			if resume.resume {
				defer env.InOrder()()
				r, path, err := resume.run(cmd.Context(), env, args[0])
				if err != nil {
					return err
				}
				return writeOut(env, g.out, func(w io.Writer, t terminal) error { return renderAs(w, r, format, t, []string{path}) })
			}
			defer frugal(env)()
			r, err := readReports(args)
			if err != nil {
				return usage(err)
			}
			earlier, err := readBaseline(baseline, r.Profile.Fingerprint, r.Profile.Engine, r.Environment.RunID)
			if err != nil {
				return usage(err)
			}
			if err := r.HoldAgainst(r.BaselineGates(), earlier.reports, earlier.files); err != nil {
				return usage(err)
			}
			if format == githubFormat {
				return annotations(env, g, r, annotate)
			}
			return writeOut(env, g.out, func(w io.Writer, t terminal) error {
				return renderAs(w, r, format, t, args)
			})
		},
	}
	formatFlag(cmd.Flags(), &format, reportFormats())
	cmd.Flags().StringVar(&annotate, "annotate", "", "with --format github: the profile in whose lines the gates stand: `FILE`")
	resume.register(cmd.Flags())
	baselineFlag(cmd.Flags(), &baseline)
	return cmd
}

func renderAs(w io.Writer, r *report.Report, format string, t terminal, files []string) error {
	opt := t.renderOptions()
	opt.Files = files
	if format == "html" {
		var err error
		if opt.Assets, err = chartAssets(); err != nil {
			return err
		}
	}
	return render.Report(w, format, r, opt)
}

// chartAssets are the chart library that vegeta carries, so that reports draw
// without a network.
func chartAssets() (render.Assets, error) {
	js, err := chartAsset("uPlot.min.js")
	if err != nil {
		return render.Assets{}, err
	}
	css, err := chartAsset("uPlot.min.css")
	if err != nil {
		return render.Assets{}, err
	}
	return render.Assets{UPlotJS: js, UPlotCSS: css}, nil
}

func chartAsset(name string) ([]byte, error) {
	f, err := plot.Assets.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open chart asset: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read chart asset: %w", err)
	}
	return data, nil
}

// readReports reads a report, or makes one from the run logs of several machines.
func readReports(paths []string) (*report.Report, error) {
	if len(paths) == 1 {
		return readReport(paths[0])
	}
	var logs []*runlog.Log
	for _, path := range paths {
		f, err := openFile(path)
		if err != nil {
			return nil, fmt.Errorf("open run log: %w", err)
		}
		log, err := runlog.ReadParts(f)
		f.Close()
		if errors.Is(err, runlog.ErrNotRunLog) {
			return nil, fmt.Errorf("%s is not a run log: several files make one report only if they are the run logs of one run; to set reports side by side write rampload compare", path)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		logs = append(logs, log)
	}
	log, err := runlog.Merge(logs...)
	if err != nil {
		return nil, err
	}
	return reportOf(paths[0], log)
}

// readReport reads a report, or makes one from a run log.
func readReport(path string) (*report.Report, error) {
	f, err := openFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no report %s; name a .json report or a .runlog", path)
	case err != nil:
		return nil, fmt.Errorf("open report: %w", err)
	}
	defer f.Close()
	br := bufio.NewReaderSize(f, 1<<16)
	prefix, _ := br.Peek(32)
	if !runlog.IsRunLog(prefix) {
		r, err := report.Read(br)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return r, nil
	}
	log, err := runlog.Read(br)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return reportOf(path, log)
}

// reportOf makes the report of a run log.
func reportOf(path string, log *runlog.Log) (*report.Report, error) {
	// The log's profile is redacted: its secrets do not bear on gates.
	p, err := yaml.Decode(path, []byte(log.Header.Profile), yaml.Options{
		Getenv: func(string) (string, bool) { return "", true }, Resources: resourceNames(),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: read the profile within: %w", path, err)
	}
	return buildReport(log, p)
}

// frugal lets memory be collected sooner, for the reading of long runs, until the returned
// function is called.
func frugal(env Env) func() {
	if _, set := env.LookupEnv("GOGC"); set {
		return func() {}
	}
	before := debug.SetGCPercent(reportGC)
	return func() { debug.SetGCPercent(before) }
}

// reportGC is GOGC while a run log is read and reported on: a day of twenty targets then
// stays below 500 MB.
const reportGC = 30

func buildReport(log *runlog.Log, p profiles.Profile) (*report.Report, error) {
	return assemble.Build(log, assemble.Options{Gates: p.RunGates(), Search: searched(p)})
}

// exactArgs is cobra.ExactArgs with an error that shows the right call.
func exactArgs(use string, n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usage(fmt.Errorf("got %d arguments: write %s", len(args), use))
		}
		return nil
	}
}
