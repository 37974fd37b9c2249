package gather

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/format"
)

// byRequest counts attempts by request since the onset; nil where they were not counted.
func byRequest(c *evidence.Case) []evidence.Tally {
	var out []evidence.Tally
	for _, w := range c.Target.Windows {
		if (float64(w.Index)+1)*c.Run.Step <= c.From {
			continue
		}
		for _, r := range w.Requests {
			for len(out) <= int(r.Endpoint) {
				out = append(out, evidence.Tally{})
			}
			out[r.Endpoint].Add(evidence.Tally{Attempts: float64(r.Attempts), Failed: float64(r.Failed)})
		}
	}
	return out
}

// sizes returns the mean size of each request and of its response, in bytes: of the successes of the
// whole run, else what failed responses announced or brought. NaN is not known.
func sizes(c *evidence.Case, n int) (sent, received []float64) {
	type sum struct{ attempts, ok, sent, received float64 }
	sums := make([]sum, n)
	for _, w := range c.Target.Windows {
		for _, r := range w.Requests {
			if s := int(r.Endpoint); s < n {
				sums[s].attempts += float64(r.Attempts)
				sums[s].ok += float64(r.Attempts - r.Failed)
				sums[s].sent += float64(r.Sent)
				sums[s].received += float64(r.Received)
			}
		}
	}
	announced := make([]float64, n)
	for _, x := range c.Failures {
		if int(x.Endpoint) < n && x.Answer != nil && x.Fault != attack.Status {
			announced[x.Endpoint] = max(announced[x.Endpoint], float64(x.Answer.Declared), float64(x.Answer.Received))
		}
	}
	sent, received = make([]float64, n), make([]float64, n)
	for i, s := range sums {
		sent[i], received[i] = math.NaN(), math.NaN()
		if s.sent > 0 {
			sent[i] = s.sent / s.attempts
		}
		switch {
		case s.ok > 0:
			received[i] = s.received / s.ok
		case announced[i] > 0:
			received[i] = announced[i]
		}
	}
	return sent, received
}

// splits looks for a size of requests, and one of responses, above which requests fail and below which
// they do not.
func splits(c *evidence.Case) (request, response *evidence.Split) {
	tallies := byRequest(c)
	if len(tallies) < 2 {
		return nil, nil
	}
	sent, received := sizes(c, len(tallies))
	return splitBy(c, "requests", tallies, sent), splitBy(c, "responses", tallies, received)
}

const (
	splitFails  = 0.5  // least share of the requests above the size that fails
	splitPasses = 0.1  // largest share of that share that fails below the size
	splitGap    = 1.05 // least ratio of the smallest size that fails to the largest that passes
)

func splitBy(c *evidence.Case, what string, tallies []evidence.Tally, size []float64) *evidence.Split {
	var order []int
	for i, t := range tallies {
		if t.Attempts == 0 {
			continue
		}
		if math.IsNaN(size[i]) {
			return nil // a request of this kind may have any size
		}
		order = append(order, i)
	}
	slices.SortFunc(order, func(x, y int) int { return cmp.Or(cmp.Compare(size[x], size[y]), cmp.Compare(x, y)) })
	var best *evidence.Split
	for k := 1; k < len(order); k++ {
		s := evidence.Split{What: what, Passes: size[order[k-1]], Fails: size[order[k]], Request: RequestName(c, uint32(order[k]))}
		if s.Fails < splitGap*s.Passes+1 {
			continue
		}
		least := 1.0
		for i, e := range order {
			if i < k {
				s.Below.Add(tallies[e])
			} else {
				s.Above.Add(tallies[e])
				if tallies[e].Attempts >= 5 {
					least = min(least, tallies[e].Share())
				}
			}
		}
		if s.Above.Failed < 5 || s.Below.Attempts < 10 || s.Above.Share() < splitFails || least < splitFails || s.Below.Share() > splitPasses*s.Above.Share() {
			continue
		}
		if best == nil || s.Above.Share()-s.Below.Share() > best.Above.Share()-best.Below.Share() {
			best = &s
		}
	}
	return best
}

// WorstRequest says in words that one of several requests fails far more often than the others.
func WorstRequest(c *evidence.Case) string {
	tallies := byRequest(c)
	var all evidence.Tally
	worst, used := -1, 0
	for i, t := range tallies {
		all.Add(t)
		if t.Attempts < 5 {
			continue
		}
		used++
		if worst < 0 || t.Share() > tallies[worst].Share() {
			worst = i
		}
	}
	if used < 2 || RequestName(c, uint32(worst)) == "" {
		return ""
	}
	w := tallies[worst]
	rest := evidence.Tally{Attempts: all.Attempts - w.Attempts, Failed: all.Failed - w.Failed}
	if w.Failed < 5 || rest.Attempts < 10 || w.Share() < 5*rest.Share() || w.Failed < 0.5*all.Failed {
		return ""
	}
	return fmt.Sprintf("%s failed %s of %s times, the other requests %s of %s", RequestName(c, uint32(worst)), format.Number(w.Failed), format.Number(w.Attempts), format.Number(rest.Failed), format.Number(rest.Attempts))
}

// splitTexts says both splits in words; only one where they separate the same requests.
func splitTexts(c *evidence.Case) string {
	var parts []string
	for _, s := range []*evidence.Split{c.BySent, c.ByReceived} {
		if s != nil {
			parts = append(parts, s.Text())
		}
	}
	return strings.Join(parts, "; ")
}

// FailingKinds says in words that some of several kinds of request fail whenever they are sent, and the
// others hardly ever. Then nothing that all requests share is missing. constant is set where they did so
// from the start of the load, at any load.
func FailingKinds(c *evidence.Case) (text string, constant bool) {
	const enough = 10 // failures of one kind of request
	var names []string
	var bad, rest evidence.Tally
	for i, t := range byRequest(c) {
		if t.Failed >= enough && t.Share() >= 0.95 {
			names = append(names, RequestName(c, uint32(i)))
			bad.Add(t)
		} else {
			rest.Add(t)
		}
	}
	if len(names) == 0 || rest.Attempts < 20 || rest.Share() > 0.01 {
		return "", false
	}
	text = fmt.Sprintf("%s failed %s of %s times, the other requests %s of %s", strings.Join(names, ", "), format.Number(bad.Failed), format.Number(bad.Attempts), format.Number(rest.Failed), format.Number(rest.Attempts))
	return text, c.Onset.Status == evidence.LeftCensored || c.Onset.Status == evidence.NoOnset
}
