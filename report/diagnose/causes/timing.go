package causes

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/saturation"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/stats"
)

// date finds the resource that would date a cause, the one that fits best, and
// scores its time.
func (c *Investigation) date(hyp *hypothesis) {
	// The gauges of a rule are in order: the nearer to the process, the earlier. One
	// that fits almost as well as a later one is the better name for it.
	best, order := math.Inf(-1), len(hyp.rule.gauges)
	for _, r := range c.candidates(hyp.rule, hyp.hop) {
		if r.Counter != nil {
			continue
		}
		hyp.measured = true
		s, lag := c.scoreGauge(r, hyp.rule)
		place := slices.Index(hyp.rule.gauges, r.Metric.Name)
		margin := 0.0
		switch {
		case hyp.lead == nil:
		case place < order:
			margin = -1.5
		case place > order:
			margin = 1.5
		case words.Finite(r.Most, 0) > words.Finite(hyp.lead.Most, 0):
			margin = -1e-9
		}
		if hyp.lead == nil || s > best+margin {
			hyp.lead, hyp.lag, order = r, lag, place
		}
		best = max(best, s)
	}
	flat, moved := false, math.Inf(-1)
	for _, r := range c.candidates(hyp.rule, hyp.hop) {
		if r.Counter == nil {
			continue
		}
		hyp.measured = true
		if r.Counter.Start == nil {
			// An event says more than the counter of another group or namespace.
			flat = flat || r.Metric.Name != probe.OOMKills || c.Facts[hyp.hop.Index][evidence.OutOfMemory].Is != evidence.Yes
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
		hyp.score += evidence.PenaltyRoom
	case hyp.lead == nil && hyp.counter == nil:
	case hyp.lead == nil:
		hyp.score += moved
	case hyp.counter == nil && flat && !strings.HasPrefix(hyp.lead.Metric.Instance, evidence.UnixSocket):
		hyp.score += best + evidence.PenaltyFlat
	case hyp.counter == nil:
		hyp.score += best
	case best <= evidence.PenaltyRoom+1:
		// The gauge saw nothing between two readings, the counter did.
		hyp.score += moved
	default:
		hyp.score += best + max(moved, 0)
	}
	if hyp.lead != nil && best <= evidence.PenaltyRoom+1 {
		hyp.lead, hyp.lag = nil, nil
	}
	if lead := hyp.lead; lead != nil {
		hyp.host, hyp.process, hyp.pid = lead.Metric.Host, lead.Metric.Process, lead.Metric.PID
		hyp.resourceEvidence(c, lead)
	}
	if m := hyp.counter; m != nil {
		if hyp.lead == nil {
			hyp.host, hyp.process, hyp.pid = m.Metric.Host, m.Metric.Process, m.Metric.PID
		}
		hyp.pro = append(hyp.pro, Evidence{
			Source: "probe of " + m.Metric.Host,
			Text:   fmt.Sprintf("%s grew by %s, first %s", m.Metric.Name, words.Amount(m.Counter.Between(c.From-2, c.To+1), m.Def.Unit), c.Relative(m.Counter.Start.At)),
			At:     words.Pointer(m.Counter.Start.At),
		})
	}
	// A hypothesis about a part of a machine is told by the part's name.
	if hyp.hop.Host != "" && hyp.hop.Has(hyp.host) {
		hyp.host = hyp.hop.Host
	}
}

func (hyp *hypothesis) resourceEvidence(c *Investigation, r *evidence.Resource) {
	s := r.Full
	if hyp.rule.inferred || s == nil {
		s = r.Level
	}
	if s == nil {
		return
	}
	text := r.Describe() + ", " + c.RelativeOn(r.Metric.Host, s.At)
	hyp.pro = append(hyp.pro, Evidence{Source: "probe of " + r.Metric.Host, Text: text, At: words.Pointer(s.At)})
}

// candidates returns the resources of a rule at a hop.
func (c *Investigation) candidates(r rule, h evidence.Hop) []*evidence.Resource {
	var out []*evidence.Resource
	for _, x := range c.Run.Resources {
		m := x.Metric
		if evidence.GeneratorOwn(m) || !slices.Contains(r.gauges, m.Name) && !slices.Contains(r.counters, m.Name) {
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
func (c *Investigation) belongs(x *evidence.Resource, r rule, h evidence.Hop) bool {
	m := x.Metric
	if m.Name == probe.EphemeralPorts && evidence.TowardsTarget(c.Case, m.Instance) {
		return false // the client's own
	}
	if m.Process == "" && m.Host == evidence.LocalHost && m.Name == probe.EphemeralPorts && m.Instance == "" {
		return false
	}
	if r.leg == path || m.Name == probe.QdiscDrops && slices.Contains(c.Routers, m.Host) {
		return !evidence.ServesOther(c.Case, m.Host)
	}
	if (m.Name == probe.ListenQueue || m.Name == probe.SynQueue) && !c.Listens(m.Instance, h) {
		return false
	}
	if m.Process == "" {
		return c.Run.SpeaksFor(m, h)
	}
	if len(c.Hops) == 1 && c.Fronts(h) && (r.leg == proxy) != evidence.IsProxy(m.Process) {
		return false
	}
	// Processes belong to the part of a machine that the profile names; on a whole
	// machine named, to it.
	return m.Host == h.Host && !evidence.OfAnother(c.Case, m.Host, m.Process, m.PID, h)
}

// scoreGauge scores a level by when it ran out.
func (c *Investigation) scoreGauge(r *evidence.Resource, ru rule) (float64, *evidence.Span) {
	if c.Run.ClockError(r.Metric.Host) > evidence.MaxClockError {
		return 0, nil // the order in time is not known
	}
	s, adjust := r.Full, 0.0
	if ru.inferred {
		s = nil
		if r.Full == nil && r.Level != nil {
			s, adjust = r.Level, evidence.PenaltyGuess
			if !r.Level.Pinned {
				adjust = evidence.PenaltyLoose
			}
		}
	} else if s == nil && math.IsNaN(r.Most) && r.Level != nil {
		s, adjust = r.Level, evidence.PenaltyGuess
		if !r.Level.Pinned {
			adjust = evidence.PenaltyLoose
		}
	}
	if s == nil && saturation.KeepsReserve(c.Run, r) && slices.ContainsFunc(c.Facts, func(f *evidence.Facts) bool { return f[evidence.Reserved].Is == evidence.Yes }) {
		s, adjust = r.Level, evidence.PenaltyGuess
	}
	if s == nil {
		if r.Metric.Name == probe.EphemeralPorts && r.Peak < fewPorts {
			return evidence.PenaltyRoom, nil // no reading of a destination is no port in use
		}
		if gap := c.Run.GapAt(r, c.Onset.At); gap != nil && c.Onset.Status != evidence.NoOnset {
			return 0, nil // it may have run out unseen
		}
		if r.Most > 0.95 {
			return evidence.PenaltyRoom + 5 + evidence.PenaltyNear - 3, nil
		}
		return evidence.PenaltyRoom, nil
	}
	if s.Flicker {
		adjust += evidence.PenaltyTouch
	}
	if r.Exact {
		adjust += 1 // at the limit to the last unit: it did refuse
	}
	return c.scoreTime(s, r, adjust)
}

func (c *Investigation) scoreTime(s *evidence.Saturation, r *evidence.Resource, adjust float64) (float64, *evidence.Span) {
	tau := evidence.TauHard
	if r.Def.Kind == probe.Utilisation || s.Corner {
		tau = evidence.TauUse
	}
	switch c.Onset.Status {
	case evidence.LeftCensored:
		if r.Throughout {
			return 1.5 + adjust, nil // full from the start, and failing from the start
		}
		return math.Log(0.03), nil
	case evidence.NoOnset:
		if r.Throughout {
			return evidence.PenaltyFull, nil
		}
		// It ran out, and the share of failures did not change enough for an onset:
		// what speaks is whether the few fell into that time.
		return c.scoreOverlap(s.At) + adjust, nil
	}
	if r.Throughout {
		return evidence.PenaltyFull, nil
	}
	lag, sigma := c.lag(s, r.Metric.Host)
	score := stats.TimingScore(lag.Value, tau, sigma, max(c.Run.Duration(), 2)) + adjust
	// Does it end when the faults end?
	if back := c.backOff(r); !math.IsNaN(back) {
		score += min(2, max(-2, stats.TimingScore(math.Abs(back), tau, sigma, max(c.Run.Duration(), 2))-1))
	}
	return score, lag
}

// scoreOverlap scores whether failures too few for an onset came only after a
// resource had run out: the logarithm of the likelihood ratio of their binomial
// share against that of the attempts, less a penalty for the choice.
func (c *Investigation) scoreOverlap(from float64) float64 {
	var n, after float64
	for _, x := range c.Failures {
		if x.Phase == attack.PhaseIdle || !x.Fault.Failure() {
			continue
		}
		n++
		if x.End.Seconds() >= from-0.5 {
			after++
		}
	}
	attempts := evidence.Sum(c.Target.Attempts)
	share := evidence.Sum(c.Target.Attempts[c.Run.Window(from):]) / max(attempts, 1)
	const worst, best = evidence.PenaltyFull - 1, 2.5
	if n < 8 || after < n-0.02*n || share >= 0.8 {
		return worst
	}
	return min(best, n*math.Log(1/max(share, 1e-3))-3)
}

// lag returns onset less saturation, with its interval.
func (c *Investigation) lag(s *evidence.Saturation, host string) (*evidence.Span, float64) {
	clock := c.Run.ClockError(host)
	sigma := math.Sqrt(c.Sigma*c.Sigma + s.Sigma()*s.Sigma() + clock*clock + evidence.ModelError*evidence.ModelError)
	d := c.At - s.At
	return &evidence.Span{Value: d, Low: d - 1.96*sigma, High: d + 1.96*sigma}, sigma
}

// backOff returns by how much the last fault outlasted the exhaustion on a way
// down, NaN if there was none.
func (c *Investigation) backOff(r *evidence.Resource) float64 {
	if math.IsNaN(r.Freed) || c.Onset.Status != evidence.Found {
		return math.NaN()
	}
	last := -1
	for i := range c.Run.N {
		if c.Target.FaultsOf(c.Onset.Fault, i) > 0 {
			last = i
		}
	}
	if last < 0 || float64(c.Run.N-1-last)*c.Run.Step < 2 || r.Freed > c.Run.Duration()-2 {
		return math.NaN()
	}
	return c.Run.Seconds(float64(last)) + c.Run.Step/2 - r.Freed
}

// scoreCounter scores a counter by when it began to move.
//
// A counter that moved a little before and then much more has two beginnings; the
// one that fits is taken.
func (c *Investigation) scoreCounter(r *evidence.Resource) (float64, *evidence.Span) {
	score, lag := c.scoreMovement(r, r.Counter.Start)
	if first := r.Counter.First; first != nil && first != r.Counter.Start {
		if s, l := c.scoreMovement(r, first); s > score {
			return s, l
		}
	}
	return score, lag
}

func (c *Investigation) scoreMovement(r *evidence.Resource, began *evidence.Saturation) (float64, *evidence.Span) {
	m := r.Counter
	if c.Run.ClockError(r.Metric.Host) > evidence.MaxClockError {
		return 0, nil
	}
	switch {
	case c.Onset.Status == evidence.NoOnset || c.Onset.Status == evidence.LeftCensored:
		if m.Throughout || len(m.At) >= 5 && m.Start.At < c.Run.Duration()/4 {
			return 1.5, nil
		}
		return 0, nil
	case m.Throughout:
		return evidence.PenaltyFull, nil
	}
	lag, sigma := c.lag(began, r.Metric.Host)
	return stats.TimingScore(lag.Value, evidence.TauCounter, sigma, max(c.Run.Duration(), 2)), lag
}
