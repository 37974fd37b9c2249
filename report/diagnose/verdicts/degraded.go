package verdicts

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/stats"
)

const (
	tailShare   = 0.005 // of the answers, to be worth a finding
	tailTimes   = 5.0   // of the median
	resentLeast = 20.0  // segments
	fewAnswers  = 200
)

// slowness is one way in which answers come late without failing: what shows it, and
// what to do.
type slowness struct {
	cause  string
	why    string
	source string
	advice []string
	full   *evidence.Resource // that ran out, if one did
}

// degraded tells of answers that came, but many of them late in a way that has a cause of
// its own: in the steps of retransmission timers or delayed acknowledgements, in the
// periods of a processor quota, or because the whole process stood still. Nil: none.
func degraded(c *inquiry.Investigation, g evidence.GeneratorState) *Finding {
	if g.Limited {
		return nil
	}
	l := evidence.LateAnswers(c.Case, evidence.RetransmitWait, tailTimes)
	if l.All < fewAnswers {
		return nil
	}
	var s slowness
	if l.Late >= math.Max(10, tailShare*l.All) {
		for _, look := range []func(*inquiry.Investigation, evidence.Lateness) (slowness, bool){lateByQueue, lateBySyn, lateByPauses, lateByThrottling, lateByLoss} {
			var ok bool
			if s, ok = look(c, l); ok {
				break
			}
		}
	}
	if s.cause == "" {
		for _, look := range []func(*inquiry.Investigation, evidence.Lateness) (slowness, bool){lateByThrottling, lateByAcks, lateByPauses} {
			short := evidence.LateAnswers(c.Case, 0.03, 3)
			if short.Late < math.Max(10, tailShare*short.All) {
				return nil
			}
			var ok bool
			if s, ok = look(c, short); ok {
				l = short
				break
			}
		}
	}
	if s.cause == "" {
		return nil
	}
	tails := fmt.Sprintf("half of the answers took at most %s, one in a hundred %s and more; %s of %s took more than %s",
		format.Seconds(l.Typical), format.Seconds(l.Tail), format.Number(l.Late), format.Number(l.All), format.Seconds(l.From))
	began, at := lateFrom(c, l)
	f := healthy(c, g)
	f.Verdict, f.Cause, f.Confidence = Degraded, s.cause, 0.9
	if k, ok := causes.KindOf(s.cause); ok {
		f.Tier, f.Mechanism = k.Tier, k.Mechanism
	}
	f.Summary = fmt.Sprintf("%s answers late%s: %s. %s. %s", words.Capital(c.Name()), began, tails, words.Capital(s.why), f.Summary)
	f.Evidence = append(append([]inquiry.Evidence{{Source: "client", Text: tails, At: at}, {Source: s.source, Text: s.why}}, lateProcess(c)...), f.Evidence...)
	f.Advice = s.advice
	f.Resource, f.Host, f.Process, f.PID, f.Nearest = "", "", "", 0, nil
	if s.full != nil {
		m := s.full.Metric
		f.Resource, f.Host, f.Process, f.PID = m.Name, m.Host, m.Process, m.PID
	}
	if at, ok := gather.Culprit(c.Case); ok && s.cause == "process-paused" {
		f.Host, f.Process = at.Host, at.Process()
	}
	return &f
}

// MarkSlowing marks the resources that findings name for answers which only came late:
// nothing failed, so no onset dates them.
func MarkSlowing(findings []Finding, resources []Resource) {
	for _, f := range findings {
		for i := range resources {
			r := &resources[i]
			if f.Verdict == Degraded && r.Metric.Name == f.Resource && r.Metric.Host == f.Host && r.Metric.Process == f.Process && r.Metric.PID == f.PID && r.Saturated != nil {
				r.Verdict, r.Reason = Cause, fmt.Sprintf("full at %s; answers came late", format.Seconds(r.Saturated.Value))
			}
		}
	}
}

// lateFrom says from which load on answers came late, and when that began.
func lateFrom(c *inquiry.Investigation, l evidence.Lateness) (text string, at *time.Duration) {
	r := stats.Rates{Step: c.Run.Step, Count: l.Count, Exposure: l.Exposure, Load: c.Run.Load[:c.Run.N]}
	rise := stats.FindRise(r, stats.RiseOptions{Alpha: evidence.FalseAlarms / float64(2*max(1, len(c.Run.Targets))), Floor: evidence.SmallestRate})
	switch rise.Status {
	case stats.FromStart:
		return " from the start", nil
	case stats.Recurring:
		return fmt.Sprintf(" again and again, every %s", format.Seconds(rise.Period)), nil
	case stats.Lasting:
		t := c.Run.Seconds(float64(rise.At))
		return fmt.Sprintf(" from %s on, %s into the load", c.Run.LoadText(c.Run.LoadAt(t), t), format.Seconds(t)), words.Pointer(t)
	}
	return "", nil
}

// lateByQueue: the accept queue was full. What its kernel drops then, a SYN, or the end of a
// handshake and so the request behind it, is sent again like what a network lost; the
// counter of the queue tells the two apart.
func lateByQueue(c *inquiry.Investigation, l evidence.Lateness) (slowness, bool) {
	again := math.Max(counted(c, probe.RetransSegs), counted(c, probe.SynRetrans))
	overflows := counted(c, probe.ListenOverflows) + counted(c, probe.ReqQueueFullDrop)
	if again < 10 || again < 0.3*l.Late || overflows < 0.3*again {
		return slowness{}, false
	}
	s := slowness{
		cause: "listen-backlog", source: "kernel counters",
		why: fmt.Sprintf("%s segments were sent again; the accept queue of the serving host overflowed %s",
			format.Number(again), format.Counted(overflows, "time")),
		advice: []string{"raise net.core.somaxconn and the backlog that the application asks for, or accept sooner; keep connections open, so that fewer come up"},
	}
	for _, r := range c.Run.Resources { // without a descriptor nobody accepts
		if r.Metric.Name == probe.OpenFiles && r.Full != nil && !r.Full.Flicker && !evidence.GeneratorOwn(r.Metric) && serves(c, r.Metric) {
			s.cause, s.full = "server-file-descriptors", r
			s.why += fmt.Sprintf(", for %s had no file descriptor left to accept with: %s of %s from %s on",
				evidence.Place(r), format.Number(r.Full.Value), format.Number(r.Limit), format.Seconds(r.Full.At))
			s.advice = c.FileAdvice(&inquiry.Hypothesis{Lead: r})
			break
		}
	}
	return s, true
}

// lateByLoss: what the network lost was sent again.
func lateByLoss(c *inquiry.Investigation, l evidence.Lateness) (slowness, bool) {
	resent := counted(c, probe.RetransSegs)
	if resent < math.Max(resentLeast, 0.5*l.Late) {
		return slowness{}, false
	}
	return slowness{
		cause: "packet-loss", source: "kernel counters",
		why: fmt.Sprintf("%s segments were sent again, and each costs its answer 0.2 s, 1 s or more%s", format.Number(resent), lostWhere(c)),
		advice: []string{
			"look for the lossy link: interface errors and drops (ip -s link), queue drops (tc -s qdisc), a duplex or cable fault, a filter that drops at random",
		},
	}, true
}

// lostWhere names a counter of drops that moved meanwhile.
func lostWhere(c *inquiry.Investigation) string {
	for _, name := range []string{probe.NICErrors, probe.NICDrops, probe.QdiscDrops, probe.SoftnetDrops} {
		for _, r := range c.Run.Resources {
			if r.Metric.Name == name && r.Counter != nil && r.Counter.Total >= 5 {
				return fmt.Sprintf("; %s of %s grew by %s", strings.TrimSpace(strings.ReplaceAll(name, "-", " ")+" "+r.Metric.Instance), r.Metric.Host, format.Number(r.Counter.Total))
			}
		}
	}
	return ""
}

// lateBySyn: connections came up only when their SYN was sent again, after 1 s, 3 s or 7 s.
func lateBySyn(c *inquiry.Investigation, l evidence.Lateness) (slowness, bool) {
	again, near := counted(c, probe.SynRetrans), l.Near(evidence.SynWait)
	if again < 10 || again < 0.3*l.Late || near < 0.5 {
		return slowness{}, false
	}
	return slowness{
		cause: "packet-loss", source: "kernel counters",
		why: fmt.Sprintf("%s SYNs were sent again, and %s of the late answers took 1 s, 3 s or 7 s and hardly more: connections did not come up at the first try",
			format.Number(again), format.Percent(near)),
		advice: []string{"look for what loses SYNs: a rate limit for new connections, a full connection table, a lossy link (ip -s link)"},
	}, true
}

// lateByPauses: all requests stood still again and again.
func lateByPauses(c *inquiry.Investigation, l evidence.Lateness) (slowness, bool) {
	if counted(c, probe.RetransSegs) >= 0.5*l.Late {
		return slowness{}, false
	}
	stops, longest := evidence.Stops(c.Case), 0.0
	for _, s := range stops {
		longest = math.Max(longest, s.To-s.From)
	}
	if len(stops) < 3 {
		spells, most := l.Bursts(c.Run.Step)
		if len(spells) < 3 {
			return slowness{}, false
		}
		stops, longest = spells, most
	}
	why := fmt.Sprintf("%s all that was asked at one time waited, for up to %s, and then was answered together", format.Counted(float64(len(stops)), "time"), format.Seconds(longest))
	if text := c.Way.Text(); text != "" {
		why += ". Meanwhile " + text
	}
	advice := "look for what stops all of the process: garbage collection, a blocked event loop, a frozen container; its log or a profile at those times tells"
	if pause, host := longestPause(c); pause >= 0.3*longest {
		why += fmt.Sprintf("; garbage collection on %s stopped the process for up to %s", host, format.Seconds(pause))
		advice = "tune the garbage collector, or give it more memory: its pauses are what requests wait for"
	}
	s := slowness{cause: "process-paused", source: "client", why: why, advice: []string{advice}}
	if ended := endedIn(c, stops); 2*ended >= len(stops) {
		s.cause = "worker-recycling"
		s.why += fmt.Sprintf("; %s of these times a process of the service had just ended", format.Number(float64(ended)))
		s.advice = []string{"let workers live longer, spread their ends (max_requests_jitter), and keep spare ones ready before one ends"}
	}
	return s, true
}

// endedIn counts the stops in which, or just before which, a process of a serving host
// ended.
func endedIn(c *inquiry.Investigation, stops []evidence.Spell) int {
	n := 0
	for _, s := range stops {
		near := false
		for _, h := range c.Hops {
			for _, d := range kernels.Deaths(c.Case, h) {
				near = near || d.At > s.From-1.5 && d.At < s.To+0.5
			}
		}
		if near {
			n++
		}
	}
	return n
}

// longestPause returns the longest pause for garbage collection that a serving process
// reported, in seconds.
func longestPause(c *inquiry.Investigation) (seconds float64, host string) {
	for _, r := range c.Run.Resources {
		if r.Metric.Name == probe.GCPause && !evidence.GeneratorOwn(r.Metric) && r.Peak > seconds {
			seconds, host = r.Peak, r.Metric.Host
		}
	}
	return seconds, host
}

// lateByThrottling: the serving processes had used up their share of a period, again and
// again.
func lateByThrottling(c *inquiry.Investigation, l evidence.Lateness) (slowness, bool) {
	for _, r := range c.Run.Resources {
		if r.Metric.Name != probe.CPUThrottled || r.Counter == nil || evidence.GeneratorOwn(r.Metric) || !serves(c, r.Metric) {
			continue
		}
		n := r.Counter.Between(0, c.Run.Duration())
		if share := n * evidence.ThrottlePeriod / c.Run.Duration(); n < 10 || share < 0.05 {
			continue
		}
		if l.Within(0.02, evidence.ThrottlePeriod*1.2+l.Typical)+l.Within(evidence.ThrottlePeriod, math.Inf(1)) < tailShare {
			continue
		}
		return slowness{
			cause: "processor-throttled", source: "probe of " + r.Metric.Host,
			why:    fmt.Sprintf("the processor quota of %s was used up in %s periods of 0.1 s: whatever comes then waits for the next one", evidence.Place(r), format.Number(n)),
			advice: []string{"raise the quota (cpu.max, CPUQuota=, limits.cpu), or run fewer threads at once so that it lasts for the whole period"},
		}, true
	}
	return slowness{}, false
}

// lateByAcks: answers waited for an acknowledgement that itself waited for data.
func lateByAcks(c *inquiry.Investigation, l evidence.Lateness) (slowness, bool) {
	in := l.Within(0.98*evidence.DelayedAckWait, 1.15*evidence.DelayedAckWait+l.Typical)
	if l.Typical > 0.2*evidence.DelayedAckWait || in < tailShare || in*l.All < 0.7*l.Late {
		return slowness{}, false
	}
	return slowness{
		cause: "delayed-ack", source: "client",
		why:    fmt.Sprintf("%s of the late answers took 40 ms and hardly more: one side waited to send the rest until what it had sent was acknowledged, and the other delays that for 40 ms", format.Percent(in*l.All/l.Late)),
		advice: []string{"write a response, or a request, in one piece, or set TCP_NODELAY on the connection of the side that writes in several"},
	}, true
}

// serves reports whether a metric is of a host that serves the target.
func serves(c *inquiry.Investigation, m probe.Metric) bool {
	for _, h := range c.Hops {
		if h.Has(m.Host) || c.Run.SpeaksFor(m, h) {
			return true
		}
	}
	return false
}

// counted returns how much a kernel counter of this machine or of a serving host grew;
// the larger, for both may be parts of one machine.
func counted(c *inquiry.Investigation, name string) float64 {
	most := 0.0
	for _, r := range c.Run.Resources {
		if r.Metric.Name != name || r.Counter == nil || r.Metric.Process != "" {
			continue
		}
		if r.Metric.Host == evidence.LocalHost || serves(c, r.Metric) {
			most = math.Max(most, r.Counter.Total)
		}
	}
	return most
}

// lateProcess tells where kernels saw connections or data wait for the process.
func lateProcess(c *inquiry.Investigation) (list []inquiry.Evidence) {
	const late = 0.1 // seconds
	for _, h := range c.Hops {
		for _, one := range [][2]string{{"accept", "accepted"}, {"read", "read"}} {
			if w := kernels.Waits(c.Case, h, one[0]); w.Slowest >= late {
				list = append(list, inquiry.Evidence{Source: "kernel of " + h.Host, Text: w.Text(one[1]), At: words.Pointer(w.At)})
			}
		}
	}
	return list
}
