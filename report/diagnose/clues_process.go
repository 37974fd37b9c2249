package diagnose

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

func (c *investigation) observeProcesses(f *facts, h hop) {
	deaths, ordinary := c.withoutOrdinary(c.deaths(h))
	c.dead = append(c.dead, deaths)
	src := "processes of " + h.host
	watched := c.watchesProcess(h)
	if state, _, ok := c.a.status(h.has, "process"); ok && state != probe.Measured {
		watched = false // ends may have been missed
	}
	var mine []death
	for _, d := range deaths {
		if d.at >= c.from-3 {
			mine = append(mine, d)
		}
	}
	away := c.absences(h)
	if len(away) > 0 {
		f.setAt(wentAway, yes, away[0].at, "client", "connections were refused for a while, %s, and then accepted again", count(float64(len(away)), "time"))
	}
	if len(mine) == 0 && !watched && len(away) > 0 {
		c.observeRhythm(f, away, "client")
		c.observeHang(f, away, "client")
	}
	if len(mine) == 0 {
		if watched {
			for _, x := range []clue{died, diedWithFaults, diedOnClock, diedAtLoad, workersDied, retired, leftInOrder, killed, hungBefore} {
				f.set(x, no, src, "%s", "no process ended"+ordinary)
			}
		}
		c.observeMemory(f, h, deaths)
		return
	}
	d := mine[0]
	times := count(float64(len(mine)), "time") + " in all"
	if len(away) > len(mine) { // who lives shorter than the probes look is not seen
		times = fmt.Sprintf("%s that were seen, of %s that the port refused connections", count(float64(len(mine)), "time"), count(float64(len(away)), "time"))
	}
	f.setAt(died, yes, d.at, src, "%s (pid %d) ended%s, %s", orThe(d.process), d.pid, why(d.why), times)
	near, all := c.failuresNear(deaths)
	if all >= 3 {
		f.setAt(diedWithFaults, when(near/all, 0.3, 0.6), d.at, src, "%s of %s failures came while %s was gone", commas(near), commas(all), orThe(d.process))
	}
	if beside := c.deathsBeside(h, d.process); len(beside) > 0 && near >= 0.2*all && f[diedWithFaults].is != yes {
		// Instances that go in turn each have a part of the failures.
		if near, all = c.failuresNear(append(slices.Clone(deaths), beside...)); near >= 0.6*all {
			f.setAt(diedWithFaults, yes, d.at, src, "%s of %s failures came while one %s or another was gone", commas(near), commas(all), orThe(d.process))
		}
	}
	last := mine[len(mine)-1]
	if replaced := slices.ContainsFunc(mine, func(d death) bool { return d.replaced }); !replaced && c.a.duration()-last.at > 5 {
		after := c.t.compose(c.a.window(last.at+3), c.a.n)
		f.set(goneForGood, isTrue(after.fault[attack.Refused] >= 5), src, "nothing took the place of %s: %s were refused later", orThe(last.process), count(after.fault[attack.Refused], "connection"))
	}
	workers, single := 0, 0
	for _, d := range mine {
		switch {
		case d.others >= 2:
			workers++
		case d.others == 0:
			single++
		}
	}
	of := fmt.Sprintf("%d of %s", workers, count(float64(len(mine)), "process"))
	switch {
	case 2*workers > len(mine):
		f.set(workersDied, yes, src, "%s that ended were one of several of their name", of)
	case 2*single > len(mine):
		f.set(workersDied, no, src, "%s", "the process was the only one of its name")
	}
	c.observeEnds(f, mine, src)
	c.observeRetirement(f, mine, src)
	c.observeRhythm(f, deaths, src)
	c.observeHang(f, mine, src)
	c.observeMemory(f, h, deaths)
}

// observeEnds asks whether processes ended of themselves.
func (c *investigation) observeEnds(f *facts, deaths []death, src string) {
	self, signalled := 0, 0
	for _, d := range deaths {
		why := strings.ToUpper(d.why)
		switch {
		case strings.Contains(why, "SIGKILL"), strings.Contains(why, "SIGTERM"), strings.Contains(why, "SIGINT"):
			signalled++
		case strings.Contains(why, "SIG"), strings.Contains(why, "EXIT STATUS") && !strings.Contains(why, "EXIT STATUS 0"):
			self++
		}
	}
	switch {
	case self > signalled:
		f.set(diedOfItself, yes, src, "%d of %d ended by a fault or with an error (%s)", self, len(deaths), deaths[0].why)
	case signalled > self:
		f.set(diedOfItself, no, src, "%d of %d were ended by a signal (%s)", signalled, len(deaths), deaths[0].why)
	}
}

// observeRetirement asks whether processes ended in good order, with exit status
// 0, and whether others of their name stayed: a master that replaces its workers.
func (c *investigation) observeRetirement(f *facts, deaths []death, src string) {
	var told, well, stayed, killings, asked float64
	for _, d := range deaths {
		if d.why == "" || d.why == "replaced" {
			continue
		}
		told++
		switch why := strings.ToUpper(d.why); {
		case why == "EXIT STATUS 0":
			well++
			if d.others > 0 && d.replaced {
				stayed++
			}
		case strings.Contains(why, "SIGKILL") && !d.oom:
			killings++
		case strings.Contains(why, "SIGTERM"), strings.Contains(why, "SIGINT"):
			asked++
		}
	}
	if told == 0 {
		return
	}
	of := count(told, "end")
	f.set(leftInOrder, when(well/told, 0.2, 0.8), src, "%s of %s came in good order (exit status 0)", commas(well), of)
	f.set(retired, when(stayed/told, 0.2, 0.8), src, "at %s of %s others of the name stayed, and the process was replaced", commas(stayed), of)
	f.set(killed, when(killings/told, 0.2, 0.5), src, "%s of %s came by SIGKILL", commas(killings), of)
	f.set(terminated, when(asked/told, 0.2, 0.5), src, "%s of %s came by SIGTERM", commas(asked), of)
}

// observeRhythm tells restarts on a clock from those at a load: a clock begins
// when the service does, and a load is reached once.
func (c *investigation) observeRhythm(f *facts, deaths []death, src string) {
	first := deaths[0].at
	var gaps []float64
	for i := 1; i < len(deaths); i++ {
		gaps = append(gaps, deaths[i].at-deaths[i-1].at)
	}
	mean, cv := meanCV(gaps)
	regular := len(gaps) >= 2 && cv < 0.25 && mean > 1
	switch {
	case regular && first <= 1.8*mean:
		f.set(diedOnClock, yes, src, "every %s from %s on, whatever the load", wordSeconds(mean), wordSeconds(first))
		f.set(diedAtLoad, no, src, "%s", "processes ended on a clock")
	case len(gaps) >= 1 && first > 2.5*mean:
		f.set(diedOnClock, no, src, "%s", "the first end came late, then one after the other")
		f.setAt(diedAtLoad, yes, first, src, "the first end came at %s/s, then one after the other", commas(c.a.loadAt(first)))
	case len(gaps) == 0 && first > 0.35*c.a.duration():
		f.setAt(diedAtLoad, unknown, first, src, "it ended once, at %s/s", commas(c.a.loadAt(first)))
	}
}

// observeHang asks whether the service had stopped answering before it ended.
func (c *investigation) observeHang(f *facts, deaths []death, src string) {
	hung, seen := 0, 0
	done := make([]float64, len(c.a.offered)+1)
	busy := make([]float64, len(c.a.offered)+1)
	for _, w := range c.t.windows {
		if w.Index < 0 || int(w.Index) >= len(done) {
			continue
		}
		busy[w.Index] += float64(w.InFlight)
		for _, cell := range w.Cells {
			if cell.Fault == attack.None {
				done[w.Index] += float64(cell.Attempts)
			}
		}
	}
	last := -1
	for _, d := range deaths {
		i := int(d.at/c.a.step) - 1 // the last whole window before it
		if i < 8 || i >= len(done) || i-last < 4 {
			continue
		}
		last = i
		usual := sum(done[:i]) / float64(i)
		if usual < 2 {
			continue
		}
		seen++
		// An end that is read late is read when what waited has broken off already.
		waiting := max(busy[i], busy[i-1]) > 0
		if done[i]+done[i-1] <= 0.2*usual && waiting && c.waited(d.at) {
			hung++
		}
	}
	if seen > 0 {
		f.setAt(hungBefore, isTrue(2*hung >= seen), deaths[0].at, src, "in %d of %d cases nothing had been answered for half a second before", hung, seen)
	}
}

// waited reports whether requests that broke off when a process ended had been
// waiting for long. True where none did, for the answers of the last half second
// are missing either way.
func (c *investigation) waited(at float64) bool {
	took := c.durations(func(x *attack.Failure) bool {
		return connectionFault(x) && math.Abs(x.End.Seconds()-at) < 0.5 && x.Phase != attack.PhaseWrite
	})
	return len(took) < 3 || quantileOf(took, 0.9) >= max(0.25, 2*c.answerTime())
}

// absences returns the stretches in which the port refused connections, by the
// client's record, each at most 5 s and followed by connections that were taken
// again. Where most requests are answered all the time, nobody was away.
func (c *investigation) absences(h hop) []death {
	if h.index > 0 {
		return nil
	}
	var refused, taken []float64 // taken: times of connections that came up and failed later
	for _, x := range c.failures {
		switch {
		case x.Fault == attack.Refused:
			refused = append(refused, x.End.Seconds())
		case connectionFault(x) && !x.Conn.Reused:
			taken = append(taken, x.Start.Seconds())
		}
	}
	slices.Sort(refused)
	slices.Sort(taken)
	between := func(from, to float64) bool {
		i, _ := slices.BinarySearch(taken, from)
		return i < len(taken) && taken[i] < to
	}
	var out []death
	for _, at := range refused {
		if n := len(out); n > 0 && at-out[n-1].back < 0.75 && !c.answered(out[n-1].back, at) && !between(out[n-1].back+0.005, at-0.005) {
			out[n-1].back = at
			continue
		}
		out = append(out, death{at: at, back: at})
	}
	return slices.DeleteFunc(out, func(d death) bool {
		first, last := c.a.window(d.at), c.a.window(d.back)
		from, _ := slices.BinarySearch(refused, c.a.seconds(float64(first)))
		to, _ := slices.BinarySearch(refused, c.a.seconds(float64(last+1)))
		after := c.t.ok[min(last+1, c.a.n):min(last+9, c.a.n)]
		return d.back-d.at > 5 || sum(after) == 0 && !between(d.back, d.back+2) ||
			float64(to-from) < 0.5*sum(c.t.ok[first:last+1])
	})
}

// answered reports whether requests of a whole window between two refusals were
// answered.
func (c *investigation) answered(from, to float64) bool {
	for i := c.a.window(from) + 1; i < c.a.window(to); i++ {
		if c.t.ok[i] > 0 {
			return true
		}
	}
	return false
}

func (c *investigation) observeMemory(f *facts, h hop, deaths []death) {
	c.observeThrashing(f, h)
	for _, d := range deaths {
		if d.oom {
			f.setAt(outOfMemory, yes, d.at, "processes of "+h.host, "the kernel killed %s (pid %d) for memory", orThe(d.process), d.pid)
			return
		}
	}
	watched := c.watchesProcess(h) || len(c.watchedPIDs(h)) > 0
	for _, r := range c.a.resources {
		if r.metric.Name != probe.OOMKills || r.counter == nil || !h.has(r.metric.Host) {
			continue
		}
		n := r.counter.between(c.from-3, c.to+1)
		near := slices.ContainsFunc(deaths, func(d death) bool { return r.counter.between(d.at-1.5, d.at+1.5) > 0 })
		switch {
		case n == 0:
			f.set(outOfMemory, no, "kernel counters of "+h.host, "%s", "nothing was killed for memory")
		case near || !watched:
			f.setAt(outOfMemory, yes, r.counter.start.at, "kernel counters of "+h.host, "%s for memory", count(n, "kill"))
			return
		}
	}
}

// observeThrashing asks whether memory was full when faults began and tasks spent
// their time waiting for it: the kernel looks for pages to reclaim long before it
// kills, and swap or a page cache can make that last.
func (c *investigation) observeThrashing(f *facts, h hop) {
	var full *resource
	waited := 0.0
	for _, r := range c.a.resources {
		if !h.has(r.metric.Host) || generatorOwn(r.metric) {
			continue
		}
		switch r.metric.Name {
		case probe.CgroupMemory, probe.Memory:
			if r.full != nil && !r.throughout && r.full.at <= c.at+1 && r.full.at >= c.at-10 {
				full = r
			}
		case probe.MemoryPressure:
			if r.counter != nil {
				waited = max(waited, r.counter.between(c.at-5, c.at+10)/1e6)
			}
		}
	}
	if full != nil && waited >= 2 {
		f.setAt(thrashing, yes, full.full.at, "probe of "+h.host, "%s, and tasks waited %s for memory around it: the kernel was reclaiming instead of running them", full.describe(), wordSeconds(waited))
	}
}

// watchesProcess reports whether a serving process of the hop was read.
func (c *investigation) watchesProcess(h hop) bool {
	for _, r := range c.a.resources {
		if m := r.metric; m.Process != "" && h.has(m.Host) && !generatorOwn(m) {
			return true
		}
	}
	return false
}

func orThe(process string) string {
	if process == "" {
		return "the process"
	}
	return process
}

func why(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
