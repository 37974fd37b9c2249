package diagnose

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/attack"
)

// onsetSentence says what happened, when, and how it was before.
func (c *investigation) onsetSentence() string {
	o, t := c.onset, c.t.total
	what := plural(o.Fault)
	name := c.name()
	switch o.Status {
	case Found:
		if o.Constant > 0 {
			return fmt.Sprintf("%s shows %s after %s of a constant %s; before that %s of %s attempts had any%s.",
				capital(name), what, wordSeconds(o.At.Value), c.a.loadText(o.Constant, o.At.Value), commas(float64(o.Before)), commas(float64(o.BeforeOf)), c.delayed())
		}
		return fmt.Sprintf("%s shows %s from %s on, %s into the load; before that %s of %s attempts had any%s.",
			capital(name), what, c.a.loadSpanText(o.Load, o.At.Value), wordSeconds(o.At.Value), commas(float64(o.Before)), commas(float64(o.BeforeOf)), c.delayed())
	case LeftCensored:
		return fmt.Sprintf("%s shows %s from the start, at %s: %s of %s attempts (%s).",
			capital(name), what, c.a.loadText(o.Load.Value, 0), commas(float64(o.After)), commas(float64(o.AfterOf)), percent(float64(o.After)/max(1, float64(o.AfterOf))))
	case Transient:
		return fmt.Sprintf("%s showed %s for a while at %s, %s into the load (%s in all%s), and recovered without a lower load.",
			capital(name), what, c.a.loadText(o.Load.Value, o.At.Value), wordSeconds(o.At.Value), commas(c.total(o.Fault)), c.delayed())
	case Periodic:
		return fmt.Sprintf("%s shows %s in bursts: %s (%s in all).", capital(name), what, o.Note, commas(c.total(o.Fault)))
	}
	resting := ""
	if t.idle > 0 {
		resting = fmt.Sprintf(", and %s of connections without a request in flight", count(t.idle, "reset"))
	}
	if t.failed == 0 {
		return fmt.Sprintf("%s failed none of %s attempts%s.", capital(name), commas(t.attempts), resting)
	}
	return fmt.Sprintf("%s failed %s of %s attempts (%s) %s: %s%s.",
		capital(name), commas(t.failed), commas(t.attempts), percent(t.failed/max(1, t.attempts)), c.noRise(), c.mixture(), resting)
}

// noRise says why there is no onset: the failures are there at every load, or came
// late but in too few clusters to tell a load by.
func (c *investigation) noRise() string {
	first := slices.IndexFunc(c.t.failed, func(n float64) bool { return n > 0 })
	if first < 0 || c.t.total.failed < 20 || c.a.seconds(float64(first)) < 0.4*c.a.duration() {
		return "without a rise over load"
	}
	at := c.a.seconds(float64(first))
	return fmt.Sprintf("from %s into the load on (%s), in clusters too few to tell an onset by", wordSeconds(at), c.a.loadText(c.a.loadAt(at), at))
}

// delayed says how long after requests were due they failed, where that is long:
// the onset is dated by when they were due.
func (c *investigation) delayed() string {
	if d := c.onset.EventDelay; d >= 0.5 {
		return fmt.Sprintf("; those first ones failed %s after they were due", wordSeconds(d))
	}
	return ""
}

func (c *investigation) total(f attack.Fault) float64 { return c.t.total.fault[f] }

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// mixture words the faults of the run, most frequent first.
func (c *investigation) mixture() string {
	type part struct {
		f attack.Fault
		n float64
	}
	var parts []part
	for f := range attack.Fault(attack.Faults) {
		if n := c.t.total.fault[f]; n > 0 && f.Failure() {
			parts = append(parts, part{f, n})
		}
	}
	slices.SortStableFunc(parts, func(x, y part) int { return cmp.Compare(y.n, x.n) })
	var words []string
	for _, p := range parts {
		words = append(words, commas(p.n)+" "+p.f.String()+c.codes(p.f))
	}
	if len(words) == 0 && c.t.total.idle > 0 {
		words = append(words, count(c.t.total.idle, "reset")+" of connections at rest")
	}
	return strings.Join(words, ", ")
}

// codes names the commonest statuses of unexpected answers.
func (c *investigation) codes(f attack.Fault) string {
	if f != attack.Status {
		return ""
	}
	times := map[uint16]int{}
	for _, x := range c.failures {
		if x.Fault == attack.Status {
			times[x.Status]++
		}
	}
	if len(times) == 0 {
		return ""
	}
	often := slices.SortedFunc(maps.Keys(times), func(x, y uint16) int {
		return cmp.Or(cmp.Compare(times[y], times[x]), cmp.Compare(x, y))
	})
	var words []string
	for _, code := range often[:min(3, len(often))] {
		words = append(words, strconv.Itoa(int(code)))
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// causeSentence says what did it, with the numbers.
func (c *investigation) causeSentence(h *hypothesis) string {
	where := ""
	if h.host != "" && h.rule.leg != path {
		where = " on " + h.host
	}
	s := capital(h.rule.says)
	if c.address != nil && h.hop.index == 0 {
		where = " at " + c.address.addr.String()
	}
	switch {
	case h.lead != nil && h.lead.full != nil && !h.rule.inferred:
		s += fmt.Sprintf(": %s%s, %s.", h.lead.describe(), where, c.relativeOn(h.lead.metric.Host, h.lead.full.at))
	case h.lead != nil && h.lead.level != nil:
		s += fmt.Sprintf(": %s%s, %s.", h.lead.describe(), where, c.relativeOn(h.lead.metric.Host, h.lead.level.at))
	case h.counter != nil:
		s += fmt.Sprintf(": %s%s grew by %s, first %s.", strings.ReplaceAll(h.counter.metric.Name, "-", " "), where,
			commas(h.counter.counter.between(c.from-2, c.to+1)), c.relative(h.counter.counter.start.at))
	case len(h.pro) > 0:
		s += fmt.Sprintf("%s: %s.", where, h.pro[c.strongest(h)].Text)
	default:
		s += where + "."
	}
	return s
}

// strongest returns the index of the evidence that weighs most for a cause.
func (c *investigation) strongest(h *hypothesis) int {
	best, most := 0, math.Inf(-1)
	f := c.facts[h.hop.index]
	for i, e := range h.pro {
		for _, w := range h.rule.weights {
			if x := f[w.clue]; x.is == yes && x.text == e.Text && w.yes > most {
				best, most = i, w.yes
			}
		}
	}
	return best
}

func (c *investigation) onsetEvidence() []Evidence {
	o := c.onset
	var out []Evidence
	if o.Status == Found || o.Status == Transient || o.Status == Periodic {
		out = append(out, Evidence{Source: "client", At: pointer(o.At.Value), Text: fmt.Sprintf("first %s: %s of %s before, %s of %s from there on",
			singular(o.Fault), commas(float64(o.Before)), commas(float64(o.BeforeOf)), commas(float64(o.After)), commas(float64(o.AfterOf)))})
	}
	out = append(out, Evidence{Source: "client", Text: "failures: " + c.mixture()})
	if c.address != nil {
		out = append(out, Evidence{Source: "client", Text: c.address.text()})
	}
	for _, text := range c.common {
		out = append(out, Evidence{Source: "client", Text: text})
	}
	return out
}

// inCommon says what nearly all failures have in common.
func (c *investigation) inCommon() []string {
	return slices.DeleteFunc([]string{c.oneRequest(), c.pattern()}, func(s string) bool { return s == "" })
}

// oneRequest says that nearly all failures are of one of several requests, which
// most are not.
func (c *investigation) oneRequest() string {
	all := c.t.info.Endpoints
	if len(all) < 2 || len(c.failures) < 5 {
		return ""
	}
	times := make([]float64, len(all))
	for _, x := range c.failures {
		if int(x.Endpoint) < len(times) && x.Phase != attack.PhaseIdle {
			times[x.Endpoint]++
		}
	}
	most := slices.Index(times, slices.Max(times))
	if n := sum(times); times[most] < 0.9*n || all[most].Share > 0.6 || n < 5 {
		return ""
	}
	return fmt.Sprintf("%s of %s failures are of %s, %s of the requests", commas(times[most]), commas(sum(times)), all[most].Name, percent(all[most].Share))
}

func singular(f attack.Fault) string { return f.String() }

func (c *investigation) evidence(h *hypothesis) []Evidence {
	out := c.onsetEvidence()
	if c.parts.wire > 0 {
		for _, text := range c.beside {
			out = append(out, Evidence{Source: "kernels", Text: text})
		}
	}
	for _, x := range c.contrast {
		out = append(out, Evidence{Source: "client", Text: x.text()})
	}
	seen := map[string]bool{}
	for _, e := range out {
		seen[e.Text] = true
	}
	seen[c.facts[h.hop.index][risesWithLoad].text] = true // the onset has said so
	repeats := func(e Evidence) bool {                    // another text begins with it and says more
		return slices.ContainsFunc(h.pro, func(x Evidence) bool { return len(x.Text) > len(e.Text) && strings.HasPrefix(x.Text, e.Text) })
	}
	for _, e := range h.pro {
		if e.Text != "" && !seen[e.Text] && !repeats(e) && len(out) < mostEvidence {
			seen[e.Text] = true
			out = append(out, e)
		}
	}
	if h.hop.index < len(c.wires) {
		if v := c.wires[h.hop.index]; v.traced && v.joined > 0 {
			out = append(out, Evidence{
				Source: "kernel of " + h.hop.host, At: pointer(v.first),
				Text: fmt.Sprintf("%s that its own kernel sent match failed connections by address, port and time", count(v.joined, "reset")),
			})
		}
	}
	return out
}

// pattern says what failures that are spread over time have in common: the age of
// their connections, the requests that these had served, or the distance from one
// failed request to the next. It names the rule that somebody follows.
func (c *investigation) pattern() string {
	var when, age, served, number []float64
	for _, x := range c.failures {
		if !connectionFault(x) || x.Fault == attack.Timeout {
			continue
		}
		when = append(when, x.End.Seconds())
		age = append(age, x.Conn.Age.Seconds())
		served = append(served, float64(x.Conn.Served))
		number = append(number, float64(x.Request))
	}
	if len(when) < 8 || float64(len(when)) < 0.8*float64(len(c.failures)) || slices.Max(when)-slices.Min(when) < 3 {
		return ""
	}
	slices.Sort(number)
	var gaps []float64
	for i := 1; i < len(number); i++ {
		gaps = append(gaps, number[i]-number[i-1])
	}
	middle := func(v []float64) (low, median, high float64) {
		slices.Sort(v)
		return quantileOfSorted(v, 0.05), quantileOfSorted(v, 0.5), quantileOfSorted(v, 0.95)
	}
	if low, n, high := middle(served); n >= 5 && high-low <= max(1, 0.03*n) {
		return fmt.Sprintf("they hit connections that had served %s requests", between(low, high))
	}
	if low, t, high := middle(age); t >= 0.5 && high-low <= max(0.05*t, 0.05) {
		return fmt.Sprintf("they hit connections that were %s old", wordSeconds(t))
	}
	if low, n, high := middle(gaps); n >= 5 && high-low <= max(1, 0.03*n) {
		return fmt.Sprintf("one request in %s failed, at regular distances", commas(n))
	}
	return ""
}

// between words a narrow range of counts.
func between(low, high float64) string {
	if low == high {
		return commas(low)
	}
	return commas(low) + " to " + commas(high)
}
