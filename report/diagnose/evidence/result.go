package evidence

import (
	"math"
	"time"

	"github.com/rampload/rampload/attack"
)

const (
	FalseAlarms  = 0.01 // per run
	SmallestRate = 5e-4
)

// OnsetStatus says what a scan for an onset found.
type OnsetStatus string

// The outcomes of a scan.
const (
	NoOnset      OnsetStatus = "none"
	Found        OnsetStatus = "onset"
	LeftCensored OnsetStatus = "left-censored" // present from the start
	Transient    OnsetStatus = "transient"     // an episode that did not last
	Periodic     OnsetStatus = "periodic"      // bursts at regular intervals
)

// Span is a value with a 95 % interval.
type Span struct{ Value, Low, High float64 }

// Onset is where one fault class of one target begins to rise and stays.
type Onset struct {
	Status OnsetStatus
	Fault  attack.Fault
	Series string // "dial" or "request": the exposure that it was scanned against
	At     Span   // seconds since the load began
	Load   Span   // requests per second, all targets
	// Range is the 95 % interval of At whatever way the faults grow, and however clustered
	// they are; nil: that of At. What ran out about then is dated by At.
	Range, RangeLoad *Span
	// Coverage is in what share of simulated runs like this one Range holds the beginning;
	// NaN: not known.
	Coverage   float64
	UpperBound float64 // without an onset: 95 % bound of the share of faults
	Before     uint64  // faults before it
	BeforeOf   uint64  // exposure before it
	After      uint64  // faults after it
	AfterOf    uint64
	AlarmAt    float64 // seconds: when a reader of the stream would have known
	Constant   float64 // requests per second: the load until then, if it had not changed; else 0
	EventDelay float64 // seconds from a request's due time, which At is, to its fault (median)
	Bursts     []Burst // isolated bursts that were masked
	Slow       bool    // grows by small degrees, without a point at which it begins
	// Climber is the resource that climbs with what grows slowly, Climbs that in words.
	Climber *Resource
	Climbs  string
	Note    string
}

// Interval is the 95 % interval that is told of the onset's time: that of At, and Range.
func (o *Onset) Interval() Span { return widened(o.At, o.Range) }

// LoadInterval is the same of its load.
func (o *Onset) LoadInterval() Span { return widened(o.Load, o.RangeLoad) }

func widened(s Span, by *Span) Span {
	if by == nil || math.IsNaN(s.Low) {
		return s
	}
	return Span{Value: s.Value, Low: min(s.Low, by.Low), High: max(s.High, by.High)}
}

// Burst is an isolated burst of faults.
type Burst struct {
	At    time.Duration
	Count uint64
}

// GeneratorState says whether the generator was the limit.
type GeneratorState struct {
	Limited bool
	Cause   string // a client-* key
	Reason  string
	At      time.Duration
	Load    float64
	CPU     float64 // peak share; NaN when not measured
	LagP99  time.Duration
}
