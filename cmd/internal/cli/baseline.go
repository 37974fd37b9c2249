package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

// baselineRuns are earlier runs that a run is held against.
type baselineRuns struct {
	reports []*report.Report
	files   []string
}

const (
	latestPrefix = "latest:"
	// latestRuns is how many runs of the newest release are taken at most.
	latestRuns = 20
	// mostBaseline bounds how many reports of a folder are read.
	mostBaseline = 1000
)

func baselineFlag(f *pflag.FlagSet, spec *string) {
	f.StringVar(spec, "baseline", "", "hold the run against earlier ones: a report `FILE`, a glob in quotes, or latest:DIR for the newest release in a folder")
}

// readBaseline reads the reports that --baseline names. Those of another schema, profile
// or engine are refused by name; of a folder they are passed over. Without a name it is
// empty.
func readBaseline(spec, fingerprint, engine, except string) (baselineRuns, error) {
	if spec == "" {
		return baselineRuns{}, nil
	}
	if dir, ok := strings.CutPrefix(spec, latestPrefix); ok {
		return latestIn(dir, fingerprint, engine, except)
	}
	paths, err := expand(spec)
	if err != nil {
		return baselineRuns{}, fmt.Errorf("--baseline: %w", err)
	}
	var out baselineRuns
	var errs []error
	for _, path := range paths {
		r, err := readReport(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("--baseline: %w", err))
			continue
		}
		if err := report.SameAs(path, fingerprint, engine, r); err != nil {
			errs = append(errs, fmt.Errorf("%w; name runs of this profile and engine", err))
			continue
		}
		if r.Environment.RunID == except && except != "" {
			continue
		}
		out.reports, out.files = append(out.reports, r), append(out.files, path)
	}
	if err := errors.Join(errs...); err != nil {
		return baselineRuns{}, err
	}
	if len(out.reports) == 0 {
		return out, fmt.Errorf("--baseline %s names only the run itself: name an earlier one", spec)
	}
	return out, nil
}

// latestIn returns the newest run of a profile and engine in a folder, with all others of
// its label: the newest release. Runs that did not go to their end are passed over.
func latestIn(dir, fingerprint, engine, except string) (baselineRuns, error) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return baselineRuns{}, fmt.Errorf("--baseline latest:%s: %s is no folder; name the folder that holds earlier reports", dir, dir)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return baselineRuns{}, fmt.Errorf("--baseline latest:%s: %w", dir, err)
	}
	type found struct {
		path string
		run  *report.Report
	}
	var all []found
	others := map[string]int{}
	for _, path := range paths[:min(len(paths), mostBaseline)] {
		r, err := readReport(path)
		switch {
		case err != nil:
			others["no report or of another schema"]++
		case report.SameAs(path, fingerprint, engine, r) != nil:
			others["of another profile or engine"]++
		case !r.Complete || r.Interrupted || r.Error != "":
			others["not run to the end"]++
		case r.Environment.RunID == except && except != "":
		default:
			all = append(all, found{path, r})
		}
	}
	if len(all) == 0 {
		var why []string
		for reason, n := range others {
			why = append(why, fmt.Sprintf("%d %s", n, reason))
		}
		slices.Sort(why)
		text := "it holds no report"
		if len(why) > 0 {
			text = "its reports are " + strings.Join(why, ", ")
		}
		return baselineRuns{}, fmt.Errorf("--baseline latest:%s: no earlier run of this profile and engine is there: %s", dir, text)
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(b.run.Started.UnixNano(), a.run.Started.UnixNano()) })
	var out baselineRuns
	for _, f := range all {
		if len(out.reports) == latestRuns || len(out.reports) > 0 && (f.run.Label == "" || f.run.Label != all[0].run.Label) {
			continue
		}
		out.reports, out.files = append(out.reports, f.run), append(out.files, f.path)
	}
	return out, nil
}

// needsBaseline is the error for gates against a baseline where none was named; nil
// where there are none.
func needsBaseline(gates []profiles.Gate, spec string) error {
	for _, g := range gates {
		if g.Baseline > 0 && spec == "" {
			return fmt.Errorf("the gate %q needs a baseline: name earlier runs with --baseline FILE, a glob in quotes, or latest:DIR", g.Text)
		}
	}
	return nil
}

// expand returns the files that a name or a glob names.
func expand(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}, nil
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no report matches %s", pattern)
	}
	return paths, nil
}
