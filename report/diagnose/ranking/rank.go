// Package ranking scores every cause of the catalogue at every hop by the signals, dates it
// by what ran out, and turns scores into shares of belief.
package ranking

import (
	"cmp"
	"math"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/signals"
	"github.com/rampload/rampload/report/diagnose/words"
)

// Rank scores every cause of the catalogue and turns scores into shares of
// belief. The prior is shared out among the causes that are considered: that is
// the control of multiple testing.
func Rank(c *inquiry.Investigation) {
	if !c.Faulty() {
		return
	}
	signals.AssumeUpstream(c.Case)
	for _, h := range c.Hops {
		c.Facts = append(c.Facts, signals.Observe(c.Case, h))
	}
	for _, r := range causes.Catalogue() {
		if c.Without != nil && c.Without(inquiry.Kind{Rule: r.Cause, Tier: r.Tier(false), Mechanism: r.Mechanism}) {
			continue
		}
		if c.Accepted() {
			r = r.OfAccepted()
		}
		consider(c, r)
	}
	hearOut(c)
	yieldToLimits(c)
	yieldToGone(c)
	keepToWords(c)
	prior := math.Log(evidence.PriorAll / float64(max(len(c.Hypotheses), 1)))
	scores := []float64{math.Log(evidence.PriorNone)}
	for _, h := range c.Hypotheses {
		h.Score += prior
		scores = append(scores, h.Score)
	}
	most := slices.Max(scores)
	total := 0.0
	for _, s := range scores {
		total += math.Exp(s - most)
	}
	c.None = math.Exp(scores[0]-most) / total
	for _, h := range c.Hypotheses {
		h.Posterior = math.Exp(h.Score-most) / total
	}
	slices.SortStableFunc(c.Hypotheses, func(x, y *inquiry.Hypothesis) int {
		return cmp.Or(-cmp.Compare(x.Posterior, y.Posterior), cmp.Compare(x.Cause, y.Cause))
	})
	joinInstances(c)
}

// joinInstances makes one hypothesis of what befell several instances of a service,
// each on a host of its own: they do not compete.
func joinInstances(c *inquiry.Investigation) {
	for i := 0; i < len(c.Hypotheses); i++ {
		x := c.Hypotheses[i]
		if x.Hop.Index == 0 || !slices.Contains(x.Rule.Any, evidence.Died) || inquiry.FirstDeath(c, x) == nil {
			continue
		}
		c.Hypotheses = slices.DeleteFunc(c.Hypotheses, func(y *inquiry.Hypothesis) bool {
			same := y != x && y.Cause == x.Cause && y.Hop.Index > 0
			if !same || inquiry.FirstDeath(c, y) == nil || inquiry.FirstDeath(c, y).Process != inquiry.FirstDeath(c, x).Process {
				return false
			}
			x.Posterior += y.Posterior
			x.Pro = append(x.Pro, inquiry.Evidence{Source: "processes of " + y.Hop.Host, Text: "the same happened on " + y.Hop.Host})
			return true
		})
	}
}

// consider adds the hypotheses of one rule, one for each hop that it applies to.
func consider(c *inquiry.Investigation, r inquiry.Rule) {
	culprit, waits := gather.Culprit(c.Case)
	for i, h := range c.Hops {
		if waits && r.Symptom {
			return // where they wait is known: that they do says nothing more
		}
		nameless := r.Leg == inquiry.Path && (beside(r, c.Facts[i]) || astray(r, c.Facts[i]))
		if waits && r.Leg == inquiry.Path && c.Way.Culprit.State != report.StandsNetwork && !nameless {
			continue // what was asked had arrived
		}
		if r.Behind && i == 0 || r.Waits && c.Facts[i][evidence.WaitsBehind].Is == evidence.Yes {
			continue
		}
		if waits && (r.Leg == inquiry.Proxy || r.Reached) && h.Index > culprit.Index {
			continue // requests stand before it
		}
		if waits && r.Waits && r.Leg == inquiry.Server && h.Station != culprit.Station {
			continue
		}
		if waits && h.Index < culprit.Index && slices.Contains(r.Any, evidence.Died) && c.Parts.Share(attack.Status, attack.Timeout) >= 0.9 {
			continue // it lived, and waited
		}
		switch r.Leg {
		case inquiry.Path:
			if !nameless && (waits && h.Station != culprit.Station || !waits && i > 0 && !writtenHere(c, r, h, c.Facts[i]) && !unreached(c.Facts[i])) {
				continue // between the hop that the waiting ends at and the next
			}
		case inquiry.Proxy:
			if i >= len(c.Hops)-1 && !c.Fronts(h) && (!waits || !evidence.IsProxy(h.Process())) {
				continue
			}
			if h.Station != nil && !evidence.IsProxy(h.Process()) && !lacksPorts(r, c.Facts[i]) {
				continue // it serves, and asks others for what it serves
			}
			if r.Cause == "proxy-queue-limit" && i+1 < len(c.Facts) && c.Facts[i+1][evidence.TriedInVain].Is == evidence.Yes && c.Facts[i][evidence.SaysQueue].Is != evidence.Yes {
				continue // it asked for each of them, and got no connection: none waited for a place
			}
		case inquiry.Server:
			if i == 0 && len(c.Hops) > 1 && !c.Hops[1].Assumed && r.Cause == "server-file-descriptors" && (h.Station == nil || evidence.IsProxy(h.Process())) {
				continue // the first of several hosts passes requests on: proxy-file-descriptors
			}
			if i > 0 && r.Cause == "client-timeout" && c.Facts[i][evidence.GatewayTimeout].Is != evidence.Yes {
				continue // it is the gateway that waits, and says so
			}
		}
		if c.Facts[i][evidence.NamesAway].Is == evidence.Yes && r.Leg == inquiry.Server && slices.Contains(r.Any, evidence.Died) {
			continue // what is missed of it are the names
		}
		if r.Cause == "circuit-open" && evidence.IsProxy(h.Process()) || outOfReach(c, r, i) {
			continue
		}
		test(c, r, h, c.Facts[i])
	}
}

// lacksPorts reports whether a rule goes by local ports, and a hop had none left: whoever
// asks needs them, a proxy or not.
func lacksPorts(r inquiry.Rule, f *evidence.Facts) bool {
	return f[evidence.PortsFull].Is == evidence.Yes && slices.Contains(r.Any, evidence.PortsFull)
}

// beside reports whether a rule goes by what is asked beside the way of the requests, wherever
// they wait, and a hop was without it: who looks up names for it, and who has an address.
func beside(r inquiry.Rule, f *evidence.Facts) bool {
	return slices.ContainsFunc([]evidence.Clue{evidence.NamesAway, evidence.SaysUnknownName, evidence.AddressContested}, func(x evidence.Clue) bool {
		return f[x].Is == evidence.Yes && slices.Contains(r.Any, x)
	})
}

// astray reports whether a rule goes by segments from addresses that nobody dialled, and they came:
// answers are sent, wherever requests seem to wait, and whoever asked does not know them as his.
func astray(r inquiry.Rule, f *evidence.Facts) bool {
	return f[evidence.StrayReset].Is == evidence.Yes && slices.Contains(r.Any, evidence.StrayReset)
}

// unreached reports whether those before a hop say that they do not reach it.
func unreached(f *evidence.Facts) bool {
	return f[evidence.SaysUnreached].Is == evidence.Yes || f[evidence.Unanswered].Is == evidence.Yes
}

// outOfReach reports whether failed requests did not come as far as a hop, and nobody tried
// to bring them there: what happens there does not fail them. That they are not brought may
// be for what it does to others.
func outOfReach(c *inquiry.Investigation, r inquiry.Rule, index int) bool {
	if f := c.Facts[index]; f[evidence.Came].Is == evidence.Yes && f[evidence.Replied].Is == evidence.Yes {
		return false // they did come, by another way than that of the others: to who looks up names
	}
	for i := 1; i <= index; i++ {
		f := c.Facts[i]
		if r.Leg != inquiry.Path && (f[evidence.AddressLeft].Is == evidence.Yes || f[evidence.AddressTaken].Is == evidence.Yes) {
			return true // it is asked at an address that is not its own any more
		}
		if f[evidence.NotAsked].Is == evidence.Yes && !(i == index && slices.ContainsFunc(r.Any, func(x evidence.Clue) bool {
			return (x == evidence.LateOut || x == evidence.FailingOut) && f[x].Is == evidence.Yes
		})) {
			return true
		}
	}
	return false
}

// passedBy reports whether failed requests went on from a hop to the next ones, as served
// ones do: then it is less likely that it is the one that fails them.
func passedBy(c *inquiry.Investigation, index int) bool {
	return c.Parts.Share(attack.Status) >= 0.9 && slices.ContainsFunc(c.Facts[index+1:], func(f *evidence.Facts) bool { return f[evidence.Came].Is == evidence.Yes })
}

// test scores one cause at one hop.
func test(c *inquiry.Investigation, r inquiry.Rule, h evidence.Hop, f *evidence.Facts) {
	is := func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }
	for _, x := range r.Must {
		if f[x].Is == evidence.No && !slices.ContainsFunc(r.Anyway, is) {
			return
		}
	}
	if slices.ContainsFunc(r.Never, is) {
		return
	}
	if is(evidence.OneKindAlways) && r.Mechanism == report.MechanismExhausted && r.Leg != inquiry.Path && !slices.ContainsFunc(r.Told, func(x evidence.Clue) bool { return x >= evidence.SaysFull && is(x) }) {
		return // what all requests share does not lack for those of one kind alone, at every load
	}
	seen := len(r.Any) == 0
	for _, x := range r.Any {
		seen = seen || f[x].Is == evidence.Yes
	}
	hyp := &inquiry.Hypothesis{Rule: r, Cause: inquiry.Key(c, r, h), Hop: h, Host: h.Host}
	timed := len(r.Gauges)+len(r.Counters) > 0
	if timed {
		date(c, hyp)
	}
	hyp.Told = slices.ContainsFunc(r.Told, func(x evidence.Clue) bool { return f[x].Is == evidence.Yes })
	hyp.Measured = hyp.Measured || hyp.Told
	if hyp.Told && r.Inferred { // what was said needs no guess of what stopped growing
		hyp.Lead, hyp.Lag = nil, nil
	}
	ranOut := hyp.Lead != nil || hyp.Counter != nil
	if (!ranOut || r.Waits) && slices.ContainsFunc(r.Elsewhere, func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }) {
		hyp.Score = max(hyp.Score, evidence.PenaltyNear)
	}
	if slices.ContainsFunc(r.Told, func(x evidence.Clue) bool { return x >= evidence.SaysFull && f[x].Is == evidence.Yes }) {
		hyp.Score = max(hyp.Score, 0) // who says that it was full knows it better than a gauge that need not be of it
	}
	// A gauge that was not read in that time may have been full, which is no sign that it was.
	measured := hyp.Counter != nil || hyp.Lead != nil && (hyp.Lead.Full != nil || hyp.Lead.Level != nil)
	if !seen && (!measured || r.Strict) || len(r.Any) == 0 && timed && !hyp.Measured && support(c, r, f) < 1.5 {
		return
	}
	if timed && !hyp.Measured && r.Leg == inquiry.Proxy {
		return
	}
	if timed && !ranOut && !hyp.Told && !r.Inferred && hasRoom(c, r, h) && !slices.ContainsFunc(r.Elsewhere, is) {
		return // it was measured, and far from its limit
	}
	if timed && !hyp.Measured && !r.Inferred && len(r.Any) == 0 {
		hyp.Score += evidence.PenaltyBlind - r.Rare
	}
	if !timed {
		hyp.Measured = hyp.Told || !h.Assumed && (!slices.Contains(r.Any, evidence.Died) || f[evidence.Died].Is == evidence.Yes)
	}
	switch {
	case r.Elimination && !hyp.Told && f[evidence.RateStatus].Is != evidence.Yes && (!kernels.WatchesProcess(c.Case, h) || evidence.Hidden(c.Case) != ""):
		hyp.Measured = false
	case r.Own && !hyp.Told && f[evidence.TurnedAway].Is != evidence.Yes && !inquiry.FromServer(f) && (f[evidence.MostlyEOF].Is != evidence.Yes || !kernels.WatchesProcess(c.Case, h)): // a path does not close in good order
		hyp.Measured = false
	case r.TurnsAway && (f[evidence.SomeResets].Is == evidence.Yes || f[evidence.SomeRefused].Is == evidence.Yes) && !inquiry.FromPath(f):
		hyp.Measured = false
	case hyp.Lead != nil && c.Run.ClockError(hyp.Lead.Metric.Host) > evidence.MaxClockError:
		hyp.Measured = false // what came first there is not known
	}
	hyp.Proven = proves(hyp, f) && unexplainedCounter(c, hyp) == nil && !cameAfter(c, hyp) && (unexplainedEnd(c, hyp) == nil || hyp.Told)
	weigh(c, hyp, f)
	hyp.Score += gate(c, r, h, f)
	c.Hypotheses = append(c.Hypotheses, hyp)
}

// support is what the observations alone add for a rule.
func support(c *inquiry.Investigation, r inquiry.Rule, f *evidence.Facts) float64 {
	s := 0.0
	for _, w := range r.Weights {
		if f[w.Clue].Is == evidence.Yes {
			s += w.Yes
		}
	}
	return s
}

func weigh(c *inquiry.Investigation, hyp *inquiry.Hypothesis, f *evidence.Facts) {
	onWire := toldOnWire(hyp.Rule, f)
	silent, excused := inquiry.Explained(hyp.Rule.Instead, f), inquiry.Explained(hyp.Rule.Despite, f)
	for _, w := range hyp.Rule.Weights {
		if silent[w.Clue] {
			continue
		}
		x := f[w.Clue]
		add := 0.0
		switch x.Is {
		case evidence.Yes:
			add = c.Strengths.Of(w.Yes)
		case evidence.No:
			add = c.Strengths.Of(w.No)
		}
		if add < 0 && (excused[w.Clue] || onWire && w.Clue < evidence.SaysFull) {
			continue
		}
		hyp.Score += add
		if x.Text == "" {
			continue
		}
		e := inquiry.Evidence{Source: x.Source, Text: x.Text}
		if x.At != nil {
			e.At = words.Pointer(*x.At)
		}
		switch {
		case add >= 0.7 && x.Is == evidence.Yes, add >= 1:
			hyp.Pro = append(hyp.Pro, e)
		case add <= -2:
			hyp.Con = append(hyp.Con, e)
		}
	}
}

// toldOnWire reports whether the hop itself told a cause in its answers, as read on the
// wire: what the failures look like to the client, whom others answered, does not speak
// against it then.
func toldOnWire(r inquiry.Rule, f *evidence.Facts) bool {
	wire := f[evidence.Replied]
	return wire.Is == evidence.Yes && slices.ContainsFunc(slices.Concat(r.Told, r.Proof), func(x evidence.Clue) bool {
		return f[x].Is == evidence.Yes && f[x].Source == wire.Source && x != evidence.AnsweredOther && x != evidence.ErrsItself
	})
}

// gate weighs the hop against the failures: 5xx over clean connections come from
// further in, resets and timeouts of the client's connections from the first
// host.
func gate(c *inquiry.Investigation, r inquiry.Rule, h evidence.Hop, f *evidence.Facts) float64 {
	if at, ok := gather.Culprit(c.Case); ok && (r.Waits || r.Leg == inquiry.Path) && at.Station == h.Station {
		return c.Contrasts(h) // it was followed to there, whatever the client saw of it
	}
	if writtenHere(c, r, h, f) {
		return c.Contrasts(h) // whoever answered said so, whatever the client saw of it
	}
	if r.Leg == inquiry.Server && h.Index == 0 && f[evidence.WroteStatus].Is == evidence.No {
		return c.Contrasts(h) - 3
	}
	clean := c.Facts[0][evidence.BadGateway].Is
	if at, ok := gather.Culprit(c.Case); ok && at.Index > 0 {
		clean = evidence.Yes // whatever the client saw of it, it waited for somebody further in
	}
	s := c.Contrasts(h)
	if r.Leg != inquiry.Path && passedBy(c, h.Index) {
		s -= inquiry.Strong
	}
	if slices.ContainsFunc(c.Facts[:h.Index], func(f *evidence.Facts) bool { return f[evidence.RefusesAnswer].Is == evidence.Yes }) {
		s -= inquiry.Proves // it had answered
	}
	if h.Assumed {
		s += evidence.PenaltyBlind
	}
	inner := slices.ContainsFunc(c.Facts[1:], func(f *evidence.Facts) bool {
		return f[evidence.InnerMatch].Is == evidence.Yes || f[evidence.EndsThem].Is == evidence.Yes
	})
	if inner && clean != evidence.Yes {
		// The proxy passed on what happened behind it in its own way.
		clean = evidence.Yes
		s += 1.5 * float64(min(h.Index, 1))
	}
	switch {
	case h.Index > 0 && clean == evidence.Yes:
		s += 0.5
	case h.Index > 0 && clean == evidence.No:
		s -= 5
	case h.Index > 0:
	case r.Leg == inquiry.Server && clean == evidence.Yes && len(c.Hops) > 1 && c.Facts[0][evidence.PassedOn].Is == evidence.No:
		s -= 0.5 // it may be the proxy that answers
	case r.Leg == inquiry.Server && clean == evidence.Yes && len(c.Hops) > 1:
		s -= 3
	case r.Leg == inquiry.Path && clean == evidence.Yes && f[evidence.RetransBegan].Is == evidence.Yes && c.Statuses[504] >= 0.9*c.Parts.Failed: // its own answers for what did not come in time
	case r.Leg == inquiry.Path && clean == evidence.Yes, (r.Cause == "application-abort" || r.Cause == "early-response-unread-body") && clean == evidence.Yes && h.Index == 0:
		s -= 5
	case r.Leg == inquiry.Server && clean == evidence.Yes && (r.Cause == "rate-limit-policy" || r.Cause == "client-timeout"):
	case r.Leg == inquiry.Server && clean == evidence.Yes:
		s -= 0.5
	}
	if h.Index > 0 && c.Facts[0][evidence.PassedOn].Is == evidence.No && (f[evidence.ShedAtOnce].Is == evidence.Yes || f[evidence.QueueTimeout].Is == evidence.Yes) {
		s -= 4 // what was refused had not even been passed on
	}
	if h.Index > 0 && c.Facts[0][evidence.DescriptorsFull].Is == evidence.Yes {
		s -= 3 // what the proxy lacked it need not get from further in
	}
	if c.Address != nil && h.Index == 0 && c.Address.Host != "" && c.Address.Host != h.Host && r.Leg == inquiry.Server {
		s -= 3
	}
	return s
}

// writtenHere reports whether answers were told to be of this hop, or to speak of it, in
// the words that tell the cause.
func writtenHere(c *inquiry.Investigation, r inquiry.Rule, h evidence.Hop, f *evidence.Facts) bool {
	if h.Index > 0 && f[evidence.WroteStatus].Is == evidence.Yes && slices.ContainsFunc(r.Proof, func(x evidence.Clue) bool {
		return f[x].Is == evidence.Yes && (x == evidence.RateStatus || x == evidence.Unauthorized || x == evidence.TooLarge || x == evidence.OwnError)
	}) {
		return true
	}
	if onWire := f[evidence.Replied]; h.Index > 0 && onWire.Is == evidence.Yes && f[evidence.ErrsItself].Is == evidence.Yes && f[evidence.ErrsItself].Source == onWire.Source && slices.Contains(r.Proof, evidence.ErrsItself) {
		return true // it was read there, whatever the status
	}
	return slices.ContainsFunc(r.Told, func(x evidence.Clue) bool { return x >= evidence.SaysFull && f[x].Is == evidence.Yes })
}

// fewPorts is a number of local ports that no range is so narrow as to lack.
const fewPorts = 100

// telling are counters that move only when something was short, and say what: whatever
// is claimed beside them must be what made them move.
var telling = []string{
	probe.AbortOnMemory, probe.OOMKills, probe.PIDsMaxHits, probe.ConntrackDrop, probe.ReqQueueFullDrop,
}

// unexplainedCounter returns a counter of the serving host, or of the path, that began
// to move with the faults and is not of the cause's making; nil without.
func unexplainedCounter(c *inquiry.Investigation, h *inquiry.Hypothesis) *evidence.Resource {
	if c.Onset.Status != evidence.Found {
		return nil
	}
	for _, r := range c.Run.Resources {
		if !slices.Contains(telling, r.Metric.Name) || r.Counter == nil || r.Counter.Start == nil || r.Counter.Throughout ||
			slices.Contains(h.Rule.Counters, r.Metric.Name) || !c.Run.SpeaksFor(r.Metric, h.Hop) || evidence.GeneratorOwn(r.Metric) {
			continue
		}
		if lag := c.At - r.Counter.Start.At; lag > -1 && lag < 3 && r.Counter.Between(c.From-1, c.To+1) >= 5 {
			return r
		}
	}
	return nil
}
