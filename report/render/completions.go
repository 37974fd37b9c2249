package render

import (
	"fmt"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

// completionFacts say what became of the transactions that targets accepted.
func completionFacts(r *report.Report) []layout.Fact {
	var lines []string
	for _, c := range r.Completions {
		lines = append(lines, completionLine(c))
		if u := unknownLine(c); u != "" {
			lines = append(lines, u)
		}
		if c.Completed == 0 && c.Lost > 0 && c.Polls == nil {
			lines = append(lines, "not one completion came in: can the service reach whom it is to tell?")
		}
		if c.Polls != nil {
			lines = append(lines, pollLine(r, c))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return []layout.Fact{{Label: "completed", Lines: lines}}
}

func completionLine(c report.Completion) string {
	s := fmt.Sprintf("%s: accepted %s, completed %s", c.Target, format.Count(c.Accepted), format.Count(c.Completed))
	if c.Lost > 0 {
		s += "; lost " + format.Count(c.Lost)
		if c.LoadRPS != nil {
			s += ", from " + layout.Rate(c.LoadRPS) + " on"
		}
	}
	if c.Failed > 0 {
		s += "; failed by its own word " + format.Count(c.Failed)
	}
	if p := c.LatencyMS; p.P50 != nil && p.P99 != nil {
		s += fmt.Sprintf("; p50 %s, p99 %s from when they were due", layout.Millis(p.P50), layout.Millis(p.P99))
	}
	return s
}

func unknownLine(c report.Completion) string {
	var why []string
	add := func(n uint64, reason string) {
		if n > 0 {
			why = append(why, format.Count(n)+" "+reason)
		}
	}
	unreachable := "messages were missed while they were pending"
	if c.Polls != nil {
		unreachable = "could not be asked for: the status endpoint did not answer"
	}
	add(c.Unknown.Unreachable, unreachable)
	add(c.Unknown.Open, "still pending when the wait was over: raise completion.drain")
	add(c.Unknown.NotFollowed, "not followed: too many were pending")
	add(c.Unknown.NotNamed, "whose answer does not say where to ask")
	if len(why) == 0 {
		return ""
	}
	return c.Target + ": not known " + strings.Join(why, ", ")
}

func pollLine(r *report.Report, c report.Completion) string {
	s := fmt.Sprintf("%s: asked %s times, beside the load", c.Target, format.Count(c.Polls.Sent))
	if seconds := r.Ended.Sub(r.Started).Seconds(); seconds > 0 {
		mean := float64(c.Polls.Sent) / seconds
		s += fmt.Sprintf(" (%s on average)", layout.Rate(&mean))
	}
	if c.Polls.Failed > 0 {
		s += fmt.Sprintf("; %s polls failed", format.Count(c.Polls.Failed))
	}
	return s
}

// asidePhrase says what a target does with what is counted beside its requests; empty: t
// does not stand for that.
func asidePhrase(t report.Target) string {
	switch {
	case t.Part == profiles.RoleCompletion && t.Onset.Fault == "timeout":
		return t.Of + " loses transactions that it accepted"
	case t.Part == profiles.RoleCompletion:
		return t.Of + " fails transactions that it accepted"
	case t.Part == profiles.RoleStatus:
		return "the status of " + t.Of + " " + faultPhrase(t.Onset.Fault)
	case t.Part == profiles.RoleFirst:
		return t.Of + " does not say its first message"
	case t.Part == profiles.RolePing:
		return t.Of + " leaves pings unanswered"
	}
	return ""
}
