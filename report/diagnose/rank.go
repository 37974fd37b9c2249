package diagnose

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/stats"
)

// The parameters of the ranking, as the design measured them.
const (
	priorAll     = 0.8 // shared by all causes that are considered
	priorNone    = 0.2 // something that nobody watched
	modelError   = 0.25
	explainsAt   = 0.8
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
	facts    []*facts
	wires    []wireView
	dead     [][]death // by hop
	loopback bool
	censored bool // the generator was the limit before it could show
	address  *badAddress
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
	return c
}

// faulty reports whether there is something to explain.
func (c *investigation) faulty() bool {
	if c.onset == nil {
		return false
	}
	return c.onset.Status != NoOnset || c.t.total.failed >= 2
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
			if i > 0 && r.cause == "client-timeout" {
				continue
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
	if !seen && (!ranOut || r.strict) || len(r.any) == 0 && timed && !hyp.measured && c.support(r, f) < 1.5 {
		return
	}
	if timed && !hyp.measured && r.leg == proxy {
		return
	}
	if timed && !hyp.measured && !r.inferred && len(r.any) == 0 {
		hyp.score += penaltyBlind
	}
	if !timed {
		hyp.measured = !h.assumed && (!slices.Contains(r.any, died) || f[died].is == yes)
	}
	switch {
	case r.elimination && f[rateStatus].is != yes && (!c.watchesProcess(h) || c.hidden() != ""):
		hyp.measured = false
	case r.own && !f.fromServer():
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
	for _, x := range []clue{loopback, innerMatch, streamResets, rateStatus, sentUnread, sentLinger, sentLate, sentFromListener, sentOnExit} {
		if f[x].is == yes {
			return true
		}
	}
	return f[sentNone].is == no || f[pathTTL].is == no
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
	for _, w := range hyp.rule.weights {
		x := f[w.clue]
		add := 0.0
		switch x.is {
		case yes:
			add = w.yes
		case no:
			add = w.no
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
		s -= 3
	case h.index > 0:
	case r.leg == server && clean == yes && len(c.hops) > 1:
		s -= 3
	case r.leg == path && clean == yes, r.cause == "application-abort" && clean == yes && h.index == 0:
		s -= 5
	case r.leg == server && clean == yes && (r.cause == "rate-limit-policy" || r.cause == "client-timeout"):
	case r.leg == server && clean == yes:
		s -= 0.5
	}
	if c.address != nil && h.index == 0 && c.address.host != "" && c.address.host != h.host && r.leg == server {
		s -= 3
	}
	return s
}

// key returns the cause key of a rule at a hop.
func (c *investigation) key(r rule, h hop) string {
	if r.leg == server && (h.index > 0 || c.behindProxy(h)) {
		return "upstream-" + strings.TrimPrefix(r.cause, "server-")
	}
	return r.cause
}

// date finds the resource that would date a cause, the one that fits best, and
// scores its time.
func (c *investigation) date(hyp *hypothesis) {
	best := math.Inf(-1)
	for _, r := range c.candidates(hyp.rule, hyp.hop) {
		if r.counter != nil {
			continue
		}
		hyp.measured = true
		s, lag := c.scoreGauge(r, hyp.rule)
		if s > best || s == best && hyp.lead != nil && finite(r.most, 0) > finite(hyp.lead.most, 0) {
			best = s
			hyp.lead, hyp.lag = r, lag
		}
	}
	flat, moved := false, math.Inf(-1)
	for _, r := range c.candidates(hyp.rule, hyp.hop) {
		if r.counter == nil {
			continue
		}
		hyp.measured = true
		if r.counter.start == nil {
			// An event says more than the counter of another group or namespace.
			flat = flat || r.metric.Name != probe.OOMKills || c.facts[hyp.hop.index][outOfMemory].is != yes
			continue
		}
		if s, lag := c.scoreCounter(r); s > moved {
			moved, hyp.counter = s, r
			if hyp.lag == nil {
				hyp.lag = lag
			}
		}
	}
	switch {
	case hyp.lead == nil && hyp.counter == nil && flat:
		hyp.score += penaltyRoom
	case hyp.lead == nil && hyp.counter == nil:
	case hyp.lead == nil:
		hyp.score += moved
	case hyp.counter == nil && flat:
		hyp.score += best + penaltyFlat
	case hyp.counter == nil:
		hyp.score += best
	case best <= penaltyRoom+1:
		// The gauge saw nothing between two readings, the counter did.
		hyp.score += moved
	default:
		hyp.score += best + max(moved, 0)
	}
	if hyp.lead != nil && best <= penaltyRoom+1 {
		hyp.lead, hyp.lag = nil, nil
	}
	if lead := hyp.lead; lead != nil {
		hyp.host, hyp.process, hyp.pid = lead.metric.Host, lead.metric.Process, lead.metric.PID
		hyp.resourceEvidence(c, lead)
	}
	if m := hyp.counter; m != nil {
		if hyp.lead == nil {
			hyp.host, hyp.process, hyp.pid = m.metric.Host, m.metric.Process, m.metric.PID
		}
		hyp.pro = append(hyp.pro, Evidence{
			Source: "probe of " + m.metric.Host,
			Text:   fmt.Sprintf("%s grew by %s, first %s", m.metric.Name, amount(m.counter.between(c.from-2, c.to+1), m.def.Unit), c.relative(m.counter.start.at)),
			At:     pointer(m.counter.start.at),
		})
	}
	// A hypothesis about a part of a machine is told by the part's name.
	if hyp.hop.host != "" && hyp.hop.has(hyp.host) {
		hyp.host = hyp.hop.host
	}
}

func (hyp *hypothesis) resourceEvidence(c *investigation, r *resource) {
	s := r.full
	if hyp.rule.inferred || s == nil {
		s = r.level
	}
	if s == nil {
		return
	}
	text := r.describe() + ", " + c.relativeOn(r.metric.Host, s.at)
	hyp.pro = append(hyp.pro, Evidence{Source: "probe of " + r.metric.Host, Text: text, At: pointer(s.at)})
}

// relative words a time against the onset.
func (c *investigation) relative(at float64) string {
	d := c.at - at
	word := "reset"
	if c.onset.Fault != attack.Reset && c.onset.Fault != attack.BrokenPipe {
		word = "failure"
	}
	switch {
	case c.onset.Status == NoOnset || c.onset.Status == LeftCensored:
		return "at " + wordSeconds(at)
	case math.Abs(d) < 0.05:
		return "with the first " + word
	case d > 0:
		return wordSeconds(d) + " before the first " + word
	}
	return wordSeconds(-d) + " after the first " + word
}

// relativeOn is relative for a time of another host's clock.
func (c *investigation) relativeOn(host string, at float64) string {
	if e := c.a.clockError(host); e > maxClockError {
		return fmt.Sprintf("at about %s of a clock that may be off by %s", wordSeconds(at), wordSeconds(2*e))
	}
	return c.relative(at)
}

// candidates returns the resources of a rule at a hop.
func (c *investigation) candidates(r rule, h hop) []*resource {
	var out []*resource
	for _, x := range c.a.resources {
		m := x.metric
		if generatorOwn(m) || !slices.Contains(r.gauges, m.Name) && !slices.Contains(r.counters, m.Name) {
			continue
		}
		if c.belongs(x, r, h) {
			out = append(out, x)
		}
	}
	return out
}

// belongs reports whether a resource is one of a hop. What lies on the path is
// any host that serves no target.
func (c *investigation) belongs(x *resource, r rule, h hop) bool {
	m := x.metric
	if m.Name == probe.EphemeralPorts && c.towardsTarget(m.Instance) {
		return false // the client's own
	}
	if m.Process == "" && m.Host == localHost && m.Name == probe.EphemeralPorts && m.Instance == "" {
		return false
	}
	if r.leg == path || m.Name == probe.QdiscDrops && slices.Contains(c.routers, m.Host) {
		return !c.servesOther(m.Host)
	}
	if (m.Name == probe.ListenQueue || m.Name == probe.SynQueue) && !c.listens(m.Instance, h) {
		return false
	}
	if m.Process == "" {
		return c.a.speaksFor(m, h)
	}
	if len(c.hops) == 1 && c.fronts(h) && (r.leg == proxy) != isProxy(m.Process) {
		return false
	}
	// Processes belong to the part of a machine that the profile names; on a whole
	// machine named, to it.
	return m.Host == h.host
}

// listens reports whether a listener, as its instance names it ("*:8080"), may be
// that of a hop: of the first hop the port is known.
func (c *investigation) listens(instance string, h hop) bool {
	i := strings.LastIndexByte(instance, ':')
	if i < 0 {
		return true
	}
	port, err := strconv.ParseUint(instance[i+1:], 10, 16)
	if err != nil {
		return true
	}
	own := c.portsOf(hop{})[uint16(port)]
	return own == (h.index == 0)
}

func (c *investigation) towardsTarget(instance string) bool {
	for _, addr := range c.a.addresses(c.t) {
		if instance == addr.String() {
			return true
		}
	}
	return false
}

// servesOther reports whether a host serves another target and not this one.
func (c *investigation) servesOther(host string) bool {
	for _, h := range c.hops {
		if h.has(host) {
			return false
		}
	}
	for _, t := range c.a.targets {
		if t != c.t && slices.Contains(t.info.Hosts, host) {
			return true
		}
	}
	return false
}

// scoreGauge scores a level by when it ran out.
func (c *investigation) scoreGauge(r *resource, ru rule) (float64, *Span) {
	if c.a.clockError(r.metric.Host) > maxClockError {
		return 0, nil // the order in time is not known
	}
	s, adjust := r.full, 0.0
	if ru.inferred {
		s = nil
		if r.full == nil && r.level != nil {
			s, adjust = r.level, penaltyGuess
			if !r.level.pinned {
				adjust = penaltyLoose
			}
		}
	} else if s == nil && math.IsNaN(r.most) && r.level != nil {
		s, adjust = r.level, penaltyGuess
		if !r.level.pinned {
			adjust = penaltyLoose
		}
	}
	if s == nil {
		if gap := c.a.gapAt(r, c.onset.At); gap != nil && c.onset.Status != NoOnset {
			return 0, nil // it may have run out unseen
		}
		if r.most > 0.95 {
			return penaltyRoom + 5 + penaltyNear - 3, nil
		}
		return penaltyRoom, nil
	}
	if s.flicker {
		adjust += penaltyTouch
	}
	if r.exact {
		adjust += 1 // at the limit to the last unit: it did refuse
	}
	return c.scoreTime(s, r, adjust)
}

func (c *investigation) scoreTime(s *saturation, r *resource, adjust float64) (float64, *Span) {
	tau := tauHard
	if r.def.Kind == probe.Utilisation || s.corner {
		tau = tauUse
	}
	switch c.onset.Status {
	case LeftCensored:
		if r.throughout {
			return 1.5 + adjust, nil // full from the start, and failing from the start
		}
		return math.Log(0.03), nil
	case NoOnset:
		if r.throughout {
			return penaltyFull, nil
		}
		return penaltyFull - 1, nil // it ran out, and the share of failures did not change
	}
	if r.throughout {
		return penaltyFull, nil
	}
	lag, sigma := c.lag(s, r.metric.Host)
	score := stats.TimingScore(lag.Value, tau, sigma, max(c.a.duration(), 2)) + adjust
	// Does it end when the faults end?
	if back := c.backOff(r); !math.IsNaN(back) {
		score += min(2, max(-2, stats.TimingScore(math.Abs(back), tau, sigma, max(c.a.duration(), 2))-1))
	}
	return score, lag
}

// lag returns onset less saturation, with its interval.
func (c *investigation) lag(s *saturation, host string) (*Span, float64) {
	clock := c.a.clockError(host)
	sigma := math.Sqrt(c.sigma*c.sigma + s.sigma()*s.sigma() + clock*clock + modelError*modelError)
	d := c.at - s.at
	return &Span{d, d - 1.96*sigma, d + 1.96*sigma}, sigma
}

// backOff returns by how much the last fault outlasted the exhaustion on a way
// down, NaN if there was none.
func (c *investigation) backOff(r *resource) float64 {
	if math.IsNaN(r.freed) || c.onset.Status != Found {
		return math.NaN()
	}
	last := -1
	for i := range c.a.n {
		if c.t.faultsOf(c.onset.Fault, i) > 0 {
			last = i
		}
	}
	if last < 0 || float64(c.a.n-1-last)*c.a.step < 2 || r.freed > c.a.duration()-2 {
		return math.NaN()
	}
	return c.a.seconds(float64(last)) + c.a.step/2 - r.freed
}

// scoreCounter scores a counter by when it began to move.
//
// A counter that moved a little before and then much more has two beginnings; the
// one that fits is taken.
func (c *investigation) scoreCounter(r *resource) (float64, *Span) {
	score, lag := c.scoreMovement(r, r.counter.start)
	if first := r.counter.first; first != nil && first != r.counter.start {
		if s, l := c.scoreMovement(r, first); s > score {
			return s, l
		}
	}
	return score, lag
}

func (c *investigation) scoreMovement(r *resource, began *saturation) (float64, *Span) {
	m := r.counter
	if c.a.clockError(r.metric.Host) > maxClockError {
		return 0, nil
	}
	switch {
	case c.onset.Status == NoOnset || c.onset.Status == LeftCensored:
		if m.throughout || len(m.at) >= 5 && m.start.at < c.a.duration()/4 {
			return 1.5, nil
		}
		return 0, nil
	case m.throughout:
		return penaltyFull, nil
	}
	lag, sigma := c.lag(began, r.metric.Host)
	return stats.TimingScore(lag.Value, tauCounter, sigma, max(c.a.duration(), 2)), lag
}

// describe words what a resource reached: "open files 64 of 64".
func (r *resource) describe() string {
	what := strings.ReplaceAll(r.metric.Name, "-", " ")
	if r.metric.Process != "" {
		what += " of " + r.metric.Process
		if r.metric.PID != 0 {
			what += fmt.Sprintf(" (pid %d)", r.metric.PID)
		}
	}
	if r.metric.Instance != "" {
		what += " " + r.metric.Instance
	}
	switch {
	case r.def.Unit == "share":
		return fmt.Sprintf("%s at %s", what, percent(r.peak))
	case !math.IsNaN(r.limit) && r.full != nil:
		return fmt.Sprintf("%s %s of %s", what, amount(r.full.value, r.def.Unit), amount(r.limit, r.def.Unit))
	case r.level != nil && r.level.pinned:
		return fmt.Sprintf("%s stayed at %s", what, amount(r.level.value, r.def.Unit))
	case !math.IsNaN(r.limit):
		return fmt.Sprintf("%s %s of %s", what, amount(r.peak, r.def.Unit), amount(r.limit, r.def.Unit))
	}
	return fmt.Sprintf("%s %s", what, amount(r.peak, r.def.Unit))
}

// finite returns v, or d if v is not a number.
func finite(v, d float64) float64 {
	if math.IsNaN(v) {
		return d
	}
	return v
}
