package diagnose

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// death is one end of a serving process, with its restart.
type death struct {
	at, back float64 // back: when it was there again; +2 s where nobody saw that
	process  string
	pid      int32
	why      string
	beside   map[int32]bool // processes of its name that lived then
	others   int            // how many
	replaced bool
	oom      bool
}

// deaths returns the ends of the processes of a hop during the load, oldest
// first.
func (c *investigation) deaths(h hop) []death {
	var out []death
	watched := c.watchedPIDs(h)
	mine := func(e probe.Event) bool {
		if !h.has(e.Host) || e.Host == localHost && e.Process == localProcess {
			return false
		}
		// The kernel tells of every process that it kills, on a whole machine.
		return e.Kind != probe.OOMKill || len(watched) == 0 || watched[e.PID]
	}
	for _, e := range c.a.log.Events {
		at := e.At.Seconds()
		if !mine(e) || at < 0.2 || at > c.a.duration()+2 {
			continue
		}
		switch e.Kind {
		case probe.ProcessExit:
			if c.endedBefore(out, e) {
				continue // a zombie, seen again
			}
			if n := len(out); n > 0 && out[n-1].oom && out[n-1].pid == e.PID && at-out[n-1].at < 2 {
				out[n-1].process = e.Process // the kernel told of its kill, and now it is gone
				continue
			}
			out = append(out, death{at: at, back: at + 2, process: e.Process, pid: e.PID, why: e.Reason})
		case probe.OOMKill:
			if n := len(out); n > 0 && at-out[n-1].at < 2 && (out[n-1].process == e.Process || e.Process == "" || out[n-1].pid == e.PID) {
				out[n-1].oom = true
				continue
			}
			out = append(out, death{at: at, back: at + 2, process: e.Process, pid: e.PID, oom: true, why: "killed for memory"})
		}
	}
	for _, e := range c.a.log.Events {
		if at := e.At.Seconds(); e.Kind == probe.ProcessStart && mine(e) && at > 0.2 && !returned(out, e) && at > 1 && c.livedBefore(h, e.Process, e.PID, at) {
			// A new process without the end of an old one: its end was missed between
			// two readings.
			out = append(out, death{at: at, back: at, process: e.Process, pid: e.PID, why: "replaced"})
		}
	}
	if len(out) == 0 {
		out = c.replacements(h)
	}
	for i := range out {
		out[i].beside = c.besides(h, out[i])
		out[i].others = len(out[i].beside)
	}
	slices.SortStableFunc(out, func(x, y death) int { return cmp.Compare(x.at, y.at) })
	return wholeEnds(out, c.absences(h))
}

// wholeEnds makes one end of those of all processes of a name at one time, if
// connections were refused then: it is the service that ended, and not one of its
// workers after the other.
func wholeEnds(deaths, absences []death) []death {
	const together = 1.5 // seconds from one to the next
	last := map[string]int{}
	group := make([]int, len(deaths)) // the first of its group
	size := make([]int, len(deaths))
	for i, d := range deaths {
		group[i] = i
		if j, ok := last[d.process]; ok && d.at-deaths[j].at <= together && deaths[group[j]].beside[d.pid] {
			group[i] = group[j]
		}
		last[d.process] = i
		size[group[i]]++
	}
	var out []death
	at := map[int]int{} // where a group went in out
	for i, d := range deaths {
		first := group[i]
		away := slices.ContainsFunc(absences, func(a death) bool {
			return a.back >= deaths[first].at-0.5 && a.at <= deaths[first].at+together
		})
		if n := size[first]; !away || n < 2 || n <= deaths[first].others {
			out = append(out, d)
			continue
		}
		j, begun := at[first]
		if !begun {
			d.others = 0
			at[first] = len(out)
			out = append(out, d)
			continue
		}
		out[j].back = max(out[j].back, d.back)
		out[j].replaced = out[j].replaced || d.replaced
		if d.pid < out[j].pid { // the oldest: the others were its workers
			out[j].pid, out[j].why = d.pid, d.why
		}
		out[j].oom = out[j].oom || d.oom
	}
	return out
}

// endedBefore reports whether the end of the same process was told before, and no
// start of another with its number since.
func (c *investigation) endedBefore(deaths []death, e probe.Event) bool {
	i := slices.IndexFunc(deaths, func(d death) bool { return d.pid == e.PID && d.process == e.Process && e.PID != 0 })
	return i >= 0 && !slices.ContainsFunc(c.a.log.Events, func(s probe.Event) bool {
		return s.Kind == probe.ProcessStart && s.PID == e.PID && s.Host == e.Host && s.At.Seconds() > deaths[i].at
	})
}

// incidents tells of serving processes that did not end in good order, by name: a load
// that hardly noticed met them all the same.
func (c *investigation) incidents() []Evidence {
	var out []Evidence
	for _, h := range c.hops {
		first := map[string]death{}
		times := map[string]float64{}
		for _, d := range c.deaths(h) {
			if d.why == "" || d.why == "replaced" || strings.EqualFold(d.why, "exit status 0") {
				continue
			}
			if times[d.process]++; times[d.process] == 1 {
				first[d.process] = d
			}
		}
		for _, name := range sortedKeys(first) {
			d := first[name]
			ended := d.why
			if d.oom {
				ended = "killed for memory"
			}
			out = append(out, Evidence{Source: "processes of " + h.host, At: pointer(d.at), Text: fmt.Sprintf("%s (pid %d) ended%s, %s in all", orThe(d.process), d.pid, why(ended), count(times[name], "time"))})
		}
	}
	return out
}

// withoutOrdinary leaves out the ends in good order of a service that makes a
// process for each connection: there were as many of them before the faults. The
// text says so, empty without any.
func (c *investigation) withoutOrdinary(deaths []death) (rest []death, text string) {
	if c.onset.Status != Found {
		return deaths, ""
	}
	good := func(d death) bool {
		return d.why == "" || d.why == "replaced" || strings.EqualFold(d.why, "exit status 0")
	}
	before := 0.0
	for _, d := range deaths {
		if good(d) && d.at < c.onset.At.Low {
			before++
		}
	}
	if before < 10 || before < c.onset.At.Low {
		return deaths, ""
	}
	rest = slices.DeleteFunc(slices.Clone(deaths), good)
	return rest, fmt.Sprintf(" but %s of the kind that ended all the time before the faults, too", count(float64(len(deaths)-len(rest)), "process"))
}

// replacements finds processes that were replaced by the series of their numbers
// alone, where no watcher told of it.
func (c *investigation) replacements(h hop) []death {
	type life struct{ from, to float64 }
	lives := map[string]map[int32]life{}
	for _, s := range c.a.log.Series {
		m := s.Metric
		if m.Host != h.host || m.PID == 0 || generatorOwn(m) || len(s.At) == 0 {
			continue
		}
		if lives[m.Process] == nil {
			lives[m.Process] = map[int32]life{}
		}
		l, ok := lives[m.Process][m.PID]
		from, to := s.At[0].Seconds(), s.At[len(s.At)-1].Seconds()
		if ok {
			from, to = min(from, l.from), max(to, l.to)
		}
		lives[m.Process][m.PID] = life{from, to}
	}
	var out []death
	for _, process := range sortedKeys(lives) {
		for pid, l := range lives[process] {
			if l.to > c.a.duration()-1 || l.to < 0.2 {
				continue
			}
			next := math.Inf(1) // when the first that may have come instead began
			for other, x := range lives[process] {
				if other != pid && x.from > l.to-1 && x.from < l.to+3 {
					next = min(next, x.from)
				}
			}
			if !math.IsInf(next, 1) {
				out = append(out, death{at: l.to, back: max(next, l.to), process: process, pid: pid, why: "replaced", replaced: true})
			}
		}
	}
	slices.SortFunc(out, func(x, y death) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.pid, y.pid)) })
	return out
}

// deathsBeside returns the ends of processes of the same name on the other inner
// hosts: instances of one service.
func (c *investigation) deathsBeside(h hop, process string) []death {
	var out []death
	for _, other := range c.hops {
		if other.index == 0 || h.index == 0 || other.index == h.index {
			continue
		}
		for _, d := range c.deaths(other) {
			if d.process == process {
				out = append(out, d)
			}
		}
	}
	return out
}

// returned notes that a process is there again after a death, and reports whether
// there was one. A supervisor may start the next before the end of the last is
// read.
func returned(deaths []death, e probe.Event) bool {
	at := e.At.Seconds()
	for i := range deaths {
		d := &deaths[i]
		if d.process == e.Process && !d.replaced && at > d.at-1.5 && at < d.at+15 {
			d.back, d.replaced = max(at, d.at), true
			return true
		}
	}
	return false
}

// watchedPIDs returns the processes of a hop that were watched at some time.
func (c *investigation) watchedPIDs(h hop) map[int32]bool {
	out := map[int32]bool{}
	for _, s := range c.a.log.Series {
		if m := s.Metric; m.Host == h.host && m.PID != 0 && !generatorOwn(m) {
			out[m.PID] = true
		}
	}
	for _, e := range c.a.log.Events {
		if (e.Kind == probe.ProcessStart || e.Kind == probe.ProcessExit) && e.Host == h.host && e.PID != 0 {
			out[e.PID] = true
		}
	}
	return out
}

// livedBefore reports whether another process of the name was last read within
// two seconds before.
func (c *investigation) livedBefore(h hop, process string, pid int32, at float64) bool {
	for i := range c.a.log.Series {
		s := &c.a.log.Series[i]
		if !h.has(s.Metric.Host) || s.Metric.Process != process || s.Metric.PID == pid || s.Metric.PID == 0 || len(s.At) == 0 {
			continue
		}
		if last := s.At[len(s.At)-1].Seconds(); last > at-2 && last <= at+0.5 {
			return true
		}
	}
	return false
}

// besides returns the processes of the same name that were there just before a
// death. One may be a supervisor; with two and more it was one of several
// workers.
func (c *investigation) besides(h hop, d death) map[int32]bool {
	pids := map[int32]bool{}
	for i := range c.a.log.Series {
		s := &c.a.log.Series[i]
		if !h.has(s.Metric.Host) || s.Metric.Process != d.process || s.Metric.PID == d.pid || s.Metric.PID == 0 || len(s.At) == 0 {
			continue
		}
		if s.At[0].Seconds() < d.at-0.3 && s.At[len(s.At)-1].Seconds() > d.at-0.8 {
			pids[s.Metric.PID] = true
		}
	}
	gone := map[int32]float64{}
	for _, e := range c.a.log.Events {
		if h.has(e.Host) && e.Process == d.process && e.PID != 0 && e.PID != d.pid {
			switch at := e.At.Seconds(); e.Kind {
			case probe.ProcessStart:
				if at < d.at-0.3 {
					pids[e.PID] = true
				}
			case probe.ProcessExit:
				gone[e.PID] = at
			}
		}
	}
	for pid := range pids {
		if at, ok := gone[pid]; ok && at < d.at-0.8 {
			delete(pids, pid)
		}
	}
	return pids
}

// failuresNear counts the failures that happened while a process was away, and
// all that were kept.
func (c *investigation) failuresNear(deaths []death) (near, all float64) {
	for _, f := range c.failures {
		if f.Phase == attack.PhaseIdle {
			continue
		}
		all++
		at := f.End.Seconds()
		if f.Fault == attack.Timeout {
			at = f.Start.Seconds()
		}
		for _, d := range deaths {
			// Where nobody took its place, it goes on to be missed.
			missed := !d.replaced && f.Fault == attack.Refused
			if at >= d.at-0.6 && (missed || at <= d.back+0.8) {
				near++
				break
			}
		}
	}
	return near, all
}
