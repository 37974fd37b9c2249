package ranking

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/saturation"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/stats"
)

// date finds the resource that would date a cause, the one that fits best, and
// scores its time.
func date(c *inquiry.Investigation, hyp *inquiry.Hypothesis) {
	// The gauges of a rule are in order: the nearer to the process, the earlier. One
	// that fits almost as well as a later one is the better name for it.
	best, order := math.Inf(-1), len(hyp.Rule.Gauges)
	for _, r := range candidates(c, hyp.Rule, hyp.Hop) {
		if r.Counter != nil {
			continue
		}
		hyp.Measured = true
		s, lag := scoreGauge(c, r, hyp.Rule)
		place := slices.Index(hyp.Rule.Gauges, r.Metric.Name)
		margin := 0.0
		switch {
		case hyp.Lead == nil:
		case place < order:
			margin = -1.5
		case place > order:
			margin = 1.5
		case words.Finite(r.Most, 0) > words.Finite(hyp.Lead.Most, 0):
			margin = -1e-9
		}
		if hyp.Lead == nil || s > best+margin {
			hyp.Lead, hyp.Lag, order = r, lag, place
		}
		best = max(best, s)
	}
	flat, moved := false, math.Inf(-1)
	for _, r := range candidates(c, hyp.Rule, hyp.Hop) {
		if r.Counter == nil {
			continue
		}
		hyp.Measured = true
		if r.Counter.Start == nil {
			// An event says more than the counter of another group or namespace.
			flat = flat || r.Metric.Name != probe.OOMKills || c.Facts[hyp.Hop.Index][evidence.OutOfMemory].Is != evidence.Yes
			continue
		}
		if s, lag := scoreCounter(c, r); s > moved {
			moved, hyp.Counter = s, r
			if hyp.Lag == nil {
				hyp.Lag = lag
			}
		}
	}
	switch {
	case hyp.Lead == nil && hyp.Counter == nil && flat:
		hyp.Score += evidence.PenaltyRoom
	case hyp.Lead == nil && hyp.Counter == nil:
	case hyp.Lead == nil:
		hyp.Score += moved
	case hyp.Counter == nil && flat && !strings.HasPrefix(hyp.Lead.Metric.Instance, evidence.UnixSocket):
		hyp.Score += best + evidence.PenaltyFlat
	case hyp.Counter == nil:
		hyp.Score += best
	case best <= evidence.PenaltyRoom+1:
		// The gauge saw nothing between two readings, the counter did.
		hyp.Score += moved
	default:
		hyp.Score += best + max(moved, 0)
	}
	if hyp.Lead != nil && best <= evidence.PenaltyRoom+1 {
		hyp.Lead, hyp.Lag = nil, nil
	}
	if lead := hyp.Lead; lead != nil {
		hyp.Host, hyp.Process, hyp.Pid = lead.Metric.Host, lead.Metric.Process, lead.Metric.PID
		resourceEvidence(hyp, c, lead)
	}
	if m := hyp.Counter; m != nil {
		if hyp.Lead == nil {
			hyp.Host, hyp.Process, hyp.Pid = m.Metric.Host, m.Metric.Process, m.Metric.PID
		}
		hyp.Pro = append(hyp.Pro, inquiry.Evidence{
			Source: "probe of " + m.Metric.Host,
			Text:   fmt.Sprintf("%s grew by %s, first %s", m.Metric.Name, format.Amount(m.Counter.Between(c.From-2, c.To+1), m.Def.Unit), c.Relative(m.Counter.Start.At)),
			At:     words.Pointer(m.Counter.Start.At),
		})
	}
	// A hypothesis about a part of a machine is told by the part's name.
	if hyp.Hop.Host != "" && hyp.Hop.Has(hyp.Host) {
		hyp.Host = hyp.Hop.Host
	}
}

func resourceEvidence(hyp *inquiry.Hypothesis, c *inquiry.Investigation, r *evidence.Resource) {
	s := r.Full
	if hyp.Rule.Inferred || s == nil {
		s = r.Level
	}
	if s == nil {
		return
	}
	text := r.Describe() + ", " + c.RelativeOn(r.Metric.Host, s.At)
	hyp.Pro = append(hyp.Pro, inquiry.Evidence{Source: "probe of " + r.Metric.Host, Text: text, At: words.Pointer(s.At)})
}

// candidates returns the resources of a rule at a hop.
func candidates(c *inquiry.Investigation, r inquiry.Rule, h evidence.Hop) []*evidence.Resource {
	var out []*evidence.Resource
	for _, x := range c.Run.Resources {
		m := x.Metric
		if evidence.GeneratorOwn(m) || !slices.Contains(r.Gauges, m.Name) && !slices.Contains(r.Counters, m.Name) {
			continue
		}
		if belongs(c, x, r, h) {
			out = append(out, x)
		}
	}
	return out
}

// belongs reports whether a resource is one of a hop. What lies on the path is
// any host that serves no target.
func belongs(c *inquiry.Investigation, x *evidence.Resource, r inquiry.Rule, h evidence.Hop) bool {
	m := x.Metric
	if m.Name == probe.EphemeralPorts && evidence.TowardsTarget(c.Case, m.Instance) {
		return false // the client's own
	}
	if m.Process == "" && m.Host == evidence.LocalHost && m.Name == probe.EphemeralPorts && m.Instance == "" {
		return false
	}
	if r.Leg == inquiry.Path || m.Name == probe.QdiscDrops && slices.Contains(c.Routers, m.Host) {
		return !evidence.ServesOther(c.Case, m.Host)
	}
	if (m.Name == probe.ListenQueue || m.Name == probe.SynQueue) && !c.Listens(m.Instance, h) {
		return false
	}
	if m.Process == "" {
		return c.Run.SpeaksFor(m, h)
	}
	if len(c.Hops) == 1 && c.Fronts(h) && (r.Leg == inquiry.Proxy) != evidence.IsProxy(m.Process) {
		return false
	}
	// Processes belong to the part of a machine that the profile names; on a whole
	// machine named, to it.
	return m.Host == h.Host && !evidence.OfAnother(c.Case, m.Host, m.Process, m.PID, h)
}

// scoreGauge scores a level by when it ran out.
func scoreGauge(c *inquiry.Investigation, r *evidence.Resource, ru inquiry.Rule) (float64, *evidence.Span) {
	if c.Run.ClockError(r.Metric.Host) > evidence.MaxClockError {
		return 0, nil // the order in time is not known
	}
	s, adjust := r.Full, 0.0
	if ru.Inferred {
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
	return scoreTime(c, s, r, adjust)
}

func scoreTime(c *inquiry.Investigation, s *evidence.Saturation, r *evidence.Resource, adjust float64) (float64, *evidence.Span) {
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
		return scoreOverlap(c, s.At) + adjust, nil
	}
	if r.Throughout {
		return evidence.PenaltyFull, nil
	}
	lag, sigma := Lag(c, s, r.Metric.Host)
	score := stats.TimingScore(lag.Value, tau, sigma, max(c.Run.Duration(), 2)) + adjust
	// Does it end when the faults end?
	if back := backOff(c, r); !math.IsNaN(back) {
		score += min(2, max(-2, stats.TimingScore(math.Abs(back), tau, sigma, max(c.Run.Duration(), 2))-1))
	}
	return score, lag
}

// scoreOverlap scores whether failures too few for an onset came only after a
// resource had run out: the logarithm of the likelihood ratio of their binomial
// share against that of the attempts, less a penalty for the choice.
func scoreOverlap(c *inquiry.Investigation, from float64) float64 {
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

// Lag returns onset less saturation, with its interval.
func Lag(c *inquiry.Investigation, s *evidence.Saturation, host string) (*evidence.Span, float64) {
	clock := c.Run.ClockError(host)
	sigma := math.Sqrt(c.Sigma*c.Sigma + s.Sigma()*s.Sigma() + clock*clock + evidence.ModelError*evidence.ModelError)
	d := c.At - s.At
	return &evidence.Span{Value: d, Low: d - 1.96*sigma, High: d + 1.96*sigma}, sigma
}

// backOff returns by how much the last fault outlasted the exhaustion on a way
// down, NaN if there was none.
func backOff(c *inquiry.Investigation, r *evidence.Resource) float64 {
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
func scoreCounter(c *inquiry.Investigation, r *evidence.Resource) (float64, *evidence.Span) {
	score, lag := scoreMovement(c, r, r.Counter.Start)
	if first := r.Counter.First; first != nil && first != r.Counter.Start {
		if s, l := scoreMovement(c, r, first); s > score {
			return s, l
		}
	}
	return score, lag
}

func scoreMovement(c *inquiry.Investigation, r *evidence.Resource, began *evidence.Saturation) (float64, *evidence.Span) {
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
	lag, sigma := Lag(c, began, r.Metric.Host)
	return stats.TimingScore(lag.Value, evidence.TauCounter, sigma, max(c.Run.Duration(), 2)), lag
}
