package assemble

import (
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// maxRows bounds the windows of a report; the run log keeps them all.
const maxRows = 1200

// maxResourceColumns bounds the resources that have a column: causes and
// candidates first, then the fullest.
const maxResourceColumns = 16

// windows returns the time series in columns, coarse enough for maxRows.
func windows(log *runlog.Log, series *report.Series, result diagnose.Result) report.Windows {
	n := series.Len()
	factor := max(1, (n+maxRows-1)/maxRows)
	rows := (n + factor - 1) / factor
	interval := time.Duration(factor) * series.Interval
	out := report.Windows{
		IntervalMS: float64(interval) / float64(time.Millisecond),
		Columns:    map[string][]*float64{},
	}
	column := func(name string, value func(from, to int) *float64) {
		c := make([]*float64, rows)
		for row := range c {
			c[row] = value(row*factor, min(n, (row+1)*factor))
		}
		out.Columns[name] = c
	}
	rate := func(count func(*report.Point) uint64) func(from, to int) *float64 {
		return func(from, to int) *float64 {
			var sum uint64
			for t := range series.Points {
				sum += total(series, t, from, to, count)
			}
			return number(float64(sum) / (time.Duration(to-from) * series.Interval).Seconds())
		}
	}
	column("at_s", func(from, _ int) *float64 {
		return number((time.Duration(from) * series.Interval).Seconds())
	})
	column("offered_rps", rate(func(p *report.Point) uint64 { return p.Scheduled }))
	column("achieved_rps", rate(func(p *report.Point) uint64 { return p.Sent }))
	for t, name := range series.Names {
		count := func(count func(*report.Point) uint64) func(from, to int) *float64 {
			return func(from, to int) *float64 { return number(float64(total(series, t, from, to, count))) }
		}
		quantile := func(q float64) func(from, to int) *float64 {
			return func(from, to int) *float64 {
				var h attack.Histogram
				for i := from; i < to; i++ {
					h = h.Merge(series.Points[t][i].Latency)
				}
				return quantileMS(h, q)
			}
		}
		column(name+"/requests", count(func(p *report.Point) uint64 { return p.Requests }))
		column(name+"/failures", count(func(p *report.Point) uint64 { return p.Failures }))
		column(name+"/wire_resets", count(func(p *report.Point) uint64 { return p.WireResets }))
		column(name+"/p50_ms", quantile(0.5))
		column(name+"/p90_ms", quantile(0.9))
		column(name+"/p99_ms", quantile(0.99))
		if held(series.Points[t]) {
			level := func(of func(*report.Point) int64) func(from, to int) *float64 {
				return func(_, to int) *float64 { return number(float64(of(&series.Points[t][to-1]))) }
			}
			column(name+"/connections_wanted", level(func(p *report.Point) int64 { return p.Wanted }))
			column(name+"/connections_open", level(func(p *report.Point) int64 { return p.Open }))
			column(name+"/connections_late", level(func(p *report.Point) int64 { return p.Undialled }))
		}
		column(name+"/max_ms", quantile(1))
		for fault, values := range faultCounts(log, t, rows, factor) {
			out.Columns[name+"/faults/"+fault] = values
		}
	}
	for _, m := range charted(result) {
		if s, ok := seriesOfMetric(log, m); ok {
			name, values := resourceColumn(s, rows, interval)
			out.Columns[name] = values
		}
	}
	return out
}

// held reports whether connections of a target were to be held.
func held(points []report.Point) bool {
	return slices.ContainsFunc(points, func(p report.Point) bool { return p.Wanted > 0 })
}

func total(s *report.Series, target, from, to int, count func(*report.Point) uint64) uint64 {
	var sum uint64
	for i := from; i < to; i++ {
		sum += count(&s.Points[target][i])
	}
	return sum
}

// charted chooses the metrics that get a column.
func charted(result diagnose.Result) []probe.Metric {
	rank := func(r diagnose.Resource) float64 {
		switch r.Verdict {
		case diagnose.Cause:
			return 3
		case diagnose.Candidate:
			return 2
		case diagnose.FullThroughout:
			return 1.5
		case diagnose.NotMeasured, diagnose.SymptomOnly:
			return -1
		}
		d, _ := r.Metric.Def()
		if d.Kind != probe.HardLimit && d.Kind != probe.Utilisation {
			return -1
		}
		return min(1, finite(r.Peak/limitOf(r.Metric, r.Limit)))
	}
	sorted := slices.Clone(result.Resources)
	slices.SortStableFunc(sorted, func(a, b diagnose.Resource) int {
		switch ra, rb := rank(a), rank(b); {
		case ra > rb:
			return -1
		case ra < rb:
			return 1
		}
		return 0
	})
	var out []probe.Metric
	for _, r := range sorted {
		if rank(r) >= 0 && len(out) < maxResourceColumns {
			out = append(out, r.Metric)
		}
	}
	return out
}

func seriesOfMetric(log *runlog.Log, m probe.Metric) (runlog.Series, bool) {
	for _, s := range log.Series {
		if s.Metric == m {
			return s, true
		}
	}
	return runlog.Series{}, false
}

// resourceColumn puts a series of samples into rows: the highest share of the
// limit in each, or the increase of a counter. A row without a sample is nil.
func resourceColumn(s runlog.Series, rows int, interval time.Duration) (string, []*float64) {
	d, _ := s.Metric.Def()
	label := resourceLabel(s.Metric)
	values := make([]*float64, rows)
	if d.Cumulative {
		last := math.NaN()
		for i, at := range s.At {
			// A counter that went backwards began anew with its owner.
			step := s.Value[i] - last
			if step < 0 {
				step = s.Value[i]
			}
			last = s.Value[i]
			if row := int(at / interval); at >= 0 && row < rows && !math.IsNaN(step) {
				if values[row] == nil {
					values[row] = new(float64)
				}
				*values[row] += step
			}
		}
		return "counter:" + label, values
	}
	missing := limitOf(s.Metric, math.NaN())
	for i, at := range s.At {
		row := int(at / interval)
		limit := s.Limit[i]
		if math.IsNaN(limit) {
			limit = missing
		}
		share := s.Value[i] / limit
		if at < 0 || row >= rows || math.IsNaN(share) || math.IsInf(share, 0) {
			continue
		}
		if values[row] == nil || share > *values[row] {
			values[row] = &share
		}
	}
	return "utilisation:" + label, values
}

// limitOf returns a limit; a share of a capacity has 1 where none is given.
func limitOf(m probe.Metric, limit float64) float64 {
	if d, ok := m.Def(); ok && math.IsNaN(limit) && d.Kind == probe.Utilisation && d.Unit == "share" {
		return 1
	}
	return limit
}
