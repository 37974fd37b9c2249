package eval

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/runlog"
)

// usual are the strengths that the rules have.
var usual = inquiry.Strengths{Proves: inquiry.Proves, Strong: inquiry.Strong, Weak: inquiry.Weak}

// grid is the strengths that are tried: the usual ones first, and each of them weaker and
// stronger.
func grid() []inquiry.Strengths {
	out := []inquiry.Strengths{usual}
	for _, by := range []float64{0.8, 1.25} {
		for _, change := range []func(*inquiry.Strengths){
			func(s *inquiry.Strengths) { s.Proves *= by },
			func(s *inquiry.Strengths) { s.Strong *= by },
			func(s *inquiry.Strengths) { s.Weak *= by },
		} {
			s := usual
			change(&s)
			out = append(out, s)
		}
	}
	return out
}

// Outcome is what came of one recorded run under each strengths of the grid.
type Outcome struct {
	Family       string // mechanism of what caused it
	Right, Wrong []bool // first named is right; a wrong cause is claimed
}

// Fold is one family, judged with the strengths that fit all others best.
type Fold struct {
	Family                string
	Runs                  int
	Best                  inquiry.Strengths
	Right, Wrong          int // with those
	UsualRight, UsualFall int // with the usual ones: right, and wrong claims
}

// FitRuns analyses every n-th recorded run of a folder of golden inputs under all strengths.
func FitRuns(ctx context.Context, dir string, every int) ([]Outcome, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.runlog.gz"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("read recorded runs of %s: there are none", dir)
	}
	var out []Outcome
	for i := 0; i < len(paths); i += max(every, 1) {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("fit strengths: %w", ctx.Err())
		}
		text, err := os.ReadFile(paths[i])
		if err != nil {
			return nil, fmt.Errorf("read recorded run: %w", err)
		}
		golden, err := os.ReadFile(strings.TrimSuffix(paths[i], ".runlog.gz") + ".golden")
		if err != nil {
			return nil, fmt.Errorf("read what is expected of a recorded run: %w", err)
		}
		log, err := runlog.Read(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("read recorded run %s: %w", paths[i], err)
		}
		line, _, _ := strings.Cut(string(golden), "\n")
		accepted := strings.Split(strings.TrimPrefix(line, "expected: "), ", ")
		o := Outcome{Family: "none"}
		if k, ok := causes.KindOf(accepted[0]); ok {
			o.Family = string(k.Mechanism)
		}
		for _, s := range grid() {
			f := diagnose.AnalyzeWith(log, diagnose.Options{Strengths: s}).Findings[0]
			right := slices.Contains(accepted, f.Cause)
			o.Right = append(o.Right, right)
			o.Wrong = append(o.Wrong, f.Verdict == diagnose.Explains && !right)
		}
		out = append(out, o)
	}
	return out, nil
}

// Folds judges each family with the strengths under which the others have the most right
// answers, a wrong claim counted as five; of equals, the usual ones.
func Folds(all []Outcome) []Fold {
	families := map[string]bool{}
	for _, o := range all {
		families[o.Family] = true
	}
	sum := func(of func(Outcome) bool, at int) (n, right, wrong int) {
		for _, o := range all {
			if !of(o) {
				continue
			}
			n++
			right += tally(o.Right[at])
			wrong += tally(o.Wrong[at])
		}
		return n, right, wrong
	}
	var out []Fold
	for _, family := range slices.Sorted(maps.Keys(families)) {
		best, most := 0, 0
		for at := range grid() {
			_, right, wrong := sum(func(o Outcome) bool { return o.Family != family }, at)
			if worth := right - 5*wrong; at == 0 || worth > most {
				best, most = at, worth
			}
		}
		mine := func(o Outcome) bool { return o.Family == family }
		f := Fold{Family: family, Best: grid()[best]}
		f.Runs, f.Right, f.Wrong = sum(mine, best)
		_, f.UsualRight, f.UsualFall = sum(mine, 0)
		out = append(out, f)
	}
	return out
}

func tally(b bool) int {
	if b {
		return 1
	}
	return 0
}

// FitTable words both: what each strengths does on all runs, and the folds.
func FitTable(all []Outcome, folds []Fold) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Strengths of evidence\n\nWhat other strengths than those of the rules would be worth on %d recorded runs of the lab\n"+
		"(`make fit`; weights that were set by hand stay). \"Right\": the first cause named is a right one.\n\n"+
		"| proves | strong | weak | right | wrong claims |\n|---|---|---|---|---|\n", len(all))
	for at, s := range grid() {
		right, wrong := 0, 0
		for _, o := range all {
			right += tally(o.Right[at])
			wrong += tally(o.Wrong[at])
		}
		fmt.Fprintf(&b, "| %g | %g | %g | %d | %d |\n", s.Proves, s.Strong, s.Weak, right, wrong)
	}
	b.WriteString("\nEach family of faults, judged with the strengths that fit all others best:\n\n" +
		"| family | runs | strengths that fit the others | right | wrong claims | with the usual: right | wrong claims |\n|---|---|---|---|---|---|---|\n")
	for _, f := range slices.SortedFunc(slices.Values(folds), func(x, y Fold) int { return cmp.Compare(y.Runs, x.Runs) }) {
		fmt.Fprintf(&b, "| %s | %d | %g, %g, %g | %d | %d | %d | %d |\n", f.Family, f.Runs, f.Best.Proves, f.Best.Strong, f.Best.Weak, f.Right, f.Wrong, f.UsualRight, f.UsualFall)
	}
	return b.String()
}
