package diagnose

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

const (
	localHost    = profiles.LocalHost
	localProcess = "rampload" // the generator's name among the processes of localHost
)

// generator says whether this machine was the limit: it fell behind the
// schedule, sent late, or ran out of ports, descriptors or buffers, for a second
// and more. Requests that waited because the client's own pool or its
// max-in-flight was full are the target's slowness, not the generator's.
func (a *analysis) generator() GeneratorState {
	out := GeneratorState{CPU: math.NaN()}
	var lag attack.Histogram
	for _, t := range a.targets {
		for _, w := range t.windows {
			lag = lag.Merge(w.Lag)
		}
	}
	if p, ok := lag.Quantile(0.99); ok {
		out.LagP99 = microseconds(p)
	}
	if s := a.find(localHost, localProcess, probe.ProcessCPU); s != nil && len(s.Value) > 0 {
		out.CPU = 0
		for i, v := range s.Value {
			if at := s.At[i].Seconds(); at >= -1 && at <= a.duration()+1 { // as of any resource: its own start costs more
				out.CPU = max(out.CPU, v)
			}
		}
	}
	for _, check := range []func() (int, string, string, bool){a.localFaults, a.lateSends, a.shortfall} {
		window, cause, reason, ok := check()
		if at := seconds(a.seconds(float64(window))); ok && (!out.Limited || at < out.At) {
			out.Limited, out.Cause, out.Reason, out.At = true, cause, reason, at
			out.Load = a.loadAt(at.Seconds())
		}
	}
	return out
}

// localFaults finds the first second in which the generator's own resources
// failed attempts in at least three windows of four.
func (a *analysis) localFaults() (window int, cause, reason string, found bool) {
	counts := make([]float64, a.n)
	var byFault [attack.Faults]float64
	total := 0.0
	for _, t := range a.targets {
		for _, w := range t.windows {
			for _, c := range w.Cells {
				if c.Fault.Local() && int(w.Index) < a.n && w.Index >= 0 {
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
	return window, cause, fmt.Sprintf("%s of its own %s", commas(total), reason), true
}

// lateSends finds the first second in which the 99th percentile of the send lag
// is above a millisecond and a tenth of a window.
func (a *analysis) lateSends() (window int, cause, reason string, found bool) {
	limit := attack.FairLag(seconds(a.step)).Seconds()
	worst := make([]float64, a.n)
	for _, t := range a.targets {
		for _, w := range t.windows {
			i := int(w.Index)
			if i < 0 || i >= a.n || a.waiting(t, w) {
				continue
			}
			if p, ok := w.Lag.Quantile(0.99); ok {
				worst[i] = max(worst[i], microseconds(p).Seconds())
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
		wordSeconds(most), wordSeconds(limit)), true
}

// shortfall finds the first second in which less than 98 % of the requests due
// were sent, though nothing but the generator held them back.
func (a *analysis) shortfall() (window int, cause, reason string, found bool) {
	excused := make([]bool, a.n)
	capped := -1
	for _, t := range a.targets {
		for _, w := range t.windows {
			if i := int(w.Index); i >= 0 && i < a.n && a.waiting(t, w) {
				excused[i] = true
				if capped < 0 && w.Unsent > 0 {
					capped = i
				}
			}
		}
	}
	if capped >= 0 {
		a.warn("from %s/s on requests were left unsent because %s were in flight: the targets answered too slowly for a higher load",
			commas(a.load[capped]), commas(float64(a.log.Header.Generator.MaxInFlight)))
	}
	k := max(1, int(math.Round(attack.FairFor.Seconds()/a.step)))
	short := func(i int) bool {
		if i+1 < k || excused[i] {
			return false
		}
		due, sent := sum(a.offered[i+1-k:i+1]), sum(a.sent[i+1-k:i+1])
		// Three requests may be on their way across the borders of a second.
		return due > 0 && sent < attack.FairShare*due && due-sent > 3
	}
	window, found = a.sustained(short)
	if !found {
		return 0, "", "", false
	}
	window = max(0, window+1-k)
	least := 1.0
	for i := window; i < a.n; i++ {
		if short(i) {
			least = min(least, sum(a.sent[i+1-k:i+1])/sum(a.offered[i+1-k:i+1]))
		}
	}
	return window, "client-cpu", fmt.Sprintf("it sent as little as %s of the requests due", percent(least)), true
}

// waiting reports whether requests of a target wait for one of the client's own
// limits at the end of a window: its pool of connections, or max-in-flight.
func (a *analysis) waiting(t *targetSeries, w attack.Window) bool {
	g := a.log.Header.Generator
	return attack.Waiting(w.InFlight, g.Connections, g.MaxInFlight)
}

// sustained returns the first window of a second in which a condition holds in
// three windows of four, and from which on it holds in at least a third of the
// windows with no lower load: a hiccup is no limit.
func (a *analysis) sustained(holds func(int) bool) (int, bool) {
	k := max(2, int(math.Round(attack.FairFor.Seconds()/a.step)))
	for i := 0; i+k <= a.n; i++ {
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
		for j := i; j < a.n; j++ {
			if a.load[j] >= 0.95*a.load[i] {
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

// limitGenerator decides what the generator's limit means for each target: what
// began before the limit was the target's.
func (a *analysis) limitGenerator(g *GeneratorState, cases []*investigation) {
	if !g.Limited {
		return
	}
	for _, c := range cases {
		limit := g.At.Seconds()
		switch h := c.onset; {
		case h == nil || h.Status == NoOnset:
			c.censored = true
		case h.Status == Found || h.Status == Transient || h.Status == Periodic:
			c.censored = limit <= h.At.High
		}
	}
}

// clientAdvice says how the generator can do more.
func (c *investigation) clientAdvice(g GeneratorState) []string {
	switch g.Cause {
	case "client-ephemeral-ports":
		return c.ownPortAdvice(g)
	case "client-file-descriptors":
		return []string{fmt.Sprintf("raise the limit of open files of rampload before the run (ulimit -n, now %s)", commas(float64(c.a.log.Header.Generator.NoFile))), "or lower client.connections"}
	}
	return []string{"send from a faster machine or from several", "client.engine: direct does more on one core for plain HTTP/1.1"}
}

// ownPortAdvice tells ports of connections that are open from those that closed ones
// hold on to.
func (c *investigation) ownPortAdvice(g GeneratorState) []string {
	limit, seen := math.Inf(1), ""
	for _, r := range c.a.resources {
		if r.metric.Name == probe.EphemeralPorts && r.metric.Host == localHost && r.full != nil {
			limit, seen = r.limit, fmt.Sprintf(" (now %s ports)", commas(r.limit))
		}
	}
	open := 0.0
	for _, t := range c.a.targets {
		open += t.open[min(c.a.window(g.At.Seconds()), len(t.open)-1)]
	}
	ways := []string{"widen net.ipv4.ip_local_port_range" + seen + ", set net.ipv4.tcp_tw_reuse=1, or add source addresses (client.local-addresses)", "or send the load from several machines"}
	switch {
	case open >= 0.7*limit:
		return append([]string{fmt.Sprintf("%s were open at once, each of which needs a port: quicker answers need fewer", count(open, "connection"))}, ways...)
	case c.a.log.Header.Generator.Connections > 0:
		return append([]string{"let the target keep connections open: it closes them, and each new one takes a port"}, ways...)
	}
	return append([]string{"reuse connections: client.connections above 0"}, ways...)
}
