package inquiry

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/saturation"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// Leaking is the climb of a resource that goes on at any load.
type Leaking struct {
	evidence.Climb
	Load float64 // constant load at which it grew, requests per second; 0 where the load varied
}

// Leak returns the climb of the resource that a hypothesis ran out of, where it is a leak. A leak
// grows steadily at constant load, or with the total of requests sent rather than with the rate, so
// that it reaches the limit at any load, sooner or later.
func (inquiry *Investigation) Leak(h *Hypothesis) (Leaking, bool) {
	r := h.Lead
	if r == nil || r.Def.Cumulative || r.Def.Kind == probe.Utilisation {
		return Leaking{}, false
	}
	g, ok := saturation.LongestClimb(inquiry.Run, r)
	if !ok || g.To-g.From < 5 || g.Value-g.Begin < 0.25*r.Peak {
		return Leaking{}, false
	}
	// What requests in flight hold is given back once they are answered: that is no leak.
	from, to := inquiry.Run.Window(g.From), inquiry.Run.Window(g.To)
	waiting := (inquiry.Target.InFlight[to] - inquiry.Target.InFlight[from]) / (g.Value - g.Begin)
	if r.Def.Unit == "bytes" {
		waiting = 0
	}
	load, held := inquiry.Run.Constant(g.From, g.To)
	switch {
	case held:
		return Leaking{g, load}, g.Late >= g.Early/3 && waiting < 0.5
	default:
		return Leaking{Climb: g}, waiting < 0.2 && growsWithTotal(inquiry.Case, r, g)
	}
}

// GrewUntilDeath says that the memory of a process grew until it ended; empty where it did not. The
// heap may have had a limit of its own, which no limit of the system shows.
func (inquiry *Investigation) GrewUntilDeath(h *Hypothesis) string {
	d := FirstDeath(inquiry, h)
	if d == nil {
		return ""
	}
	for _, r := range inquiry.Run.Resources {
		m := r.Metric
		if m.Name != probe.RSS || m.Process != d.Process || m.PID != d.Pid || len(r.Value) == 0 {
			continue
		}
		first, last := r.Value[0], r.Value[0]
		for i, t := range r.At {
			if t < d.At {
				last = r.Value[i]
			}
		}
		if last >= 1.5*first && last-first >= 16<<20 {
			return fmt.Sprintf("look for a limit of its heap, and for a leak: %s grew from %s to %s before it ended", evidence.Whose(r), format.Amount(first, "bytes"), format.Amount(last, "bytes"))
		}
	}
	return ""
}

// growsWithTotal reports whether the total of requests sent up to each time predicts a climb far
// better than the load at that time, the requests in flight or the open connections do.
func growsWithTotal(c *evidence.Case, r *evidence.Resource, g evidence.Climb) bool {
	var value, total, load, inFlight, open []float64
	sent, counted := 0.0, 0 // summed up window by window: runs may last for days
	for i, t := range r.At {
		w := c.Run.Window(t)
		for ; counted <= w && counted < len(c.Target.Attempts); counted++ {
			sent += c.Target.Attempts[counted]
		}
		if t < g.From || t > g.To {
			continue
		}
		value = append(value, r.Value[i])
		total = append(total, sent)
		load = append(load, c.Run.LoadAt(t))
		inFlight = append(inFlight, c.Target.InFlight[w])
		open = append(open, c.Target.Open[w])
	}
	const clear = 0.95 // share of the variance that the total must explain
	left := 1 - evidence.Square(stat.Correlation(total, value, nil))
	for _, other := range [][]float64{load, inFlight, open} {
		if left > 0.25*(1-evidence.Square(stat.Correlation(other, value, nil))) {
			return false
		}
	}
	return 1-left >= clear
}

// Leaks says in words what leaks, how fast, and how much for each request.
func (inquiry *Investigation) Leaks(h *Hypothesis, g Leaking) string {
	each := ""
	if sent := inquiry.SentBetween(g.From, g.To); sent > 0 {
		each = format.Amount((g.Value-g.Begin)/sent, h.Lead.Def.Unit) + " a request"
	}
	grew, at := each+" of all that were sent", "at whatever load"
	if g.Load > 0 {
		grew, at = words.Join(words.PerSecond(g.Slope, h.Lead.Def.Unit), each), "while the load stayed at "+inquiry.Run.LoadText(g.Load, g.From)
	}
	return fmt.Sprintf("%s grew by %s, %s: a leak, which reaches any limit at any load, sooner or later", evidence.Whose(h.Lead), grew, at)
}

// delays says how long another limit would have lasted.
func (g Leaking) delays(limit float64) string {
	switch {
	case g.Slope <= 0 || limit <= g.Begin:
		return ""
	case g.Load == 0:
		return "only delays it"
	}
	return fmt.Sprintf("only delays it, to about %s after a start", format.Seconds((limit-g.Begin)/g.Slope))
}

// PortsHeld estimates how many local ports the highest load of the run needs where each request
// leaves its port in TIME_WAIT: the ports that a request took on the way to the limit, times the
// requests within one TIME_WAIT. closed is how many ports were in that state. ok is false where
// ports did not run out that way.
func (inquiry *Investigation) PortsHeld(r *evidence.Resource) (need, closed float64, ok bool) {
	if r == nil || r.Metric.Name != probe.EphemeralPorts || r.Full == nil {
		return 0, 0, false
	}
	for _, w := range inquiry.Run.Resources {
		if w.Metric.Name != probe.TimeWait || w.Metric.Host != r.Metric.Host || w.Metric.Process != "" {
			continue
		}
		for i, t := range w.At {
			if math.Abs(t-r.Full.At) <= 2 {
				closed = max(closed, min(w.Value[i], r.Peak))
			}
		}
	}
	if closed < 0.5*r.Peak {
		return 0, 0, false // open connections hold the ports, or the host's TIME_WAIT was not read
	}
	begin := math.NaN()
	start := r.Full.At
	for i, t := range r.At {
		if t <= r.Full.At && t > r.Full.At-evidence.TimeWaitFor && t >= 0 && (math.IsNaN(begin) || r.Value[i] < begin) {
			begin, start = r.Value[i], t
		}
	}
	sent := inquiry.SentBetween(start, r.Full.At)
	if math.IsNaN(begin) || sent <= 0 {
		return 0, closed, true
	}
	each := min(1, (r.Peak-begin)/sent)
	return format.RoundUp(each * inquiry.Run.MaxLoad() * evidence.TimeWaitFor), closed, true
}
