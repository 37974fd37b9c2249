package input

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

// Baseline are earlier runs that a run is held against.
type Baseline struct {
	Reports []*report.Report
	Files   []string
	// LeftOut says which files of a folder are no part of it, and might be; "" if none.
	LeftOut string
}

// Tell warns of the files that were left out.
func (b Baseline) Tell(w io.Writer) {
	if b.LeftOut != "" {
		fmt.Fprintf(w, "rampload: warning: %s\n", b.LeftOut)
	}
}

const (
	latestPrefix = "latest:"
	// latestRuns is how many runs of the newest release are taken at most.
	latestRuns = 20
	// mostBaseline bounds how many reports of a folder are read.
	mostBaseline = 1000
)

func BaselineFlag(f *pflag.FlagSet, spec *string) {
	f.StringVar(spec, "baseline", "", "hold the run against earlier ones: a report `FILE`, a glob in quotes, or latest:DIR for the newest release in a folder")
}

// ReadBaseline reads the reports that --baseline names. Those of another schema, profile
// or engine are refused by name; of a folder they are passed over. Without a name it is
// empty.
func ReadBaseline(spec, fingerprint, engine, except string) (Baseline, error) {
	if spec == "" {
		return Baseline{}, nil
	}
	if dir, ok := strings.CutPrefix(spec, latestPrefix); ok {
		return latestIn(dir, fingerprint, engine, except)
	}
	paths, err := Expand(spec)
	if err != nil {
		return Baseline{}, fmt.Errorf("--baseline: %w", err)
	}
	var out Baseline
	var errs []error
	for _, path := range paths {
		r, err := ReadReport(path)
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
		out.Reports, out.Files = append(out.Reports, r), append(out.Files, path)
	}
	if err := errors.Join(errs...); err != nil {
		return Baseline{}, err
	}
	if len(out.Reports) == 0 {
		return out, fmt.Errorf("--baseline %s names only the run itself: name an earlier one", spec)
	}
	return out, nil
}

// latestIn returns the newest run of a profile and engine in a folder, with all others of
// its label: the newest release. Runs that did not go to their end are passed over.
func latestIn(dir, fingerprint, engine, except string) (Baseline, error) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return Baseline{}, fmt.Errorf("--baseline latest:%s: %s is no folder; name the folder that holds earlier reports", dir, dir)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return Baseline{}, fmt.Errorf("--baseline latest:%s: %w", dir, err)
	}
	type found struct {
		path string
		run  *report.Report
	}
	var all []found
	var broken, unfinished []string
	others := map[string]int{}
	newestFirst(paths)
	for _, path := range paths[:min(len(paths), mostBaseline)] {
		r, err := ReadReport(path)
		switch {
		case err != nil:
			others["no report or of another schema"]++
			broken = append(broken, filepath.Base(path))
		case report.SameAs(path, fingerprint, engine, r) != nil:
			others["of another profile or engine"]++
		case !r.Complete || r.Interrupted || r.Error != "":
			others["not run to the end"]++
			unfinished = append(unfinished, filepath.Base(path))
		case r.Environment.RunID == except && except != "":
		default:
			all = append(all, found{path, r})
		}
	}
	if len(all) == 0 {
		var why []string
		for reason, n := range others {
			why = append(why, fmt.Sprintf("%d %s %s", n, areOf(n), reason))
		}
		slices.Sort(why)
		text := "it holds no report"
		if len(why) > 0 {
			text = "of its .json files, " + strings.Join(why, ", ")
		}
		return Baseline{}, fmt.Errorf("--baseline latest:%s: no earlier run of this profile and engine is there: %s", dir, text)
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(b.run.Started.UnixNano(), a.run.Started.UnixNano()) })
	out := Baseline{LeftOut: leftOut(dir, broken, unfinished)}
	for _, f := range all {
		if len(out.Reports) == latestRuns || len(out.Reports) > 0 && (f.run.Label == "" || f.run.Label != all[0].run.Label) {
			continue
		}
		out.Reports, out.Files = append(out.Reports, f.run), append(out.Files, f.path)
	}
	return out, nil
}

// leftOut says in a line which files of a folder are left out, and why.
func leftOut(dir string, broken, unfinished []string) string {
	var parts []string
	for _, kind := range []struct {
		files []string
		why   string
	}{{broken, "no whole report of a known schema"}, {unfinished, "not run to the end"}} {
		n := len(kind.files)
		if n == 0 {
			continue
		}
		files := kind.files[0]
		if n > 1 {
			files = fmt.Sprintf("%s and %d more", files, n-1)
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", console.Message(files), kind.why))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("--baseline latest:%s leaves out %s", dir, strings.Join(parts, " and "))
}

func areOf(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// newestFirst orders files by when they were written last: of more than are read, the latest
// are.
func newestFirst(paths []string) {
	written := map[string]time.Time{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			written[path] = info.ModTime()
		}
	}
	slices.SortStableFunc(paths, func(a, b string) int { return written[b].Compare(written[a]) })
}

// NeedsBaseline is the error for gates against a baseline where none was named; nil
// where there are none.
func NeedsBaseline(gates []profiles.Gate, spec string) error {
	for _, g := range gates {
		if g.Baseline > 0 && spec == "" {
			return fmt.Errorf("the gate %q needs a baseline: name earlier runs with --baseline FILE, a glob in quotes, or latest:DIR", g.Text)
		}
	}
	return nil
}

// Expand returns the files that a name or a glob names.
func Expand(pattern string) ([]string, error) {
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
