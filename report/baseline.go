package report

import (
	"errors"

	"github.com/rampload/rampload/report/compare"
)

// ErrDifferent means that reports are not of one profile and engine, so that a
// difference between them says nothing of the release.
var ErrDifferent = errors.New("reports differ in more than the release")

// Baseline is the earlier runs that a run was held against, and what came of it.
type Baseline struct {
	Files   []string         `json:"files"`
	Labels  []string         `json:"labels"`
	Runs    int              `json:"runs"`
	Metrics []compare.Metric `json:"metrics"` // Old is the baseline, New this run
	Summary string           `json:"summary"`
}

// noBaseline is why a gate against a baseline is undecided without one.
const noBaseline = "no baseline to hold it against: name earlier runs with --baseline FILE, a glob in quotes, or latest:DIR"
