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
func (sched *Schedule) until(t time.Duration) *Schedule {
	out := &Schedule{end: t}
	for _, st := range sched.stages {
		if st.start < t {
			st.length = min(st.length, t-st.start)
			out.stages = append(out.stages, st)
		}
	}
	n := 0
	for n < len(sched.pieces) && sched.pieces[n].start < t {
		n++
	}
	out.pieces = slices.Clone(sched.pieces[:n])
	last := &out.pieces[n-1]
	out.integral = last.base.add(last.integral(min(t-last.start, last.length)))
	out.total = ceilCount(out.integral)
	return out
}

// Rest returns the stages from t on, the one that is on at t without what of it has
// passed: a schedule of what comes before t and of these is the same, but for the
// rounding of a rate to a millionth and for the jitter of bursts.
func (sched *Schedule) Rest(t time.Duration) []profiles.Stage { return stagesOf(sched.rest(t)) }

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

func (sched *Schedule) rest(t time.Duration) []part {
	if t >= sched.end {
		return nil
	}
	var out []part
	i, since := sched.StageAt(max(t, 0))
	if since > 0 {
		for _, st := range sched.restOf(sched.stages[i], since, t) {
			out = append(out, part{st, i})
		}
		i++
	}
	for ; i < len(sched.stages); i++ {
		out = append(out, part{sched.stages[i].Stage, i})
	}
	return out
}

// restOf returns what is left of a stage at t, since its start.
func (sched *Schedule) restOf(st stage, since, t time.Duration) []profiles.Stage {
	left := st.length - since
	switch plan := st.Stage.(type) {
	case profiles.Ramp:
		plan.From += (plan.To - plan.From) * float64(since) / float64(plan.For)
		return []profiles.Stage{plan.Lasting(left)}
	case profiles.Connections:
		plan.From, _ = sched.Conns(t)
		return []profiles.Stage{plan.Lasting(left)}
	case profiles.Staircase:
		return sched.restOfStairs(st, plan, left, t)
	case profiles.Burst:
		burst := sched.at(t)
		pause := min(burst.start+burst.length-t, left)
		switch {
		case pause == left:
			return []profiles.Stage{profiles.Hold{For: pause}}
		case burst.start == t:
			return []profiles.Stage{plan.Lasting(left)}
		}
		return []profiles.Stage{profiles.Hold{For: pause}, plan.Lasting(left - pause)}
	}
	return []profiles.Stage{st.Lasting(left)}
}

// restOfStairs returns what is left of the step at t, and the steps after it.
func (sched *Schedule) restOfStairs(st stage, plan profiles.Staircase, left, t time.Duration) []profiles.Stage {
	step := sched.at(t)
	level := float64(step.from) / microRate
	hold := profiles.Hold{Rate: level, For: min(step.start+step.length-t, left)}
	if hold.For >= left || level == plan.To {
		return []profiles.Stage{hold}
	}
	from := plan.From + math.Copysign(plan.Step, plan.To-plan.From)*math.Floor(float64(step.start+step.length-st.start)/float64(plan.Every)+0.5)
	if (plan.To-from)*(plan.To-plan.From) < 0 { // the last step is lower
		from = plan.To
	}
	plan.From = from
	return []profiles.Stage{hold, plan}
}

// Scaled returns the stages, each scaled. Closed loops offer what the target takes: they
// stay.
func Scaled(stages []profiles.Stage, factor float64) []profiles.Stage {
	out := make([]profiles.Stage, len(stages))
	for i, s := range stages {
		out[i] = s.Scaled(factor)
	}
	return out
}
