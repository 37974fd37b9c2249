package rules

import (
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// searchRules checks searches for a limit.
type searchRules struct{ *validator }

// place checks where in the load a stage stands.
func (v searchRules) place(i int, s profiles.Stage) {
	stages := v.profile.Load
	switch s.(type) {
	case profiles.Search:
		if len(stages) > 1 {
			v.add(at("load", i), "a search stands alone in load, because what it finds decides how long it takes: put the other stages into a profile of their own")
		}
	case profiles.Idle:
		if i < len(stages)-1 {
			v.add(at("load", i), "an idle stage is the last: put it at the end of load, or into a profile of its own")
		}
	}
}

func (v searchRules) search(path string, s profiles.Search) {
	right := v.rate(path+".from", s.From)
	right = v.rate(path+".to", s.To) && right
	switch {
	case !right:
	case s.From <= 0:
		v.add(path+".from", "a search begins with a load: write a rate above 0/s, such as from: 100/s")
	case s.To <= s.From:
		v.add(path+".to", "a search goes up, and %s is not above %s: write a higher rate, such as to: %s", spelling.FormatRate(s.To), spelling.FormatRate(s.From), spelling.FormatRate(50*s.From))
	}
	switch {
	case s.HoldFor < time.Second:
		v.add(path+".hold", "a load held for %s shows too little: write 1s or more, such as hold: 10s", spelling.FormatDuration(s.HoldFor))
	case s.HoldFor > time.Hour:
		v.add(path+".hold", "a load held for %s makes the search endless: write 1h or less, such as hold: 10s", spelling.FormatDuration(s.HoldFor))
	}
	switch {
	case s.CoolDown < 0:
		v.add(path+".cool-down", "%s is no time: write 0s or more", spelling.FormatDuration(s.CoolDown))
	case s.CoolDown > time.Hour:
		v.add(path+".cool-down", "a pause of %s makes the search endless: write 1h or less, such as cool-down: 5s", spelling.FormatDuration(s.CoolDown))
	}
	if v.finite(path+".precision", s.Precision) && (s.Precision < 0.01 || s.Precision > 0.5) {
		v.add(path+".precision", "a search is not meant for a precision of %s: write one from 1%% to 50%%", spelling.FormatPercent(s.Precision))
	}
	if s.Until != (profiles.Gate{}) {
		v.until(path+".until", s.Until)
	}
}

// until checks the condition of a search.
func (v searchRules) until(path string, g profiles.Gate) {
	parsed, err := profiles.ParseGate(g.String())
	if err != nil {
		v.add(path, "%s", err)
		return
	}
	if parsed.Text = g.Text; parsed != g {
		v.add(path, "the condition %s cannot be written: make it with ParseGate", spelling.Quote(g.String()))
		return
	}
	gateRules(v).gateNames(path, g)
	switch {
	case g.Metric == profiles.GateHeadroom || g.Metric.IsLoad():
		v.add(path, "every load is judged by itself, and %s is known over the whole run: write resets, failures or a percentile, such as until: failures < 0.1%%", g.Metric)
	case g.UpTo > 0:
		v.add(path, "the search is after that load: leave out \"up to %s\"", spelling.FormatRate(g.UpTo))
	case g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual:
		v.add(path, "until says what has to hold for a load to pass: write %s < %s", g.Subject(), g.FormatValue())
	}
}

// gateOfSearch checks a gate beside a search, and reports whether it said
// anything.
func (v searchRules) gateOfSearch(path string, g profiles.Gate) bool {
	s, ok := v.profile.SearchStage()
	if !ok || !g.OfStep() {
		return false
	}
	switch {
	case s.Until != (profiles.Gate{}):
		v.add(path, "a search goes beyond what its until allows, so this cannot hold over the whole run: add a load, %s up to %s, or leave out until to search for it", g.String(), spelling.FormatRate(s.From))
	case g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual:
		v.add(path, "a search takes this for what a load has to hold to pass: write %s < %s", g.Subject(), g.FormatValue())
	default:
		return false
	}
	return true
}

func (v searchRules) idle(path string, s profiles.Idle) {
	const longest = time.Hour
	switch {
	case s.From < 100*time.Millisecond:
		v.add(path, "an idle time of %s is none: begin with 100ms or more, such as {idle: 1s..120s}", spelling.FormatDuration(s.From))
	case s.To <= s.From:
		v.add(path, "%s is not above %s: write the longer time last, such as {idle: 1s..120s}", spelling.FormatDuration(s.To), spelling.FormatDuration(s.From))
	case s.To > longest:
		v.add(path, "%s is longer than %s: write a shorter time, such as {idle: 1s..120s}", spelling.FormatDuration(s.To), spelling.FormatDuration(longest))
	case len(v.profile.Load) == 1 && len(v.profile.Gate) > 0:
		v.add("gate", "an idle stage alone sends no load that a gate could be judged on: leave gate out, or put a stage before it")
	}
}
