package causes

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/signals"
	"github.com/rampload/rampload/report/diagnose/words"
)

// Investigation ranks the causes of one case.
type Investigation struct {
	*evidence.Case
	// Without leaves causes out of the catalogue, nil for none: what is said of a fault
	// that nobody foresaw is measured so.
	Without    func(Kind) bool
	hypotheses []*hypothesis // most likely first
	none       float64       // posterior of something unobserved
}

// hypothesis is one possible cause with what speaks for it.
type hypothesis struct {
	rule      rule
	cause     string
	hop       evidence.Hop
	host      string
	process   string
	pid       int32
	lead      *evidence.Resource // dates the cause
	counter   *evidence.Resource
	lag       *evidence.Span
	measured  bool
	told      bool // the kernel, or whoever answered, said so
	proven    bool // something was seen that few other causes make
	score     float64
	posterior float64
	pro, con  []Evidence
}

// claimedAt is the belief from which on a cause is claimed and not a candidate.
func (h *hypothesis) claimedAt() float64 {
	if (h.rule.elimination || h.rule.turnsAway) && !h.told {
		return evidence.ExplainsRest
	}
	return evidence.ExplainsAt
}

// Rank scores every cause of the catalogue and turns scores into shares of
// belief. The prior is shared out among the causes that are considered: that is
// the control of multiple testing.
func (c *Investigation) Rank() {
	if !c.Faulty() {
		return
	}
	signals.AssumeUpstream(c.Case)
	for _, h := range c.Hops {
		c.Facts = append(c.Facts, signals.Observe(c.Case, h))
	}
	for _, r := range catalogue() {
		if c.Without != nil && c.Without(Kind{r.cause, r.tier(false), r.mechanism}) {
			continue
		}
		c.consider(r)
	}
	c.hearOut()
	prior := math.Log(evidence.PriorAll / float64(max(len(c.hypotheses), 1)))
	scores := []float64{math.Log(evidence.PriorNone)}
	for _, h := range c.hypotheses {
		h.score += prior
		scores = append(scores, h.score)
	}
	most := slices.Max(scores)
	total := 0.0
	for _, s := range scores {
		total += math.Exp(s - most)
	}
	c.none = math.Exp(scores[0]-most) / total
	for _, h := range c.hypotheses {
		h.posterior = math.Exp(h.score-most) / total
	}
	slices.SortStableFunc(c.hypotheses, func(x, y *hypothesis) int {
		return cmp.Or(-cmp.Compare(x.posterior, y.posterior), cmp.Compare(x.cause, y.cause))
	})
	c.joinInstances()
}

// decisive are statements that say why, and not only what followed: a pool or a queue is
// full because of something, and so a connection breaks; a full disk is enough.
var decisive = []evidence.Clue{
	evidence.SaysFull, evidence.SaysFiles, evidence.SaysPorts, evidence.SaysMemory, evidence.SaysDisk, evidence.SaysLocking, evidence.SaysUnknownName, evidence.SaysCredentials,
	evidence.SaysForbidden, evidence.SaysBig, evidence.SaysStoreFull, evidence.SaysReadOnly, evidence.SaysIdentifiers, evidence.SaysSchema, evidence.SaysCertificate,
}

// hearOut takes from causes that are not what most failures were told: whatever is
// claimed must explain what was said.
func (c *Investigation) hearOut() {
	for i, f := range c.Facts {
		for _, x := range append(slices.Clone(decisive), evidence.SaysException, evidence.SaysAway) {
			if f[x].Is != evidence.Yes {
				continue
			}
			against := opposite(proves)
			if x == evidence.SaysException || x == evidence.SaysAway {
				against = opposite(strong) // why, it does not say
			}
			for _, h := range c.hypotheses {
				if h.hop.Index == i && (slices.Contains(h.rule.told, x) || x == evidence.SaysAway) {
					continue
				}
				h.score += against
				h.con = append(h.con, Evidence{Source: f[x].Source, Text: f[x].Text})
			}
		}
	}
}

// joinInstances makes one hypothesis of what befell several instances of a service,
// each on a host of its own: they do not compete.
func (c *Investigation) joinInstances() {
	for i := 0; i < len(c.hypotheses); i++ {
		x := c.hypotheses[i]
		if x.hop.Index == 0 || !slices.Contains(x.rule.any, evidence.Died) || c.firstDeath(x) == nil {
			continue
		}
		c.hypotheses = slices.DeleteFunc(c.hypotheses, func(y *hypothesis) bool {
			same := y != x && y.cause == x.cause && y.hop.Index > 0
			if !same || c.firstDeath(y) == nil || c.firstDeath(y).Process != c.firstDeath(x).Process {
				return false
			}
			x.posterior += y.posterior
			x.pro = append(x.pro, Evidence{Source: "processes of " + y.hop.Host, Text: "the same happened on " + y.hop.Host})
			return true
		})
	}
}

// consider adds the hypotheses of one rule, one for each hop that it applies to.
func (c *Investigation) consider(r rule) {
	culprit, waits := gather.Culprit(c.Case)
	for i, h := range c.Hops {
		if waits && r.symptom {
			return // where they wait is known: that they do says nothing more
		}
		if waits && r.leg == path && c.Way.Culprit.State != report.StandsNetwork {
			return // what was asked had arrived
		}
		if r.behind && i == 0 || r.waits && c.Facts[i][evidence.WaitsBehind].Is == evidence.Yes {
			continue
		}
		if waits && r.waits && r.leg == server && h.Station != culprit.Station {
			continue
		}
		if waits && h.Index < culprit.Index && slices.Contains(r.any, evidence.Died) && c.Parts.Share(attack.Status, attack.Timeout) >= 0.9 {
			continue // it lived, and waited
		}
		switch r.leg {
		case path:
			if waits && h.Station != culprit.Station || !waits && i > 0 && !c.writtenHere(r, h, c.Facts[i]) {
				continue // between the hop that the waiting ends at and the next
			}
		case proxy:
			if i >= len(c.Hops)-1 && !c.Fronts(h) && (!waits || !evidence.IsProxy(h.Process())) {
				continue
			}
			if h.Station != nil && !evidence.IsProxy(h.Process()) {
				continue // it serves, and asks others for what it serves
			}
		case server:
			if i == 0 && len(c.Hops) > 1 && !c.Hops[1].Assumed && r.cause == "server-file-descriptors" && (h.Station == nil || evidence.IsProxy(h.Process())) {
				continue // the first of several hosts passes requests on: proxy-file-descriptors
			}
			if i > 0 && r.cause == "client-timeout" && c.Facts[i][evidence.GatewayTimeout].Is != evidence.Yes {
				continue // it is the gateway that waits, and says so
			}
		}
		if r.cause == "circuit-open" && evidence.IsProxy(h.Process()) || c.outOfReach(r, i) {
			continue
		}
		c.test(r, h, c.Facts[i])
	}
}

// outOfReach reports whether failed requests did not come as far as a hop, and nobody tried
// to bring them there: what happens there does not fail them. That they are not brought may
// be for what it does to others.
func (c *Investigation) outOfReach(r rule, index int) bool {
	for i := 1; i <= index; i++ {
		f := c.Facts[i]
		if f[evidence.NotAsked].Is == evidence.Yes && !(i == index && slices.ContainsFunc(r.any, func(x evidence.Clue) bool {
			return (x == evidence.LateOut || x == evidence.FailingOut) && f[x].Is == evidence.Yes
		})) {
			return true
		}
	}
	return false
}

// passedBy reports whether failed requests went on from a hop to the next ones, as served
// ones do: then it is less likely that it is the one that fails them.
func (c *Investigation) passedBy(index int) bool {
	return c.Parts.Share(attack.Status) >= 0.9 && slices.ContainsFunc(c.Facts[index+1:], func(f *evidence.Facts) bool { return f[evidence.Came].Is == evidence.Yes })
}

// test scores one cause at one hop.
func (c *Investigation) test(r rule, h evidence.Hop, f *evidence.Facts) {
	is := func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }
	for _, x := range r.must {
		if f[x].Is == evidence.No && !slices.ContainsFunc(r.anyway, is) {
			return
		}
	}
	if slices.ContainsFunc(r.never, is) {
		return
	}
	seen := len(r.any) == 0
	for _, x := range r.any {
		seen = seen || f[x].Is == evidence.Yes
	}
	hyp := &hypothesis{rule: r, cause: c.key(r, h), hop: h, host: h.Host}
	timed := len(r.gauges)+len(r.counters) > 0
	if timed {
		c.date(hyp)
	}
	hyp.told = slices.ContainsFunc(r.told, func(x evidence.Clue) bool { return f[x].Is == evidence.Yes })
	hyp.measured = hyp.measured || hyp.told
	if hyp.told && r.inferred { // what was said needs no guess of what stopped growing
		hyp.lead, hyp.lag = nil, nil
	}
	ranOut := hyp.lead != nil || hyp.counter != nil
	if (!ranOut || r.waits) && slices.ContainsFunc(r.elsewhere, func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }) {
		hyp.score = max(hyp.score, evidence.PenaltyNear)
	}
	if slices.ContainsFunc(r.told, func(x evidence.Clue) bool { return x >= evidence.SaysFull && f[x].Is == evidence.Yes }) {
		hyp.score = max(hyp.score, 0) // who says that it was full knows it better than a gauge that need not be of it
	}
	if !seen && (!ranOut || r.strict) || len(r.any) == 0 && timed && !hyp.measured && c.support(r, f) < 1.5 {
		return
	}
	if timed && !hyp.measured && r.leg == proxy {
		return
	}
	if timed && !ranOut && !hyp.told && !r.inferred && c.hasRoom(r, h) && !slices.ContainsFunc(r.elsewhere, is) {
		return // it was measured, and far from its limit
	}
	if timed && !hyp.measured && !r.inferred && len(r.any) == 0 {
		hyp.score += evidence.PenaltyBlind - r.rare
	}
	if !timed {
		hyp.measured = hyp.told || !h.Assumed && (!slices.Contains(r.any, evidence.Died) || f[evidence.Died].Is == evidence.Yes)
	}
	switch {
	case r.elimination && !hyp.told && f[evidence.RateStatus].Is != evidence.Yes && (!kernels.WatchesProcess(c.Case, h) || evidence.Hidden(c.Case) != ""):
		hyp.measured = false
	case r.own && !hyp.told && f[evidence.TurnedAway].Is != evidence.Yes && !fromServer(f) && (f[evidence.MostlyEOF].Is != evidence.Yes || !kernels.WatchesProcess(c.Case, h)): // a path does not close in good order
		hyp.measured = false
	case r.turnsAway && (f[evidence.SomeResets].Is == evidence.Yes || f[evidence.SomeRefused].Is == evidence.Yes) && !fromPath(f):
		hyp.measured = false
	case hyp.lead != nil && c.Run.ClockError(hyp.lead.Metric.Host) > evidence.MaxClockError:
		hyp.measured = false // what came first there is not known
	}
	hyp.proven = hyp.proves(f) && c.unexplainedCounter(hyp) == nil && !c.cameAfter(hyp) && (c.unexplainedEnd(hyp) == nil || hyp.told)
	c.weigh(hyp, f)
	hyp.score += c.gate(r, h, f)
	c.hypotheses = append(c.hypotheses, hyp)
}

// fromServer reports whether something shows that the serving host ended the
// connections itself: its kernel or its counters say so, the packets do, or
// nothing lies between.
func fromServer(f *evidence.Facts) bool {
	for _, x := range []evidence.Clue{evidence.Loopback, evidence.InnerMatch, evidence.StreamResets, evidence.GoneAway, evidence.RateStatus, evidence.SentUnread, evidence.SentLinger, evidence.SentLate, evidence.SentFromListener, evidence.SentOnExit} {
		if f[x].Is == evidence.Yes {
			return true
		}
	}
	return f[evidence.SentNone].Is == evidence.No || f[evidence.PathTTL].Is == evidence.No
}

// fromPath reports whether something shows that resets did not come from the
// serving host: its kernel sent none, or the packets are not like its own.
func fromPath(f *evidence.Facts) bool {
	for _, x := range []evidence.Clue{evidence.SentNone, evidence.PathTTL, evidence.BothEnds, evidence.ForgedPacket, evidence.PathRejected} {
		if f[x].Is == evidence.Yes {
			return true
		}
	}
	return false
}

// support is what the observations alone add for a rule.
func (c *Investigation) support(r rule, f *evidence.Facts) float64 {
	s := 0.0
	for _, w := range r.weights {
		if f[w.clue].Is == evidence.Yes {
			s += w.yes
		}
	}
	return s
}

func (c *Investigation) weigh(hyp *hypothesis, f *evidence.Facts) {
	silent, excused := explained(hyp.rule.instead, f), explained(hyp.rule.despite, f)
	for _, w := range hyp.rule.weights {
		if silent[w.clue] {
			continue
		}
		x := f[w.clue]
		add := 0.0
		switch x.Is {
		case evidence.Yes:
			add = w.yes
		case evidence.No:
			add = w.no
		}
		if add < 0 && excused[w.clue] {
			continue
		}
		hyp.score += add
		if x.Text == "" {
			continue
		}
		e := Evidence{Source: x.Source, Text: x.Text}
		if x.At != nil {
			e.At = words.Pointer(*x.At)
		}
		switch {
		case add >= 0.7 && x.Is == evidence.Yes, add >= 1:
			hyp.pro = append(hyp.pro, e)
		case add <= -2:
			hyp.con = append(hyp.con, e)
		}
	}
}

// gate weighs the hop against the failures: 5xx over clean connections come from
// further in, resets and timeouts of the client's connections from the first
// host.
func (c *Investigation) gate(r rule, h evidence.Hop, f *evidence.Facts) float64 {
	if at, ok := gather.Culprit(c.Case); ok && (r.waits || r.leg == path) && at.Station == h.Station {
		return c.Contrasts(h) // it was followed to there, whatever the client saw of it
	}
	if c.writtenHere(r, h, f) {
		return c.Contrasts(h) // whoever answered said so, whatever the client saw of it
	}
	if r.leg == server && h.Index == 0 && f[evidence.WroteStatus].Is == evidence.No {
		return c.Contrasts(h) - 3
	}
	clean := c.Facts[0][evidence.BadGateway].Is
	if at, ok := gather.Culprit(c.Case); ok && at.Index > 0 {
		clean = evidence.Yes // whatever the client saw of it, it waited for somebody further in
	}
	s := c.Contrasts(h)
	if r.leg != path && c.passedBy(h.Index) {
		s -= strong
	}
	if slices.ContainsFunc(c.Facts[:h.Index], func(f *evidence.Facts) bool { return f[evidence.RefusesAnswer].Is == evidence.Yes }) {
		s -= proves // it had answered
	}
	if h.Assumed {
		s += evidence.PenaltyBlind
	}
	inner := slices.ContainsFunc(c.Facts[1:], func(f *evidence.Facts) bool { return f[evidence.InnerMatch].Is == evidence.Yes })
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
	case r.leg == server && clean == evidence.Yes && len(c.Hops) > 1 && c.Facts[0][evidence.PassedOn].Is == evidence.No:
		s -= 0.5 // it may be the proxy that answers
	case r.leg == server && clean == evidence.Yes && len(c.Hops) > 1:
		s -= 3
	case r.leg == path && clean == evidence.Yes, (r.cause == "application-abort" || r.cause == "early-response-unread-body") && clean == evidence.Yes && h.Index == 0:
		s -= 5
	case r.leg == server && clean == evidence.Yes && (r.cause == "rate-limit-policy" || r.cause == "client-timeout"):
	case r.leg == server && clean == evidence.Yes:
		s -= 0.5
	}
	if h.Index > 0 && c.Facts[0][evidence.PassedOn].Is == evidence.No && (f[evidence.ShedAtOnce].Is == evidence.Yes || f[evidence.QueueTimeout].Is == evidence.Yes) {
		s -= 4 // what was refused had not even been passed on
	}
	if h.Index > 0 && c.Facts[0][evidence.DescriptorsFull].Is == evidence.Yes {
		s -= 3 // what the proxy lacked it need not get from further in
	}
	if c.Address != nil && h.Index == 0 && c.Address.Host != "" && c.Address.Host != h.Host && r.leg == server {
		s -= 3
	}
	return s
}

// writtenHere reports whether answers were told to be of this hop, or to speak of it, in
// the words that tell the cause.
func (c *Investigation) writtenHere(r rule, h evidence.Hop, f *evidence.Facts) bool {
	if h.Index > 0 && f[evidence.WroteStatus].Is == evidence.Yes && slices.ContainsFunc(r.proof, func(x evidence.Clue) bool {
		return f[x].Is == evidence.Yes && (x == evidence.RateStatus || x == evidence.Unauthorized || x == evidence.TooLarge || x == evidence.OwnError)
	}) {
		return true
	}
	return slices.ContainsFunc(r.told, func(x evidence.Clue) bool { return x >= evidence.SaysFull && f[x].Is == evidence.Yes })
}

// key returns the cause key of a rule at a hop.
func (c *Investigation) key(r rule, h evidence.Hop) string {
	if r.cause == "rate-limit-policy" && c.BehindProxy(h) {
		return r.cause // it may as well be the proxy's own, where most such policies are
	}
	if r.behind {
		return r.cause
	}
	if r.leg == server && (h.Index > 0 || c.BehindProxy(h)) {
		return "upstream-" + strings.TrimPrefix(r.cause, "server-")
	}
	return r.cause
}

// proves reports whether something was seen that few causes but this one make, and
// nothing that is not of its making.
func (h *hypothesis) proves(f *evidence.Facts) bool {
	r := h.rule
	is := func(x evidence.Clue) bool { return f[x].Is == evidence.Yes }
	excused := explained(r.despite, f)
	if r.symptom || slices.ContainsFunc(r.unless, func(x evidence.Clue) bool { return is(x) && !excused[x] }) {
		return false
	}
	full := h.lead != nil && h.lead.Full != nil && !r.inferred
	moved := h.counter != nil
	return slices.ContainsFunc(r.proof, is) || r.provenBy == ranOut && (full || moved)
}

// fewPorts is a number of local ports that no range is so narrow as to lack.
const fewPorts = 100

// hasRoom reports whether all that a rule says runs out was measured at a hop, and used to
// less than half at any time.
func (c *Investigation) hasRoom(r rule, h evidence.Hop) bool {
	seen := false
	for _, x := range c.candidates(r, h) {
		switch {
		case x.Counter != nil && x.Counter.Start != nil:
			return false
		case x.Metric.Name == probe.EphemeralPorts && x.Peak < fewPorts: // of however many
			seen = true
		case x.Counter != nil, math.IsNaN(x.Most):
		case x.Most >= 0.5:
			return false
		case x.Metric.Name == probe.EphemeralPorts && x.Metric.Instance != "": // no reading is no port in use
			seen = true
		case c.Onset.Status != evidence.NoOnset && c.Run.GapAt(x, c.Onset.At) != nil:
			return false
		default:
			seen = true
		}
	}
	return seen
}

// cameAfter reports whether what a cause says ran out did so only after requests had begun
// to fail: then it is a consequence, whatever counters moved.
func (c *Investigation) cameAfter(h *hypothesis) bool {
	if h.lead == nil || h.told || c.Onset.Status != evidence.Found || c.Run.ClockError(h.lead.Metric.Host) > evidence.MaxClockError {
		return false
	}
	s := h.lead.Full
	if s == nil {
		s = h.lead.Level
	}
	if s == nil {
		return false
	}
	lag, sigma := c.lag(s, h.lead.Metric.Host)
	return lag.Value < -max(2.6*sigma, 2)
}

// unexplainedEnd returns the end of a watched process, just before the faults began, of
// which a cause says nothing: what ended may be what was missed.
func (c *Investigation) unexplainedEnd(h *hypothesis) *evidence.Death {
	if c.Onset.Status != evidence.Found || h.rule.ends || slices.Contains(h.rule.any, evidence.Died) || slices.Contains(h.rule.any, evidence.WorkersDied) {
		return nil
	}
	for _, dead := range c.Dead {
		var ends []*evidence.Death
		for k, d := range dead {
			if d.At > c.From-3 && d.At < c.At+1 && !d.Replaced && d.Why != "replaced" && !strings.EqualFold(d.Why, "exit status 0") {
				ends = append(ends, &dead[k])
			}
		}
		if len(ends) == 1 || len(ends) == 2 { // more of them are a matter of course
			return ends[0]
		}
	}
	return nil
}

// telling are counters that move only when something was short, and say what: whatever
// is claimed beside them must be what made them move.
var telling = []string{
	probe.AbortOnMemory, probe.OOMKills, probe.PIDsMaxHits, probe.ConntrackDrop, probe.ReqQueueFullDrop,
}

// unexplainedCounter returns a counter of the serving host, or of the path, that began
// to move with the faults and is not of the cause's making; nil without.
func (c *Investigation) unexplainedCounter(h *hypothesis) *evidence.Resource {
	if c.Onset.Status != evidence.Found {
		return nil
	}
	for _, r := range c.Run.Resources {
		if !slices.Contains(telling, r.Metric.Name) || r.Counter == nil || r.Counter.Start == nil || r.Counter.Throughout ||
			slices.Contains(h.rule.counters, r.Metric.Name) || !c.Run.SpeaksFor(r.Metric, h.hop) || evidence.GeneratorOwn(r.Metric) {
			continue
		}
		if lag := c.At - r.Counter.Start.At; lag > -1 && lag < 3 && r.Counter.Between(c.From-1, c.To+1) >= 5 {
			return r
		}
	}
	return nil
}
