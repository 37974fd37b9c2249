package saturation

import (
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/stats"
)

// LongestClimb finds the longest stretch of a resource without a fall, up to
// where it was full: what restarts begins again, and a mean over it says nothing.
func LongestClimb(a *evidence.Run, r *evidence.Resource) (evidence.Climb, bool) {
	best, found := evidence.Climb{}, false
	end := len(r.At)
	for end > 0 && r.At[end-1] > a.Duration() {
		end--
	}
	from := 0
	for from < end && r.At[from] < 0 {
		from++
	}
	for from < end {
		top, next := from, from+1
		for ; next < end; next++ {
			if r.Value[next] >= r.Value[top] {
				top = next
			}
			fall := r.Value[top] - r.Value[next]
			if fall > evidence.DropShare*(r.Value[top]-r.Value[from]) && fall > evidence.DropOfPeak*r.Peak {
				break
			}
		}
		if c, ok := climbOf(r, from, top+1); ok && (!found || c.To-c.From > best.To-best.From) {
			best, found = c, true
		}
		from = next
	}
	return best, found
}

// climbOf measures the samples [from, to), less those at the limit.
func climbOf(r *evidence.Resource, from, to int) (evidence.Climb, bool) {
	for to > from && r.Limit > 0 && r.Share[to-1] >= evidence.Threshold(r.Limit) {
		to--
	}
	if to-from < 8 {
		return evidence.Climb{}, false
	}
	c := evidence.Climb{From: r.At[from], To: r.At[to-1], Begin: r.Value[from], Value: r.Value[to-1]}
	half := (from + to) / 2
	c.Slope, c.Early, c.Late = slope(r, from, to), slope(r, from, half), slope(r, half, to)
	return c, c.Slope > 0
}

// slope is the median of the slopes between all pairs of the samples [from, to).
func slope(r *evidence.Resource, from, to int) float64 {
	step := max(1, (to-from)/evidence.ClimbPoints)
	var slopes []float64
	for i := from; i < to; i += step {
		for j := i + step; j < to; j += step {
			if d := r.At[j] - r.At[i]; d > 0 {
				slopes = append(slopes, (r.Value[j]-r.Value[i])/d)
			}
		}
	}
	if len(slopes) == 0 {
		return 0
	}
	return stats.Median(slopes)
}
