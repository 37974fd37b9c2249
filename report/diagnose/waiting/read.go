package waiting

import (
	"math"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/runlog"
)

type reader struct {
	log   *runlog.Log
	hosts map[netip.Addr]string // the watched host of an address
}

// stood reads one hop over some time.
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
			s.Throttled = larger(s.Throttled, math.Min(1, growth(x, spans)/10)) // of periods of 100 ms
		case m.Name == probe.Sessions && m.Instance == "waiting" && slices.ContainsFunc(h.Instances, func(y *hops.Service) bool { return y.Host == m.Host && y.Process == m.Process }):
			s.Locked += finite(median(around(track(x), spans)))
		case m.Name == probe.Sessions && m.Instance == "idle in transaction" && slices.ContainsFunc(h.Instances, func(y *hops.Service) bool { return y.Host == m.Host && y.Process == m.Process }):
			s.InTransaction += finite(median(around(track(x), spans)))
		}
	}
	// A thread that is ready all the time has a processor or waits for one. One that has
	// neither was only found so: it wakes when the readings are taken.
	if s.Cores+s.NoProcessor < readyShare {
		s.Running = 0
	}
	return s
}

// process adds what was read of one process of a hop.
func (r *reader) process(s *Stood, x *runlog.Series, threads float64, spans []Span) {
	switch x.Metric.Name {
	case probe.ProcessCPU:
		share := median(between(track(x), spans))
		s.Processor = larger(s.Processor, share)
		if cpus := float64(r.log.Header.CPUs); cpus > 0 && threads > 0 {
			s.Cores = hops.Sum(s.Cores, share*math.Min(cpus, threads))
		}
	case probe.RunDelay:
		s.NoProcessor = hops.Sum(s.NoProcessor, growth(x, spans)/1e6)
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

// worst returns the instance with the most open requests.
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

func track(x *runlog.Series) hops.Track {
	t := hops.Track{At: make([]float64, len(x.At)), Value: x.Value}
	for i, at := range x.At {
		t.At[i] = at.Seconds()
	}
	return t
}

func between(t hops.Track, spans []Span) []float64 {
	var out []float64
	for _, s := range spans {
		out = append(out, t.Between(s.From, s.To)...)
	}
	return out
}

// around returns the readings of some time, and where there are none the last one shortly
// before it: sockets of a busy host are read less often.
func around(t hops.Track, spans []Span) []float64 {
	if out := between(t, spans); len(out) > 0 {
		return out
	}
	if i := shortlyBefore(t, spans); i >= 0 {
		return []float64{t.Value[i]}
	}
	return nil
}

// ages is around for ages of what stands: it got older since the last reading.
func ages(t hops.Track, spans []Span) []float64 {
	if out := between(t, spans); len(out) > 0 {
		return out
	}
	i := shortlyBefore(t, spans)
	switch {
	case i < 0:
		return nil
	case t.Value[i] == 0: // nothing stood
		return []float64{0}
	}
	return []float64{t.Value[i] + spans[0].From - t.At[i]}
}

// shortlyBefore returns the index of the last reading in the seconds before some time, -1
// for none.
func shortlyBefore(t hops.Track, spans []Span) int {
	const shortly = 2.5 // seconds
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

// grows reports whether the oldest request got older with the time: its age grows as the
// clock goes for most of a span of three seconds or more.
func grows(t hops.Track, spans []Span) bool {
	for _, s := range spans {
		from, at := -1, -1
		for i := range t.At {
			if t.At[i] < s.From || t.At[i] > s.To {
				continue
			}
			if from < 0 || t.Value[i] < t.Value[at] {
				from = i
			}
			at = i
			if passed := t.At[i] - t.At[from]; passed >= 3 && t.Value[i]-t.Value[from] >= 0.8*passed {
				return true
			}
		}
	}
	return false
}

// growth returns by how much a total grew in a second, over some time; NaN without
// readings.
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

// slower returns how many times as old as before what was asked gets: of the readings that
// found something out, for at light load most find nothing. NaN without enough of them.
func slower(asked []*hops.Peer, now, before []Span) float64 {
	const enough = 5
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

func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Clone(v)
	slices.Sort(v)
	return v[int(q*float64(len(v)-1)+0.5)]
}

func larger(x, y float64) float64 {
	if math.IsNaN(x) || y > x {
		return y
	}
	return x
}

func finite(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}
