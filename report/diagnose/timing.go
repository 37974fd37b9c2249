package diagnose

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/stats"
)

// unixSocket begins the instance of a listen queue that is a Unix socket's: no
// counter tells when it overflows.
const unixSocket = "unix:"

// date finds the resource that would date a cause, the one that fits best, and
// scores its time.
func (c *investigation) date(hyp *hypothesis) {
	// The gauges of a rule are in order: the nearer to the process, the earlier. One
	// that fits almost as well as a later one is the better name for it.
	best, order := math.Inf(-1), len(hyp.rule.gauges)
	for _, r := range c.candidates(hyp.rule, hyp.hop) {
		if r.counter != nil {
			continue
		}
		hyp.measured = true
		s, lag := c.scoreGauge(r, hyp.rule)
		place := slices.Index(hyp.rule.gauges, r.metric.Name)
		margin := 0.0
		switch {
		case hyp.lead == nil:
		case place < order:
			margin = -1.5
		case place > order:
			margin = 1.5
		case finite(r.most, 0) > finite(hyp.lead.most, 0):
			margin = -1e-9
		}
		if hyp.lead == nil || s > best+margin {
			hyp.lead, hyp.lag, order = r, lag, place
		}
		best = max(best, s)
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
	case hyp.counter == nil && flat && !strings.HasPrefix(hyp.lead.metric.Instance, unixSocket):
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
	return own == (h.index == 0 && !c.fronts(h))
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
	if s == nil && c.a.keepsReserve(r) && slices.ContainsFunc(c.facts, func(f *facts) bool { return f[reserved].is == yes }) {
		s, adjust = r.level, penaltyGuess
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
		// It ran out, and the share of failures did not change enough for an onset:
		// what speaks is whether the few fell into that time.
		return c.scoreOverlap(s.at) + adjust, nil
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

// scoreOverlap scores whether failures too few for an onset came only after a
// resource had run out: the logarithm of the likelihood ratio of their binomial
// share against that of the attempts, less a penalty for the choice.
func (c *investigation) scoreOverlap(from float64) float64 {
	var n, after float64
	for _, x := range c.failures {
		if x.Phase == attack.PhaseIdle || !x.Fault.Failure() {
			continue
		}
		n++
		if x.End.Seconds() >= from-0.5 {
			after++
		}
	}
	attempts := sum(c.t.attempts)
	share := sum(c.t.attempts[c.a.window(from):]) / max(attempts, 1)
	const worst, best = penaltyFull - 1, 2.5
	if n < 8 || after < n-0.02*n || share >= 0.8 {
		return worst
	}
	return min(best, n*math.Log(1/max(share, 1e-3))-3)
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
	what := whose(r)
	if r.metric.Process != "" && r.metric.PID != 0 {
		what += fmt.Sprintf(" (pid %d)", r.metric.PID)
	}
	if r.metric.Instance != "" {
		what += " " + r.metric.Instance
	}
	switch {
	case r.def.Unit == "share":
		return fmt.Sprintf("%s at %s", what, percent(r.peak))
	case !math.IsNaN(r.limit) && r.full != nil:
		return fmt.Sprintf("%s %s of %s", what, amount(max(r.full.value, min(r.peak, r.limit)), r.def.Unit), amount(r.limit, r.def.Unit))
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
