package diagnose_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/report/diagnose"
)

// The evaluation runs many more logs than a test needs. Rules and weights were
// settled on the development seeds alone; the held-out ones are only counted.
var (
	eval    = flag.Bool("eval", false, "run the full evaluation on development seeds")
	held    = flag.Bool("heldout", false, "run the full evaluation on held-out seeds")
	verbose = flag.Bool("explain", false, "print wrong verdicts of the evaluation in full")
)

func seeds(quick, full int) (int, uint64) {
	switch {
	case *held:
		return full, 1 << 32
	case *eval:
		return full, 1 << 16
	}
	return quick, 0
}

type tally struct {
	runs, first, third, explained, wrong, abstained int
}

// rankOf returns the place of a cause among the findings of a result, 0 if it is
// not named.
func rankOf(r diagnose.Result, right []string) int {
	for i, f := range r.Findings {
		if slices.Contains(right, f.Cause) {
			return i + 1
		}
	}
	return 0
}

func TestEvalCauses(t *testing.T) {
	n, base := seeds(2, 20)
	for _, l := range []level{everything, noRoot, clientOnly} {
		var all tally
		for k, s := range scenarios() {
			var one tally
			var said []string
			for seed := range n {
				log, _ := build(s, rand.New(rand.NewPCG(base+uint64(seed), uint64(k))))
				r := diagnose.Analyze(seen(log, l))
				top := r.Findings[0]
				right := append([]string{s.cause}, s.also...)
				one.runs++
				switch rank := rankOf(r, right); {
				case rank == 1:
					one.first++
					one.third++
				case rank > 0 && rank <= 3:
					one.third++
				}
				switch {
				case top.Verdict == diagnose.Explains && slices.Contains(right, top.Cause):
					one.explained++
				case top.Verdict == diagnose.Explains || top.Verdict == diagnose.Healthy || top.Verdict == diagnose.GeneratorLimited:
					one.wrong++
				default:
					one.abstained++
				}
				if !slices.Contains(right, top.Cause) || top.Verdict != diagnose.Explains {
					said = append(said, fmt.Sprintf("%d:%s %s %.2f", seed, top.Verdict, top.Cause, top.Confidence))
					if *verbose {
						t.Logf("%s seed %d at %s: %s\n  %s\n  %s", s.cause, seed, l, top.Verdict, top.Summary, strings.Join(evidence(top), "\n  "))
					}
				}
			}
			t.Logf("%-12s %-28s first %2d/%d third %2d explained %2d wrong %d  %s", l, s.cause, one.first, n, one.third, one.explained, one.wrong, strings.Join(said[:min(3, len(said))], ", "))
			all.runs += one.runs
			all.first += one.first
			all.third += one.third
			all.explained += one.explained
			all.wrong += one.wrong
			all.abstained += one.abstained
		}
		share := func(k int) float64 { return float64(k) / float64(all.runs) }
		t.Logf("== %s: AC@1 %.3f AC@3 %.3f explained %.3f abstained %.3f wrong explains %.3f", l, share(all.first), share(all.third), share(all.explained), share(all.abstained), share(all.wrong))
		least := map[level]float64{everything: 0.95, noRoot: 0.75, clientOnly: 0.4}[l]
		if share(all.first) < least {
			t.Errorf("%s: AC@1 %.3f, want %.2f", l, share(all.first), least)
		}
		if share(all.wrong) > 0.02 {
			t.Errorf("%s: wrong explains %.3f, want at most 0.02", l, share(all.wrong))
		}
	}
}

func evidence(f diagnose.Finding) []string {
	var out []string
	for _, e := range f.Evidence {
		out = append(out, e.Source+": "+e.Text)
	}
	for _, e := range f.RuledOut {
		out = append(out, "ruled out "+e.What+": "+e.Reason)
	}
	return out
}

func TestEvalControls(t *testing.T) {
	n, base := seeds(4, 200)
	runs, false_, unwell := 0, 0, 0
	for k, s := range controls() {
		for seed := range n {
			log, _ := build(s, rand.New(rand.NewPCG(base+uint64(seed), 1000+uint64(k))))
			r := diagnose.Analyze(log)
			runs++
			for _, o := range r.Targets[0].Onsets {
				if o.Status == diagnose.Found || o.Status == diagnose.LeftCensored {
					false_++
					t.Errorf("control %d seed %d: %s of %s at %v", k, seed, o.Status, o.Fault, o.At)
					break
				}
			}
			if v := r.Findings[0].Verdict; v != diagnose.Healthy {
				unwell++
				t.Errorf("control %d seed %d: verdict %s: %s", k, seed, v, r.Findings[0].Summary)
			}
		}
	}
	t.Logf("controls: %d runs, %d false onsets, %d not healthy", runs, false_, unwell)
}

func TestEvalOnset(t *testing.T) {
	n, base := seeds(3, 20)
	var abs []float64
	runs, covered, missed := 0, 0, 0
	for k, s := range scenarios() {
		if !s.onset {
			continue
		}
		for seed := range n {
			log, at := build(s, rand.New(rand.NewPCG(base+uint64(seed), uint64(k))))
			r := diagnose.Analyze(log)
			o := r.Targets[0].Onsets[0]
			if math.IsNaN(at) {
				continue
			}
			runs++
			if o.Status != diagnose.Found {
				missed++
				t.Logf("%s seed %d: %s instead of an onset at %.1f", s.cause, seed, o.Status, at)
				continue
			}
			abs = append(abs, math.Abs(o.At.Value-at)/windowLength)
			if o.At.Low-1e-9 <= at && at <= o.At.High+1e-9 {
				covered++
			}
		}
	}
	slices.Sort(abs)
	if len(abs) == 0 {
		t.Fatal("no onset found at all")
	}
	coverage := float64(covered) / float64(len(abs))
	t.Logf("onsets: %d runs, %d missed, |error| median %.2f p90 %.2f windows, coverage %.2f", runs, missed, abs[len(abs)/2], abs[len(abs)*9/10], coverage)
	if abs[len(abs)/2] > 1.5 || coverage < 0.85 || float64(missed) > 0.1*float64(runs) {
		t.Errorf("onset error median %.2f windows, coverage %.2f, missed %d of %d", abs[len(abs)/2], coverage, missed, runs)
	}
}
