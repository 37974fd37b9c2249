// Package gather makes the case of a target: it finds the hops, follows where requests stood and how
// far they got, reads what logs and answers say, and finds what the failures have in common. Package
// signals reads clues from the case. Nothing is weighed here.
package gather

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// Investigate gathers the case of a target. A target without faults has nothing to investigate.
func Investigate(a *evidence.Run, t *evidence.Target, onsets []evidence.Onset) *evidence.Case {
	c := &evidence.Case{Run: a, Target: t, Onsets: onsets, Onset: evidence.Headline(onsets), Statuses: map[uint16]float64{}}
	c.Loopback = a.OnLoopback(t)
	c.Hops, c.Routers = a.Hops(t)
	c.To = a.Duration()
	if o := c.Onset; o.Status == evidence.Found || o.Status == evidence.Transient {
		c.From = o.At.Low
		c.At = o.At.Value + o.EventDelay
		c.Sigma = max(0.05, (o.At.High-o.At.Low)/4)
		if o.Fault == attack.Timeout {
			// The request failed somewhere within the time that it waited.
			c.Sigma = math.Hypot(c.Sigma, min(1, a.Log.Header.Generator.Timeout.Seconds()/4))
		}
	} else if o.Status == evidence.Periodic {
		c.At, c.Sigma = o.At.Value+o.EventDelay, 0.1
	}
	c.Parts = t.Compose(a.Window(c.From+1e-9), a.N)
	for _, w := range t.Windows {
		at := (float64(w.Index) + 1) * a.Step
		c.IdleAge = c.IdleAge.Merge(w.IdleAge)
		if at > c.From {
			for _, s := range w.Statuses {
				c.Statuses[s.Status] += float64(s.Count)
			}
			translate(c, w.Cells)
		}
	}
	for i := range a.Log.Failures {
		f := &a.Log.Failures[i]
		if int(f.Target) == t.Index && f.Due.Seconds() >= c.From-a.Step {
			if status := f.Detail.HTTPStatus(); status != 0 && f.Fault == attack.Status {
				same := *f
				same.Status = status
				f = &same
			}
			c.Failures = append(c.Failures, f)
		}
	}
	c.Address = evidence.CompareAddresses(c)
	c.Said = saying(c)
	c.Heard = heard(c)
	listen(c)
	c.BySent, c.ByReceived = splits(c)
	c.Common = inCommon(c)
	if !follow(c) {
		chooseInstance(c)
	}
	if text := oneEnds(c); text != "" && oneInstance(c) == "" {
		c.Common = append(c.Common, text)
	}
	return c
}

// translate counts a gRPC status, which comes with HTTP status 200, as the HTTP status that says the
// same, so that both are judged alike.
func translate(c *evidence.Case, cells []attack.Cell) {
	for _, cell := range cells {
		if status := cell.Detail.HTTPStatus(); status != 0 && cell.Fault == attack.Status {
			n := float64(cell.Attempts)
			c.Statuses[status] += n
			if c.Statuses[200] -= n; c.Statuses[200] <= 0 {
				delete(c.Statuses, 200)
			}
		}
	}
}

// inCommon says in words what nearly all failures have in common.
func inCommon(c *evidence.Case) []string {
	one := splitTexts(c) // a size says more than the name of a request
	if one == "" {
		one = cmp.Or(WorstRequest(c), evidence.OneRequest(c))
	}
	return slices.DeleteFunc([]string{one, oneInstance(c), failingCall(c), evidence.Pattern(c), commonAnswers(c), statusesByRequest(c)}, func(s string) bool { return s == "" })
}

// statusesByRequest says in words which statuses the failures of each request had.
func statusesByRequest(c *evidence.Case) string {
	type group struct {
		endpoint uint32
		status   uint16
	}
	times := map[group]float64{}
	all := 0.0
	for _, x := range c.Failures {
		if x.Fault == attack.Status {
			times[group{x.Endpoint, x.Status}]++
			all++
		}
	}
	if all < 5 || all < 0.2*float64(len(c.Failures)) || !c.Language().OverHTTP() {
		return ""
	}
	groups := slices.SortedFunc(maps.Keys(times), func(x, y group) int {
		return cmp.Or(cmp.Compare(times[y], times[x]), cmp.Compare(x.status, y.status), cmp.Compare(x.endpoint, y.endpoint))
	})
	var parts []string
	for _, g := range groups[:min(4, len(groups))] {
		name := ""
		if e := c.Target.Info.Endpoints; len(e) > 1 && int(g.endpoint) < len(e) {
			name = " to " + e[g.endpoint].Name
		}
		parts = append(parts, fmt.Sprintf("%s%s %s times", c.Answered(g.status), name, format.Number(times[g])))
	}
	return "answered: " + words.List(parts)
}
