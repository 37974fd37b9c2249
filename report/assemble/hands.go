package assemble

import (
	"time"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
)

// withHands returns the log with the stages that were sent, where the load was changed
// by hand while it was sent.
func withHands(log *runlog.Log) *runlog.Log {
	if len(log.Hands) == 0 {
		return log
	}
	out := *log
	over := ended(log)
	stages := log.Header.Stages
	for _, h := range log.Hands {
		stages = append(until(stages, h.At), h.Stages...)
	}
	// A load that is held has no end of its own.
	out.Header.Stages = until(stages, max(over, lastWindow(log)))
	return &out
}

// until returns the stages up to a time, at the load that they have reached by then.
func until(stages []runlog.Stage, at time.Duration) []runlog.Stage {
	var out []runlog.Stage
	for _, s := range stages {
		if s.Start >= at {
			break
		}
		if s.End > at {
			if length := s.End - s.Start; s.Kind == "ramp" || s.Kind == "connections" {
				s.To = s.From + (s.To-s.From)*float64(at-s.Start)/float64(length)
			}
			s.End = at
		}
		out = append(out, s)
	}
	return out
}

// hands are the changes as the report tells them.
func hands(log *runlog.Log) []report.Hand {
	var out []report.Hand
	for _, h := range log.Hands {
		told := report.Hand{AtS: h.At.Seconds(), Action: h.Action, Factor: h.Factor, By: h.By}
		if len(h.Stages) > 0 && h.Stages[0].Kind != closedLoop {
			told.LoadRPS = number(h.Stages[0].From)
		}
		out = append(out, told)
	}
	return out
}
