package profiles

import (
	"fmt"
	"math"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

// Search is a stage that looks for the highest load at which Until holds, from From to To
// requests per second.
type Search struct {
	From, To float64
	// Until is what a load has to hold to pass. The zero Gate stands for those of the
	// profile's gates that can be judged on a part of a run, see [Profile.SearchGates].
	Until     Gate
	HoldFor   time.Duration // how long each load is held; up to three times as long to decide
	CoolDown  time.Duration // pause between two loads, at least
	Precision float64       // it ends when what passes and what does not are this near, 0.05 for 5 %
}

// Idle is a stage that sends no load: it finds out how long idle connections live, tried
// from From to To.
type Idle struct{ From, To time.Duration }

// DefaultSearch returns a search that gives only its loads: each is held for 10 s
// with 5 s between, until what passes and what does not are within 5 %.
func DefaultSearch(from, to float64) Search {
	return Search{From: from, To: to, HoldFor: 10 * time.Second, CoolDown: 5 * time.Second, Precision: 0.05}
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
func (s Search) SettleTime() time.Duration { return min(time.Second, s.HoldFor/4) }

// withDefaults fills in what a search leaves open. A cool-down of 0 has a
// meaning of its own and stays: whoever makes a search in code begins with
// [DefaultSearch].
func (s Search) withDefaults(needsUntil bool) Search {
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
func (p Profile) SearchStage() (Search, bool) { return First[Search](p.Load) }

// IdleStage returns the profile's idle stage, and false when it has none.
func (p Profile) IdleStage() (Idle, bool) { return First[Idle](p.Load) }

// SendingStages returns the stages that send load: all but Idle.
func (p Profile) SendingStages() Load {
	var out Load
	for _, s := range p.Load {
		if _, idle := s.(Idle); !idle {
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
		if !g.OfStep() {
			out = append(out, g)
		}
	}
	return out
}

func (p Profile) stepGates() []Gate {
	var out []Gate
	for _, g := range p.Gate {
		if g.OfStep() {
			out = append(out, g)
		}
	}
	return out
}

// OfStep reports whether a gate can be judged on one load by itself: resets,
// failures and latency without a load of their own.
func (g Gate) OfStep() bool {
	if g.Baseline > 0 {
		return false
	}
	switch g.Metric {
	case GateWireResets, GateVisibleResets, GateFailures, GateLatency:
		return g.UpTo == 0
	}
	return false
}

// Kind returns "search".
func (Search) Kind() string { return "search" }

// Duration estimates how long a search takes that finds its limit at the
// end: every doubling, the halving of the last, and a repetition of what did not
// pass and of what is found.
func (s Search) Duration() time.Duration {
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

// Lasting returns the search as it is.
func (s Search) Lasting(time.Duration) Stage { return s }

// Ends returns the bounds of the loads.
func (s Search) Ends(float64) (from, to float64) { return s.From, s.To }

// MaxRate returns the highest load that is tried.
func (s Search) MaxRate(float64) (float64, bool) { return max(s.From, s.To), true }

// Scaled multiplies the bounds.
func (s Search) Scaled(factor float64) Stage {
	s.From, s.To = scaleRate(s.From, factor), scaleRate(s.To, factor)
	return s
}

// Kind returns "idle".
func (Idle) Kind() string { return "idle" }

// Duration is how long an idle stage takes at most, but for the time limits of
// requests that get no answer: the longest time once, and the rounds that narrow
// down an end which shows only on use. Each holds connections for nearly as long
// as it took to show, and there are few: together 2.1 times the longest time, or
// 2.7 times the shortest if that was too long already.
func (s Idle) Duration() time.Duration {
	to, from := float64(s.To), float64(s.From)
	length := to + max(2.1*to, 2.7*from)
	if !(length < math.MaxInt64) {
		return math.MaxInt64
	}
	return time.Duration(length)
}

// Lasting returns the stage as it is.
func (s Idle) Lasting(time.Duration) Stage { return s }

// Ends returns 0 twice.
func (Idle) Ends(float64) (from, to float64) { return 0, 0 }

// MaxRate returns 0.
func (Idle) MaxRate(float64) (float64, bool) { return 0, true }

// Scaled returns the stage as it is.
func (s Idle) Scaled(float64) Stage { return s }

// String is such as "idle connections, 1s to 2m".
func (s Idle) String() string {
	return fmt.Sprintf("idle connections, %s to %s", spelling.FormatDuration(s.From), spelling.FormatDuration(s.To))
}

// String is such as "search 100/s to 5,000/s until failures < 0.1% breaks, each load for
// 10s, 5s between, to 5%".
func (s Search) String() string {
	until := ""
	if s.Until != (Gate{}) {
		until = " until " + s.Until.String() + " breaks"
	}
	return fmt.Sprintf("search %s to %s%s, each load for %s, %s between, to %s", perSecond(s.From), perSecond(s.To), until,
		spelling.FormatDuration(s.HoldFor), spelling.FormatDuration(s.CoolDown), spelling.FormatPercent(s.Precision))
}
