package diagnose_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

var update = flag.Bool("update", false, "rewrite the golden verdicts of recorded runs, and the ratchet")

// ratchet is what the analysis of the recorded runs must not fall below.
type ratchet struct{ Right, WrongClaims int }

const ratchetText = "right verdicts, at least: %d\nwrong causes claimed, at most: %d\n"

// TestRecordedRuns analyses the recorded runs of the lab's scenarios, which
// "rampload lab-eval --keep" thinned. A change of the analysis may turn single
// verdicts, for which the golden files are to be looked at and rewritten; it may
// not make fewer of them right, nor claim more wrong causes.
func TestRecordedRuns(t *testing.T) {
	dir := filepath.Join("testdata", "runs")
	paths, err := filepath.Glob(filepath.Join(dir, "*.runlog.gz"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recorded runs in %s: %v", dir, err)
	}
	var now ratchet
	changed := 0
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".runlog.gz")
		golden := filepath.Join(dir, name+".golden")
		was, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(was), "\n")
		expected, ok := strings.CutPrefix(first, "expected: ")
		if !ok {
			t.Fatalf("%s does not begin with what is expected", golden)
		}
		r := diagnose.Analyze(readRun(t, path))
		right, claimed := judge(r.Findings[0], strings.Split(expected, ", "))
		if right {
			now.Right++
		}
		if claimed && !right {
			now.WrongClaims++
		}
		text := fmt.Sprintf("expected: %s\n%s", expected, verdictText(r, right))
		if text == string(was) {
			continue
		}
		changed++
		t.Logf("%s changed from\n%sto\n%s", name, indent(string(was)), indent(text))
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if changed > 0 && !*update {
		t.Logf("%d verdicts changed: look at them, then run with -update", changed)
	}
	t.Logf("%d of %d right, %d wrong causes claimed", now.Right, len(paths), now.WrongClaims)

	file := filepath.Join(dir, "ratchet")
	if *update {
		if err := os.WriteFile(file, fmt.Appendf(nil, ratchetText, now.Right, now.WrongClaims), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var least ratchet
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(text), ratchetText, &least.Right, &least.WrongClaims); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if now.Right < least.Right {
		t.Errorf("%d verdicts are right, %d were", now.Right, least.Right)
	}
	if now.WrongClaims > least.WrongClaims {
		t.Errorf("%d wrong causes are claimed, %d were", now.WrongClaims, least.WrongClaims)
	}
}

func readRun(t *testing.T, path string) *runlog.Log {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log, err := runlog.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if log.Truncated || log.Trailer == nil {
		t.Fatalf("%s is cut off", path)
	}
	return log
}

// judge reports whether a finding is what was expected, and whether it claims a
// cause: doubt is no claim.
func judge(f diagnose.Finding, expected []string) (right, claimed bool) {
	right = slices.Contains(expected, f.Cause)
	if strings.HasPrefix(expected[0], "client-") && expected[0] != "client-timeout" {
		right = right && f.Verdict == diagnose.GeneratorLimited
	}
	if expected[0] == "unexplained" && f.Verdict == diagnose.Inconclusive {
		right = true
	}
	return right, f.Verdict == diagnose.Explains
}

// verdictText is a verdict without what another machine or a better estimate
// would change.
func verdictText(r diagnose.Result, right bool) string {
	f := r.Findings[0]
	var b strings.Builder
	fmt.Fprintf(&b, "verdict: %s\ncause: %s\nright: %v\n", f.Verdict, f.Cause, right)
	if f.Resource != "" {
		fmt.Fprintf(&b, "resource: %s on %s\n", f.Resource, f.Host)
	}
	for _, t := range r.Targets {
		if len(t.Onsets) == 0 {
			continue
		}
		o := t.Onsets[0]
		fmt.Fprintf(&b, "%s: %s", t.Name, o.Status)
		if o.Status == diagnose.Found {
			fmt.Fprintf(&b, " of %s at about %s/s, %s s", o.Fault, twoDigits(o.Load.Value), twoDigits(o.At.Value))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func twoDigits(v float64) string {
	if !(v > 0) {
		return fmt.Sprintf("%.0f", v)
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return fmt.Sprintf("%g", math.Round(v/unit)*unit)
}

func indent(s string) string {
	return "\t" + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n\t") + "\n"
}
