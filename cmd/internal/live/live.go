// Package live shows a run while it goes on: it keeps what a person wants to see of it,
// draws that as a full screen, and takes the keys that change the load. It judges
// nothing: what the diagnosis thinks so far is handed in as a report of the run until
// now.
//
// The run never waits for its viewers. A [Feed] is filled under a lock that is held for
// moments only; whoever draws takes a copy.
package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/render/layout"
)

// Plan is what is known before the run.
type Plan struct {
	Name    string
	Targets []string
	// Stages are the load as it is planned; End is when it ends, 0 while nobody knows.
	Stages []Stage
	// Steered says that keys can change the load; else Unsteered says why not.
	Steered   bool
	Unsteered string
}

// Stage is one stage of the load.
type Stage struct {
	Start, End time.Duration
	From, To   float64 // requests per second; 0 in a closed loop
	Text       string
}

// Point is the run over a stretch of time.
type Point struct {
	At       time.Duration // its end
	Offered  float64       // requests per second
	Achieved float64
	Failed   uint64        // requests
	Resets   uint64        // connections
	P50, P99 time.Duration // of successes; 0: none
}

// Reset is RSTs that are alike: one sender, one reason.
type Reset struct {
	At    time.Duration // the last
	Count uint64
	Who   string // process and host that sent it; the phase and address where nobody saw the sender
	Why   string
}

// Candidate is a cause that the diagnosis holds for possible.
type Candidate struct {
	Cause      string
	Where      string
	Confidence float64
	Why        string // its strongest evidence
}

// Interim is what the diagnosis thinks of the run so far.
type Interim struct {
	Upto       time.Duration
	Headline   string
	Candidates []Candidate
	Took       time.Duration // of this machine's processor
}

// Load is how the load was changed by hand.
type Load struct {
	Held   bool
	Factor float64 // 1: as planned
	Stages []Stage // as they are now; nil: as planned
}

// State is the run as it is now.
type State struct {
	Plan
	Load
	Now     session.Progress
	Begun   bool // something was sent
	Course  []Point
	Faults  []FaultCount // most first
	Resets  []Reset      // latest first
	Interim *Interim     // nil: not yet
	Notes   []string     // latest last
}

// FaultCount is the failed attempts of one class.
type FaultCount struct {
	Fault string
	Count uint64
}

const (
	mostPoints = 2400 // of the course: then two become one
	mostResets = 12   // kinds that are kept
	mostNotes  = 20
)

// Feed keeps a run for whoever draws it. Its methods may be called from several
// goroutines, and take no longer than their own work.
type Feed struct {
	mu     sync.Mutex
	state  State
	faults [attack.Faults]uint64
	resets map[[2]string]*Reset
	p50    attack.Histogram // of the window that is being filled
	every  int              // progresses in a point
	filled int              // of the last point
	failed uint64
	wire   uint64
	seen   bool // RSTs were seen where they were sent
}

// NewFeed returns a feed of a run that has not begun.
func NewFeed(p Plan) *Feed {
	return &Feed{state: State{Plan: p, Load: Load{Factor: 1}}, resets: map[[2]string]*Reset{}, every: 1}
}

// Tap returns a recorder that passes all on to another and shows the feed what it
// needs of it.
func (f *Feed) Tap(to session.Recorder) session.Recorder { return tap{to, f} }

type tap struct {
	session.Recorder
	feed *Feed
}

// Window passes a window on.
func (t tap) Window(w attack.Window) {
	t.Recorder.Window(w)
	f := t.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range w.Cells {
		if c.Fault != attack.None && int(c.Fault) < len(f.faults) {
			f.faults[c.Fault] += max(c.Attempts, c.WireResets)
		}
	}
	f.p50 = f.p50.Merge(w.FromDue)
}

// Failure passes a failure on.
func (t tap) Failure(a attack.Failure) {
	t.Recorder.Failure(a)
	if !a.WireReset {
		return
	}
	f := t.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen { // better is known of them
		return
	}
	where := "fresh"
	if a.Conn.Reused {
		where = "reused"
	}
	f.reset(a.End, 1, "from "+a.Conn.Remote.String(), fmt.Sprintf("in phase %s, %s connection", a.Phase, where))
}

// Event passes an event on.
func (t tap) Event(e probe.Event) {
	t.Recorder.Event(e)
	f := t.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e.Kind {
	case probe.RSTSent:
		if !f.seen {
			f.seen = true
			clear(f.resets)
		}
		f.reset(e.At, max(1, e.Count), sender(e), reason(e))
	case probe.OOMKill:
		f.note(fmt.Sprintf("%s: the kernel killed %s on %s for want of memory", clock(e.At), cmp.Or(e.Process, e.Comm), e.Host))
	case probe.PodChange:
		if e.State != probe.PodProbeFailed { // it may be one of many
			f.note(fmt.Sprintf("%s: pod %s of %s: %s", clock(e.At), e.Process, cmp.Or(e.Source.Host, e.Host), strings.TrimSuffix(e.State+", "+e.Reason, ", ")))
		}
	case probe.NeighbourChange:
		f.note(fmt.Sprintf("%s: as %s sees it, %s went from %s to %s", clock(e.At), e.Host, e.Remote.Addr(), e.Reason, e.State))
	case probe.ProcessExit:
		f.note(fmt.Sprintf("%s: %s (pid %d) on %s ended: %s", clock(e.At), cmp.Or(e.Process, e.Comm), e.PID, e.Host, e.Reason))
	}
}

func sender(e probe.Event) string {
	who, pid := cmp.Or(e.Process, e.Comm), e.PID
	if k := e.Kernel; who == "" && k != nil && k.Owner != 0 {
		who, pid = k.OwnerComm, k.Owner
	}
	switch {
	case who == "" && e.Host == "":
		return "the kernel"
	case who == "":
		return "the kernel of " + e.Host
	case pid != 0:
		who += fmt.Sprintf(" (pid %d)", pid)
	}
	return who + " on " + e.Host
}

func reason(e probe.Event) string {
	if e.Kernel != nil && e.Kernel.Path != "" {
		return e.Kernel.Path
	}
	return cmp.Or(e.Reason, e.State)
}

// reset counts a RST with those that are alike.
func (f *Feed) reset(at time.Duration, n uint64, who, why string) {
	key := [2]string{who, why}
	r := f.resets[key]
	if r == nil {
		if len(f.resets) >= mostResets {
			delete(f.resets, f.oldest())
		}
		r = &Reset{Who: oneLine(who), Why: oneLine(why)}
		f.resets[key] = r
	}
	r.At, r.Count = max(r.At, at), r.Count+n
}

func (f *Feed) oldest() [2]string {
	var key [2]string
	first := time.Duration(1<<63 - 1)
	for k, r := range f.resets {
		if r.At < first {
			key, first = k, r.At
		}
	}
	return key
}

// Progress takes the state of a run at the end of a window.
func (f *Feed) Progress(p session.Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Now, f.state.Begun = p, true
	point := Point{At: p.At, Offered: p.Offered, Achieved: p.Achieved, Failed: p.Failures - f.failed, Resets: p.WireResets - f.wire, P99: p.P99}
	if us, ok := f.p50.Quantile(0.5); ok {
		point.P50 = time.Duration(us) * time.Microsecond
	}
	f.p50, f.failed, f.wire = nil, p.Failures, p.WireResets
	course := f.state.Course
	if f.filled > 0 && f.filled < f.every {
		course[len(course)-1] = joined(course[len(course)-1], point)
		f.filled++
		return
	}
	f.filled = 1
	if course = append(course, point); len(course) >= mostPoints {
		half := make([]Point, 0, mostPoints)
		for i := 0; i+1 < len(course); i += 2 {
			half = append(half, joined(course[i], course[i+1]))
		}
		course, f.every = half, 2*f.every
		f.filled = f.every
	}
	f.state.Course = course
}

func joined(a, b Point) Point {
	return Point{
		At: b.At, Offered: (a.Offered + b.Offered) / 2, Achieved: (a.Achieved + b.Achieved) / 2,
		Failed: a.Failed + b.Failed, Resets: a.Resets + b.Resets, P50: max(a.P50, b.P50), P99: max(a.P99, b.P99),
	}
}

// Note shows a line of text.
func (f *Feed) Note(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(text)
}

func (f *Feed) note(text string) {
	notes := append(f.state.Notes, oneLine(text))
	f.state.Notes = notes[max(0, len(notes)-mostNotes):]
}

// Changed takes the load as it was changed by hand.
func (f *Feed) Changed(l Load) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Load = l
}

// Interim takes the report of the run so far, and what making it has taken.
func (f *Feed) Interim(r *report.Report, took time.Duration) {
	in := InterimOf(r)
	in.Took = took
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Interim = &in
}

// InterimOf is what a report of a run that goes on says of it.
func InterimOf(r *report.Report) Interim {
	in := Interim{Upto: r.Ended.Sub(r.Started), Headline: oneLine(render.Finding(r))}
	for _, f := range r.Findings {
		if f.Cause == "" {
			continue
		}
		c := Candidate{Cause: f.Cause, Confidence: f.Confidence, Where: f.Host}
		if f.Process != "" {
			c.Where = report.Resource{Host: f.Host, Process: f.Process, PID: f.PID}.Owner()
		}
		c.Where = oneLine(c.Where)
		for _, e := range f.Evidence {
			if e.Text != "" {
				c.Why = oneLine(e.Text)
				break
			}
		}
		in.Candidates = append(in.Candidates, c)
	}
	slices.SortStableFunc(in.Candidates, func(a, b Candidate) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return in
}

// Snapshot returns the run as it is now. It is the caller's.
func (f *Feed) Snapshot() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state
	s.Course, s.Notes = slices.Clone(s.Course), slices.Clone(s.Notes)
	s.Now.Fullest = slices.Clone(s.Now.Fullest)
	for fault, n := range f.faults {
		if n > 0 {
			s.Faults = append(s.Faults, FaultCount{attack.Fault(fault).String(), n})
		}
	}
	slices.SortStableFunc(s.Faults, func(a, b FaultCount) int { return cmp.Compare(b.Count, a.Count) })
	for _, r := range f.resets {
		s.Resets = append(s.Resets, *r)
	}
	slices.SortFunc(s.Resets, func(a, b Reset) int {
		return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Who+a.Why, b.Who+b.Why))
	})
	return s
}

// stages are those of the load as it is now.
func (s State) stages() []Stage {
	if s.Load.Stages != nil {
		return s.Load.Stages
	}
	return s.Plan.Stages
}

// end is when the load ends; false while nobody knows.
func (s State) end() (time.Duration, bool) {
	all := s.stages()
	if len(all) == 0 || s.Held {
		return 0, false
	}
	return all[len(all)-1].End, true
}

// oneLine is text that anybody may have chosen, as one line of a terminal.
func oneLine(s string) string { return strings.Join(strings.Fields(layout.Clean(s)), " ") }

// clock writes a duration as minutes and seconds.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
