package verdicts

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/saturation"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

const (
	climbBlocks = 40  // into which a run is divided to compare climbs
	climbAlike  = 0.8 // correlation of a climb with the growth of failures, over blocks
	climbMost   = 0.2 // of a resource's peak, that it climbs by at least
)

// SayClimbs adds to onsets of failures that grow slowly which resource climbs with them:
// of those that climb in step, that which came nearest its limit, else that which climbed
// most. Which is cause and which effect it does not say.
func SayClimbs(a *evidence.Run, t *evidence.Target, onsets []evidence.Onset) {
	for i := range onsets {
		if o := &onsets[i]; o.Slow && o.Status == evidence.Found {
			if r, s := climbsWith(a, t); r != nil {
				o.Climber, o.Climbs, o.Note = r, s, words.Join(o.Note, s)
			}
		}
	}
}

func climbsWith(a *evidence.Run, t *evidence.Target) (*evidence.Resource, string) {
	size := (a.N + climbBlocks - 1) / climbBlocks
	if size < 1 {
		return nil, ""
	}
	var failed []float64 // share, by block
	for from := 0; from < a.N; from += size {
		to := min(a.N, from+size)
		share := 0.0
		if n := evidence.Sum(t.Attempts[from:to]); n > 0 {
			share = evidence.Sum(t.Failed[from:to]) / n
		}
		failed = append(failed, share)
	}
	var best *evidence.Resource
	var climb evidence.Climb
	for _, r := range a.Resources {
		if r.Def.Cumulative || r.Def.Kind != probe.HardLimit && r.Def.Kind != probe.Gauge && r.Def.Kind != probe.Utilisation || r.Peak <= 0 {
			continue
		}
		g, ok := saturation.LongestClimb(a, r)
		if !ok || g.Value-g.Begin < climbMost*r.Peak || 2*(g.To-g.From) < a.Duration() {
			continue
		}
		if alike := inStep(a, r, size, failed); !(alike >= climbAlike) {
			continue
		}
		if best == nil || nearer(r, best) {
			best, climb = r, g
		}
	}
	if best == nil {
		return nil, ""
	}
	s := fmt.Sprintf("%s climbs with it, from %s to %s", evidence.Place(best), format.Amount(climb.Begin, best.Def.Unit), format.Amount(climb.Value, best.Def.Unit))
	if best.Limit > 0 {
		s += " of " + format.Amount(best.Limit, best.Def.Unit)
	}
	return best, s
}

// nearer reports whether a resource came nearer its limit than another, or, where neither
// has one, climbed to more of what it began with.
func nearer(r, other *evidence.Resource) bool {
	if r.Limit > 0 || other.Limit > 0 {
		return words.Finite(r.Most, 0) > words.Finite(other.Most, 0)
	}
	return r.Peak/max(1e-9, r.Value[0]) > other.Peak/max(1e-9, other.Value[0])
}

// inStep is the correlation of a resource's mean with the share of failures, over blocks
// of so many windows.
func inStep(a *evidence.Run, r *evidence.Resource, size int, failed []float64) float64 {
	sum, n := make([]float64, len(failed)), make([]float64, len(failed))
	for i, at := range r.At {
		if b := a.Window(at) / size; at >= 0 && b < len(sum) {
			sum[b], n[b] = sum[b]+r.Value[i], n[b]+1
		}
	}
	var x, y []float64
	for b := range sum {
		if n[b] > 0 {
			x, y = append(x, sum[b]/n[b]), append(y, failed[b])
		}
	}
	if len(x) < climbBlocks/2 {
		return math.NaN()
	}
	return stat.Correlation(x, y, nil)
}
