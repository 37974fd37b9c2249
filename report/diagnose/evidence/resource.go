package evidence

import (
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

func (r *Resource) FullAt() float64 {
	if r.Full != nil {
		return r.Full.At
	}
	if r.Level != nil {
		return r.Level.At
	}
	return math.Inf(1)
}

// Movement is how a cumulative counter moved during the load.
type Movement struct {
	Total      float64
	At         []float64 // middle of each interval in which it grew
	From, To   []float64 // the interval
	By         []float64
	First      *Saturation // when it moved at all
	Start      *Saturation // when it began to move and went on; nil: it never moved
	Throughout bool        // moved from the start at no lower a rate
	Restarted  []float64   // times at which it went backwards
	Intervals  int
}

// Between returns by how much a counter grew in a span of time.
func (m *Movement) Between(from, to float64) float64 {
	n := 0.0
	for i, t := range m.To {
		if t > from && m.From[i] < to {
			n += m.By[i]
		}
	}
	return n
}

// Beyond reports whether use exceeded the limit for good, so that it cannot be
// what limits: a process' resident memory counts pages that it shares, a cgroup's
// limit only those that are charged to it.
func (r *Resource) Beyond() bool {
	return r.Metric.Name == probe.RSS && r.Most > 1.02
}

const (
	steadyLoad  = 0.05  // a load that varies by less is constant
	DropShare   = 0.3   // of a climb and
	DropOfPeak  = 0.1   // of the highest value: a fall by both ends a climb
	ClimbPoints = 200   // bounds the pairs that a slope is the median of
	EntryFor    = 120.0 // seconds that Linux tracks a closed connection (nf_conntrack_tcp_timeout_time_wait)
	TimeWaitFor = 60.0  // seconds that Linux keeps a closed connection in TIME_WAIT (TCP_TIMEWAIT_LEN)
)

// Climb is a stretch of a resource over which it only grew: the life of one
// process, or the time until something was given back.
type Climb struct {
	From, To float64 // seconds since the load began
	Slope    float64 // units per second: the median of the slopes of all pairs (Theil-Sen)
	Begin    float64 // value at from
	Value    float64 // value at to
	Early    float64 // slope of the first half
	Late     float64 // slope of the second half
}

// Growth returns by how much a total grew in a second, between two times; NaN
// without readings.
func (r *Resource) Growth(from, to float64) float64 {
	first, last := -1, -1
	for i, at := range r.Series.At {
		switch s := at.Seconds(); {
		case s <= from:
			first = i
		case s <= to:
			last = i
		}
	}
	if first < 0 || last < 0 {
		return math.NaN()
	}
	return (r.Series.Value[last] - r.Series.Value[first]) / (r.Series.At[last] - r.Series.At[first]).Seconds()
}

const (
	hardFull        = 0.98 // of a limit that refuses
	UtilisationFull = 0.92 // of a capacity that slows
	PlateauWidth    = 0.003
	PinnedShare     = 0.8
	ThroughoutShare = 0.8
	ThroughoutSpan  = 5.0 // seconds from the start of the load
)

// Resource is one series with what it shows of running out. Times are seconds
// since the load began.
type Resource struct {
	Metric probe.Metric
	Def    probe.Definition
	Series *runlog.Series
	At     []float64 // of the samples during the load
	Value  []float64
	Share  []float64 // of the limit; NaN without one
	Period float64   // between samples

	Limit, Peak float64
	Most        float64 // highest share
	Jump        float64 // standard deviation of consecutive differences, as a share

	Full       *Saturation
	Freed      float64 // last time at which it was full, if it was not at the end; NaN
	Throughout bool    // full from the start
	Exact      bool    // at the limit to the last unit
	Level      *Saturation
	Counter    *Movement
	Gaps       []gap
}

// Saturation is when a resource ran out, or stopped growing.
type Saturation struct {
	At, Low, High float64
	Value         float64
	Corner        bool // of a curve over load: the time is where it bends
	Flicker       bool // full again and again, not all the time
	Pinned        bool // of a level: it stays within 0.5 % of the highest value
}

func (s *Saturation) Sigma() float64 { return max(0.01, (s.High-s.Low)/math.Sqrt(12)) }

// Threshold is where a hard limit counts as full: at 98 %, or one below the
// limit where the limit is small.
func Threshold(limit float64) float64 { return min(hardFull*limit, max(limit-1, limit/2)) / limit }

// UnixSocket begins the instance of a listen queue that is a Unix socket's: no
// counter tells when it overflows.
const UnixSocket = "unix:"

// Waiting reports whether a resource is pressure stall information: time that
// tasks waited.
func Waiting(name string) bool {
	return name == probe.CPUPressure || name == probe.MemoryPressure || name == probe.IOPressure
}

// Middle returns the median of the readings between two times; NaN without any.
func (r *Resource) Middle(from, to float64) float64 {
	var v []float64
	for i, t := range r.At {
		if t >= from && t <= to {
			v = append(v, r.Value[i])
		}
	}
	return QuantileOf(v, 0.5)
}
