package schedule

import (
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/profiles"
)

// until returns the schedule as it is before t, which lies in it. A piece that goes
// on at t keeps its slope: where the next one starts, it ends. A burst that has begun
// is sent as a whole.
func (s *Schedule) until(t time.Duration) *Schedule {
	out := &Schedule{end: t}
	for _, st := range s.stages {
		if st.start < t {
			st.length = min(st.length, t-st.start)
			out.stages = append(out.stages, st)
		}
	}
	n := 0
	for n < len(s.pieces) && s.pieces[n].start < t {
		n++
	}
	out.pieces = slices.Clone(s.pieces[:n])
	last := &out.pieces[n-1]
	out.integral = last.base.add(last.integral(min(t-last.start, last.length)))
	out.total = ceilCount(out.integral)
	return out
}

// Rest returns the stages from t on, the one that is on at t without what of it has
// passed: a schedule of what comes before t and of these is the same, but for the
// rounding of a rate to a millionth and for the jitter of bursts.
func (s *Schedule) Rest(t time.Duration) []profiles.Stage { return stagesOf(s.rest(t)) }

// part is a stage, or what is left of one, and which one.
type part struct {
	profiles.Stage
	of int
}

func stagesOf(parts []part) []profiles.Stage {
	var out []profiles.Stage
	for _, p := range parts {
		out = append(out, p.Stage)
	}
	return out
}

func (s *Schedule) rest(t time.Duration) []part {
	if t >= s.end {
		return nil
	}
	var out []part
	i, since := s.StageAt(max(t, 0))
	if since > 0 {
		for _, st := range s.restOf(s.stages[i], since, t) {
			out = append(out, part{st, i})
		}
		i++
	}
	for ; i < len(s.stages); i++ {
		out = append(out, part{s.stages[i].Stage, i})
	}
	return out
}

// restOf returns what is left of a stage at t, since its start.
func (s *Schedule) restOf(st stage, since, t time.Duration) []profiles.Stage {
	rest := st.Stage
	rest.For = st.length - since
	share := float64(since) / float64(st.For)
	switch st.Kind {
	case profiles.Ramp:
		rest.From += (st.To - st.From) * share
	case profiles.Connections:
		rest.FromConns, _ = s.Conns(t)
	case profiles.Staircase:
		step := s.at(t)
		level := float64(step.from) / microRate
		hold := profiles.Stage{Kind: profiles.Hold, From: level, To: level, For: min(step.start+step.length-t, rest.For)}
		if hold.For >= rest.For || level == st.To {
			return []profiles.Stage{hold}
		}
		rest.From += math.Copysign(st.Step, st.To-st.From) * math.Floor(float64(step.start+step.length-st.start)/float64(st.Every)+0.5)
		if (st.To-rest.From)*(st.To-st.From) < 0 { // the last step is lower
			rest.From = st.To
		}
		rest.For -= hold.For
		return []profiles.Stage{hold, rest}
	case profiles.Burst:
		burst := s.at(t)
		pause := min(burst.start+burst.length-t, rest.For)
		if rest.For -= pause; rest.For <= 0 {
			return []profiles.Stage{{Kind: profiles.Hold, For: pause}}
		}
		if burst.start == t {
			rest.For += pause
			return []profiles.Stage{rest}
		}
		return []profiles.Stage{{Kind: profiles.Hold, For: pause}, rest}
	}
	return []profiles.Stage{rest}
}

// Scaled returns the stages with every rate, and every number of connections held and
// of requests in a burst, multiplied. Closed loops offer what the target takes: they
// stay.
func Scaled(stages []profiles.Stage, factor float64) []profiles.Stage {
	out := slices.Clone(stages)
	for i := range out {
		s := &out[i]
		s.From, s.To, s.Step = s.From*factor, s.To*factor, s.Step*factor
		s.BurstSize = int(math.Round(float64(s.BurstSize) * factor))
		s.FromConns = int(math.Round(float64(s.FromConns) * factor))
		s.ToConns = int(math.Round(float64(s.ToConns) * factor))
	}
	return out
}
