package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/tsenart/vegeta/v12/lib/plot"

	"github.com/rampload/rampload/cmd/internal/cli/fleetcmd"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/render/layout"
)

func newReport(env console.Env, g *input.Globals) *cobra.Command {
	var (
		format, annotate, baseline string
		resume                     fleetcmd.ResumeFlags
	)
	cmd := &cobra.Command{
		ValidArgsFunction: completeReports,
		Use:               "report FILE [RUNLOG...]",
		Short:             "Print a report again, or make one from a run log",
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
			format, err := console.ChooseFormat(format, g.Out, reportFormats())
			if err != nil {
				return err
			}
			if resume.Resume {
				defer env.InOrder()()
				r, path, err := resume.Run(cmd.Context(), env, args[0])
				if err != nil {
					return err
				}
				return console.WriteOut(env, g.Out, func(w io.Writer, t console.Terminal) error { return renderAs(w, r, format, t, []string{path}) })
			}
			defer input.Frugal(env)()
			r, err := input.ReadReports(args)
			if err != nil {
				return console.Usage(err)
			}
			earlier, err := input.ReadBaseline(baseline, r.Profile.Fingerprint, r.Profile.Engine, r.Environment.RunID)
			if err != nil {
				return console.Usage(err)
			}
			earlier.Tell(env.Stderr)
			if err := r.HoldAgainst(r.BaselineGates(), earlier.Reports, earlier.Files); err != nil {
				return console.Usage(err)
			}
			if format == githubFormat {
				return annotations(env, g, r, annotate)
			}
			return console.WriteOut(env, g.Out, func(w io.Writer, t console.Terminal) error {
				return renderAs(w, r, format, t, args)
			})
		},
	}
	console.FormatFlag(cmd.Flags(), &format, reportFormats())
	cmd.Flags().StringVar(&annotate, "annotate", "", "with --format github: the profile in whose lines the gates stand: `FILE`")
	resume.Register(cmd.Flags())
	input.BaselineFlag(cmd.Flags(), &baseline)
	return cmd
}

func renderAs(w io.Writer, r *report.Report, format string, t console.Terminal, files []string) error {
	opt := t.RenderOptions()
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
func chartAssets() (layout.Assets, error) {
	js, err := chartAsset("uPlot.min.js")
	if err != nil {
		return layout.Assets{}, err
	}
	css, err := chartAsset("uPlot.min.css")
	if err != nil {
		return layout.Assets{}, err
	}
	return layout.Assets{UPlotJS: js, UPlotCSS: css}, nil
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
