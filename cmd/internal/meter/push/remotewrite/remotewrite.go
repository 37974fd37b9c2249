// Package remotewrite writes snapshots to a store that speaks Prometheus' remote write,
// version 1 (https://prometheus.io/docs/specs/prw/remote_write_spec/): protobuf, packed
// with Snappy. Histograms go as native ones, or as series of buckets.
package remotewrite

import (
	"context"
	"math"
	"strconv"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/cmd/internal/otlp"
)

// Headers are those of every message.
func Headers() map[string]string {
	return map[string]string{"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
}

// Receiver is a store. It is for one goroutine.
type Receiver struct {
	sender *otlp.Sender
	where  string
	native bool
	seen   map[string]bool // series of counters that it has
	before int64           // when it took the last snapshot, in ms; 0: none
}

// New returns a receiver. native says that histograms go as native ones: a store that
// does not know them leaves them out, or refuses all.
func New(sender *otlp.Sender, where string, native bool) *Receiver {
	return &Receiver{sender: sender, where: where, native: native, seen: map[string]bool{}}
}

// Where names the store for people.
func (r *Receiver) Where() string { return r.where }

// Close closes its connections.
func (r *Receiver) Close() { r.sender.Close() }

// Send writes a snapshot. A counter that is new gets a 0 at the time of the snapshot
// before: its first increase is seen.
func (r *Receiver) Send(ctx context.Context, s family.Snapshot) error {
	e := encoder{at: s.At.UnixMilli(), native: r.native, seen: r.seen, before: r.before}
	if e.at <= r.before { // a store takes no time twice
		e.at = r.before + 1
	}
	body := snappy.Encode(nil, e.encode(s))
	if err := r.sender.Post(ctx, "application/x-protobuf", body); err != nil {
		return err
	}
	for _, key := range e.fresh {
		r.seen[key] = true
	}
	r.before = e.at
	return nil
}

// encoder encodes one snapshot.
type encoder struct {
	at, before int64
	native     bool
	seen       map[string]bool
	fresh      []string
	out        []byte
}

// encode returns a WriteRequest: field 1 are the series.
func (e *encoder) encode(s family.Snapshot) []byte {
	for _, f := range s.Families {
		for _, one := range f.Series {
			switch {
			case f.Kind != family.Histogram:
				e.series(f.Name, one.Labels, "", one.Value, f.Kind == family.Counter)
			case e.native:
				e.nativeSeries(f.Name, one)
			default:
				e.buckets(f.Name, one)
			}
		}
	}
	return e.out
}

// buckets are the series of a histogram with coarse buckets.
func (e *encoder) buckets(name string, s family.Series) {
	d, sum := s.Histogram, uint64(0)
	for i, bound := range family.Bounds() {
		sum += d.Coarse[i]
		e.series(name+"_bucket", s.Labels, strconv.FormatFloat(bound, 'g', -1, 64), float64(sum), true)
	}
	e.series(name+"_bucket", s.Labels, "+Inf", float64(d.Count), true)
	e.series(name+"_sum", s.Labels, "", d.Sum, true)
	e.series(name+"_count", s.Labels, "", float64(d.Count), true)
}

// series adds a series: field 1 its labels, field 2 its samples (value 1, ms 2).
func (e *encoder) series(name string, labels []family.Label, le string, v float64, counter bool) {
	b := appendLabels(nil, name, labels, le)
	if counter && v > 0 && e.before > 0 && !e.seen[string(b)] {
		b2 := appendSample(b, e.before, 0)
		e.remember(string(b))
		e.out = protowire.AppendBytes(protowire.AppendTag(e.out, 1, protowire.BytesType), appendSample(b2, e.at, v))
		return
	}
	if counter && !e.seen[string(b)] {
		e.remember(string(b))
	}
	e.out = protowire.AppendBytes(protowire.AppendTag(e.out, 1, protowire.BytesType), appendSample(b, e.at, v))
}

func (e *encoder) remember(key string) { e.fresh = append(e.fresh, key) }

// appendLabels appends labels in the order of their names: __name__ and le are among them.
func appendLabels(b []byte, name string, labels []family.Label, le string) []byte {
	b = appendLabel(b, "__name__", name)
	for _, l := range labels {
		if le != "" && l.Name > "le" {
			b = appendLabel(b, "le", le)
			le = ""
		}
		b = appendLabel(b, l.Name, l.Value)
	}
	if le != "" {
		b = appendLabel(b, "le", le)
	}
	return b
}

func appendLabel(b []byte, name, value string) []byte {
	inner := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	inner = protowire.AppendString(protowire.AppendTag(inner, 2, protowire.BytesType), value)
	return protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), inner)
}

func appendSample(b []byte, at int64, v float64) []byte {
	inner := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(v))
	inner = protowire.AppendVarint(protowire.AppendTag(inner, 2, protowire.VarintType), uint64(at))
	return protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), inner)
}

// nativeSeries adds a series with a native histogram in field 4: count 1, sum 3, schema 4
// (zigzag), zero threshold 5, zero count 6, spans 11, deltas 12 (zigzag, packed), time 15.
func (e *encoder) nativeSeries(name string, s family.Series) {
	d := s.Histogram
	var h []byte
	h = protowire.AppendVarint(protowire.AppendTag(h, 1, protowire.VarintType), d.Count)
	h = protowire.AppendFixed64(protowire.AppendTag(h, 3, protowire.Fixed64Type), math.Float64bits(d.Sum))
	h = protowire.AppendVarint(protowire.AppendTag(h, 4, protowire.VarintType), protowire.EncodeZigZag(family.Schema))
	h = protowire.AppendVarint(protowire.AppendTag(h, 6, protowire.VarintType), d.Zero)
	spans, counts := d.Spans()
	for _, span := range spans {
		one := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), protowire.EncodeZigZag(int64(span.Offset)))
		one = protowire.AppendVarint(protowire.AppendTag(one, 2, protowire.VarintType), uint64(span.Length))
		h = protowire.AppendBytes(protowire.AppendTag(h, 11, protowire.BytesType), one)
	}
	var deltas []byte
	var before uint64
	for _, n := range counts {
		deltas = protowire.AppendVarint(deltas, protowire.EncodeZigZag(int64(n)-int64(before)))
		before = n
	}
	h = protowire.AppendBytes(protowire.AppendTag(h, 12, protowire.BytesType), deltas)
	h = protowire.AppendVarint(protowire.AppendTag(h, 15, protowire.VarintType), uint64(e.at))
	b := appendLabels(nil, name, s.Labels, "")
	b = protowire.AppendBytes(protowire.AppendTag(b, 4, protowire.BytesType), h)
	e.out = protowire.AppendBytes(protowire.AppendTag(e.out, 1, protowire.BytesType), b)
}
