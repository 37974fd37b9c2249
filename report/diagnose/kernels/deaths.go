package kernels

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// Waited reports whether requests that broke off when a process ended had been
// waiting for long. True where none did, for the answers of the last half second
// are missing either way.
func Waited(c *evidence.Case, at float64) bool {
	took := c.Durations(func(x *attack.Failure) bool {
		return evidence.ConnectionFault(x) && math.Abs(x.End.Seconds()-at) < 0.5 && x.Phase != attack.PhaseWrite
	})
	return len(took) < 3 || evidence.QuantileOf(took, 0.9) >= max(0.25, 2*c.AnswerTime())
}

// WatchesProcess reports whether a serving process of the hop was read.
func WatchesProcess(c *evidence.Case, h evidence.Hop) bool {
	for _, r := range c.Run.Resources {
		if m := r.Metric; m.Process != "" && h.Has(m.Host) && !evidence.GeneratorOwn(m) {
			return true
		}
	}
	return false
}

// bystander reports whether an event is of a process that only shares the machine with a
// hop: of its machine, where the part that the hop is has processes of its own, or of
// another service of this machine, where the sockets told which one serves.
func bystander(c *evidence.Case, e probe.Event, h evidence.Hop) bool {
	if e.Host != h.Host {
		return c.Run.HasProcess(h.Host)
	}
	return h.Host == evidence.LocalHost && h.Station != nil && e.PID != 0 && !h.Station.Has(e.Host, e.PID) && e.Process != h.Station.Process
}

// Deaths returns the ends of the processes of a hop during the load, oldest
// first.
func Deaths(c *evidence.Case, h evidence.Hop) []evidence.Death {
	var out []evidence.Death
	watched, ran := evidence.WatchedPIDs(c, h), jobs(c, h)
	mine := func(e probe.Event) bool {
		if !h.Has(e.Host) || e.Host == evidence.LocalHost && e.Process == evidence.LocalProcess || evidence.OfAnother(c, e.Host, e.Process, e.PID, h) {
			return false
		}
		if e.Kind != probe.OOMKill && bystander(c, e, h) {
			return false
		}
		// The kernel tells of every process that it kills, on a whole machine.
		return e.Kind != probe.OOMKill || len(watched) == 0 || watched[e.PID]
	}
	for _, e := range c.Run.Log.Events {
		at := e.At.Seconds()
		if !mine(e) || at < 0.2 || at > c.Run.Duration()+2 {
			continue
		}
		switch e.Kind {
		case probe.ProcessExit:
			if endedBefore(c, out, e) || ran[momentOf(e)] {
				continue // a zombie, seen again; or a command that the service ran
			}
			if n := len(out); n > 0 && out[n-1].Oom && out[n-1].Pid == e.PID && at-out[n-1].At < 2 {
				out[n-1].Process = e.Process // the kernel told of its kill, and now it is gone
				continue
			}
			out = append(out, evidence.Death{At: at, Back: at + 2, Process: e.Process, Pid: e.PID, Why: e.Reason})
		case probe.OOMKill:
			if n := len(out); n > 0 && at-out[n-1].At < 2 && (out[n-1].Process == e.Process || e.Process == "" || out[n-1].Pid == e.PID) {
				out[n-1].Oom = true
				continue
			}
			out = append(out, evidence.Death{At: at, Back: at + 2, Process: e.Process, Pid: e.PID, Oom: true, Why: "killed for memory"})
		}
	}
	started := map[int32]bool{}
	for _, e := range c.Run.Log.Events {
		if e.Kind != probe.ProcessStart || !mine(e) || ran[momentOf(e)] || e.PID != 0 && started[e.PID] {
			continue
		}
		started[e.PID] = true
		if at := e.At.Seconds(); at > 0.2 && !returned(out, e) && at > 1 && livedBefore(c, h, e.Process, e.PID, at) {
			// A new process without the end of an old one: its end was missed between
			// two readings.
			out = append(out, evidence.Death{At: at, Back: at, Process: e.Process, Pid: e.PID, Why: "replaced"})
		}
	}
	out = append(out, podEnds(c, h, out)...)
	if len(out) == 0 {
		out = replacements(c, h)
	}
	for i := range out {
		out[i].Beside = besides(c, h, out[i], ran)
		out[i].Others = len(out[i].Beside)
	}
	slices.SortStableFunc(out, func(x, y evidence.Death) int { return cmp.Compare(x.At, y.At) })
	return wholeEnds(out, Absences(c, h))
}

// wholeEnds makes one end of those of all processes of a name at one time, if
// connections were refused then: it is the service that ended, and not one of its
// workers after the other.
func wholeEnds(deaths, absences []evidence.Death) []evidence.Death {
	const together = 1.5 // seconds from one to the next
	last := map[string]int{}
	group := make([]int, len(deaths)) // the first of its group
	size := make([]int, len(deaths))
	for i, d := range deaths {
		group[i] = i
		if j, ok := last[d.Process]; ok && d.At-deaths[j].At <= together && deaths[group[j]].Beside[d.Pid] {
			group[i] = group[j]
		}
		last[d.Process] = i
		size[group[i]]++
	}
	var out []evidence.Death
	at := map[int]int{} // where a group went in out
	for i, d := range deaths {
		first := group[i]
		away := slices.ContainsFunc(absences, func(a evidence.Death) bool {
			return a.Back >= deaths[first].At-0.5 && a.At <= deaths[first].At+together
		})
		if n := size[first]; !away || n < 2 || n <= deaths[first].Others {
			out = append(out, d)
			continue
		}
		j, begun := at[first]
		if !begun {
			d.Others = 0
			at[first] = len(out)
			out = append(out, d)
			continue
		}
		out[j].Back = max(out[j].Back, d.Back)
		out[j].Replaced = out[j].Replaced || d.Replaced
		if d.Pid < out[j].Pid { // the oldest: the others were its workers
			out[j].Pid, out[j].Why = d.Pid, d.Why
		}
		out[j].Oom = out[j].Oom || d.Oom
	}
	return out
}

// servedOne reports whether a process that ended was one that its service makes for a
// single connection: it ends with it, and with an error where the connection was refused.
// A signal is no such end, nor is that of the process that makes them.
func servedOne(d evidence.Death) bool {
	why := strings.ToUpper(d.Why)
	if d.Others == 0 || d.Oom || strings.Contains(why, "SIG") {
		return false
	}
	for _, name := range []string{"postgres", "postmaster", "sshd", "inetd", "xinetd", "vsftpd", "proftpd", "in.", "dovecot", "imap-login", "pop3-login"} {
		if strings.HasPrefix(strings.ToLower(d.Process), name) {
			return true
		}
	}
	return false
}

// together reports whether nearly all processes of a name ended with one of them, or
// another by a signal: then it is the service that ended.
func together(deaths []evidence.Death, d evidence.Death) bool {
	const near = 1.5 // seconds
	n := 0
	for _, x := range deaths {
		if x.Process != d.Process || math.Abs(x.At-d.At) > near {
			continue
		}
		if x.Oom || strings.Contains(strings.ToUpper(x.Why), "SIG") {
			return true
		}
		if d.Beside[x.Pid] {
			n++
		}
	}
	return n >= 2 && float64(n) >= 0.9*float64(d.Others)
}

// endedBefore reports whether the end of the same process was told before, and no
// start of another with its number since.
func endedBefore(c *evidence.Case, deaths []evidence.Death, e probe.Event) bool {
	i := slices.IndexFunc(deaths, func(d evidence.Death) bool { return d.Pid == e.PID && d.Process == e.Process && e.PID != 0 })
	return i >= 0 && !slices.ContainsFunc(c.Run.Log.Events, func(s probe.Event) bool {
		return s.Kind == probe.ProcessStart && s.PID == e.PID && s.Host == e.Host && s.At.Seconds() > deaths[i].At
	})
}

// WithoutOrdinary leaves out the ends in good order of a service that makes a
// process for each connection: there were as many of them before the faults. The
// text says so, empty without any.
func WithoutOrdinary(c *evidence.Case, deaths []evidence.Death) (rest []evidence.Death, text string) {
	if rest := slices.DeleteFunc(slices.Clone(deaths), func(d evidence.Death) bool { return servedOne(d) && !together(deaths, d) }); len(rest) < len(deaths) {
		return rest, fmt.Sprintf(" but %s of those that the service makes one by one for connections", format.Counted(float64(len(deaths)-len(rest)), "process"))
	}
	if c.Onset.Status != evidence.Found {
		return deaths, ""
	}
	good := func(d evidence.Death) bool {
		return d.Why == "" || d.Why == "replaced" || strings.EqualFold(d.Why, "exit status 0")
	}
	before := 0.0
	for _, d := range deaths {
		if good(d) && d.At < c.Onset.At.Low {
			before++
		}
	}
	if before < 10 || before < c.Onset.At.Low {
		return deaths, ""
	}
	rest = slices.DeleteFunc(slices.Clone(deaths), good)
	return rest, fmt.Sprintf(" but %s of the kind that ended all the time before the faults, too", format.Counted(float64(len(deaths)-len(rest)), "process"))
}

// replacements finds processes that were replaced by the series of their numbers
// alone, where no watcher told of it.
func replacements(c *evidence.Case, h evidence.Hop) []evidence.Death {
	type life struct{ from, to float64 }
	lives := map[string]map[int32]life{}
	for _, s := range c.Run.Log.Series {
		m := s.Metric
		if m.Host != h.Host || m.PID == 0 || evidence.GeneratorOwn(m) || len(s.At) == 0 {
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
	var out []evidence.Death
	for _, process := range words.SortedKeys(lives) {
		for pid, l := range lives[process] {
			if l.to > c.Run.Duration()-1 || l.to < 0.2 {
				continue
			}
			next := math.Inf(1) // when the first that may have come instead began
			for other, x := range lives[process] {
				if other != pid && x.from > l.to-1 && x.from < l.to+3 {
					next = min(next, x.from)
				}
			}
			if !math.IsInf(next, 1) {
				out = append(out, evidence.Death{At: l.to, Back: max(next, l.to), Process: process, Pid: pid, Why: "replaced", Replaced: true})
			}
		}
	}
	slices.SortFunc(out, func(x, y evidence.Death) int { return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Pid, y.Pid)) })
	return out
}

// DeathsBeside returns the ends of processes of the same name on the other inner
// hosts: instances of one service.
func DeathsBeside(c *evidence.Case, h evidence.Hop, process string) []evidence.Death {
	var out []evidence.Death
	for _, other := range c.Hops {
		if other.Index == 0 || h.Index == 0 || other.Index == h.Index {
			continue
		}
		for _, d := range Deaths(c, other) {
			if d.Process == process {
				out = append(out, d)
			}
		}
	}
	return out
}

// returned notes that a process is there again after a death, and reports whether
// there was one. A supervisor may start the next before the end of the last is
// read.
func returned(deaths []evidence.Death, e probe.Event) bool {
	at := e.At.Seconds()
	for i := range deaths {
		d := &deaths[i]
		if d.Process == e.Process && !d.Replaced && at > d.At-1.5 && at < d.At+15 {
			d.Back, d.Replaced = max(at, d.At), true
			return true
		}
	}
	return false
}

// livedBefore reports whether another process of the name was last read within
// two seconds before.
func livedBefore(c *evidence.Case, h evidence.Hop, process string, pid int32, at float64) bool {
	for i := range c.Run.Log.Series {
		s := &c.Run.Log.Series[i]
		if !h.Has(s.Metric.Host) || s.Metric.Process != process || s.Metric.PID == pid || s.Metric.PID == 0 || len(s.At) == 0 {
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
func besides(c *evidence.Case, h evidence.Hop, d evidence.Death, ran map[moment]bool) map[int32]bool {
	pids := map[int32]bool{}
	for i := range c.Run.Log.Series {
		s := &c.Run.Log.Series[i]
		if !h.Has(s.Metric.Host) || s.Metric.Process != d.Process || s.Metric.PID == d.Pid || s.Metric.PID == 0 || len(s.At) == 0 {
			continue
		}
		if s.At[0].Seconds() < d.At-0.3 && s.At[len(s.At)-1].Seconds() > d.At-0.8 {
			pids[s.Metric.PID] = true
		}
	}
	gone := map[int32]float64{}
	for _, e := range c.Run.Log.Events {
		if h.Has(e.Host) && e.Process == d.Process && e.PID != 0 && e.PID != d.Pid && !ran[momentOf(e)] {
			switch at := e.At.Seconds(); e.Kind {
			case probe.ProcessStart:
				if at < d.At-0.3 {
					pids[e.PID] = true
				}
			case probe.ProcessExit:
				gone[e.PID] = at
			}
		}
	}
	for pid := range pids {
		if at, ok := gone[pid]; ok && at < d.At-0.8 {
			delete(pids, pid)
		}
	}
	return pids
}

// FailuresNear counts the failures that happened while a process was away, and
// all that were kept.
func FailuresNear(c *evidence.Case, deaths []evidence.Death) (near, all float64) {
	for _, f := range c.Failures {
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
			missed := !d.Replaced && f.Fault == attack.Refused
			if at >= d.At-0.6 && (missed || at <= d.Back+0.8) {
				near++
				break
			}
		}
	}
	return near, all
}

// inVain reports whether nearly everything went on failing after what took the place of a
// process was there: it may be of the same name, and does not do the same.
func inVain(c *evidence.Case, d evidence.Death) bool {
	const settles = 2.0 // seconds
	after := c.Target.Compose(c.Run.Window(d.Back+settles), c.Run.N)
	return d.Back-d.At >= 1 && after.Attempts >= 20 && after.Failed >= 0.9*after.Attempts
}

// EndedAtOnset returns the ends of processes of a hop with which the faults began: a few, in
// no good order, and nothing serves in their place.
func EndedAtOnset(c *evidence.Case, h evidence.Hop) []evidence.Death {
	if c.Onset.Status != evidence.Found && c.Onset.Status != evidence.Transient {
		return nil
	}
	all, _ := WithoutOrdinary(c, Deaths(c, h))
	ends := slices.DeleteFunc(all, func(d evidence.Death) bool {
		near := d.At > c.Onset.At.Low-1.5 && d.At < c.Onset.At.High+1.5+max(0, c.Onset.EventDelay) // what waited was due before
		return !near || d.Replaced && !inVain(c, d) || d.Why == "replaced" || strings.EqualFold(d.Why, "exit status 0")
	})
	if len(ends) > 2 { // more of them are a matter of course
		return nil
	}
	return ends
}
