package diagnose_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// TestUnforeseen analyses the recorded runs without the rule of what caused them, and
// without its whole family (the rules of its tier and mechanism): that is what a fault
// looks like that nobody foresaw. Whatever is claimed then is wrong.
func TestUnforeseen(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "runs", "*.runlog.gz"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recorded runs: %v", err)
	}
	var runs, wrongCause, wrongFamily, tiers, mechanisms, deepTiers int
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".runlog.gz")
		golden, err := os.ReadFile(filepath.Join("testdata", "runs", name+".golden"))
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(golden), "\n")
		accepted := strings.Split(strings.TrimPrefix(line, "expected: "), ", ")
		kinds := map[inquiry.Kind]bool{}
		rules, families := map[string]bool{}, map[inquiry.Kind]bool{}
		for _, key := range accepted {
			if k, ok := causes.KindOf(key); ok && k.Tier != "client" {
				rules[k.Rule] = true
				kinds[inquiry.Kind{Tier: k.Tier}] = true
				kinds[inquiry.Kind{Tier: k.Tier, Mechanism: k.Mechanism}] = true
				families[inquiry.Kind{Mechanism: k.Mechanism}] = true
			}
		}
		if len(rules) == 0 {
			continue
		}
		runs++
		log := readRun(t, path)
		full := diagnose.Analyze(log).Findings[0]
		if kinds[inquiry.Kind{Tier: full.Tier}] {
			tiers++
		} else {
			t.Logf("tier: %s (%s): %s %s %s", name, strings.Join(accepted, ", "), full.Tier, full.Mechanism, full.Cause)
		}
		if kinds[inquiry.Kind{Tier: full.Tier, Mechanism: full.Mechanism}] {
			mechanisms++
		}
		f := diagnose.AnalyzeWithout(log, func(k inquiry.Kind) bool { return rules[k.Rule] }).Findings[0]
		if f.Verdict == diagnose.Explains {
			wrongCause++
			t.Logf("without its rule: %s (%s): %s %.2f", name, strings.Join(accepted, ", "), f.Cause, f.Confidence)
		}
		if kinds[inquiry.Kind{Tier: f.Tier}] {
			deepTiers++
		}
		f = diagnose.AnalyzeWithout(log, func(k inquiry.Kind) bool { return families[inquiry.Kind{Mechanism: k.Mechanism}] }).Findings[0]
		if f.Verdict == diagnose.Explains {
			wrongFamily++
			t.Logf("without its family: %s (%s): %s %.2f", name, strings.Join(accepted, ", "), f.Cause, f.Confidence)
		}
	}
	t.Logf("%d runs: tier right in %d, mechanism in %d; without the rule tier right in %d, %d wrong claims; without the family %d",
		runs, tiers, mechanisms, deepTiers, wrongCause, wrongFamily)
	limit := runs * 2 / 100
	if wrongCause > limit || wrongFamily > limit {
		t.Errorf("wrong claims of a fault that nobody foresaw: %d and %d, at most %d", wrongCause, wrongFamily, limit)
	}
	if tiers < runs*97/100 || mechanisms < runs*93/100 || deepTiers < runs*75/100 {
		t.Errorf("tier right in %d of %d, mechanism in %d, tier without the rule in %d", tiers, runs, mechanisms, deepTiers)
	}
}
