package session

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/search"
)

// Extender is a schedule that grows; see schedule.Growing.
type Extender interface {
	Extend(stages ...profiles.Stage) error
	Finish()
	End() time.Duration
}

// Search is a search for capacity: the loads of a run follow from what the ones
// before them showed.
type Search struct {
	Stage    profiles.Search
	Gates    []profiles.Gate // what a load has to hold
	Client   profiles.Client
	Schedule Extender // that the loader carries out; empty
	// Step is told of every load when it begins and when it is over.
	Step func(attack.Step)
}

const (
	// ahead is how far the schedule is filled ahead of what is known: so long does
	// a load go on that has failed, and so long may this process be held up before
	// the load has a hole.
	ahead = time.Second
	// lead is how long before its beginning a step is scheduled: later than any
	// window that has been counted.
	lead = 500 * time.Millisecond
	// leastHold is how long a load is held that fails at once: what came to its
	// limit has to show.
	leastHold = 2 * time.Second
	// portsBusy is the share of this machine's ports in use beyond which the next
	// load waits, and portsWait how long: as long as TIME_WAIT lasts in Linux.
	portsBusy = 0.5
	portsWait = 65 * time.Second
)

// searcher drives a search by the windows of its run. It belongs to whoever calls
// observe.
type searcher struct {
	cfg      Search
	interval time.Duration
	search   *search.Search
	judge    search.Judge

	state  searchState
	step   attack.Step
	until  time.Duration // the hold's end, as planned now
	ending bool          // the hold is not prolonged any more
	rested time.Duration // the step's end
	next   float64
	last   search.Verdict
	err    error // of the schedule
}

type searchState uint8

const (
	resting searchState = iota
	holding
	draining
	searched
)

func newSearcher(cfg Search, interval time.Duration, series *report.Series) *searcher {
	s := &searcher{
		cfg: cfg, interval: interval, search: search.New(cfg.Stage),
		judge: search.Judge{Gates: cfg.Gates, Series: series, Connections: cfg.Client.Connections, MaxInFlight: cfg.Client.MaxInFlight},
	}
	s.next, _ = s.search.Next()
	s.begin(0)
	return s
}

// observe looks at the run after the window that ends at end, now.
func (s *searcher) observe(end, now time.Duration, inFlight int64, portsInUse float64) {
	switch s.state {
	case resting:
		calm := now >= s.rested+s.cfg.Stage.CoolDown
		if calm && (portsInUse < portsBusy || now >= s.rested+portsWait) {
			s.begin(now + lead)
		}
	case holding:
		s.hold(end)
	case draining:
		// What waits for its timeout, and for its retries, ends some time.
		patience := time.Duration(1+s.cfg.Client.Retries.Max)*s.cfg.Client.Timeout + lead
		if end > s.step.End && inFlight == 0 || end >= s.step.End+patience {
			s.finish(end)
		}
	}
}

// begin schedules the next load from start on.
func (s *searcher) begin(start time.Duration) {
	start = s.whole(max(start, s.cfg.Schedule.End()))
	s.step = attack.Step{Number: s.step.Number + 1, Load: s.next, Start: start, Hold: start + s.whole(s.cfg.Stage.SettleTime())}
	s.until, s.ending = s.step.Hold+s.whole(s.cfg.Stage.HoldFor), false
	s.state = holding
	var stages []profiles.Stage
	if pause := start - s.cfg.Schedule.End(); pause > 0 {
		stages = append(stages, profiles.Hold{For: pause})
	}
	stages = append(stages, profiles.Ramp{To: s.next, For: s.step.Hold - start})
	s.extend(stages...)
	s.fill(s.step.Hold + ahead)
	s.cfg.Step(s.step)
}

// hold goes on with a load, or ends it: at its time, when a gate is broken beyond
// doubt, or later where that decides.
func (s *searcher) hold(end time.Duration) {
	if end > s.step.Hold && !s.ending {
		from, to := s.index(s.step.Hold), s.index(end)
		longest := s.step.Hold + profiles.HoldLimit*s.whole(s.cfg.Stage.HoldFor)
		least := min(s.cfg.Stage.HoldFor, max(leastHold, s.cfg.Stage.HoldFor/2))
		switch {
		case end-s.step.Hold >= least && s.judge.Broken(from, to):
			s.until, s.ending = s.cfg.Schedule.End(), true
		case end+ahead > s.until && s.until < longest && s.judge.Open(from, to, s.index(longest)-from):
			s.until = min(end+ahead, longest)
		}
	}
	s.fill(end + ahead)
	if end >= s.until {
		s.step.End = s.until
		s.state = draining
	}
}

// fill schedules the load up to a time, or to the end of its hold.
func (s *searcher) fill(to time.Duration) {
	if more := min(to, s.until) - s.cfg.Schedule.End(); more > 0 {
		s.extend(profiles.Hold{Rate: s.step.Load, For: more})
	}
}

// finish judges a load whose requests have ended, and decides how to go on.
func (s *searcher) finish(end time.Duration) {
	s.step.Drained = end
	s.cfg.Step(s.step)
	s.last = s.judge.Judge(s.step.Load, s.index(s.step.Hold), s.index(s.step.End))
	s.search.Add(s.step.Load, s.last)
	var more bool
	if s.next, more = s.search.Next(); !more {
		s.end()
		return
	}
	s.rested, s.state = s.step.End, resting
}

// end ends the load.
func (s *searcher) end() {
	s.state = searched
	s.cfg.Schedule.Finish()
}

func (s *searcher) extend(stages ...profiles.Stage) {
	if s.err != nil { // the schedule has ended: the first error says why
		return
	}
	if err := s.cfg.Schedule.Extend(stages...); err != nil {
		s.err = fmt.Errorf("go on with the search: %w", err)
		s.end()
	}
}

// whole rounds a time up to whole windows, so that each holds one load only.
func (s *searcher) whole(t time.Duration) time.Duration {
	return (t + s.interval - 1) / s.interval * s.interval
}

func (s *searcher) index(t time.Duration) int { return int(t / s.interval) }

// progress says where the search is.
func (s *searcher) progress() string {
	var text string
	switch s.state {
	case holding:
		text = fmt.Sprintf("step %d at %s", s.step.Number, format.Rate(s.step.Load))
	case draining:
		text = fmt.Sprintf("step %d at %s draining", s.step.Number, format.Rate(s.step.Load))
	case resting:
		text = fmt.Sprintf("step %d %s, next %s", s.step.Number, s.last.Result, format.Rate(s.next))
	case searched:
		text = fmt.Sprintf("step %d %s", s.step.Number, s.last.Result)
	}
	switch r := s.search.Result(); {
	case r.Load > 0 && r.Over > 0:
		text += fmt.Sprintf(" (%s passes, %s does not)", format.Rate(r.Load), format.Rate(r.Over))
	case r.Load > 0:
		text += fmt.Sprintf(" (%s passes)", format.Rate(r.Load))
	case r.Over > 0:
		text += fmt.Sprintf(" (%s does not pass)", format.Rate(r.Over))
	}
	return text
}
