package profiles

import (
	"fmt"
	"math"
	"time"
)

// DefaultSearch returns a search that gives only its loads: each is held for 10 s
// with 5 s between, until what passes and what does not are within 5 %.
func DefaultSearch(from, to float64) Stage {
	return Stage{Kind: Search, From: from, To: to, HoldFor: 10 * time.Second, CoolDown: 5 * time.Second, Precision: 0.05}
}

// DefaultUntil returns what a load has to hold in a search of a profile that
// names nothing: failures < 0.1%.
func DefaultUntil() Gate {
	return Gate{Text: "failures < 0.1%", Metric: GateFailures, Op: Less, Value: 0.001, Unit: UnitRatio}
}

// HoldLimit is how many times HoldFor a load of a search may be held to decide.
const HoldLimit = 3

// SettleTime is how long a load of a search rises before its hold: so long as
// connections take to open without a rush.
func (s Stage) SettleTime() time.Duration { return min(time.Second, s.HoldFor/4) }

// searchDefaults fills in what a search leaves open. A cool-down of 0 has a
// meaning of its own and stays: whoever makes a search in code begins with
// [DefaultSearch].
func (s Stage) searchDefaults(needsUntil bool) Stage {
	d := DefaultSearch(s.From, s.To)
	if s.HoldFor == 0 {
		s.HoldFor = d.HoldFor
	}
	if s.Precision == 0 {
		s.Precision = d.Precision
	}
	if s.Until == (Gate{}) && needsUntil {
		s.Until = DefaultUntil()
	}
	return s
}

// SearchStage returns the profile's search, and false when it has none.
func (p Profile) SearchStage() (Stage, bool) { return p.firstStage(Search) }

// IdleStage returns the profile's idle stage, and false when it has none.
func (p Profile) IdleStage() (Stage, bool) { return p.firstStage(Idle) }

func (p Profile) firstStage(kind StageKind) (Stage, bool) {
	for _, s := range p.Load {
		if s.Kind == kind {
			return s, true
		}
	}
	return Stage{}, false
}

// SendingStages returns the stages that send load: all but Idle.
func (p Profile) SendingStages() []Stage {
	var out []Stage
	for _, s := range p.Load {
		if s.Kind != Idle {
			out = append(out, s)
		}
	}
	return out
}

// SearchGates returns what each load of the profile's search has to hold: the
// search's own condition, or those of the profile's gates that can be judged on
// a part of a run. Nil without a search.
func (p Profile) SearchGates() []Gate {
	s, ok := p.SearchStage()
	switch {
	case !ok:
		return nil
	case s.Until != (Gate{}):
		return []Gate{s.Until}
	}
	return p.stepGates()
}

// RunGates returns the gates that are judged on the whole run: all of them but
// those that a search holds against each of its loads.
func (p Profile) RunGates() []Gate {
	if _, ok := p.SearchStage(); !ok {
		return p.Gate
	}
	var out []Gate
	for _, g := range p.Gate {
		if !g.ofStep() {
			out = append(out, g)
		}
	}
	return out
}

func (p Profile) stepGates() []Gate {
	var out []Gate
	for _, g := range p.Gate {
		if g.ofStep() {
			out = append(out, g)
		}
	}
	return out
}

// ofStep reports whether a gate can be judged on one load by itself: resets,
// failures and latency without a load of their own.
func (g Gate) ofStep() bool {
	if g.Baseline > 0 {
		return false
	}
	switch g.Metric {
	case GateWireResets, GateVisibleResets, GateFailures, GateLatency:
		return g.UpTo == 0
	}
	return false
}

// searchDuration estimates how long a search takes that finds its limit at the
// end: every doubling, the halving of the last, and a repetition of what did not
// pass and of what is found.
func (s Stage) searchDuration() time.Duration {
	if !(s.From > 0) || !(s.To >= s.From) || !(s.Precision > 0) {
		return 0
	}
	doublings := math.Ceil(math.Log2(s.To/s.From)) + 1
	halvings := math.Max(0, math.Ceil(math.Log2(math.Ln2/math.Log1p(s.Precision))))
	loads := doublings + 1 + math.Ceil(1.5*halvings) + 1
	length := loads * float64(s.SettleTime()+s.HoldFor+s.CoolDown)
	if !(length < math.MaxInt64) {
		return math.MaxInt64
	}
	return time.Duration(length)
}

// idleDuration is how long an idle stage takes at most, but for the time limits of
// requests that get no answer: the longest time once, and the rounds that narrow
// down an end which shows only on use. Each holds connections for nearly as long
// as it took to show, and there are few: together 2.1 times the longest time, or
// 2.7 times the shortest if that was too long already.
func (s Stage) idleDuration() time.Duration {
	to, from := float64(s.IdleTo), float64(s.IdleFrom)
	length := to + max(2.1*to, 2.7*from)
	if !(length < math.MaxInt64) {
		return math.MaxInt64
	}
	return time.Duration(length)
}

func (s Stage) searchString() string {
	until := ""
	if s.Until != (Gate{}) {
		until = " until " + s.Until.String() + " breaks"
	}
	return fmt.Sprintf("search %s to %s%s, each load for %s, %s between, to %s", perSecond(s.From), perSecond(s.To), until,
		FormatDuration(s.HoldFor), FormatDuration(s.CoolDown), FormatPercent(s.Precision))
}

// place checks where in the load a stage stands.
func (v *validator) place(i int, s Stage) {
	stages := v.profile.Load
	switch {
	case s.Kind == Search && len(stages) > 1:
		v.add(at("load", i), "a search stands alone in load, because what it finds decides how long it takes: put the other stages into a profile of their own")
	case s.Kind == Idle && i < len(stages)-1:
		v.add(at("load", i), "an idle stage is the last: put it at the end of load, or into a profile of its own")
	}
}

func (v *validator) search(path string, s Stage) {
	right := v.rate(path+".from", s.From)
	right = v.rate(path+".to", s.To) && right
	switch {
	case !right:
	case s.From <= 0:
		v.add(path+".from", "a search begins with a load: write a rate above 0/s, such as from: 100/s")
	case s.To <= s.From:
		v.add(path+".to", "a search goes up, and %s is not above %s: write a higher rate, such as to: %s", FormatRate(s.To), FormatRate(s.From), FormatRate(50*s.From))
	}
	switch {
	case s.HoldFor < time.Second:
		v.add(path+".hold", "a load held for %s shows too little: write 1s or more, such as hold: 10s", FormatDuration(s.HoldFor))
	case s.HoldFor > time.Hour:
		v.add(path+".hold", "a load held for %s makes the search endless: write 1h or less, such as hold: 10s", FormatDuration(s.HoldFor))
	}
	switch {
	case s.CoolDown < 0:
		v.add(path+".cool-down", "%s is no time: write 0s or more", FormatDuration(s.CoolDown))
	case s.CoolDown > time.Hour:
		v.add(path+".cool-down", "a pause of %s makes the search endless: write 1h or less, such as cool-down: 5s", FormatDuration(s.CoolDown))
	}
	if v.finite(path+".precision", s.Precision) && (s.Precision < 0.01 || s.Precision > 0.5) {
		v.add(path+".precision", "a search is not meant for a precision of %s: write one from 1%% to 50%%", FormatPercent(s.Precision))
	}
	if s.Until != (Gate{}) {
		v.until(path+".until", s.Until)
	}
}

// until checks the condition of a search.
func (v *validator) until(path string, g Gate) {
	parsed, err := ParseGate(g.String())
	if err != nil {
		v.add(path, "%s", err)
		return
	}
	if parsed.Text = g.Text; parsed != g {
		v.add(path, "the condition %s cannot be written: make it with ParseGate", quote(g.String()))
		return
	}
	v.gateNames(path, g)
	switch {
	case g.Metric == GateHeadroom || g.Metric.isLoad():
		v.add(path, "every load is judged by itself, and %s is known over the whole run: write resets, failures or a percentile, such as until: failures < 0.1%%", g.Metric)
	case g.UpTo > 0:
		v.add(path, "the search is after that load: leave out \"up to %s\"", FormatRate(g.UpTo))
	case g.Op == Greater || g.Op == GreaterOrEqual:
		v.add(path, "until says what has to hold for a load to pass: write %s < %s", g.subject(), g.formatValue())
	}
}

// gateOfSearch checks a gate beside a search, and reports whether it said
// anything.
func (v *validator) gateOfSearch(path string, g Gate) bool {
	s, ok := v.profile.SearchStage()
	if !ok || !g.ofStep() {
		return false
	}
	switch {
	case s.Until != (Gate{}):
		v.add(path, "a search goes beyond what its until allows, so this cannot hold over the whole run: add a load, %s up to %s, or leave out until to search for it", g.String(), FormatRate(s.From))
	case g.Op == Greater || g.Op == GreaterOrEqual:
		v.add(path, "a search takes this for what a load has to hold to pass: write %s < %s", g.subject(), g.formatValue())
	default:
		return false
	}
	return true
}

func (v *validator) idle(path string, s Stage) {
	const longest = time.Hour
	switch {
	case s.IdleFrom < 100*time.Millisecond:
		v.add(path, "an idle time of %s is none: begin with 100ms or more, such as {idle: 1s..120s}", FormatDuration(s.IdleFrom))
	case s.IdleTo <= s.IdleFrom:
		v.add(path, "%s is not above %s: write the longer time last, such as {idle: 1s..120s}", FormatDuration(s.IdleTo), FormatDuration(s.IdleFrom))
	case s.IdleTo > longest:
		v.add(path, "%s is longer than %s: write a shorter time, such as {idle: 1s..120s}", FormatDuration(s.IdleTo), FormatDuration(longest))
	case len(v.profile.Load) == 1 && len(v.profile.Gate) > 0:
		v.add("gate", "an idle stage alone sends no load that a gate could be judged on: leave gate out, or put a stage before it")
	}
}
