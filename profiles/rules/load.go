package rules

import (
	"math"
	"slices"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// loadRules checks stages of a load.
type loadRules struct{ *validator }

func (v loadRules) load() {
	stages := v.profile.Load
	if len(stages) == 0 {
		v.add("load", "there is no load: write a stage, such as load: [{from: 50/s, to: 2000/s, over: 2m}]")
		return
	}
	if i := slices.Index(stages, nil); i >= 0 {
		v.add(at("load", i), "there is no stage: make one of the types of package profiles")
		return
	}
	before, loaded := len(v.problems), false
	for i, s := range stages {
		v.stage(at("load", i), s)
		rate, ok := s.MaxRate(1)
		_, idle := s.(profiles.Idle)
		loaded = loaded || !ok || rate > 0 || idle
		searchRules(v).place(i, s)
	}
	if d := v.profile.Duration(); d.Seconds() > maxLoad {
		v.add("load", "the stages last %s together, longer than 2160h: write shorter ones", spelling.FormatDuration(d))
	}
	if !loaded && before == len(v.problems) {
		v.add("load", "no stage sends anything: write a rate above 0/s, such as {from: 50/s, to: 2000/s, over: 2m}")
	}
}

func (v loadRules) stage(path string, s profiles.Stage) {
	before := len(v.problems)
	journeyRules(v).journeyStage(path, s)
	switch s := s.(type) {
	case profiles.Ramp:
		v.rate(path+".from", s.From)
		v.rate(path+".to", s.To)
		if s.From == s.To && before == len(v.problems) {
			v.add(path, "a ramp from %s to %s is level: write {at: %s, for: %s}",
				spelling.FormatRate(s.From), spelling.FormatRate(s.To), spelling.FormatRate(s.From), spelling.FormatDuration(s.For))
		}
		v.length(path+".over", s)
	case profiles.Hold:
		v.rate(path+".at", s.Rate)
		v.length(path+".for", s)
	case profiles.Staircase:
		v.staircase(path, s)
	case profiles.Burst:
		v.burst(path, s)
	case profiles.Max:
		v.length(path+".for", s)
	case profiles.Connections:
		v.connections(path, s)
		if v.profile.Client.Connections == 0 {
			v.add(path, "held connections serve one request after the other, and client.connections is 0, a new connection for each: write connections: 256, or a rate")
		}
	case profiles.Search:
		searchRules(v).search(path+".search", s)
	case profiles.Idle:
		searchRules(v).idle(path+".idle", s)
	}
}

// rate checks a rate and reports whether it is right.
func (v *validator) rate(path string, rate float64) bool {
	switch {
	case !v.finite(path, rate):
		return false
	case rate < 0:
		v.add(path, "%s is negative: write 0/s or more", spelling.FormatRate(rate))
		return false
	case rate > maxRate:
		v.add(path, "%s is more than %s: write a rate that a machine can send", spelling.FormatRate(rate), spelling.FormatRate(maxRate))
		return false
	}
	return true
}

func (v loadRules) length(path string, s profiles.Stage) {
	d := s.Duration()
	switch {
	case d <= 0:
		v.add(path, "the stage has no length: write one above 0s, such as 2m")
	case d.Seconds() > maxStage:
		v.add(path, "the stage lasts %s, longer than 720h: write a shorter one", spelling.FormatDuration(d))
	}
}

func (v loadRules) staircase(path string, s profiles.Staircase) {
	right := v.rate(path+".from", s.From)
	right = v.rate(path+".to", s.To) && right
	switch {
	case !v.finite(path+".step", s.Step):
		right = false
	case s.Step <= 0:
		v.add(path+".step", "a step of %s goes nowhere: write one above 0/s, also on the way down", spelling.FormatRate(s.Step))
		right = false
	}
	if s.Every <= 0 {
		v.add(path+".every", "each step lasts no time: write one above 0s, such as every: 10s")
		right = false
	}
	if !right {
		return
	}
	rise := math.Abs(s.To - s.From)
	switch {
	case rise == 0:
		v.add(path, "a staircase from %s to %s has no steps: write {at: %s, for: %s}",
			spelling.FormatRate(s.From), spelling.FormatRate(s.To), spelling.FormatRate(s.From), spelling.FormatDuration(s.Every))
	case s.Step > rise:
		v.add(path+".step", "a step of %s is more than the %s from %s to %s: write a smaller one",
			spelling.FormatRate(s.Step), spelling.FormatRate(rise), spelling.FormatRate(s.From), spelling.FormatRate(s.To))
	case !(rise/s.Step < maxSteps):
		v.add(path+".step", "a step of %s makes more than %d steps: write a larger one", spelling.FormatRate(s.Step), maxSteps)
	default:
		v.length(path+".every", s)
	}
}

func (v loadRules) burst(path string, s profiles.Burst) {
	switch {
	case s.Size <= 0:
		v.add(path+".burst", "a burst of %d requests sends nothing: write 1 or more", s.Size)
	case s.Size > maxRate:
		v.add(path+".burst", "a burst of %d requests is more than 10000000: write a smaller one", s.Size)
	}
	switch {
	case s.Every <= 0:
		v.add(path+".every", "the bursts have no time between them: write one above 0s, such as every: 950ms")
	case s.Jitter < 0 || s.Jitter >= s.Every:
		v.add(path+".jitter", "a jitter of %s is not below the %s between bursts: write a shorter one", spelling.FormatDuration(s.Jitter), spelling.FormatDuration(s.Every))
	case s.For/s.Every > maxBursts:
		v.add(path+".every", "more than %d bursts are too many: write a longer time between them", maxBursts)
	case s.For > 0 && s.For < s.Every:
		v.add(path+".for", "%s is shorter than the %s between bursts: write a longer one", spelling.FormatDuration(s.For), spelling.FormatDuration(s.Every))
	}
	v.length(path+".for", s)
}

func (v loadRules) connections(path string, s profiles.Connections) {
	switch {
	case s.From < 0 || s.To < 0:
		v.add(path, "a number of connections is negative: write 0 conns or more")
	case max(s.From, s.To) == 0:
		v.add(path, "the stage holds no connections: write a number above 0, such as to: 10000 conns")
	case max(s.From, s.To) > maxConns:
		v.add(path, "%d connections are more than one machine holds: write %d conns or fewer", max(s.From, s.To), int(maxConns))
	}
	if s.From == s.To {
		v.length(path+".for", s)
		return
	}
	v.length(path+".over", s)
}
