package diagnose

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// TargetResult is what was found for one target.
type TargetResult struct {
	Name          string
	Onsets        []Onset       // every scanned fault class, headline first
	Recovery      *Span         // load on a ramp down at which the faults ended; nil: none seen
	MinDetectable float64       // smallest step of the fault share that would have been seen, 1: none
	DetectableFor float64       // seconds that such a step lasts
	Said          []report.Said // what logs say of its failures, the commonest first
	Way           *report.Way   // which way requests took and where they stood; nil: not seen
}

// Result is everything that was concluded from a log.
type Result struct {
	Targets   []TargetResult
	Resources []Resource
	Findings  []Finding // the first is the verdict; there is always one
	Generator GeneratorState
	Warnings  []string
}

// What a result consists of, from the rooms in which it is found.
type (
	Onset           = evidence.Onset
	OnsetStatus     = evidence.OnsetStatus
	Span            = evidence.Span
	Burst           = evidence.Burst
	GeneratorState  = evidence.GeneratorState
	Resource        = causes.Resource
	ResourceVerdict = causes.ResourceVerdict
	Finding         = causes.Finding
	Verdict         = causes.Verdict
	Evidence        = causes.Evidence
	Exclusion       = causes.Exclusion
)

// The outcomes of a scan for an onset.
const (
	NoOnset      = evidence.NoOnset
	Found        = evidence.Found
	LeftCensored = evidence.LeftCensored
	Transient    = evidence.Transient
	Periodic     = evidence.Periodic
)

// The verdicts of a resource.
const (
	Cause          = causes.Cause
	Candidate      = causes.Candidate
	RuledOut       = causes.RuledOut
	FullThroughout = causes.FullThroughout
	Headroom       = causes.Headroom
	SymptomOnly    = causes.SymptomOnly
	NotMeasured    = causes.NotMeasured
)

// The verdicts of a finding.
const (
	Healthy          = causes.Healthy
	Degraded         = causes.Degraded
	Explains         = causes.Explains
	Ambiguous        = causes.Ambiguous
	Unexplained      = causes.Unexplained
	Inconclusive     = causes.Inconclusive
	GeneratorLimited = causes.GeneratorLimited
)
