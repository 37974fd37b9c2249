// Package diagnose turns a run log into findings: onset of every fault class of
// every target, saturation of every resource, and the ranking of causes. It is
// pure: the same log gives the same result. It does not judge gates (package
// report) and does not print (report/render).
package diagnose

import (
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
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
	Status     OnsetStatus
	Fault      attack.Fault
	Series     string  // "dial" or "request": the exposure that it was scanned against
	At         Span    // seconds since the load began
	Load       Span    // requests per second, all targets
	UpperBound float64 // without an onset: 95 % bound of the share of faults
	Before     uint64  // faults before it
	BeforeOf   uint64  // exposure before it
	After      uint64  // faults after it
	AfterOf    uint64
	AlarmAt    float64 // seconds: when a reader of the stream would have known
	Constant   float64 // requests per second: the load until then, if it had not changed; else 0
	EventDelay float64 // seconds from a request's due time, which At is, to its fault (median)
	Bursts     []Burst // isolated bursts that were masked
	Note       string
}

// Burst is an isolated burst of faults.
type Burst struct {
	At    time.Duration
	Count uint64
}

// TargetResult is what was found for one target.
type TargetResult struct {
	Name          string
	Onsets        []Onset // every scanned fault class, headline first
	Recovery      *Span   // load on a ramp down at which the faults ended; nil: none seen
	MinDetectable float64 // smallest step of the fault share that would have been seen
}

// ResourceVerdict is what a resource has to do with the resets.
type ResourceVerdict string

// The verdicts of a resource.
const (
	Cause          ResourceVerdict = "cause"
	Candidate      ResourceVerdict = "candidate"
	RuledOut       ResourceVerdict = "ruled-out"
	FullThroughout ResourceVerdict = "full-throughout"
	Headroom       ResourceVerdict = "headroom"
	SymptomOnly    ResourceVerdict = "symptom"
	NotMeasured    ResourceVerdict = "not-measured"
)

// Resource is one watched metric with what was concluded of it.
type Resource struct {
	Metric    probe.Metric
	Limit     float64 // NaN: unknown
	Peak      float64
	Saturated *Span   // seconds; nil: never
	Load      float64 // at saturation
	Lag       *Span   // onset less saturation, seconds
	Verdict   ResourceVerdict
	Reason    string
	Posterior float64 // share of belief in [0,1]; 0 when not ranked
	Inferred  bool    // the limit was inferred from a plateau
}

// Verdict is the verdict of a finding.
type Verdict string

// The verdicts of a finding.
const (
	Healthy          Verdict = "healthy"
	Explains         Verdict = "explains"
	Ambiguous        Verdict = "ambiguous"
	Unexplained      Verdict = "unexplained"
	Inconclusive     Verdict = "inconclusive"
	GeneratorLimited Verdict = "generator-limited"
)

// Evidence is one observed fact in words.
type Evidence struct {
	Source string
	Text   string
	At     *time.Duration
}

// Exclusion is one thing that did not cause it, and why.
type Exclusion struct{ What, Reason string }

// Finding is one conclusion about one target.
type Finding struct {
	Target     string
	Verdict    Verdict
	Cause      string // key of the cause catalogue
	Host       string
	Process    string
	PID        int32
	Resource   string
	Confidence float64
	Summary    string
	Evidence   []Evidence
	RuledOut   []Exclusion
	Advice     []string
	Nearest    []probe.Metric // of a pass: what came nearest to its limit, and a capacity that was busy
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

// Result is everything that was concluded from a log.
type Result struct {
	Targets   []TargetResult
	Resources []Resource
	Findings  []Finding // the first is the verdict; there is always one
	Generator GeneratorState
	Warnings  []string
}
