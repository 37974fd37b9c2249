// Package stats is the arithmetic of diagnosis: where a rate of rare events
// rises, where a curve bends, how likely a lag is, what a share is bounded by,
// and how series and samples compare. Everything is a pure function of slices
// of float64; no function keeps or changes its arguments, and all are safe for
// concurrent use.
//
// It knows nothing of resets, hosts or clocks, draws no conclusion about them
// (see report/diagnose), and is not a general statistics library: what gonum
// and golang.org/x/perf/benchmath do well is left to them.
//
// Heuristics that depart from a textbook method are measured by the evaluation
// of report/diagnose and say so in their comments.
package stats
