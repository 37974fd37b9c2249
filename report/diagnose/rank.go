package diagnose

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
)

// The parameters of the ranking, as the design measured them.
const (
	priorAll     = 0.8 // shared by all causes that are considered
	priorNone    = 0.2 // something that nobody watched
	modelError   = 0.25
	explainsAt   = 0.8
	explainsRest = 0.95 // what is left when nothing else fits: the next unseen fault may look like it
	explainsBy   = 10.0
	tauHard      = 1.0
	tauUse       = 2.0
	tauCounter   = 0.5
	penaltyFull  = -4.0 // always full
	penaltyRoom  = -6.0 // never near its limit
	penaltyNear  = -1.0 // near it, but not at it
	penaltyFlat  = -3.0 // its own counter exists and stays flat
	penaltyGuess = -0.7 // the limit is inferred
	penaltyLoose = -4.0 // a plateau that is not pinned follows something else
	penaltyBlind = -1.5 // nothing measured it: at most a candidate
	penaltyTouch = -1.0 // full again and again only
)

// investigation is the question of one target: what caused its faults.
type investigation struct {
	a        *analysis
	t        *targetSeries
	onsets   []Onset
	onset    *Onset
	at       float64 // seconds: when faults began to happen
	sigma    float64
	from, to float64 // seconds: the time that the faults are read from
	parts    composition
	statuses map[uint16]float64
	idleAge  attack.Histogram
	idleFrom float64 // seconds: shortest rest of failed connections
	failures []*attack.Failure
	hops     []hop
	routers  []string // hosts of the path
	beside   []string // what is known of instances that serve beside the one that is asked
	facts    []*facts
	wires    []wireView
	dead     [][]death // by hop
	loopback bool
	censored bool // the generator was the limit before it could show
	address  *badAddress
	common   []string // what nearly all failures have in common
	contrast []contrast

	hypotheses []*hypothesis // most likely first
	none       float64       // posterior of something unobserved
}

// hypothesis is one possible cause with what speaks for it.
type hypothesis struct {
	rule      rule
	cause     string
	hop       hop
	host      string
	process   string
	pid       int32
	lead      *resource // dates the cause
	counter   *resource
	lag       *Span
	measured  bool
	score     float64
	posterior float64
	pro, con  []Evidence
}

// claimedAt is the belief from which on a cause is claimed and not a candidate.
func (h *hypothesis) claimedAt() float64 {
	if h.rule.elimination || h.rule.turnsAway {
		return explainsRest
	}
	return explainsAt
}

// investigate gathers what bears on the faults of a target. A target without
// faults has nothing to investigate.
func (a *analysis) investigate(t *targetSeries, onsets []Onset) *investigation {
	c := &investigation{a: a, t: t, onsets: onsets, onset: headline(onsets), statuses: map[uint16]float64{}}
	c.loopback = a.onLoopback(t)
	c.hops, c.routers = a.hops(t)
	c.to = a.duration()
	if o := c.onset; o.Status == Found || o.Status == Transient {
		c.from = o.At.Low
		c.at = o.At.Value + o.EventDelay
		c.sigma = max(0.05, (o.At.High-o.At.Low)/4)
		if o.Fault == attack.Timeout {
			// Somewhere in the time that it waited.
			c.sigma = math.Hypot(c.sigma, min(1, a.log.Header.Generator.Timeout.Seconds()/4))
		}
	} else if o.Status == Periodic {
		c.at, c.sigma = o.At.Value+o.EventDelay, 0.1
	}
	c.parts = t.compose(a.window(c.from+1e-9), a.n)
	for _, w := range t.windows {
		at := (float64(w.Index) + 1) * a.step
		c.idleAge = c.idleAge.Merge(w.IdleAge)
		if at > c.from {
			for _, s := range w.Statuses {
				c.statuses[s.Status] += float64(s.Count)
			}
		}
	}
	for i := range a.log.Failures {
		f := &a.log.Failures[i]
		if int(f.Target) == t.index && f.Due.Seconds() >= c.from-a.step {
			c.failures = append(c.failures, f)
		}
	}
	c.address = c.compareAddresses()
	c.common = c.inCommon()
	c.chooseInstance()
	return c
}

// faulty reports whether there is something to explain.
func (c *investigation) faulty() bool {
	if c.onset == nil {
		return false
	}
	return c.onset.Status != NoOnset || c.t.total.failed >= 2 || c.t.total.restless()
}

// rank scores every cause of the catalogue and turns scores into shares of
// belief. The prior is shared out among the causes that are considered: that is
// the control of multiple testing.
func (c *investigation) rank() {
	if !c.faulty() {
		return
	}
	c.assumeUpstream()
	for _, h := range c.hops {
		c.facts = append(c.facts, c.observe(h))
	}
	for _, r := range catalogue() {
		c.consider(r)
	}
	prior := math.Log(priorAll / float64(max(len(c.hypotheses), 1)))
	scores := []float64{math.Log(priorNone)}
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

// joinInstances makes one hypothesis of what befell several instances of a service,
// each on a host of its own: they do not compete.
func (c *investigation) joinInstances() {
	for i := 0; i < len(c.hypotheses); i++ {
		x := c.hypotheses[i]
		if x.hop.index == 0 || !slices.Contains(x.rule.any, died) || c.firstDeath(x) == nil {
			continue
		}
		c.hypotheses = slices.DeleteFunc(c.hypotheses, func(y *hypothesis) bool {
			same := y != x && y.cause == x.cause && y.hop.index > 0
			if !same || c.firstDeath(y) == nil || c.firstDeath(y).process != c.firstDeath(x).process {
				return false
			}
			x.posterior += y.posterior
			x.pro = append(x.pro, Evidence{Source: "processes of " + y.hop.host, Text: "the same happened on " + y.hop.host})
			return true
		})
	}
}

// consider adds the hypotheses of one rule, one for each hop that it applies to.
func (c *investigation) consider(r rule) {
	for i, h := range c.hops {
		switch r.leg {
		case path:
			if i > 0 {
				continue
			}
		case proxy:
			if i >= len(c.hops)-1 && !c.fronts(h) {
				continue
			}
		case server:
			if i == 0 && len(c.hops) > 1 && !c.hops[1].assumed && r.cause == "server-file-descriptors" {
				continue // the first of several hosts passes requests on: proxy-file-descriptors
			}
			if i > 0 && r.cause == "client-timeout" && c.facts[i][gatewayTimeout].is != yes {
				continue // it is the gateway that waits, and says so
			}
		}
		c.test(r, h, c.facts[i])
	}
}

// test scores one cause at one hop.
func (c *investigation) test(r rule, h hop, f *facts) {
	for _, x := range r.must {
		if f[x].is == no {
			return
		}
	}
	seen := len(r.any) == 0
	for _, x := range r.any {
		seen = seen || f[x].is == yes
	}
	hyp := &hypothesis{rule: r, cause: c.key(r, h), hop: h, host: h.host}
	timed := len(r.gauges)+len(r.counters) > 0
	if timed {
		c.date(hyp)
	}
	ranOut := hyp.lead != nil || hyp.counter != nil
	if !ranOut && slices.ContainsFunc(r.elsewhere, func(x clue) bool { return f[x].is == yes }) {
		hyp.score = max(hyp.score, penaltyNear)
	}
	if !seen && (!ranOut || r.strict) || len(r.any) == 0 && timed && !hyp.measured && c.support(r, f) < 1.5 {
		return
	}
	if timed && !hyp.measured && r.leg == proxy {
		return
	}
	if timed && !hyp.measured && !r.inferred && len(r.any) == 0 {
		hyp.score += penaltyBlind - r.rare
	}
	if !timed {
		hyp.measured = !h.assumed && (!slices.Contains(r.any, died) || f[died].is == yes)
	}
	switch {
	case r.elimination && f[rateStatus].is != yes && (!c.watchesProcess(h) || c.hidden() != ""):
		hyp.measured = false
	case r.own && !f.fromServer() && (f[mostlyEOF].is != yes || !c.watchesProcess(h)): // a path does not close in good order
		hyp.measured = false
	case r.turnsAway && (f[someResets].is == yes || f[someRefused].is == yes) && !f.fromPath():
		hyp.measured = false
	case hyp.lead != nil && c.a.clockError(hyp.lead.metric.Host) > maxClockError:
		hyp.measured = false // what came first there is not known
	}
	c.weigh(hyp, f)
	hyp.score += c.gate(r, h, f)
	c.hypotheses = append(c.hypotheses, hyp)
}

// fromServer reports whether something shows that the serving host ended the
// connections itself: its kernel or its counters say so, the packets do, or
// nothing lies between.
func (f *facts) fromServer() bool {
	for _, x := range []clue{loopback, innerMatch, streamResets, goneAway, rateStatus, sentUnread, sentLinger, sentLate, sentFromListener, sentOnExit} {
		if f[x].is == yes {
			return true
		}
	}
	return f[sentNone].is == no || f[pathTTL].is == no
}

// fromPath reports whether something shows that resets did not come from the
// serving host: its kernel sent none, or the packets are not like its own.
func (f *facts) fromPath() bool {
	for _, x := range []clue{sentNone, pathTTL, bothEnds, forgedPacket} {
		if f[x].is == yes {
			return true
		}
	}
	return false
}

// support is what the observations alone add for a rule.
func (c *investigation) support(r rule, f *facts) float64 {
	s := 0.0
	for _, w := range r.weights {
		if f[w.clue].is == yes {
			s += w.yes
		}
	}
	return s
}

func (c *investigation) weigh(hyp *hypothesis, f *facts) {
	silent, excused := explained(hyp.rule.instead, f), explained(hyp.rule.despite, f)
	for _, w := range hyp.rule.weights {
		if silent[w.clue] {
			continue
		}
		x := f[w.clue]
		add := 0.0
		switch x.is {
		case yes:
			add = w.yes
		case no:
			add = w.no
		}
		if add < 0 && excused[w.clue] {
			continue
		}
		hyp.score += add
		if x.text == "" {
			continue
		}
		e := Evidence{Source: x.source, Text: x.text}
		if x.at != nil {
			e.At = pointer(*x.at)
		}
		switch {
		case add >= 0.7 && x.is == yes, add >= 1:
			hyp.pro = append(hyp.pro, e)
		case add <= -2:
			hyp.con = append(hyp.con, e)
		}
	}
}

// gate weighs the hop against the failures: 5xx over clean connections come from
// further in, resets and timeouts of the client's connections from the first
// host.
func (c *investigation) gate(r rule, h hop, f *facts) float64 {
	clean := c.facts[0][badGateway].is
	s := c.contrasts(h)
	if h.assumed {
		s += penaltyBlind
	}
	inner := slices.ContainsFunc(c.facts[1:], func(f *facts) bool { return f[innerMatch].is == yes })
	if inner && clean != yes {
		// The proxy passed on what happened behind it in its own way.
		clean = yes
		s += 1.5 * float64(min(h.index, 1))
	}
	switch {
	case h.index > 0 && clean == yes:
		s += 0.5
	case h.index > 0 && clean == no:
		s -= 5
	case h.index > 0:
	case r.leg == server && clean == yes && len(c.hops) > 1 && c.facts[0][passedOn].is == no:
		s -= 0.5 // it may be the proxy that answers
	case r.leg == server && clean == yes && len(c.hops) > 1:
		s -= 3
	case r.leg == path && clean == yes, (r.cause == "application-abort" || r.cause == "early-response-unread-body") && clean == yes && h.index == 0:
		s -= 5
	case r.leg == server && clean == yes && (r.cause == "rate-limit-policy" || r.cause == "client-timeout"):
	case r.leg == server && clean == yes:
		s -= 0.5
	}
	if h.index > 0 && c.facts[0][passedOn].is == no && (f[shedAtOnce].is == yes || f[queueTimeout].is == yes) {
		s -= 4 // what was refused had not even been passed on
	}
	if h.index > 0 && c.facts[0][descriptorsFull].is == yes {
		s -= 3 // what the proxy lacked it need not get from further in
	}
	if c.address != nil && h.index == 0 && c.address.host != "" && c.address.host != h.host && r.leg == server {
		s -= 3
	}
	return s
}

// key returns the cause key of a rule at a hop.
func (c *investigation) key(r rule, h hop) string {
	if r.cause == "rate-limit-policy" && c.behindProxy(h) {
		return r.cause // it may as well be the proxy's own, where most such policies are
	}
	if r.leg == server && (h.index > 0 || c.behindProxy(h)) {
		return "upstream-" + strings.TrimPrefix(r.cause, "server-")
	}
	return r.cause
}
