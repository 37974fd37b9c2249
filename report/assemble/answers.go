package assemble

import (
	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/answers"
	"github.com/rampload/rampload/report/runlog"
)

// answersOf sums what failures of a target were answered.
func answersOf(log *runlog.Log, target int) []answers.Answer {
	var of []*attack.Failure
	for i := range log.Failures {
		if int(log.Failures[i].Target) == target {
			of = append(of, &log.Failures[i])
		}
	}
	all := log.Header.Targets[target].Endpoints
	return answers.SumAnswers(of, log.Header.Targets[target].Content, func(endpoint uint32) string {
		if int(endpoint) >= len(all) {
			return ""
		}
		return all[endpoint].Name
	})
}

// byRequest counts by request, nil for a target that has one or whose requests are not
// listed.
func byRequest(log *runlog.Log, target int) []answers.Request {
	all := log.Header.Targets[target].Endpoints
	if len(all) < 2 {
		return nil
	}
	sums := make([]attack.RequestCount, len(all))
	counted := false
	for _, w := range windowsOf(log, target) {
		for _, r := range w.Requests {
			if int(r.Endpoint) < len(sums) {
				sums[r.Endpoint].Attempts += r.Attempts
				sums[r.Endpoint].Failed += r.Failed
				sums[r.Endpoint].Sent += r.Sent
				sums[r.Endpoint].Received += r.Received
				counted = true
			}
		}
	}
	if !counted {
		return nil
	}
	out := make([]answers.Request, len(all))
	for i, s := range sums {
		out[i] = answers.Request{Name: all[i].Name, Attempts: s.Attempts, Failed: s.Failed}
		if s.Sent > 0 {
			out[i].SentBytes = number(float64(s.Sent) / float64(s.Attempts))
		}
		if ok := s.Attempts - s.Failed; ok > 0 {
			out[i].ReceivedBytes = number(float64(s.Received) / float64(ok))
		}
	}
	return out
}
