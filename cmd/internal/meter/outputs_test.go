package meter_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bufbuild/protocompile"
	"github.com/klauspost/compress/snappy"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	metrics "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/rampload/rampload/cmd/internal/meter/expose"
	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/cmd/internal/meter/push/otlpmetrics"
	"github.com/rampload/rampload/cmd/internal/meter/push/remotewrite"
	"github.com/rampload/rampload/cmd/internal/otlp"
)

// got is what a receiver understood: by name and labels a value, or of a distribution
// what it knows of it.
type got struct {
	values map[string]float64
	counts map[string]uint64
	sums   map[string]float64
	coarse map[string]map[float64]uint64 // cumulative
	fine   map[string]map[int32]uint64   // by Prometheus' index
}

func newGot() got {
	return got{map[string]float64{}, map[string]uint64{}, map[string]float64{}, map[string]map[float64]uint64{}, map[string]map[int32]uint64{}}
}

// TestOutputContract lets every way out carry the same snapshots, and has each read back
// by the schema of its own protocol.
func TestOutputContract(t *testing.T) {
	for _, out := range []struct {
		name         string
		open         func(t *testing.T) (send func(family.Snapshot), read func() got)
		coarse, fine bool
	}{
		{"text", exposed("text/plain;version=0.0.4", expfmt.NewFormat(expfmt.TypeTextPlain)), true, false},
		{"protobuf", exposed("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", expfmt.NewFormat(expfmt.TypeProtoDelim)), true, true},
		{"remote write, native", written(true), false, true},
		{"remote write, classic", written(false), true, false},
		{"otlp over http", handed(otlp.HTTP), false, true},
	} {
		t.Run(out.name, func(t *testing.T) {
			send, read := out.open(t)
			for _, s := range snapshots() {
				send(s)
				g := read()
				for _, f := range s.Families {
					for _, one := range f.Series {
						key := keyOf(f.Name, one.Labels)
						if f.Kind != family.Histogram {
							if v, ok := g.values[key]; !ok || v != one.Value && !(math.IsNaN(v) && math.IsNaN(one.Value)) {
								t.Errorf("%s is %v (%v), want %v", key, v, ok, one.Value)
							}
							continue
						}
						compare(t, g, key, one.Histogram, out.coarse, out.fine)
					}
				}
			}
		})
	}
}

func compare(t *testing.T, g got, key string, d *family.Distribution, coarse, fine bool) {
	t.Helper()
	if n, ok := g.counts[key]; !ok || n != d.Count || g.sums[key] != d.Sum {
		t.Errorf("%s has %d values (%v), sum %v, want %d, %v", key, n, ok, g.sums[key], d.Count, d.Sum)
	}
	if coarse {
		sum := uint64(0)
		for i, bound := range family.Bounds() {
			if sum += d.Coarse[i]; g.coarse[key][bound] != sum {
				t.Errorf("%s up to %v has %d, want %d", key, bound, g.coarse[key][bound], sum)
			}
		}
	}
	if fine {
		n := 0
		for _, count := range g.fine[key] {
			if count > 0 {
				n++
			}
		}
		if n != len(d.Fine) {
			t.Errorf("%s has %d fine buckets, want %d", key, n, len(d.Fine))
		}
		for _, b := range d.Fine {
			if g.fine[key][b.Index] != b.Count {
				t.Errorf("%s bucket %d has %d, want %d", key, b.Index, g.fine[key][b.Index], b.Count)
			}
		}
	}
}

func keyOf(name string, labels []family.Label) string {
	text := name
	for _, l := range labels {
		text += fmt.Sprintf(" %s=%q", l.Name, l.Value)
	}
	return text
}

// snapshots are two of a run: nothing yet, and then much, with whatever labels may hold.
func snapshots() []family.Snapshot {
	since := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	labels := family.Labels("run", "f00d", "worker", "local", "target", "orders", "zone", "a\"b\\c\nd é")
	var none, some family.Distribution
	for us := int64(1); us < 80_000_000; us = us*3/2 + 1 {
		some.Add(us, uint64(us%7))
	}
	some.Add(0, 2)
	of := func(at time.Time, n float64, d *family.Distribution) family.Snapshot {
		return family.Snapshot{At: at, Since: since, Families: []family.Family{
			{Name: "rampload_wire_resets_total", Help: "Resets.", Kind: family.Counter, Series: []family.Series{{Labels: labels, Value: n}, {Labels: family.Labels("run", "f00d", "worker", "w-2"), Value: 3}}},
			{Name: "rampload_connections_open", Help: "Open.", Kind: family.Gauge, Series: []family.Series{{Labels: labels, Value: -n / 2}}},
			{Name: "rampload_run_elapsed_seconds", Help: "Time.", Kind: family.Gauge, Series: []family.Series{{Labels: labels, Value: math.NaN()}}},
			{Name: "rampload_request_duration_seconds", Help: "Latency.", Kind: family.Histogram, Series: []family.Series{{Labels: labels, Histogram: d.Clone()}}},
		}}
	}
	return []family.Snapshot{of(since.Add(time.Second), 0, &none), of(since.Add(6*time.Second), 12345678, &some)}
}

// exposed is the page that Prometheus fetches.
func exposed(accept string, format expfmt.Format) func(*testing.T) (func(family.Snapshot), func() got) {
	return func(t *testing.T) (func(family.Snapshot), func() got) {
		var now family.Snapshot
		s, err := expose.Listen("127.0.0.1:0", func() family.Snapshot { return now })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return func(snapshot family.Snapshot) { now = snapshot }, func() got {
			req, _ := http.NewRequest(http.MethodGet, s.URL(), nil)
			req.Header.Set("Accept", accept)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("answered %s", resp.Status)
			}
			g := newGot()
			for d := expfmt.NewDecoder(resp.Body, format); ; {
				var f dto.MetricFamily
				if err := d.Decode(&f); err == io.EOF {
					return g
				} else if err != nil {
					t.Fatal(err)
				}
				for _, m := range f.Metric {
					var labels []family.Label
					for _, l := range m.Label {
						labels = append(labels, family.Label{Name: l.GetName(), Value: l.GetValue()})
					}
					key := keyOf(f.GetName(), labels)
					switch {
					case m.Counter != nil:
						g.values[key] = m.Counter.GetValue()
					case m.Gauge != nil:
						g.values[key] = m.Gauge.GetValue()
					case m.Histogram != nil:
						h := m.Histogram
						g.counts[key], g.sums[key] = h.GetSampleCount(), h.GetSampleSum()
						g.coarse[key], g.fine[key] = map[float64]uint64{}, map[int32]uint64{}
						for _, b := range h.Bucket {
							g.coarse[key][b.GetUpperBound()] = b.GetCumulativeCount()
						}
						var spans []family.Span
						for _, s := range h.PositiveSpan {
							spans = append(spans, family.Span{Offset: s.GetOffset(), Length: s.GetLength()})
						}
						g.fine[key] = unfold(spans, h.PositiveDelta)
					}
				}
			}
		}
	}
}

// unfold reads spans and deltas as Prometheus' specification of native histograms says.
func unfold(spans []family.Span, deltas []int64) map[int32]uint64 {
	out := map[int32]uint64{}
	index, count, k := int32(0), int64(0), 0
	for _, s := range spans {
		index += s.Offset
		for range s.Length {
			count += deltas[k]
			out[index] = uint64(count)
			index, k = index+1, k+1
		}
	}
	return out
}

// remoteSchema is remote write's, version 1.
const remoteSchema = `syntax = "proto3"; package prometheus;
message WriteRequest { repeated TimeSeries timeseries = 1; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Histogram histograms = 4; }
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message Histogram {
  oneof count { uint64 count_int = 1; double count_float = 2; }
  double sum = 3; sint32 schema = 4; double zero_threshold = 5;
  oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
  repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
  repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
  int64 timestamp = 15;
}
message BucketSpan { sint32 offset = 1; uint32 length = 2; }`

// written is a store that takes remote write.
func written(native bool) func(*testing.T) (func(family.Snapshot), func() got) {
	return func(t *testing.T) (func(family.Snapshot), func() got) {
		c := protocompile.Compiler{Resolver: &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"remote.proto": remoteSchema})}}
		files, err := c.Compile(context.Background(), "remote.proto")
		if err != nil {
			t.Fatal(err)
		}
		request := files[0].Messages().ByName("WriteRequest")
		var g got
		var times []int64
		store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				body, err = snappy.Decode(nil, body)
			}
			m := dynamicpb.NewMessage(request)
			if err == nil {
				err = proto.UnmarshalOptions{DiscardUnknown: false}.Unmarshal(body, m)
			}
			if err != nil || r.Header.Get("Content-Encoding") != "snappy" || r.Header.Get("X-Prometheus-Remote-Write-Version") != "0.1.0" || len(m.GetUnknown()) > 0 {
				http.Error(w, fmt.Sprint(err), http.StatusBadRequest)
				return
			}
			g, times = readWritten(t, m, times)
		}))
		t.Cleanup(store.Close)
		s, err := otlp.New(otlp.Config{URL: store.URL + "/api/v1/write", Headers: remotewrite.Headers(), Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		r := remotewrite.New(s, "store", native)
		t.Cleanup(r.Close)
		return func(snapshot family.Snapshot) {
			if err := r.Send(context.Background(), snapshot); err != nil {
				t.Fatal(err)
			}
		}, func() got { return g }
	}
}

func readWritten(t *testing.T, m *dynamicpb.Message, times []int64) (got, []int64) {
	g := newGot()
	field := func(m protoreflect.Message, name string) protoreflect.Value {
		return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
	}
	all := field(m, "timeseries").List()
	var latest int64
	for i := range all.Len() {
		series := all.Get(i).Message()
		var labels []family.Label
		name, le := "", ""
		list := field(series, "labels").List()
		for j := range list.Len() {
			l := family.Label{Name: field(list.Get(j).Message(), "name").String(), Value: field(list.Get(j).Message(), "value").String()}
			switch l.Name {
			case "__name__":
				name = l.Value
			case "le":
				le = l.Value
			default:
				labels = append(labels, l)
			}
			if j > 0 && field(list.Get(j-1).Message(), "name").String() >= l.Name {
				t.Errorf("labels of %s are not in order", name)
			}
		}
		key := keyOf(name, labels)
		samples := field(series, "samples").List()
		for j := range samples.Len() {
			v, at := field(samples.Get(j).Message(), "value").Float(), field(samples.Get(j).Message(), "timestamp").Int()
			latest = max(latest, at)
			if j < samples.Len()-1 {
				if v != 0 || !slices.Contains(times, at) {
					t.Errorf("%s has %v at %d before its first value", key, v, at)
				}
				continue
			}
			switch base, part := part(key, name); {
			case le != "":
				bound := math.Inf(1)
				if le != "+Inf" {
					_, _ = fmt.Sscan(le, &bound)
				}
				if g.coarse[base] == nil {
					g.coarse[base] = map[float64]uint64{}
				}
				g.coarse[base][bound] = uint64(v)
			case part == "_sum":
				g.sums[base] = v
			case part == "_count":
				g.counts[base] = uint64(v)
			default:
				g.values[key] = v
			}
		}
		hs := field(series, "histograms").List()
		for j := range hs.Len() {
			h := hs.Get(j).Message()
			if field(h, "schema").Int() != family.Schema {
				t.Errorf("%s has schema %d", key, field(h, "schema").Int())
			}
			var spans []family.Span
			list := field(h, "positive_spans").List()
			for k := range list.Len() {
				s := list.Get(k).Message()
				spans = append(spans, family.Span{Offset: int32(field(s, "offset").Int()), Length: uint32(field(s, "length").Uint())})
			}
			var deltas []int64
			ds := field(h, "positive_deltas").List()
			for k := range ds.Len() {
				deltas = append(deltas, ds.Get(k).Int())
			}
			g.fine[key] = unfold(spans, deltas)
			g.counts[key], g.sums[key] = field(h, "count_int").Uint(), field(h, "sum").Float()
		}
	}
	return g, append(times, latest)
}

// part cuts what series of a histogram have at the end of their name.
func part(key, name string) (base, end string) {
	for _, end := range []string{"_bucket", "_sum", "_count"} {
		if short, ok := strings.CutSuffix(name, end); ok {
			return short + strings.TrimPrefix(key, name), end
		}
	}
	return key, ""
}

// handed is a collector of OpenTelemetry.
func handed(protocol otlp.Protocol) func(*testing.T) (func(family.Snapshot), func() got) {
	return func(t *testing.T) (func(family.Snapshot), func() got) {
		var g got
		collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil && r.Header.Get("Content-Encoding") == "gzip" {
				var z *gzip.Reader
				if z, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
					body, err = io.ReadAll(z)
				}
			}
			var m metrics.MetricsData
			if err == nil {
				err = proto.Unmarshal(body, &m)
			}
			if err != nil || r.URL.Path != "/v1/metrics" {
				http.Error(w, fmt.Sprint(err), http.StatusBadRequest)
				return
			}
			g = readHanded(&m)
		}))
		t.Cleanup(collector.Close)
		s, err := otlp.New(otlp.Config{URL: collector.URL, Protocol: protocol, Signal: otlp.Metrics})
		if err != nil {
			t.Fatal(err)
		}
		r := otlpmetrics.New(s, "collector", "v1")
		t.Cleanup(r.Close)
		return func(snapshot family.Snapshot) {
			if err := r.Send(context.Background(), snapshot); err != nil {
				t.Fatal(err)
			}
		}, func() got { return g }
	}
}

// readHanded names metrics as Prometheus does that takes them.
func readHanded(m *metrics.MetricsData) got {
	g := newGot()
	for _, metric := range m.ResourceMetrics[0].ScopeMetrics[0].Metrics {
		name := metric.Name
		if metric.Unit == "s" {
			name += "_seconds"
		}
		points := metric.GetGauge().GetDataPoints()
		if s := metric.GetSum(); s != nil && s.IsMonotonic && s.AggregationTemporality == metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
			name += "_total"
			points = s.DataPoints
		}
		for _, p := range points {
			var labels []family.Label
			for _, a := range p.Attributes {
				labels = append(labels, family.Label{Name: a.Key, Value: a.Value.GetStringValue()})
			}
			g.values[keyOf(name, labels)] = p.GetAsDouble()
		}
		for _, p := range metric.GetExponentialHistogram().GetDataPoints() {
			var labels []family.Label
			for _, a := range p.Attributes {
				labels = append(labels, family.Label{Name: a.Key, Value: a.Value.GetStringValue()})
			}
			key := keyOf(name, labels)
			g.counts[key], g.sums[key] = p.Count, p.GetSum()
			g.fine[key] = map[int32]uint64{}
			for i, n := range p.GetPositive().GetBucketCounts() {
				g.fine[key][p.Positive.Offset+int32(i)+1] = n
			}
		}
	}
	return g
}
