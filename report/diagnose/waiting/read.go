package waiting

import (
	"math"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/runlog"
)

// reader reads the steps of a walk from a run log.
type reader struct {
	log   *runlog.Log
	hosts map[netip.Addr]string // the watched host of an address
}

// stood reads one hop over the spans; all NaN without a span.
func (r *reader) stood(h *hops.Hop, spans []Span) Stood {
	nan := math.NaN()
	s := Stood{
		NotAccepted: nan, NotRead: nan, Owed: nan, Incomplete: nan, Inbound: nan, Oldest: nan, Median: nan, Processor: nan, Cores: nan,
		NoProcessor: nan, Throttled: nan, OnDisk: nan, Stopped: nan, Runs: nan, Running: nan, Accepted: nan, Resent: nan,
	}
	if len(spans) == 0 {
		return s
	}
	for _, x := range h.Instances {
		read := func(name string) float64 { return median(around(x.Tracks[name], spans)) }
		s.NotAccepted = hops.Sum(s.NotAccepted, read(probe.NotAccepted))
		s.NotRead = hops.Sum(s.NotRead, read(probe.RequestsUnread))
		s.Owed = hops.Sum(s.Owed, read(probe.Owed))
		s.Incomplete = hops.Sum(s.Incomplete, read(probe.Incomplete))
		s.Inbound = hops.Sum(s.Inbound, read(probe.Inbound))
		s.Accepted = hops.Sum(s.Accepted, read(probe.Inbound)-finite(read(probe.NotAccepted)))
		oldest := ages(x.Tracks[probe.OwedOldest], spans)
		s.Oldest = larger(s.Oldest, quantile(oldest, 0.75))
		s.Median = larger(s.Median, read(probe.OwedMedian))
		s.Resent = hops.Sum(s.Resent, quantile(around(x.Tracks[probe.AnswersResent], spans), 1))
		s.OldestGrows = s.OldestGrows || grows(x.Tracks[probe.OwedOldest], spans)
	}
	labels := map[[2]string]bool{}
	threads := map[int32]float64{}
	for _, x := range r.log.Series {
		if m := x.Metric; m.PID != 0 && h.Has(m.Host, m.PID) && m.Name == probe.Threads && len(x.Value) > 0 {
			if now := median(between(track(&x), spans)); !math.IsNaN(now) {
				s.Threads += now
			}
			threads[m.PID] = x.Value[len(x.Value)-1]
			labels[[2]string{m.Host, m.Process}] = true
		}
	}
	for i := range r.log.Series {
		x := &r.log.Series[i]
		m := x.Metric
		switch {
		case m.PID != 0 && h.Has(m.Host, m.PID):
			r.process(&s, x, threads[m.PID], spans)
		case m.PID == 0 && labels[[2]string{m.Host, m.Process}] && m.Name == probe.CPUThrottled:
			s.Throttled = larger(s.Throttled, math.Min(1, growth(x, spans)/quotaPeriods))
		case m.Name == probe.Sessions && hasProcess(h, m):
			n := finite(median(around(track(x), spans)))
			switch m.Instance {
			case "waiting":
				s.Locked += n
			case "idle in transaction":
				s.InTransaction += n
			}
		}
	}
	// A thread that is ready all the time either uses a processor or waits for one, and the
	// kernel counts both. Where it counted neither, the thread only happens to wake when the
	// readings are taken.
	if s.Cores+s.NoProcessor < readyShare {
		s.Running = 0
	}
	return s
}

// quotaPeriods is how many periods of a cgroup's processor quota pass in a second: the kernel's
// default period is 100 ms.
const quotaPeriods = 10

// hasProcess reports whether an instance of a hop is the process of a metric.
func hasProcess(h *hops.Hop, m probe.Metric) bool {
	return slices.ContainsFunc(h.Instances, func(x *hops.Service) bool { return x.Host == m.Host && x.Process == m.Process })
}

// process adds what one series says of a process of a hop. threads is how many threads the
// process had at last; 0: not known.
func (r *reader) process(s *Stood, x *runlog.Series, threads float64, spans []Span) {
	switch x.Metric.Name {
	case probe.ProcessCPU:
		share := median(between(track(x), spans))
		s.Processor = larger(s.Processor, share)
		if cpus := float64(r.log.Header.CPUs); cpus > 0 && threads > 0 {
			s.Cores = hops.Sum(s.Cores, share*math.Min(cpus, threads))
		}
	case probe.RunDelay:
		s.NoProcessor = hops.Sum(s.NoProcessor, growth(x, spans)/1e6) // µs a second: the mean number of threads
	case probe.Runs:
		s.Runs = hops.Sum(s.Runs, growth(x, spans))
	case probe.ThreadsRunning:
		s.Running = larger(s.Running, quantile(between(track(x), spans), 0.25))
	case probe.ThreadsOnDisk:
		s.OnDisk = hops.Sum(s.OnDisk, mean(between(track(x), spans)))
	case probe.ThreadsHeld:
		now := finite(median(around(track(x), spans)))
		switch x.Metric.Instance {
		case probe.HeldFileLock:
			s.FileLocked += now
		case probe.HeldOutput:
			s.Blocked += now
		}
	case probe.ThreadsStopped:
		s.Stopped = hops.Sum(s.Stopped, median(between(track(x), spans)))
	}
}

// worst returns the instance with the most open requests; nil of a hop without instances.
func worst(h *hops.Hop, spans []Span) *hops.Service {
	var out *hops.Service
	most := -1.0
	for _, x := range h.Instances {
		open := finite(median(between(x.Tracks[probe.NotAccepted], spans))) + finite(median(between(x.Tracks[probe.Owed], spans)))
		if open > most {
			out, most = x, open
		}
	}
	return out
}

// track returns a series with its times in seconds.
func track(x *runlog.Series) hops.Track {
	t := hops.Track{At: make([]float64, len(x.At)), Value: x.Value}
	for i, at := range x.At {
		t.At[i] = at.Seconds()
	}
	return t
}

// between returns the readings within the spans.
func between(t hops.Track, spans []Span) []float64 {
	var out []float64
	for _, s := range spans {
		out = append(out, t.Between(s.From, s.To)...)
	}
	return out
}

// around returns the readings within the spans, or, where there are none, the last one shortly
// before: a host with many sockets reads them less often.
func around(t hops.Track, spans []Span) []float64 {
	if out := between(t, spans); len(out) > 0 {
		return out
	}
	if i := shortlyBefore(t, spans); i >= 0 {
		return []float64{t.Value[i]}
	}
	return nil
}

// ages is around for the age of a request: a reading from before the spans has aged since.
func ages(t hops.Track, spans []Span) []float64 {
	if out := between(t, spans); len(out) > 0 {
		return out
	}
	i := shortlyBefore(t, spans)
	switch {
	case i < 0:
		return nil
	case t.Value[i] == 0: // no request was open
		return []float64{0}
	}
	return []float64{t.Value[i] + spans[0].From - t.At[i]}
}

// shortlyBefore returns the index of the last reading in the seconds before the first span; -1
// for none.
func shortlyBefore(t hops.Track, spans []Span) int {
	const shortly = 2.5 // seconds: longer than busy hosts leave between two readings of their sockets
	if len(spans) == 0 {
		return -1
	}
	for i := len(t.At) - 1; i >= 0; i-- {
		if t.At[i] <= spans[0].From {
			if t.At[i] < spans[0].From-shortly {
				return -1
			}
			return i
		}
	}
	return -1
}

// grows reports whether the age of the oldest request grew nearly as fast as the clock for some
// seconds: then it was the same request, and was not answered.
func grows(t hops.Track, spans []Span) bool {
	const (
		long   = 3   // seconds
		nearly = 0.8 // of the clock
	)
	for _, s := range spans {
		from, at := -1, -1 // the reading at which the age was smallest; the one before this
		for i := range t.At {
			if t.At[i] < s.From || t.At[i] > s.To {
				continue
			}
			if from < 0 || t.Value[i] < t.Value[at] {
				from = i
			}
			at = i
			if passed := t.At[i] - t.At[from]; passed >= long && t.Value[i]-t.Value[from] >= nearly*passed {
				return true
			}
		}
	}
	return false
}

// growth returns by how much a counter grew a second within the spans; NaN without readings.
func growth(x *runlog.Series, spans []Span) float64 { return rate(track(x), spans) }

// rate is growth of a track.
func rate(x hops.Track, spans []Span) float64 {
	grew, passed := 0.0, 0.0
	for _, s := range spans {
		first, last := -1, -1
		for i, t := range x.At {
			switch {
			case t <= s.From || first < 0 && t <= s.To:
				first = i
			case t <= s.To:
				last = i
			}
		}
		if first >= 0 && last > first {
			grew += x.Value[last] - x.Value[first]
			passed += x.At[last] - x.At[first]
		}
	}
	if passed == 0 {
		return math.NaN()
	}
	return grew / passed
}

// slower returns the median age of requests to a hop over that before. It counts only readings
// that found a request out, as at light load most find none. NaN without enough of them.
func slower(asked []*hops.Peer, now, before []Span) float64 {
	const enough = 5 // readings on each side
	found := func(spans []Span) (out []float64) {
		for _, p := range asked {
			for _, age := range between(p.Tracks[probe.AwaitingMedian], spans) {
				if age > 0 {
					out = append(out, age)
				}
			}
		}
		return out
	}
	x, y := found(before), found(now)
	if len(x) < enough || len(y) < enough {
		return math.NaN()
	}
	return median(y) / median(x)
}

func median(v []float64) float64 { return quantile(v, 0.5) }

// mean is NaN without a value.
func mean(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	n := 0.0
	for _, x := range v {
		n += x
	}
	return n / float64(len(v))
}

// quantile returns the value nearest to the rank q, 0 to 1, without interpolation; NaN without
// a value.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Clone(v)
	slices.Sort(v)
	return v[int(q*float64(len(v)-1)+0.5)]
}

// larger returns the larger of what was measured; NaN if neither was.
func larger(x, y float64) float64 {
	if math.IsNaN(x) || y > x {
		return y
	}
	return x
}

// finite returns a value that was measured, else 0.
func finite(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}
