package eval

import (
	"math"
	"slices"

	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/stats"
)

// Result is everything that was measured on one case.
type Result struct {
	Case
	By     []Judgement // by ablation, all sources first
	Ranked []Ranked    // by baseline, the diagnosis last; nil: not applicable
}

// Evaluation is the results of all cases.
type Evaluation struct {
	Ablations []Evidence
	Results   []Result
}

// Evaluate analyses every case with every choice of sources. It reads the logs
// one at a time.
func Evaluate(cases []Recorded, done func(Result)) (*Evaluation, error) {
	e := &Evaluation{Ablations: Ablations()}
	for _, c := range cases {
		log, err := c.Log()
		if err != nil {
			return nil, err
		}
		r := Result{Case: c.Case}
		for i, a := range e.Ablations {
			seen := a.Keep(log)
			found := diagnose.Analyze(seen)
			r.By = append(r.By, Judge(c.Case, seen, found))
			if i == 0 {
				r.Ranked = RankResources(c.Case, seen, found)
			}
		}
		e.Results = append(e.Results, r)
		if done != nil {
			done(r)
		}
	}
	return e, nil
}

// Score counts the judgements of one choice of sources.
type Score struct {
	All, Wrong int // all runs but controls, and those in which a cause was claimed that is not right
	// Of runs whose cause can be named: faults, and limits of the generator.
	Runs, First, Third, Abstained, Disturbed, Missed, RuledOut int
	// Of right ones that expect a host or a resource.
	Placed, RightPlace int
	Commonest          int // runs of the cause that most of them have
	// Of healthy runs.
	Controls, Healthy, FalseOnsets int
	// Of runs whose cause no probe sees.
	Unseen, Admitted, Invented int
}

// Score counts over the results that are kept; nil keeps all.
func (evaluation *Evaluation) Score(ablation int, keep func(Case) bool) Score {
	var s Score
	count := func(n *int, when bool) {
		if when {
			*n++
		}
	}
	causes := map[string]int{}
	for _, r := range evaluation.Results {
		if keep != nil && !keep(r.Case) {
			continue
		}
		j := r.By[ablation]
		if r.Kind() != Control {
			s.All++
			count(&s.Wrong, j.WrongExplains)
		}
		switch r.Kind() {
		case Control:
			s.Controls++
			count(&s.Healthy, j.Right)
			count(&s.FalseOnsets, j.FalseOnset)
		case Unseen:
			s.Unseen++
			count(&s.Admitted, j.Right)
			count(&s.Invented, j.WrongExplains)
		default:
			s.Runs++
			causes[r.Causes[0]]++
			s.Commonest = max(s.Commonest, causes[r.Causes[0]])
			count(&s.First, j.Right)
			count(&s.Third, j.Rank > 0 && j.Rank <= 3)
			count(&s.Abstained, j.Abstained)
			count(&s.Disturbed, j.Disturbed)
			count(&s.Missed, j.Missed)
			count(&s.RuledOut, j.RuledOut)
			count(&s.Placed, j.Place != NotAsked)
			count(&s.RightPlace, j.Place == RightPlace)
		}
	}
	return s
}

// tuned is the last of the seeds whose runs the rules were improved on. Those of
// seed 1 are golden inputs of the diagnosis's tests; those of later seeds are held
// out, as the controls of seeds from 101 on are.
const tuned = 8

// heldOut keeps the runs that no rule was improved on.
func heldOut(c Case) bool { return c.Seed > tuned }

// Bin is a range of posteriors and what came true of them.
type Bin struct {
	Low, High float64
	Runs      int
	Right     int
	Mean      float64 // posterior
}

// Calibration holds the posterior of the first cause named against how often it
// was right, over runs with a cause.
func (evaluation *Evaluation) Calibration() []Bin {
	bins := []Bin{{Low: 0, High: 0.5}, {Low: 0.5, High: 0.8}, {Low: 0.8, High: 0.9}, {Low: 0.9, High: 0.97}, {Low: 0.97, High: 0.99}, {Low: 0.99, High: 1}}
	for _, r := range evaluation.Results {
		j := r.By[0]
		if k := r.Kind(); k == Control || k == Generator || j.Verdict != diagnose.Explains && j.Verdict != diagnose.Ambiguous {
			continue
		}
		i := slices.IndexFunc(bins, func(b Bin) bool { return j.Confidence < b.High })
		if i < 0 {
			i = len(bins) - 1
		}
		b := &bins[i]
		b.Mean = (b.Mean*float64(b.Runs) + j.Confidence) / float64(b.Runs+1)
		b.Runs++
		if j.Right && r.Kind() == Fault {
			b.Right++
		}
	}
	return bins
}

// OnsetScore sums up how well onsets were placed.
type OnsetScore struct {
	Runs                     int // with a fault whose first harm the injector dated
	Found, FromStart, Others int // how their faults were said to begin
	Covered                  int // of those found: intervals that hold the begin of the harm
	Windows, First, Due      Spread
	Percent, Width           Spread
	Bounded, Within          int // of those with computed bounds of the load
}

// Spread is the middle and the tail of absolute values.
type Spread struct {
	N           int
	Median, P90 float64
}

// Onsets scores the onsets found with all sources.
func (evaluation *Evaluation) Onsets() OnsetScore {
	var s OnsetScore
	var windows, first, due, percent, width []float64
	for _, r := range evaluation.Results {
		if r.Kind() != Fault && r.Kind() != Unseen {
			continue
		}
		o := r.By[0].Onset
		if o.Expect != 0 {
			s.Bounded++
			if o.Expect > 0 {
				s.Within++
			}
		}
		if r.Truth.First.IsZero() {
			continue
		}
		s.Runs++
		switch o.Status {
		case diagnose.Found:
			s.Found++
		case diagnose.LeftCensored:
			s.FromStart++
		default:
			s.Others++
		}
		if !math.IsNaN(o.Windows) {
			windows, first, width = append(windows, math.Abs(o.Windows)), append(first, math.Abs(o.First)), append(width, o.Width)
			due = append(due, math.Abs(o.Due))
			if o.Covered {
				s.Covered++
			}
		}
		if !math.IsNaN(o.Percent) {
			percent = append(percent, math.Abs(o.Percent))
		}
	}
	s.Windows, s.First, s.Due = spread(windows), spread(first), spread(due)
	s.Percent, s.Width = spread(percent), spread(width)
	return s
}

func spread(v []float64) Spread {
	if len(v) == 0 {
		return Spread{Median: math.NaN(), P90: math.NaN()}
	}
	slices.Sort(v)
	return Spread{len(v), stats.Median(v), v[len(v)*9/10]}
}

// RankScore counts how often a method put a right resource first, and among the
// first three.
type RankScore struct {
	Name               string
	Runs, First, Third int
}

// Ranking compares the baselines and the diagnosis on the same logs, and gives
// the chance of a random order.
func (evaluation *Evaluation) Ranking() (scores []RankScore, chance1, chance3 float64) {
	for _, b := range Baselines() {
		scores = append(scores, RankScore{Name: b.Name})
	}
	scores = append(scores, RankScore{Name: "rampload's findings"})
	n := 0
	for _, r := range evaluation.Results {
		if r.Ranked == nil {
			continue
		}
		n++
		chance1 += r.Ranked[0].chance(1)
		chance3 += r.Ranked[0].chance(3)
		for i, place := range r.Ranked {
			scores[i].Runs++
			if place.Rank == 1 {
				scores[i].First++
			}
			if place.Rank > 0 && place.Rank <= 3 {
				scores[i].Third++
			}
		}
	}
	return scores, chance1 / max(1, float64(n)), chance3 / max(1, float64(n))
}
