// Package generator says whether the machine that sent the load was its limit, and what that
// means for the targets.
package generator

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// State says whether this machine was the limit: it fell behind the
// schedule, sent late, or ran out of ports, descriptors or buffers, for a second
// and more. Requests that waited because the client's own pool or its
// max-in-flight was full are the target's slowness, not the generator's.
//
// Where several workers sent the load, each is judged by itself: one that falls behind
// is a generator's limit, however well the others do, and the reason names it.
func State(a *evidence.Run) evidence.GeneratorState {
	out := sender{a}.state()
	for _, part := range a.Log.Parts {
		if part.Header.Role != runlog.RoleWorker {
			continue
		}
		worker := sender{evidence.NewRun(part)}.state()
		if worker.CPU > out.CPU || math.IsNaN(out.CPU) {
			out.CPU = worker.CPU
		}
		out.LagP99 = max(out.LagP99, worker.LagP99)
		// What one worker does not send is missing in the sum a little later.
		if worker.Limited && (!out.Limited || worker.At <= out.At+time.Second) {
			out.Limited, out.Cause, out.At, out.Load = true, worker.Cause, worker.At, a.LoadAt(worker.At.Seconds())
			out.Reason = fmt.Sprintf("worker %s: %s", part.Header.Member, worker.Reason)
		}
	}
	return out
}

// sender is a run as one generator sent it.
type sender struct{ *evidence.Run }

func (a sender) state() evidence.GeneratorState {
	out := evidence.GeneratorState{CPU: math.NaN()}
	var lag attack.Histogram
	for _, t := range a.Targets {
		for _, w := range t.Windows {
			lag = lag.Merge(w.Lag)
		}
	}
	if p, ok := lag.Quantile(0.99); ok {
		out.LagP99 = words.Microseconds(p)
	}
	if s := a.Find(evidence.LocalHost, evidence.LocalProcess, probe.ProcessCPU); s != nil && len(s.Value) > 0 {
		out.CPU = 0
		for i, v := range s.Value {
			if at := s.At[i].Seconds(); at >= -1 && at <= a.Duration()+1 { // as of any resource: its own start costs more
				out.CPU = max(out.CPU, v)
			}
		}
	}
	for _, check := range []func() (int, string, string, bool){a.localFaults, a.lateSends, a.shortfall, a.heldLate} {
		window, cause, reason, ok := check()
		if at := words.Seconds(a.Seconds(float64(window))); ok && (!out.Limited || at < out.At) {
			out.Limited, out.Cause, out.Reason, out.At = true, cause, reason, at
			out.Load = a.LoadAt(at.Seconds())
		}
	}
	return out
}

// localFaults finds the first second in which the generator's own resources
// failed attempts in at least three windows of four.
func (a sender) localFaults() (window int, cause, reason string, found bool) {
	counts := make([]float64, a.N)
	var byFault [attack.Faults]float64
	total := 0.0
	for _, t := range a.Targets {
		for _, w := range t.Windows {
			for _, c := range w.Cells {
				if c.Fault.Local() && int(w.Index) < a.N && w.Index >= 0 {
					counts[w.Index] += float64(c.Attempts)
					byFault[c.Fault] += float64(c.Attempts)
					total += float64(c.Attempts)
				}
			}
		}
	}
	window, found = a.sustained(func(i int) bool { return counts[i] > 0 })
	if !found {
		return 0, "", "", false
	}
	switch {
	case byFault[attack.PortsExhausted] >= total/2:
		cause, reason = "client-ephemeral-ports", "attempts failed because no local port was left (EADDRNOTAVAIL)"
	case byFault[attack.FDsExhausted] >= total/2:
		cause, reason = "client-file-descriptors", "attempts failed because rampload had no file descriptor left (EMFILE)"
	default:
		cause, reason = "client-cpu", "attempts failed for lack of socket buffers (ENOBUFS)"
	}
	return window, cause, fmt.Sprintf("%s of its own %s", format.Number(total), reason), true
}

// lateSends finds the first second in which the 99th percentile of the send lag
// is above a millisecond and a tenth of a window.
func (a sender) lateSends() (window int, cause, reason string, found bool) {
	limit := attack.FairLag(words.Seconds(a.Step)).Seconds()
	worst := make([]float64, a.N)
	for _, t := range a.Targets {
		for _, w := range t.Windows {
			i := int(w.Index)
			if i < 0 || i >= a.N || a.waiting(t, w) {
				continue
			}
			if p, ok := w.Lag.Quantile(0.99); ok {
				worst[i] = max(worst[i], words.Microseconds(p).Seconds())
			}
		}
	}
	late := func(i int) bool { return worst[i] > limit }
	window, found = a.sustained(late)
	if !found {
		return 0, "", "", false
	}
	most := 0.0
	for _, v := range worst[window:] {
		most = max(most, v)
	}
	return window, "client-cpu", fmt.Sprintf("it sent up to %s late (99th percentile of a window; at most %s is fair)",
		format.Seconds(most), format.Seconds(limit)), true
}

// shortfall finds the first second in which less than 98 % of the requests due
// were sent, though nothing but the generator held them back.
func (a sender) shortfall() (window int, cause, reason string, found bool) {
	excused := make([]bool, a.N)
	capped := -1
	for _, t := range a.Targets {
		for _, w := range t.Windows {
			if i := int(w.Index); i >= 0 && i < a.N && a.waiting(t, w) {
				excused[i] = true
				if capped < 0 && w.Unsent > 0 {
					capped = i
				}
			}
		}
	}
	if capped >= 0 {
		a.Warn("from %s/s on requests were left unsent because %s were in flight: the targets answered too slowly for a higher load",
			format.Number(a.Load[capped]), format.Number(float64(a.Log.Header.Generator.MaxInFlight)))
	}
	const few = 3 // requests may be on their way across the borders of a second
	k := max(1, int(math.Round(attack.FairFor.Seconds()/a.Step)))
	for _, t := range a.Log.Takeovers { // a worker was lost, which is no limit
		for i := max(int(t.From), 0); i < min(int(t.Until)+k, a.N); i++ {
			excused[i] = true
		}
	}
	if a.neverSent() <= few {
		return 0, "", "", false
	}
	short := func(i int) bool {
		if i+1 < k || excused[i] {
			return false
		}
		due, sent := evidence.Sum(a.Offered[i+1-k:i+1]), evidence.Sum(a.Sent[i+1-k:i+1])
		return due > 0 && sent < attack.FairShare*due && due-sent > few
	}
	window, found = a.sustained(short)
	if !found {
		return 0, "", "", false
	}
	window = max(0, window+1-k)
	least := 1.0
	for i := window; i < a.N; i++ {
		if short(i) {
			least = min(least, evidence.Sum(a.Sent[i+1-k:i+1])/evidence.Sum(a.Offered[i+1-k:i+1]))
		}
	}
	return window, "client-cpu", fmt.Sprintf("it sent as little as %s of the requests due", format.Percent(least)), true
}

// neverSent returns how many of the requests that were due were not sent at all: a journey
// may pause before its first request, and what was merely late is told as such. What a stop
// left unsent nobody owes.
func (a sender) neverSent() float64 {
	left := evidence.Sum(a.Offered) - evidence.Sum(a.Sent)
	if t := a.Log.Trailer; t != nil && (t.Aborted != "" || t.Interrupted) {
		for _, x := range a.Targets {
			for _, w := range x.Windows {
				if int(w.Index) >= a.N-2 {
					left -= float64(w.Unsent)
				}
			}
		}
	}
	return left
}

// heldLate finds the first second in which more than 2 % of the connections that were
// to be held had not even begun to be opened.
func (a sender) heldLate() (window int, cause, reason string, found bool) {
	wanted, late := make([]float64, a.N), make([]float64, a.N)
	for _, t := range a.Targets {
		for _, w := range t.Windows {
			if i := int(w.Index); i >= 0 && i < a.N {
				wanted[i] += float64(w.Wanted)
				late[i] += float64(w.Undialled)
			}
		}
	}
	short := func(i int) bool { return late[i] > (1-attack.FairShare)*wanted[i] && late[i] > 3 }
	window, found = a.sustained(short)
	if !found {
		return 0, "", "", false
	}
	worst := window
	for i := window; i < a.N; i++ {
		if late[i] > late[worst] {
			worst = i
		}
	}
	reason = fmt.Sprintf("it had not begun to open %s of the %s connections that were due", format.Number(late[worst]), format.Number(wanted[worst]))
	if most := a.Log.Header.Generator.MaxInFlight; most > 0 && wanted[worst] > float64(most) {
		reason += fmt.Sprintf(" (client.max-in-flight lets %s be opened at once)", format.Number(float64(most)))
	}
	return window, "client-cpu", reason, true
}

// waiting reports whether requests of a target wait for one of the client's own
// limits at the end of a window: its pool of connections, or max-in-flight.
func (a sender) waiting(t *evidence.Target, w attack.Window) bool {
	g := a.Log.Header.Generator
	return attack.Waiting(w.InFlight, g.Connections, g.MaxInFlight) && !a.ownProcessorFull(a.Seconds(float64(w.Index)))
}

// sustained returns the first window of a second in which a condition holds in
// three windows of four, and from which on it holds in at least a third of the
// windows with no lower load: a hiccup is no limit.
func (a sender) sustained(holds func(int) bool) (int, bool) {
	k := max(2, int(math.Round(attack.FairFor.Seconds()/a.Step)))
	for i := 0; i+k <= a.N; i++ {
		if !holds(i) {
			continue
		}
		n := 0
		for j := i; j < i+k; j++ {
			if holds(j) {
				n++
			}
		}
		if 4*n < 3*k {
			continue
		}
		var held, all int
		for j := i; j < a.N; j++ {
			if a.Load[j] >= 0.95*a.Load[i] {
				all++
				if holds(j) {
					held++
				}
			}
		}
		if 3*held >= all {
			return i, true
		}
	}
	return 0, false
}

// Limit decides what the generator's limit means for each target: what
// began before the limit was the target's.
func Limit(g *evidence.GeneratorState, cases []*evidence.Case) {
	if !g.Limited {
		return
	}
	for _, c := range cases {
		limit := g.At.Seconds()
		switch h := c.Onset; {
		case Borne(g, c):
		case h == nil || h.Status == evidence.NoOnset:
			c.Censored = true
		case h.Status == evidence.Found || h.Status == evidence.Transient || h.Status == evidence.Periodic:
			c.Censored = limit <= h.At.High && (g.Cause != "client-cpu" || !made(c))
		}
	}
}

// Borne reports whether a case was made of nothing but what the generator bore: its log ends
// where the generator's limit begins.
func Borne(g *evidence.GeneratorState, c *evidence.Case) bool {
	return g.Limited && c.Run.Duration() <= g.At.Seconds()+c.Run.Step/2
}

// made reports whether the failures are of a kind that a generator which is late cannot
// make: somebody else answered, or refused, or requests were seen to stand at a hop for
// most of the time that they waited.
func made(c *evidence.Case) bool {
	if c.Parts.Share(attack.Status, attack.Refused, attack.Reset, attack.BrokenPipe, attack.HTTP2Reset) >= 0.5 {
		return true
	}
	if c.Way == nil || c.Way.Culprit == nil || c.Way.Culprit.Worst == nil {
		return false
	}
	at := c.Way.Culprit
	if at.Worst.Host == evidence.LocalHost && at.State == report.StandsNoProcessor {
		return false // they share the processor
	}
	waited := evidence.QuantileOf(c.Durations(func(x *attack.Failure) bool { return x.Phase != attack.PhaseIdle }), 0.5)
	return slices.ContainsFunc(c.Way.Walked, func(s *waiting.Step) bool {
		return s.Now.Oldest >= 0.5*waited || s.To != nil && s.To.Oldest >= 0.5*waited
	})
}

// ownProcessorFull reports whether the generator had used up its processor around a
// time: then it may be why its own pool is full, and nobody else is to be accused.
func (a sender) ownProcessorFull(at float64) bool {
	s := a.Find(evidence.LocalHost, evidence.LocalProcess, probe.ProcessCPU)
	if s == nil {
		return false
	}
	var near []float64
	first, _ := slices.BinarySearch(s.At, words.Seconds(at-1))
	for i := first; i < len(s.At) && s.At[i] <= words.Seconds(at+1); i++ {
		near = append(near, s.Value[i])
	}
	return len(near) >= 2 && evidence.QuantileOf(near, 0.5) >= 0.95 || a.ownDelay(at) >= shortOfProcessor
}

// shortOfProcessor is how many of the generator's threads were ready and without
// processor at any moment, from which on what it sends late is its own doing: others on
// its machine take the processor.
const shortOfProcessor = 1.0

// ownDelay returns how many of the generator's threads were ready and without processor
// around a time, on average; 0 where that was not read.
func (a sender) ownDelay(at float64) float64 {
	s := a.Find(evidence.LocalHost, evidence.LocalProcess, probe.RunDelay)
	if s == nil || len(s.At) < 2 {
		return 0
	}
	first, _ := slices.BinarySearch(s.At, words.Seconds(at-1))
	last := first
	for last+1 < len(s.At) && s.At[last+1] <= words.Seconds(at+1) {
		last++
	}
	if last >= len(s.At) || last <= first {
		return 0
	}
	grew, took := s.Value[last]-s.Value[first], (s.At[last] - s.At[first]).Seconds()
	return max(0, grew/1e6/took)
}
