package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/report/history"
	"github.com/rampload/rampload/report/render/releases"
)

func newHistory(env console.Env, g *input.Globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		ValidArgsFunction: completeReports,
		Use:               "history REPORT...",
		Short:             "Follow a profile over releases",
		Long: `history shows the onset of faults, the load at which they pass the gate's share,
capacity, p99 and headroom of every run, oldest first, and the release with which
any of them changed. A release is the runs of one --label in a row; it is compared
with all runs since the last change, by the statistics of rampload compare. Reports
of several profiles or engines are followed one by one.`,
		Example: `  rampload history 'rampload-peak-*.json'
  rampload history reports/*.json --format html --out history.html`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return console.Usage(errors.New("history needs reports: rampload history 'rampload-peak-*.json'"))
			}
			format, err := console.ChooseFormat(format, g.Out, releases.Formats())
			if err != nil {
				return err
			}
			entries, err := historyEntries(args)
			if err != nil {
				return console.Usage(err)
			}
			all, err := history.Of(entries)
			if err != nil {
				return console.Usage(err)
			}
			return console.WriteOut(env, g.Out, func(w io.Writer, t console.Terminal) error {
				opt := t.RenderOptions()
				if format == "html" {
					if opt.Assets, err = chartAssets(); err != nil {
						return err
					}
				}
				return releases.Write(w, format, all, opt)
			})
		},
	}
	console.FormatFlag(cmd.Flags(), &format, releases.Formats())
	return cmd
}

// historyEntries reads the reports that names and globs name, each file once.
func historyEntries(patterns []string) ([]history.Entry, error) {
	var paths []string
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, "*?[") {
			paths = append(paths, pattern)
			continue
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("no report matches %s", pattern)
		}
		paths = append(paths, found...)
	}
	slices.SortFunc(paths, cmp.Compare[string])
	var out []history.Entry
	var errs []error
	for _, path := range slices.Compact(paths) {
		r, err := input.ReadReport(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, history.Entry{File: path, Report: r})
	}
	return out, errors.Join(errs...)
}
