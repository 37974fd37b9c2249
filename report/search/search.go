// Package search finds the highest load that a target bears: which load is tried next, and
// what a load that was held says. It sends nothing; see cmd/internal/session.
package search

import (
	"cmp"
	"math"
	"slices"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

// Search decides which load is tried next in a search for capacity. It doubles
// the load until one does not pass, and then halves the distance until what
// passes and what does not are within the precision. A load that does not pass
// is repeated, and so is the one that is found: two of three decide. It knows no
// clock and sends nothing; the results alone decide, so that it comes to the same
// conclusion from a run log.
//
// A load that neither passed nor failed counts as it looked so far, but proves
// nothing. One at which this machine fell behind is an upper end of the search,
// but never the target's capacity.
type Search struct {
	from, to, precision float64
	levels              []*level // ascending
}

// level is what is known of one load.
type level struct {
	load                       float64
	passed, failed, limited    int
	looksPassing, looksFailing int // undecided
}

const (
	maxRepeats = 5   // tries of one load at most
	maxTries   = 100 // bounds a search whose target changes its mind at every load
)

// New returns the search of a stage.
func New(stage profiles.Search) *Search {
	return &Search{from: stage.From, to: stage.To, precision: stage.Precision}
}

// Add takes the verdict on a load.
func (s *Search) Add(load float64, v Verdict) {
	i, known := slices.BinarySearchFunc(s.levels, load, func(l *level, load float64) int { return cmp.Compare(l.load, load) })
	if !known {
		s.levels = slices.Insert(s.levels, i, &level{load: load})
	}
	l := s.levels[i]
	switch {
	case v.Result == report.StepPassed:
		l.passed++
	case v.Result == report.StepFailed:
		l.failed++
	case v.Result == report.StepLimited:
		l.limited++
	case v.Clean:
		l.looksPassing++
	default:
		l.looksFailing++
	}
}

func (l *level) up() int    { return l.passed + l.looksPassing }
func (l *level) down() int  { return l.failed + l.looksFailing }
func (l *level) tries() int { return l.up() + l.down() + l.limited }

// settled reports whether a load needs no repetition: it passed and nothing
// speaks against it, or two of three agree. That this machine was the limit says
// nothing of the target, and is believed at the third time: it may have been busy
// with something else.
func (l *level) settled() bool {
	up, down := l.up(), l.down()
	switch {
	case up+down == 0:
		return l.limited >= 3
	case down == 0:
		return true
	}
	return max(up, down) >= 2 && up != down || l.tries() >= maxRepeats
}

// passes reports which way the search goes on from a load.
func (l *level) passes() bool { return l.up() > l.down() }

// proven reports whether a load is known to pass, not only to look so.
func (l *level) proven() bool { return l.passes() && l.passed > 0 }

// kind is why a load does not pass.
func (l *level) kind() string {
	switch {
	case l.failed > l.limited:
		return report.StepFailed
	case l.limited > 0:
		return report.StepLimited
	}
	return report.StepUndecided
}

// bounds returns the lowest load that does not pass, and the highest below it
// that does; nil for none.
func (s *Search) bounds() (best, over *level) {
	for _, l := range s.levels {
		if !l.passes() {
			return best, l
		}
		best = l
	}
	return best, nil
}

// Next returns the load to be tried next, and false when the search is over.
func (s *Search) Next() (float64, bool) {
	tries := 0
	for _, l := range s.levels {
		tries += l.tries()
		if !l.settled() {
			return l.load, true
		}
	}
	best, over := s.bounds()
	switch {
	case tries == 0:
		return s.from, true
	case best == nil || tries >= maxTries:
		return 0, false
	case over == nil && best.load < s.to:
		return min(2*best.load, s.to), true
	case over != nil && !s.near(best.load, over.load):
		return between(best.load, over.load), true
	case best.up() < 2 && best.tries() < maxRepeats:
		return best.load, true
	}
	return 0, false
}

// near reports whether two loads are within the precision.
func (s *Search) near(low, high float64) bool { return high <= low*(1+s.precision) }

// between returns the load in the middle, as ratios go, to three digits if there
// is one such.
func between(low, high float64) float64 {
	middle := math.Sqrt(low * high)
	unit := math.Pow(10, math.Floor(math.Log10(middle))-2)
	if round := math.Round(middle/unit) * unit; round > low && round < high {
		// 0.1 has no exact square: keep what people would write.
		return math.Round(round*1e9) / 1e9
	}
	return middle
}

// Result is what a search found, so far or in the end.
type Result struct {
	Status string  // see the constants
	Load   float64 // highest load that is known to pass; 0: none
	Over   float64 // lowest load that did not pass; 0: none
	Why    string  // how Over ended: failed, limited or undecided
	Done   bool    // no load is left to be tried
}

// Result returns what has been found so far.
func (s *Search) Result() Result {
	_, more := s.Next()
	r := Result{Status: report.CapacityUndecided, Done: !more}
	best, over := s.bounds()
	for _, l := range s.levels {
		if best != nil && l.load <= best.load && l.proven() {
			r.Load = l.load
		}
	}
	if over != nil {
		r.Over, r.Why = over.load, over.kind()
	}
	switch {
	case r.Load > 0 && over != nil && r.Why != report.StepLimited:
		r.Status = report.CapacityFound
	case r.Load > 0:
		r.Status = report.CapacityAtLeast
	case best == nil && r.Why == report.StepFailed && over.settled():
		r.Status = report.CapacityBelow
	}
	return r
}
