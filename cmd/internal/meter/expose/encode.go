package expose

import (
	"fmt"
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rampload/rampload/cmd/internal/meter/family"
)

// Encode writes a snapshot in a format of Prometheus. Only the one of protobuf has the
// fine buckets of histograms.
func Encode(w io.Writer, s family.Snapshot, format expfmt.Format) error {
	enc := expfmt.NewEncoder(w, format)
	for _, f := range s.Families {
		if err := enc.Encode(familyOf(s, f)); err != nil {
			return fmt.Errorf("encode %s: %w", f.Name, err)
		}
	}
	if c, ok := enc.(expfmt.Closer); ok {
		return c.Close()
	}
	return nil
}

func familyOf(s family.Snapshot, f family.Family) *dto.MetricFamily {
	kinds := [...]dto.MetricType{family.Gauge: dto.MetricType_GAUGE, family.Counter: dto.MetricType_COUNTER, family.Histogram: dto.MetricType_HISTOGRAM}
	out := &dto.MetricFamily{Name: &f.Name, Help: &f.Help, Type: &kinds[f.Kind]}
	since := timestamppb.New(s.Since)
	for _, series := range f.Series {
		m := &dto.Metric{}
		for _, l := range series.Labels {
			m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(l.Name), Value: proto.String(l.Value)})
		}
		switch f.Kind {
		case family.Gauge:
			m.Gauge = &dto.Gauge{Value: proto.Float64(series.Value)}
		case family.Counter:
			m.Counter = &dto.Counter{Value: proto.Float64(series.Value), CreatedTimestamp: since}
		case family.Histogram:
			m.Histogram = histogramOf(series.Histogram)
			m.Histogram.CreatedTimestamp = since
		}
		out.Metric = append(out.Metric, m)
	}
	return out
}

func histogramOf(d *family.Distribution) *dto.Histogram {
	h := &dto.Histogram{
		SampleCount: proto.Uint64(d.Count), SampleSum: proto.Float64(d.Sum),
		Schema: proto.Int32(family.Schema), ZeroThreshold: proto.Float64(0), ZeroCount: proto.Uint64(d.Zero),
	}
	var sum uint64
	for i, bound := range family.Bounds() {
		sum += d.Coarse[i]
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: proto.Float64(bound), CumulativeCount: proto.Uint64(sum)})
	}
	spans, counts := d.Spans()
	for _, s := range spans {
		h.PositiveSpan = append(h.PositiveSpan, &dto.BucketSpan{Offset: proto.Int32(s.Offset), Length: proto.Uint32(s.Length)})
	}
	if len(spans) == 0 { // says that it is one of the fine kind, and empty
		h.PositiveSpan = append(h.PositiveSpan, &dto.BucketSpan{Offset: proto.Int32(0), Length: proto.Uint32(0)})
	}
	var before uint64
	for _, n := range counts {
		h.PositiveDelta = append(h.PositiveDelta, int64(n)-int64(before))
		before = n
	}
	return h
}
