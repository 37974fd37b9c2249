package signals

import (
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/format"
)

// observePods asks what the API server of a cluster said about a hop's pods around the onset. Ends of
// containers count as ends of processes (see kernels.Deaths).
func observePods(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	changes := kernels.PodChanges(c, h)
	const src = "Kubernetes"
	if kernels.PodsWatched(c, h) {
		for x, text := range map[evidence.Clue]string{
			evidence.PodsKilled: "no container was killed for memory", evidence.PodsOut: "no pod was taken out of service", evidence.PodsUpdated: "no rolling update began",
			evidence.PodsEvicted: "no pod was evicted", evidence.ProbeKilled: "no container was ended for its liveness probe",
		} {
			f.Set(x, evidence.No, src, "%s", text)
		}
	}
	near := func(e probe.Event, before float64) bool {
		at := e.At.Seconds()
		return at > c.At-before && at < c.To+1
	}
	observeUpdate(c, f, changes, src)
	for _, e := range changes {
		at := e.At.Seconds()
		switch {
		case e.State == probe.PodOOMKilled && near(e, 10) && f[evidence.PodsKilled].Is != evidence.Yes:
			f.SetAt(evidence.PodsKilled, evidence.Yes, at, src, "container %s of pod %s was killed for memory", e.Comm, e.Process)
		case e.State == probe.PodEvicted && near(e, 10) && f[evidence.PodsEvicted].Is != evidence.Yes:
			f.SetAt(evidence.PodsEvicted, evidence.Yes, at, src, "pod %s was evicted: %s", e.Process, e.Reason)
		case e.State == probe.PodProbeKilled && near(e, 10) && f[evidence.ProbeKilled].Is != evidence.Yes:
			f.SetAt(evidence.ProbeKilled, evidence.Yes, at, src, "pod %s: %s", e.Process, e.Reason)
		}
	}
	observeOut(c, f, h, src)
}

// observeUpdate asks whether faults began with a rolling update, and fall into its time.
func observeUpdate(c *evidence.Case, f *evidence.Facts, changes []probe.Event, src string) {
	const settles = 5.0 // seconds after the last pod that came or went
	for i, e := range changes {
		if e.State != probe.PodUpdate {
			continue
		}
		from, to, gone := e.At.Seconds(), e.At.Seconds(), 0
		for _, x := range changes[i:] {
			if at := x.At.Seconds(); (x.State == probe.PodEnding || x.State == probe.PodReady || x.State == probe.PodExited) && at < to+60 {
				if x.State == probe.PodEnding {
					gone++
				}
				to = at
			}
		}
		if from > c.At+1 || to+settles < c.At || gone == 0 {
			continue
		}
		during, all := failuresIn(c, []kernels.PodSpell{{From: from - 1, To: to + settles}})
		is := evidence.When(during/max(all, 1), 0.3, 0.6)
		f.SetAt(evidence.PodsUpdated, is, from, src, "a rolling update (%s) ended %s; %s of %s failures came during it",
			e.Reason, format.Counted(float64(gone), "pod"), format.Number(during), format.Number(all))
		return
	}
}

// observeOut asks whether failures fall into the times in which pods were out of service.
func observeOut(c *evidence.Case, f *evidence.Facts, h evidence.Hop, src string) {
	spells := slices.DeleteFunc(kernels.OutOfService(c, h), func(s kernels.PodSpell) bool { return s.To < c.At-5 || s.From > c.To+1 })
	if len(spells) == 0 {
		return
	}
	during, all := failuresIn(c, spells)
	is := evidence.When(during/max(all, 1), 0.3, 0.6)
	if spells[0].From > c.At+2 { // the faults came first, and may have made the probes fail
		is = evidence.No
	}
	left, why := spells[0].Left, spells[0].Why
	for _, s := range spells {
		if left = min(left, s.Left); s.Probe {
			why = s.Why
		}
	}
	f.SetAt(evidence.PodsOut, is, spells[0].From, src, "pods were taken out of service %s though they ran on, down to %s ready (%s); %s of %s failures came meanwhile",
		format.Counted(float64(len(spells)), "time"), format.Counted(float64(left), "pod"), why, format.Number(during), format.Number(all))
}

// failuresIn counts the failures within spells, and all that were kept. The API's times have a
// resolution of a second.
func failuresIn(c *evidence.Case, spells []kernels.PodSpell) (during, all float64) {
	for _, x := range c.Failures {
		if x.Phase == attack.PhaseIdle {
			continue
		}
		all++
		at := x.End.Seconds()
		if slices.ContainsFunc(spells, func(s kernels.PodSpell) bool { return at >= s.From-1 && at <= s.To+1.5 }) {
			during++
		}
	}
	return during, all
}
