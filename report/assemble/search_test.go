package assemble

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/search"
)

// searchLog is the log of a search against a target that answers so many
// requests a second and resets the rest. Loads are held for 10 s after a second
// of rise, with 5 s between; late is from which load on this machine is late.
func searchLog(t *testing.T, stage profiles.Search, capacity, late float64) *runlog.Log {
	t.Helper()
	log := &runlog.Log{
		Header: runlog.Header{
			Schema: 1, Name: "limit", Interval: interval, Started: time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC),
			Targets:   []runlog.Target{{Name: "orders", URL: "http://orders:80", Share: 1, ListenPort: 80}},
			Stages:    []runlog.Stage{{Text: "search", Kind: "search", End: 4 * time.Minute, From: stage.From, To: stage.To}},
			Generator: runlog.Generator{Engine: "vegeta", Connections: 256, MaxInFlight: 10_000, Timeout: time.Second},
			Hosts:     []runlog.Host{{Name: "local"}},
		},
		Windows: make([][]attack.Window, 1),
	}
	carry := 0.0
	window := func(load float64) {
		i := int32(len(log.Windows[0]))
		carry += load * interval.Seconds()
		due := uint64(carry)
		carry -= float64(due)
		ok := min(due, uint64(math.Round(capacity*interval.Seconds())))
		lag := int64(100)
		if load >= late {
			lag = 90_000
		}
		w := attack.Window{Index: i, Scheduled: due, Sent: due}
		if due > 0 {
			w.Lag = attack.Histogram{{Value: lag, Count: due}}
			w.FromDue = attack.Histogram{{Value: 5000, Count: ok}}
			w.Cells = []attack.Cell{
				{DueWindow: i, Phase: attack.PhaseDone, Attempts: ok, Requests: ok},
				{DueWindow: i, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: due - ok, Requests: due - ok, WireResets: due - ok},
			}
		}
		log.Windows[0] = append(log.Windows[0], w)
	}
	at := func() time.Duration { return time.Duration(len(log.Windows[0])) * interval }
	s := search.New(stage)
	for load, more := s.Next(); more; load, more = s.Next() {
		step := attack.Step{Number: len(log.Steps) + 1, Load: load, Start: at()}
		for i := range 4 {
			window(load * (float64(i) + 0.5) / 4)
		}
		step.Hold = at()
		for range 40 {
			window(load)
		}
		step.End = at()
		window(0)
		step.Drained = at()
		log.Steps = append(log.Steps, step)
		for range 19 {
			window(0)
		}
		v := search.Verdict{Result: report.StepPassed}
		switch {
		case load >= late:
			v.Result = report.StepLimited
		case load > capacity:
			v.Result = report.StepFailed
		case load*10 < 2995: // a share of 0.1 % takes so many
			v = search.Verdict{Result: report.StepUndecided, Clean: true}
		}
		s.Add(load, v)
	}
	log.Trailer = &runlog.Trailer{Ended: at()}
	return log
}

func build(t *testing.T, log *runlog.Log, stage profiles.Search, gates ...string) *report.Report {
	t.Helper()
	r, err := Build(log, Options{Search: &Search{Stage: stage, Until: []profiles.Gate{profiles.DefaultUntil()}}, Gates: gatesOf(t, gates...)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	return r
}

func gatesOf(t *testing.T, exprs ...string) []profiles.Gate { return gates(t, exprs...) }

func TestSearchFromItsLog(t *testing.T) {
	stage := profiles.DefaultSearch(300, 5000)
	for name, c := range map[string]struct {
		from           float64 // 0: 300
		capacity, late float64
		edit           func(*runlog.Log)
		gates          []string
		status         string
		low, high      float64 // of the true capacity
		exit           int
		reason         string
	}{
		"found":             {capacity: 700, late: 1e9, status: report.CapacityFound, low: 700, high: 700, reason: "does not pass"},
		"everything passes": {capacity: 1e9, late: 1e9, status: report.CapacityAtLeast, low: 5000, high: math.Inf(1), reason: "every load passes"},
		"this machine":      {capacity: 1e9, late: 1000, status: report.CapacityAtLeast, low: 1000, high: math.Inf(1), reason: "this machine was the limit: it sent up to 90 ms late"},
		"the first fails":   {capacity: 100, late: 1e9, status: report.CapacityBelow, high: 300, exit: report.ExitFailed, reason: "the first load, 300/s, does not pass: 2,000 of 3,000"},
		"too few requests": {
			from: 3, capacity: 1e9, late: 1e9, status: report.CapacityUndecided, exit: report.ExitUndecided, reason: "at 6/s 0 of 60 (0%): too few to tell, 2,995 without one would do: hold loads longer",
		},
		"interrupted": {
			capacity: 700, late: 1e9, status: report.CapacityAtLeast, low: 600, high: math.Inf(1), exit: report.ExitInterrupted, reason: "the run ended before the search did; so far 600/s passes",
			edit: func(l *runlog.Log) {
				l.Trailer.Interrupted = true
				cut(l, 2, 5*time.Second)
			},
		},
		"killed in the first step": {
			capacity: 700, late: 1e9, status: report.CapacityUndecided, exit: report.ExitInterrupted, reason: "the run ended before the search did",
			edit: func(l *runlog.Log) {
				l.Trailer = nil
				cut(l, 0, 3*time.Second)
			},
		},
		"killed before it began": {
			capacity: 700, late: 1e9, status: report.CapacityUndecided, exit: report.ExitInterrupted, reason: "the run ended before the search did",
			edit: func(l *runlog.Log) { l.Trailer, l.Steps, l.Windows = nil, nil, make([][]attack.Window, 1) },
		},
		"another gate fails": {capacity: 700, late: 1e9, gates: []string{"failures < 0.1% up to 2000/s"}, status: report.CapacityFound, low: 700, high: 700, exit: report.ExitFailed, reason: "does not pass"},
	} {
		t.Run(name, func(t *testing.T) {
			stage := stage
			if c.from > 0 {
				stage = profiles.DefaultSearch(c.from, 2*c.from)
			}
			log := searchLog(t, stage, c.capacity, c.late)
			if c.edit != nil {
				c.edit(log)
			}
			r := build(t, log, stage, c.gates...)
			got := r.Capacity
			if got.Status != c.status || r.ExitCode != c.exit {
				t.Errorf("%s with exit %d, want %s with %d: %+v", got.Status, r.ExitCode, c.status, c.exit, r.Gates)
			}
			if got.RPS == nil != (c.low == 0) || got.RPS != nil && (*got.RPS > c.low || *got.RPS < c.low*0.95 || *got.LowRPS != *got.RPS) {
				t.Errorf("%v/s passed, want up to %v/s", *got.RPS, c.low)
			}
			if got.HighRPS != nil && got.Status == report.CapacityFound && (*got.HighRPS <= c.high || *got.HighRPS > c.high*1.05) {
				t.Errorf("%v/s did not pass, want just above %v/s", *got.HighRPS, c.high)
			}
			if g := r.Gates[0]; !strings.HasPrefix(g.Expr, "search until failures < 0.1%") || !strings.Contains(g.Reason, c.reason) {
				t.Errorf("gate %+v, want %q", g, c.reason)
			}
			if len(got.Steps) != len(log.Steps) || got.Complete != (r.Complete && !r.Interrupted) {
				t.Errorf("%d steps of %d, complete %v", len(got.Steps), len(log.Steps), got.Complete)
			}
			for i, step := range got.Steps {
				if step.Result != report.StepUnfinished && (step.Seconds != 10 || step.Requests == 0) {
					t.Errorf("step %d: %+v", i+1, step)
				}
			}
		})
	}
}

// cut ends a log in a step, so long after it began.
func cut(l *runlog.Log, step int, after time.Duration) {
	l.Steps = l.Steps[:step+1]
	l.Steps[step].End, l.Steps[step].Drained = 0, 0
	end := l.Steps[step].Start + after
	l.Windows[0] = l.Windows[0][:end/interval]
	if l.Trailer != nil {
		l.Trailer.Ended = end
	}
}

// The onset of a search is found in the steps that failed, and named as its
// binding cause when the diagnosis names one.
func TestSearchIsDiagnosedByItsLoads(t *testing.T) {
	log := searchLog(t, profiles.DefaultSearch(300, 5000), 700, 1e9)
	stages := withSteps(log).Header.Stages
	for _, s := range stages {
		if s.Kind == "search" || s.End <= s.Start {
			t.Errorf("stage %+v", s)
		}
	}
	if last := log.Steps[len(log.Steps)-1]; stages[len(stages)-1].From != last.Load || stages[len(stages)-1].End != last.End {
		t.Errorf("the last stage is %+v of step %+v", stages[len(stages)-1], last)
	}
	if log.Header.Stages[0].Kind != "search" {
		t.Error("the log was changed")
	}
	o := build(t, log, profiles.DefaultSearch(300, 5000)).Targets[0].Onset
	if o.Status != "onset" || o.LoadLowRPS == nil || o.BeforeOf != 9600 || *o.LoadLowRPS > 750 || *o.LoadHighRPS < 750 {
		t.Errorf("onset at %v/s (%v to %v), want 750/s, the first window above 700/s, after 9,600 requests: %+v", *o.LoadRPS, *o.LoadLowRPS, *o.LoadHighRPS, o)
	}
}
