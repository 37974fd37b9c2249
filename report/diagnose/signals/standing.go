package signals

import (
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/format"
)

// observeStanding asks where the requests of a hop stand while answers are owed: without processor, on
// disk, without memory for sockets, or nowhere that can be seen from outside.
func observeStanding(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	portsFull(c, f, h)
	s := kernels.StandingAt(c, h)
	src := "probe of " + h.Host
	f.Set(evidence.Starved, evidence.When(s.NoProcessor, 0.3, 0.6), src, "tasks of %s were ready and had no processor for %s of the time", h.Host, format.Percent(s.NoProcessor))
	f.Set(evidence.OnDisk, evidence.When(s.OnDisk, 0.1, 0.35), src, "tasks of %s waited for disks for %s of the time", h.Host, format.Percent(s.OnDisk))
	f.Set(evidence.Stolen, evidence.When(s.Stolen, 0.05, 0.2), src, "the hypervisor took %s of the processor of %s away (%s before)", format.Percent(s.Stolen), h.Host, format.Percent(s.StolenBefore))
	if s.Stolen < 3*s.StolenBefore && f[evidence.Stolen].Is == evidence.Yes && c.Onset.Status == evidence.Found {
		f[evidence.Stolen].Is = evidence.Unknown // as much was taken before, and nothing failed
	}
	if f[evidence.Stolen].Is == evidence.Yes && f[evidence.LatencyFirst].Is != evidence.Yes && f[evidence.Queued].Is != evidence.Yes {
		f[evidence.Stolen].Is = evidence.Unknown // answers came as quickly as before
	}
	if s.Known() {
		f.Set(evidence.Idle, evidence.IsTrue(s.Quiet()), src, "%s", s.Text())
	}
	for _, r := range c.Run.Resources {
		if (r.Metric.Name == probe.AbortOnMemory || r.Metric.Name == probe.TCPMemoryPressures) && r.Counter != nil && c.Run.SpeaksFor(r.Metric, h) {
			if n := r.Counter.Between(c.From-1, c.To+1); n >= 3 && f[evidence.SocketMemory].Is != evidence.Yes {
				f.SetAt(evidence.SocketMemory, evidence.Yes, r.Counter.First.At, "kernel counters of "+h.Host, "the kernel of %s ran short of memory for sockets (%s grew by %s)", h.Host, r.Metric.Name, format.Number(n))
			}
		}
	}
	if h.Index == 0 {
		observeStill(c, f)
	}
	observeWay(c, f, h)
}

// observeStill asks whether nothing was answered from the onset to the end while the process lived on,
// and whether requests stood still repeatedly.
func observeStill(c *evidence.Case, f *evidence.Facts) {
	if c.Onset.Status != evidence.Found || c.Parts.Failed < 10 {
		return
	}
	from := c.Run.Window(c.At) + 2
	// Threads may stop one after the other: the hop is still once the last one has.
	last := from
	for i := from; i < c.Run.N; i++ {
		if c.Target.Ok[i] > 0 {
			last = i + 1
		}
	}
	if lasted := c.Run.Duration() - c.At; c.Run.Duration()-c.Run.Seconds(float64(last)) >= max(3, 0.5*lasted) {
		from = last
	}
	rest := c.Target.Compose(from, c.Run.N)
	waited := rest.Fault[attack.Timeout] + c.Statuses[504]
	long := c.Run.Duration()-c.At >= 3
	if rest.Attempts >= 20 && long {
		still := rest.Ok <= 0.01*rest.Attempts && waited >= 0.9*rest.Failed && f[evidence.Died].Is != evidence.Yes && f[evidence.DialTimeouts].Is != evidence.Yes
		f.Set(evidence.StandsStill, evidence.IsTrue(still), "client", "%s of %s attempts were answered from soon after the onset to the end; the others waited in vain, and the process lived on", format.Number(rest.Ok), format.Number(rest.Attempts))
	}
	stops := evidence.Stops(c)
	if len(stops) >= 2 {
		longest := 0.0
		for _, s := range stops {
			longest = math.Max(longest, s.To-s.From)
		}
		f.SetAt(evidence.Paused, evidence.Yes, stops[0].From, "client", "%s nothing was answered for up to %s, and then what had waited was, at once", format.Counted(float64(len(stops)), "time"), format.Seconds(longest))
	}
}
