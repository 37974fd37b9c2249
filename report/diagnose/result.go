package diagnose

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/verdicts"
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
	Resource        = verdicts.Resource
	ResourceVerdict = verdicts.ResourceVerdict
	Finding         = verdicts.Finding
	Verdict         = verdicts.Verdict
	Evidence        = inquiry.Evidence
	Exclusion       = verdicts.Exclusion
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
	Cause          = verdicts.Cause
	Candidate      = verdicts.Candidate
	RuledOut       = verdicts.RuledOut
	FullThroughout = verdicts.FullThroughout
	Headroom       = verdicts.Headroom
	SymptomOnly    = verdicts.SymptomOnly
	NotMeasured    = verdicts.NotMeasured
)

// The verdicts of a finding.
const (
	Healthy          = verdicts.Healthy
	Degraded         = verdicts.Degraded
	Explains         = verdicts.Explains
	Ambiguous        = verdicts.Ambiguous
	Unexplained      = verdicts.Unexplained
	Inconclusive     = verdicts.Inconclusive
	GeneratorLimited = verdicts.GeneratorLimited
)
