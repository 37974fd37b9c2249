package prom

import (
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/rampload/rampload/probe"
)

// reading is one reading of a page, on its way to samples.
type reading struct {
	at       time.Duration
	clock    probe.Clock
	families map[string]*dto.MetricFamily
	emit     func(probe.Sample)
	events   []probe.Event
}

// has reports whether the page shows a metric.
func (r *reading) has(name string) bool { return r.families[name] != nil }

// series returns the series of a metric.
func (r *reading) series(name string) []*dto.Metric {
	if f := r.families[name]; f != nil {
		return f.Metric
	}
	return nil
}

// value is the value of a series, NaN for a histogram.
func value(m *dto.Metric) float64 {
	switch {
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Untyped != nil:
		return m.Untyped.GetValue()
	}
	return math.NaN()
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// one returns the value of a metric without labels, or of its first series that has
// all of them; NaN without any.
func (r *reading) one(name string, labels ...string) float64 {
	for _, m := range r.series(name) {
		if labelled(m, labels) {
			return value(m)
		}
	}
	return math.NaN()
}

// sum returns the sum over the series of a metric that have the labels; NaN without
// any.
func (r *reading) sum(name string, labels ...string) float64 {
	total, any := 0.0, false
	for _, m := range r.series(name) {
		if labelled(m, labels) {
			total, any = total+value(m), true
		}
	}
	if !any {
		return math.NaN()
	}
	return total
}

// labelled reports whether a series has labels, given as name, value, name, value.
func labelled(m *dto.Metric, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		if label(m, labels[i]) != labels[i+1] {
			return false
		}
	}
	return true
}

// when returns when a series was read: when the page says so, on the wall clock of
// its host, else when the page was made.
func (r *reading) when(m *dto.Metric) time.Duration {
	if m != nil && m.GetTimestampMs() != 0 {
		return r.clock.At(time.UnixMilli(m.GetTimestampMs()))
	}
	return r.at
}

// put emits a reading; one that is not there is left out.
func (r *reading) put(metric probe.Metric, v, limit float64) { r.putAt(r.at, metric, v, limit) }

func (r *reading) putAt(at time.Duration, metric probe.Metric, v, limit float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return
	}
	if !(limit > 0) || math.IsInf(limit, 0) { // exporters write 0 for none
		limit = probe.NoLimit()
	}
	r.emit(probe.Sample{At: at, Reading: probe.Reading{Metric: metric, Value: v, Limit: limit}})
}
