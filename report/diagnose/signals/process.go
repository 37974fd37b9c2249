package signals

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

func observeProcesses(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	deaths, ordinary := kernels.WithoutOrdinary(c, kernels.Deaths(c, h))
	c.Dead = append(c.Dead, deaths)
	src := "processes of " + h.Host
	watched := kernels.WatchesProcess(c, h)
	if state, _, ok := c.Run.Status(h.Has, "process"); ok && state != probe.Measured {
		watched = false // ends may have been missed
	}
	var mine []evidence.Death
	for _, d := range deaths {
		if d.At >= c.From-3 {
			mine = append(mine, d)
		}
	}
	away := kernels.Absences(c, h)
	if len(away) > 0 {
		f.SetAt(evidence.WentAway, evidence.Yes, away[0].At, "client", "connections were refused for a while, %s, and then accepted again", format.Counted(float64(len(away)), "time"))
	}
	if len(mine) == 0 && !watched && len(away) > 0 {
		observeRhythm(c, f, away, "client")
		observeHang(c, f, away, "client")
	}
	if len(mine) == 0 {
		if watched {
			for _, x := range []evidence.Clue{evidence.Died, evidence.DiedWithFaults, evidence.DiedOnClock, evidence.DiedAtLoad, evidence.WorkersDied, evidence.Retired, evidence.LeftInOrder, evidence.Killed, evidence.HungBefore} {
				f.Set(x, evidence.No, src, "%s", "no process ended"+ordinary)
			}
		}
		observeMemory(c, f, h, deaths)
		return
	}
	d := mine[0]
	times := format.Counted(float64(len(mine)), "time") + " in all"
	if len(away) > len(mine) { // a process that starts and ends between two readings is not seen
		times = fmt.Sprintf("%s that were seen, of %s that the port refused connections", format.Counted(float64(len(mine)), "time"), format.Counted(float64(len(away)), "time"))
	}
	f.SetAt(evidence.Died, evidence.Yes, d.At, src, "%s ended%s, %s", d.Who(), words.Why(d.Why), times)
	if gather.IsNameServer(d.Process) {
		f.SetAt(evidence.NamesAway, evidence.Yes, d.At, src, "%s, which looks up names for others, ended%s", d.Who(), words.Why(d.Why))
	}
	near, all := kernels.FailuresNear(c, deaths)
	if all >= 3 {
		f.SetAt(evidence.DiedWithFaults, evidence.When(near/all, 0.3, 0.6), d.At, src, "%s of %s failures came while %s was gone", format.Number(near), format.Number(all), words.OrThe(d.Process))
	}
	if beside := kernels.DeathsBeside(c, h, d.Process); len(beside) > 0 && near >= 0.2*all && f[evidence.DiedWithFaults].Is != evidence.Yes {
		// Instances that end in turn each have a part of the failures.
		if near, all = kernels.FailuresNear(c, append(slices.Clone(deaths), beside...)); near >= 0.6*all {
			f.SetAt(evidence.DiedWithFaults, evidence.Yes, d.At, src, "%s of %s failures came while one %s or another was gone", format.Number(near), format.Number(all), words.OrThe(d.Process))
		}
	}
	last := mine[len(mine)-1]
	if replaced := slices.ContainsFunc(mine, func(d evidence.Death) bool { return d.Replaced }); !replaced && c.Run.Duration()-last.At > 5 {
		after := c.Target.Compose(c.Run.Window(last.At+3), c.Run.N)
		f.Set(evidence.GoneForGood, evidence.IsTrue(after.Fault[attack.Refused] >= 5), src, "nothing took the place of %s: %s were refused later", words.OrThe(last.Process), format.Counted(after.Fault[attack.Refused], "connection"))
	}
	if ends := kernels.EndedAtOnset(c, h); h.Index > 0 && len(ends) > 0 {
		// Failures at an inner hop show only in the answers of the hops before it.
		if after := c.Target.Compose(c.Run.Window(ends[0].At+3), c.Run.N); after.Failed >= max(10, 0.5*after.Attempts) {
			text := fmt.Sprintf("the faults began when %s ended, nothing serves in its place, and %s of %s attempts failed from then on", words.OrThe(ends[0].Process), format.Number(after.Failed), format.Number(after.Attempts))
			f.SetAt(evidence.DiedWithFaults, evidence.Yes, ends[0].At, src, "%s", text)
			f.SetAt(evidence.GoneForGood, evidence.Yes, ends[0].At, src, "%s", text)
		}
	}
	workers, single := 0, 0
	for _, d := range mine {
		switch {
		case d.Others >= 2:
			workers++
		case d.Others == 0:
			single++
		}
	}
	of := fmt.Sprintf("%d of %s", workers, format.Counted(float64(len(mine)), "process"))
	switch {
	case 2*workers > len(mine):
		f.Set(evidence.WorkersDied, evidence.Yes, src, "%s that ended were one of several of their name", of)
	case 2*single > len(mine):
		f.Set(evidence.WorkersDied, evidence.No, src, "%s", "the process was the only one of its name")
	}
	observeEnds(c, f, mine, src)
	observeRetirement(c, f, mine, src)
	f.JoinEnd()
	observeRhythm(c, f, deaths, src)
	observeHang(c, f, mine, src)
	observeMemory(c, f, h, deaths)
}

// observeEnds asks whether processes ended by a fault or error of their own.
func observeEnds(c *evidence.Case, f *evidence.Facts, deaths []evidence.Death, src string) {
	self, signalled := 0, 0
	for _, d := range deaths {
		why := strings.ToUpper(d.Why)
		switch {
		case strings.Contains(why, "SIGKILL"), strings.Contains(why, "SIGTERM"), strings.Contains(why, "SIGINT"), signalStatus(why):
			signalled++
		case strings.Contains(why, "SIG"), strings.Contains(why, "EXIT STATUS") && !strings.Contains(why, "EXIT STATUS 0"):
			self++
		}
	}
	switch {
	case self > signalled:
		f.Set(evidence.DiedOfItself, evidence.Yes, src, "%d of %d ended by a fault or with an error (%s)", self, len(deaths), deaths[0].Why)
	case signalled > self:
		f.Set(evidence.DiedOfItself, evidence.No, src, "%d of %d were ended by a signal (%s)", signalled, len(deaths), deaths[0].Why)
	}
}

// signalStatus reports whether an exit status says that a process was asked to end: 128 plus the number
// of the signal, as shells and runtimes set it.
func signalStatus(why string) bool {
	switch why {
	case "EXIT STATUS 129", "EXIT STATUS 130", "EXIT STATUS 137", "EXIT STATUS 143":
		return true
	}
	return false
}

// observeRetirement asks whether processes ended in good order (exit status 0) while others of their
// name stayed: a master that replaces its workers.
func observeRetirement(c *evidence.Case, f *evidence.Facts, deaths []evidence.Death, src string) {
	var told, well, stayed, killings, asked float64
	for _, d := range deaths {
		if d.Why == "" || d.Why == "replaced" {
			continue
		}
		told++
		switch why := strings.ToUpper(d.Why); {
		case why == "EXIT STATUS 0":
			well++
			if d.Others > 0 && d.Replaced {
				stayed++
			}
		case strings.Contains(why, "SIGKILL") && !d.Oom:
			killings++
		case strings.Contains(why, "SIGTERM"), strings.Contains(why, "SIGINT"), why == "EXIT STATUS 130", why == "EXIT STATUS 143":
			asked++
		}
	}
	if told == 0 {
		return
	}
	of := format.Counted(told, "end")
	f.Set(evidence.LeftInOrder, evidence.When(well/told, 0.2, 0.8), src, "%s of %s came in good order (exit status 0)", format.Number(well), of)
	f.Set(evidence.Retired, evidence.When(stayed/told, 0.2, 0.8), src, "at %s of %s others of the name stayed, and the process was replaced", format.Number(stayed), of)
	f.Set(evidence.Killed, evidence.When(killings/told, 0.2, 0.5), src, "%s of %s came by SIGKILL", format.Number(killings), of)
	f.Set(evidence.Terminated, evidence.When(asked/told, 0.2, 0.5), src, "%s of %s came by SIGTERM", format.Number(asked), of)
}

// observeRhythm tells restarts on a clock from restarts at a load.
func observeRhythm(c *evidence.Case, f *evidence.Facts, deaths []evidence.Death, src string) {
	first := deaths[0].At
	var gaps []float64
	for i := 1; i < len(deaths); i++ {
		gaps = append(gaps, deaths[i].At-deaths[i-1].At)
	}
	mean, cv := evidence.MeanCV(gaps)
	regular := len(gaps) >= 2 && cv < 0.25 && mean > 1
	switch {
	case regular && first <= 1.8*mean:
		f.Set(evidence.DiedOnClock, evidence.Yes, src, "every %s from %s on, whatever the load", format.Seconds(mean), format.Seconds(first))
		f.Set(evidence.DiedAtLoad, evidence.No, src, "%s", "processes ended on a clock")
	case len(gaps) >= 1 && first > 2.5*mean:
		f.Set(evidence.DiedOnClock, evidence.No, src, "%s", "the first end came late, then one after the other")
		f.SetAt(evidence.DiedAtLoad, evidence.Yes, first, src, "the first end came at %s/s, then one after the other", format.Number(c.Run.LoadAt(first)))
	case len(gaps) == 0 && first > 0.35*c.Run.Duration():
		f.SetAt(evidence.DiedAtLoad, evidence.Unknown, first, src, "it ended once, at %s/s", format.Number(c.Run.LoadAt(first)))
	}
}

// observeHang asks whether the service had stopped answering before it ended.
func observeHang(c *evidence.Case, f *evidence.Facts, deaths []evidence.Death, src string) {
	hung, seen := 0, 0
	done := make([]float64, len(c.Run.Offered)+1)
	busy := make([]float64, len(c.Run.Offered)+1)
	for _, w := range c.Target.Windows {
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
		i := int(d.At/c.Run.Step) - 1 // the last whole window before it
		if i < 8 || i >= len(done) || i-last < 4 {
			continue
		}
		last = i
		usual := evidence.Sum(done[:i]) / float64(i)
		if usual < 2 {
			continue
		}
		seen++
		// The exit is read up to one window late; by then the requests that were waiting have failed.
		waiting := max(busy[i], busy[i-1]) > 0
		if done[i]+done[i-1] <= 0.2*usual && waiting && kernels.Waited(c, d.At) {
			hung++
		}
	}
	if seen > 0 {
		f.SetAt(evidence.HungBefore, evidence.IsTrue(2*hung >= seen), deaths[0].At, src, "in %d of %d cases nothing had been answered for half a second before", hung, seen)
	}
}

func observeMemory(c *evidence.Case, f *evidence.Facts, h evidence.Hop, deaths []evidence.Death) {
	observeThrashing(c, f, h)
	for _, d := range deaths {
		if d.Oom {
			f.SetAt(evidence.OutOfMemory, evidence.Yes, d.At, "processes of "+h.Host, "the kernel killed %s for memory", d.Who())
			return
		}
	}
	watched := kernels.WatchesProcess(c, h) || len(evidence.WatchedPIDs(c, h)) > 0
	for _, r := range c.Run.Resources {
		if r.Metric.Name != probe.OOMKills || r.Counter == nil || !h.Has(r.Metric.Host) {
			continue
		}
		n := r.Counter.Between(c.From-3, c.To+1)
		near := slices.ContainsFunc(deaths, func(d evidence.Death) bool { return r.Counter.Between(d.At-1.5, d.At+1.5) > 0 })
		switch {
		case n == 0:
			f.Set(evidence.OutOfMemory, evidence.No, "kernel counters of "+h.Host, "%s", "nothing was killed for memory")
		case near || !watched:
			f.SetAt(evidence.OutOfMemory, evidence.Yes, r.Counter.Start.At, "kernel counters of "+h.Host, "%s for memory", format.Counted(n, "kill"))
			return
		}
	}
}

// leastHeld is how often the kernel must hold processes back for memory (memory.high), in the 15 s
// around the onset: fewer happen now and then in any group near its limit.
const leastHeld = 20

// observeThrashing asks whether memory was full at the onset and threads spent their time waiting for
// it. The kernel reclaims pages long before it kills, and with swap or page cache that can last.
func observeThrashing(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	var full, held *evidence.Resource
	waited := 0.0
	for _, r := range c.Run.Resources {
		if !h.Has(r.Metric.Host) || evidence.GeneratorOwn(r.Metric) {
			continue
		}
		switch r.Metric.Name {
		case probe.CgroupMemory, probe.Memory:
			if r.Full != nil && !r.Throughout && r.Full.At <= c.At+1 && r.Full.At >= c.At-10 {
				full = r
			}
		case probe.MemoryHeld:
			if m := r.Counter; m != nil && m.Start != nil && !m.Throughout && m.Start.At <= c.At+1 && m.Start.At >= c.At-10 && m.Between(c.At-5, c.At+10) >= leastHeld {
				held = r
			}
		case probe.MemoryPressure:
			if r.Counter != nil {
				waited = max(waited, r.Counter.Between(c.At-5, c.At+10)/1e6)
			}
		}
	}
	if held != nil {
		f.SetAt(evidence.Thrashing, evidence.Yes, held.Counter.Start.At, "kernel counters of "+h.Host, "the kernel held processes of %s back %s for more memory than memory.high of their cgroup: it reclaims instead of running them",
			h.Host, format.Counted(held.Counter.Between(c.At-5, c.At+10), "time"))
		return
	}
	if full != nil && waited >= 2 {
		f.SetAt(evidence.Thrashing, evidence.Yes, full.Full.At, "probe of "+h.Host, "%s, and tasks waited %s for memory around it: the kernel was reclaiming instead of running them", full.Describe(), format.Seconds(waited))
	}
}
