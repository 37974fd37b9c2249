// Package otlpmetrics hands snapshots to a collector of OpenTelemetry, as its metrics
// (https://opentelemetry.io/docs/specs/otel/metrics/data-model/): counters are cumulative
// sums, histograms exponential ones.
package otlpmetrics

import (
	"context"
	"slices"
	"strings"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"

	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/cmd/internal/otlp"
)

// Receiver is a collector. It is for one goroutine.
type Receiver struct {
	sender  *otlp.Sender
	where   string
	version string
}

// New returns a receiver, of which where is the name for people. version is rampload's.
func New(sender *otlp.Sender, where, version string) *Receiver {
	return &Receiver{sender, where, version}
}

// Where names the collector for people.
func (r *Receiver) Where() string { return r.where }

// Close closes its connections.
func (r *Receiver) Close() { r.sender.Close() }

// Send hands a snapshot over.
func (r *Receiver) Send(ctx context.Context, s family.Snapshot) error {
	return r.sender.Send(ctx, Encode(s, r.version))
}

// Encode returns a snapshot as metrics. Names lose what Prometheus puts at their end, for
// OpenTelemetry has units and kinds of its own.
func Encode(s family.Snapshot, version string) *metrics.MetricsData {
	scope := &metrics.ScopeMetrics{Scope: &common.InstrumentationScope{Name: "rampload", Version: version}}
	for _, f := range s.Families {
		scope.Metrics = append(scope.Metrics, metricOf(s, f))
	}
	return &metrics.MetricsData{ResourceMetrics: []*metrics.ResourceMetrics{{
		Resource:     &resource.Resource{Attributes: attributes([]family.Label{{Name: "service.name", Value: "rampload"}, {Name: "service.version", Value: version}})},
		ScopeMetrics: []*metrics.ScopeMetrics{scope},
	}}}
}

func metricOf(s family.Snapshot, f family.Family) *metrics.Metric {
	at, since := uint64(s.At.UnixNano()), uint64(s.Since.UnixNano())
	name, unit := plain(f)
	m := &metrics.Metric{Name: name, Description: f.Help, Unit: unit}
	if f.Kind == family.Histogram {
		h := &metrics.ExponentialHistogram{AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE}
		for _, one := range f.Series {
			h.DataPoints = append(h.DataPoints, exponential(one, at, since))
		}
		m.Data = &metrics.Metric_ExponentialHistogram{ExponentialHistogram: h}
		return m
	}
	var points []*metrics.NumberDataPoint
	for _, one := range f.Series {
		p := &metrics.NumberDataPoint{Attributes: attributes(one.Labels), TimeUnixNano: at, Value: &metrics.NumberDataPoint_AsDouble{AsDouble: one.Value}}
		if f.Kind == family.Counter {
			p.StartTimeUnixNano = since
		}
		points = append(points, p)
	}
	if f.Kind == family.Counter {
		m.Data = &metrics.Metric_Sum{Sum: &metrics.Sum{DataPoints: points, IsMonotonic: true, AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE}}
	} else {
		m.Data = &metrics.Metric_Gauge{Gauge: &metrics.Gauge{DataPoints: points}}
	}
	return m
}

// plain is the name and the unit (UCUM) of a family. What Prometheus makes of them is the
// family's own name again.
func plain(f family.Family) (name, unit string) {
	name = strings.TrimSuffix(f.Name, "_total")
	if short, ok := strings.CutSuffix(name, "_seconds"); ok {
		return short, "s"
	}
	return name, ""
}

// exponential is a distribution as a data point. Bucket i of OpenTelemetry begins where
// that of Prometheus does, which is numbered by its end.
func exponential(s family.Series, at, since uint64) *metrics.ExponentialHistogramDataPoint {
	d := s.Histogram
	p := &metrics.ExponentialHistogramDataPoint{
		Attributes: attributes(s.Labels), TimeUnixNano: at, StartTimeUnixNano: since,
		Count: d.Count, Sum: &d.Sum, Scale: family.Schema, ZeroCount: d.Zero,
	}
	if len(d.Fine) > 0 {
		first, last := d.Fine[0].Index, d.Fine[len(d.Fine)-1].Index
		b := &metrics.ExponentialHistogramDataPoint_Buckets{Offset: first - 1, BucketCounts: make([]uint64, last-first+1)}
		for _, f := range d.Fine {
			b.BucketCounts[f.Index-first] = f.Count
		}
		p.Positive = b
	}
	return p
}

func attributes(labels []family.Label) []*common.KeyValue {
	out := make([]*common.KeyValue, 0, len(labels))
	for _, l := range labels {
		out = append(out, &common.KeyValue{Key: l.Name, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: l.Value}}})
	}
	return slices.Clip(out)
}
