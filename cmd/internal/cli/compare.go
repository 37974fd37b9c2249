package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render"
)

func newCompare(env Env, g *globals) *cobra.Command {
	var (
		strict, force bool
		format        string
	)
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Compare reports of two releases",
		Long: `compare says whether NEW resets sooner, more often or answers slower than OLD.
Each side is a report, or a glob of several runs in quotes: with one run a side
the answer is indicative, with five or more it is a test. Exit code 1 is a
supported regression.`,
		Example: `  rampload compare v1.json v2.json
  rampload compare 'v1-*.json' 'v2-*.json' --format md`,
		Args: exactArgs("rampload compare OLD NEW", 2),
		RunE: func(_ *cobra.Command, args []string) error {
			format, err := chooseFormat(format, g.out, render.CompareFormats())
			if err != nil {
				return err
			}
			old, err := readSide(args[0])
			if err != nil {
				return usage(err)
			}
			new, err := readSide(args[1])
			if err != nil {
				return usage(err)
			}
			c, err := report.Compare(old, new, report.CompareOptions{Strict: strict, Force: force})
			if err != nil {
				return usage(err)
			}
			err = writeOut(env, g.out, func(w io.Writer, t terminal) error {
				return render.Comparison(w, format, c, t.renderOptions())
			})
			if err != nil {
				return err
			}
			return exit(c.ExitCode)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&strict, "strict", false, "take an indicative regression (fewer than five runs a side) as one: exit 1; what stays undecided: exit 4")
	f.BoolVar(&force, "force", false, "compare although the profiles or engines differ")
	formatFlag(f, &format, render.CompareFormats())
	return cmd
}

// readSide reads the reports that a file name or a glob names.
func readSide(pattern string) ([]*report.Report, error) {
	paths := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		var err error
		paths, err = filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		if len(paths) == 0 {
			return nil, fmt.Errorf("no report matches %s", pattern)
		}
	}
	var reports []*report.Report
	var errs []error
	for _, path := range paths {
		r, err := readReport(path)
		errs = append(errs, err)
		reports = append(reports, r)
	}
	return reports, errors.Join(errs...)
}
