package verdicts

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// onsetSentence says what happened, when, and how it was before.
func onsetSentence(c *inquiry.Investigation) string {
	o, t := c.Onset, c.Target.Total
	what := words.Plural(o.Fault)
	if o.Fault == attack.Status && evidence.Unlike(c.Case) {
		what = "answers that are not what the profile expects"
	}
	name := c.Name()
	switch o.Status {
	case evidence.Found:
		if o.Constant > 0 {
			return fmt.Sprintf("%s shows %s after %s of a constant %s; before that %s of %s attempts had any%s%s.",
				words.Capital(name), what, format.Seconds(o.At.Value), c.Run.LoadText(o.Constant, o.At.Value), format.Number(float64(o.Before)), format.Number(float64(o.BeforeOf)), delayed(c), climbing(c))
		}
		return fmt.Sprintf("%s shows %s from %s on, %s into the load; before that %s of %s attempts had any%s%s.",
			words.Capital(name), what, c.Run.LoadSpanText(o.LoadInterval(), o.At.Value), format.Seconds(o.At.Value), format.Number(float64(o.Before)), format.Number(float64(o.BeforeOf)), delayed(c), climbing(c))
	case evidence.LeftCensored:
		return fmt.Sprintf("%s shows %s from the start, at %s: %s of %s attempts (%s).",
			words.Capital(name), what, c.Run.LoadText(o.Load.Value, 0), format.Number(float64(o.After)), format.Number(float64(o.AfterOf)), format.Percent(float64(o.After)/max(1, float64(o.AfterOf))))
	case evidence.Transient:
		return fmt.Sprintf("%s showed %s for a while at %s, %s into the load (%s in all%s), and recovered without a lower load.",
			words.Capital(name), what, c.Run.LoadText(o.Load.Value, o.At.Value), format.Seconds(o.At.Value), format.Number(c.Total(o.Fault)), delayed(c))
	case evidence.Periodic:
		return fmt.Sprintf("%s shows %s in bursts: %s (%s in all).", words.Capital(name), what, o.Note, format.Number(c.Total(o.Fault)))
	}
	resting := ""
	if t.Idle > 0 {
		resting = fmt.Sprintf(", and %s of connections without a request in flight", format.Counted(t.Idle, "reset"))
	}
	if t.Failed == 0 {
		return fmt.Sprintf("%s failed none of %s attempts%s.", words.Capital(name), format.Number(t.Attempts), resting)
	}
	return fmt.Sprintf("%s failed %s of %s attempts (%s) %s: %s%s.",
		words.Capital(name), format.Number(t.Failed), format.Number(t.Attempts), format.Percent(t.Failed/max(1, t.Attempts)), noRise(c), evidence.Mixture(c.Case), resting)
}

// noRise says why there is no onset: the failures are there at every load, or came
// late but in too few clusters to tell a load by.
func noRise(c *inquiry.Investigation) string {
	first := slices.IndexFunc(c.Target.Failed, func(n float64) bool { return n > 0 })
	if first < 0 || c.Target.Total.Failed < 20 || c.Run.Seconds(float64(first)) < 0.4*c.Run.Duration() {
		return "without a rise over load"
	}
	at := c.Run.Seconds(float64(first))
	return fmt.Sprintf("from %s into the load on (%s), in clusters too few to tell an onset by", format.Seconds(at), c.Run.LoadText(c.Run.LoadAt(at), at))
}

// climbing names the resource that climbs with failures that grow slowly.
func climbing(c *inquiry.Investigation) string {
	if c.Onset.Climbs == "" {
		return ""
	}
	return "; they grow slowly, and " + c.Onset.Climbs
}

// delayed says how long after requests were due they failed, where that is long:
// the onset is dated by when they were due.
func delayed(c *inquiry.Investigation) string {
	if d := c.Onset.EventDelay; d >= 0.5 {
		return fmt.Sprintf("; those first ones failed %s after they were due", format.Seconds(d))
	}
	return ""
}

// causeSentence says what did it, with the numbers.
func causeSentence(c *inquiry.Investigation, h *inquiry.Hypothesis) string {
	beside := h.Rule.Mechanism == report.MechanismDNS // names are asked for beside the way
	if at, ok := gather.Culprit(c.Case); ok && !beside && (h.Rule.Waits || h.Rule.Leg == inquiry.Path || c.Facts[h.Hop.Index][evidence.SaysLocked].Is == evidence.Yes) && at.Station == h.Hop.Station {
		told := ""
		if dropper(c, h) != "" && len(h.Pro) > 0 {
			told = ": " + h.Pro[strongest(c, h)].Text
		}
		return fmt.Sprintf("%s: %s%s. %s.", h.Hop.Station.TextOn(h.Hop.Host), h.Rule.Says, told, words.Capital(c.Way.Text()))
	}
	where := ""
	if h.Host != "" && h.Rule.Leg != inquiry.Path {
		where = " on " + h.Host
	}
	s := words.Capital(h.Rule.Says)
	if c.Address != nil && h.Hop.Index == 0 {
		where = " at " + c.Address.Addr.String()
	}
	switch {
	case h.Lead != nil && h.Lead.Full != nil && !h.Rule.Inferred:
		s += fmt.Sprintf(": %s%s, %s.", h.Lead.Describe(), where, c.RelativeOn(h.Lead.Metric.Host, h.Lead.Full.At))
	case h.Lead != nil && h.Lead.Level != nil:
		s += fmt.Sprintf(": %s%s, %s.", h.Lead.Describe(), where, c.RelativeOn(h.Lead.Metric.Host, h.Lead.Level.At))
	case h.Counter != nil:
		s += fmt.Sprintf(": %s%s grew by %s, first %s.", strings.ReplaceAll(h.Counter.Metric.Name, "-", " "), where,
			format.Number(h.Counter.Counter.Between(c.From-2, c.To+1)), c.Relative(h.Counter.Counter.Start.At))
	case len(h.Pro) > 0:
		s += fmt.Sprintf("%s: %s.", where, h.Pro[strongest(c, h)].Text)
	default:
		s += where + "."
	}
	return s
}

// whereItStands says of a hop at which the waiting ends where in it requests stand, and what
// that leaves: enough to go on where no cause is certain.
func whereItStands(c *inquiry.Investigation, h evidence.Hop) string {
	leaves := map[report.Stand]string{
		report.StandsInside:      "neither a queue nor the processor nor a disk holds them: a lock, a pool of its own, or somebody whom it asks and nobody watches",
		report.StandsNotAccepted: "all that could read them are busy, or it has a number of connections that it keeps to",
		report.StandsPool:        "they wait for one of the connections that it shares",
		report.StandsNoProcessor: "they are ready and get no processor",
		report.StandsOnDisk:      "they wait for a disk",
		report.StandsStill:       "its process does not run at all",
		report.StandsCutOff:      "those before it lost their connections to it",
		report.StandsNetwork:     "what was sent did not arrive at the next",
	}
	where := h.Host
	if h.Station != nil {
		where = h.Station.TextOn(h.Host)
	}
	return fmt.Sprintf("Requests stand at %s: %s. %s.", where, leaves[c.Way.Culprit.State], words.Capital(c.Way.Text()))
}

// lastingState says of failures that came at once and for good, where no cause is certain,
// what they leave: nothing ran out, and less load does not help. Empty for all others.
func lastingState(c *inquiry.Investigation) string {
	if c.Onset.Status != evidence.Found || c.Parts.Share(attack.Status) < 0.9 || gather.RequestsWaited(c.Case) {
		return ""
	}
	after := c.Target.Compose(c.Run.Window(c.Onset.At.High)+4, c.Run.N)
	took := evidence.QuantileOf(c.Durations(func(x *attack.Failure) bool { return x.Fault == attack.Status }), 0.5)
	if after.Attempts < 20 || !(took <= max(0.05, 3*c.AnswerTime())) {
		return ""
	}
	much := "all requests"
	switch kind, _ := gather.FailingKinds(c.Case); {
	case after.Failed >= 0.98*after.Attempts:
	case kind != "":
		much = "all requests of one kind"
	default:
		return ""
	}
	return fmt.Sprintf(" From %s on %s are answered with an error, half of them within %s: that is a state, and no resource that runs out; look for what was changed or ended then.",
		format.Seconds(c.At), much, format.Seconds(took))
}

// strongest returns the index of the evidence that weighs most for a cause.
func strongest(c *inquiry.Investigation, h *inquiry.Hypothesis) int {
	best, most := 0, math.Inf(-1)
	f := c.Facts[h.Hop.Index]
	for i, e := range h.Pro {
		for _, w := range h.Rule.Weights {
			if x := f[w.Clue]; x.Is == evidence.Yes && x.Text == e.Text && w.Yes > most {
				best, most = i, w.Yes
			}
		}
	}
	return best
}

func onsetEvidence(c *inquiry.Investigation) []inquiry.Evidence {
	o := c.Onset
	var out []inquiry.Evidence
	if o.Status == evidence.Found || o.Status == evidence.Transient || o.Status == evidence.Periodic {
		out = append(out, inquiry.Evidence{Source: "client", At: words.Pointer(o.At.Value), Text: fmt.Sprintf("first %s: %s of %s before, %s of %s from there on",
			words.Singular(o.Fault), format.Number(float64(o.Before)), format.Number(float64(o.BeforeOf)), format.Number(float64(o.After)), format.Number(float64(o.AfterOf)))})
	}
	out = append(out, inquiry.Evidence{Source: "client", Text: "failures: " + evidence.Mixture(c.Case)})
	if c.Address != nil {
		out = append(out, inquiry.Evidence{Source: "client", Text: c.Address.Text()})
	}
	for _, text := range c.Common {
		out = append(out, inquiry.Evidence{Source: "client", Text: text})
	}
	if text := c.Way.Text(); text != "" {
		out = append(out, inquiry.Evidence{Source: "sockets", Text: text, At: words.Pointer(c.Way.From)})
	}
	return out
}

func evidenceFor(c *inquiry.Investigation, h *inquiry.Hypothesis) []inquiry.Evidence {
	out := onsetEvidence(c)
	if c.Parts.Wire > 0 {
		for _, text := range c.Beside {
			out = append(out, inquiry.Evidence{Source: "kernels", Text: text})
		}
	}
	for _, x := range c.Contrast {
		out = append(out, inquiry.Evidence{Source: "client", Text: x.Text()})
	}
	seen := map[string]bool{}
	for _, e := range out {
		seen[e.Text] = true
	}
	seen[c.Facts[h.Hop.Index][evidence.RisesWithLoad].Text] = true // the onset has said so
	repeats := func(e inquiry.Evidence) bool {                     // another text begins with it and says more
		return slices.ContainsFunc(h.Pro, func(x inquiry.Evidence) bool { return len(x.Text) > len(e.Text) && strings.HasPrefix(x.Text, e.Text) })
	}
	for _, e := range h.Pro {
		if e.Text != "" && !seen[e.Text] && !repeats(e) && len(out) < evidence.MostEvidence {
			seen[e.Text] = true
			out = append(out, e)
		}
	}
	if h.Hop.Index < len(c.Wires) {
		if v := c.Wires[h.Hop.Index]; v.Traced && v.Joined > 0 {
			out = append(out, inquiry.Evidence{
				Source: "kernel of " + h.Hop.Host, At: words.Pointer(v.First),
				Text: fmt.Sprintf("%s that its own kernel sent match failed connections by address, port and time", format.Counted(v.Joined, "reset")),
			})
		}
	}
	return out
}
