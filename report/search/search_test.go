package search

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

// oracle answers a search: the n-th try (from 0) of a load.
type oracle func(load float64, try int) Verdict

var (
	pass       = Verdict{Result: report.StepPassed}
	fail       = Verdict{Result: report.StepFailed}
	limited    = Verdict{Result: report.StepLimited}
	looksGood  = Verdict{Result: report.StepUndecided, Clean: true}
	looksBad   = Verdict{Result: report.StepUndecided}
	capacityOf = func(capacity float64) oracle {
		return func(load float64, _ int) Verdict {
			if load > capacity {
				return fail
			}
			return pass
		}
	}
)

// ask runs a search against an oracle and returns the loads that it tried.
func ask(t *testing.T, from, to, precision float64, answer oracle) (*Search, []float64) {
	t.Helper()
	s := New(profiles.Search{From: from, To: to, Precision: precision})
	tries := map[float64]int{}
	var loads []float64
	for load, more := s.Next(); more; load, more = s.Next() {
		if load < from || load > to || len(loads) > maxTries {
			t.Fatalf("asks for %v after %v", load, loads)
		}
		s.Add(load, answer(load, tries[load]))
		tries[load]++
		loads = append(loads, load)
	}
	if r := s.Result(); !r.Done {
		t.Error("over, and not done")
	}
	return s, loads
}

func TestSearchFindsTheCapacity(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		from := math.Exp(r.Float64() * 6)
		to := from * math.Exp(0.1+6*r.Float64())
		capacity := from + (to-from)*r.Float64()*1.2
		precision := 0.01 + 0.2*r.Float64()
		s, loads := ask(t, from, to, precision, capacityOf(capacity))
		got := s.Result()
		switch {
		case capacity >= to:
			if got.Status != report.CapacityAtLeast || got.Load != to || got.Over != 0 {
				t.Errorf("capacity %v of %v: %+v", capacity, to, got)
			}
		case got.Status != report.CapacityFound || got.Load > capacity || got.Over <= capacity || got.Over > got.Load*(1+precision) || got.Why != report.StepFailed:
			t.Errorf("capacity %v: %+v to %v after %v", capacity, got, precision, loads)
		}
		// What is found was repeated, and so was every load that failed.
		seen := map[float64]int{}
		for _, l := range loads {
			seen[l]++
		}
		for l, n := range seen {
			if want := map[bool]int{true: 2, false: 1}[l > capacity || l == got.Load]; n != want {
				t.Errorf("load %v was tried %d times of capacity %v, want %d", l, n, capacity, want)
			}
		}
	}
}

func TestSearchOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		answer oracle
		want   Result
		tries  int
	}{
		"nothing passes":    {capacityOf(50), Result{Status: report.CapacityBelow, Over: 100, Why: report.StepFailed}, 2},
		"everything passes": {capacityOf(1e9), Result{Status: report.CapacityAtLeast, Load: 1000}, 6}, // 100 200 400 800 1000 1000
		"between":           {capacityOf(450), Result{Status: report.CapacityFound, Load: 436, Over: 476, Why: report.StepFailed}, 0},
		"hiccup at 200": {func(l float64, n int) Verdict {
			return map[bool]Verdict{true: fail, false: capacityOf(450)(l, n)}[l == 200 && n == 0]
		}, Result{Status: report.CapacityFound, Load: 436, Over: 476, Why: report.StepFailed}, 0},
		"this machine at 400":  {func(l float64, n int) Verdict { return map[bool]Verdict{true: limited, false: pass}[l > 380] }, Result{Status: report.CapacityAtLeast, Load: 367, Over: 400, Why: report.StepLimited}, 0},
		"this machine at once": {func(float64, int) Verdict { return limited }, Result{Status: report.CapacityUndecided, Over: 100, Why: report.StepLimited}, 3},
		// 100 and 200 are too low to prove anything; higher loads prove more.
		"low loads prove nothing": {func(l float64, n int) Verdict {
			return map[bool]Verdict{true: looksGood, false: capacityOf(700)(l, n)}[l <= 200]
		}, Result{Status: report.CapacityFound, Load: 673, Over: 734, Why: report.StepFailed}, 0},
		"nothing is proven": {func(l float64, _ int) Verdict {
			return map[bool]Verdict{true: looksGood, false: fail}[l <= 250]
		}, Result{Status: report.CapacityUndecided, Over: 260, Why: report.StepFailed}, 0},
		"only clean looks":  {func(float64, int) Verdict { return looksGood }, Result{Status: report.CapacityUndecided}, 6},
		"too close to tell": {func(l float64, _ int) Verdict { return map[bool]Verdict{true: pass, false: looksBad}[l <= 250] }, Result{Status: report.CapacityFound, Load: 238, Over: 260, Why: report.StepUndecided}, 0},
		// It passes once by luck, and then no more.
		"luck": {func(l float64, n int) Verdict {
			if l > 400 && l < 440 && n == 0 {
				return pass
			}
			return capacityOf(410)(l, n)
		}, Result{Status: report.CapacityFound, Load: 400, Over: 436, Why: report.StepFailed}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, loads := ask(t, 100, 1000, 0.1, c.answer)
			got := s.Result()
			c.want.Done = true
			if got != c.want || c.tries > 0 && len(loads) != c.tries {
				t.Errorf("%+v, want %+v; tried %v", got, c.want, loads)
			}
		})
	}
}

// Near its capacity a target passes by chance. The search ends all the same, and
// near it.
func TestSearchAmongNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const capacity = 500.0
	var worst float64
	steps := 0
	for range 500 {
		s, loads := ask(t, 50, 5000, 0.05, func(load float64, _ int) Verdict {
			p := 1 / (1 + math.Exp((load-capacity)/10)) // half at the capacity, 5 % and 95 % 6 % off
			switch x := r.Float64(); {
			case x > 0.95:
				return limited // this machine has hiccups, too
			case r.Float64() < p:
				return pass
			}
			return fail
		})
		steps = max(steps, len(loads))
		got := s.Result()
		if got.Load == 0 {
			t.Fatalf("found nothing: %+v after %v", got, loads)
		}
		worst = max(worst, math.Abs(got.Load/capacity-1))
	}
	t.Logf("at most %.1f %% off, %d steps", 100*worst, steps)
	if worst > 0.15 || steps > 40 {
		t.Errorf("%.1f %% off, %d steps", 100*worst, steps)
	}
}

// A target that answers by the toss of a coin is no reason to go on for ever.
func TestSearchEnds(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	answers := []Verdict{pass, fail, limited, looksGood, looksBad}
	for range 500 {
		ask(t, 1, 1000, 0.01, func(float64, int) Verdict { return answers[r.IntN(len(answers))] })
	}
}

// The same verdicts lead to the same loads: a report makes the search again.
func TestSearchIsAFunctionOfItsVerdicts(t *testing.T) {
	_, loads := ask(t, 10, 10_000, 0.05, capacityOf(777))
	again := New(profiles.Search{From: 10, To: 10_000, Precision: 0.05})
	for _, l := range loads {
		again.Add(l, capacityOf(777)(l, 0))
	}
	if got := fmt.Sprintf("%+v", again.Result()); got != "{Status:found Load:761 Over:795 Why:failed Done:true}" {
		t.Error(got)
	}
}
