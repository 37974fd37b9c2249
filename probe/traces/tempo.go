package traces

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// tempo is Tempo's API (Tempo, "HTTP API", /api/traces/<id>): one trace at a time, in
// OpenTelemetry's JSON.
type tempo struct{ asked }

func (tempo) Name() string { return "tempo" }
func (tempo) Most() int    { return 1 }

func (t tempo) Traces(ctx context.Context, ids []string) (map[string][]Span, error) {
	out := map[string][]Span{}
	for _, id := range ids {
		body, _, err := t.get(ctx, "/api/traces/"+id, nil, "application/json")
		if missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		spans, err := decodeTempo(body)
		if err != nil {
			return nil, err
		}
		if len(spans) > 0 {
			out[id] = spans
		}
	}
	return out, nil
}

type (
	otlpValue struct {
		Text  *string         `json:"stringValue"`
		Int   json.RawMessage `json:"intValue"`
		Bool  *bool           `json:"boolValue"`
		Float *float64        `json:"doubleValue"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpSpan struct {
		ID         string          `json:"spanId"`
		Parent     string          `json:"parentSpanId"`
		Name       string          `json:"name"`
		Kind       json.RawMessage `json:"kind"`
		Start      json.RawMessage `json:"startTimeUnixNano"`
		End        json.RawMessage `json:"endTimeUnixNano"`
		Attributes []otlpAttribute `json:"attributes"`
		Events     []struct {
			Name       string          `json:"name"`
			Attributes []otlpAttribute `json:"attributes"`
		} `json:"events"`
		Status struct {
			Code    json.RawMessage `json:"code"`
			Message string          `json:"message"`
		} `json:"status"`
	}
	otlpScope struct {
		Spans []otlpSpan `json:"spans"`
	}
	otlpResource struct {
		Resource struct {
			Attributes []otlpAttribute `json:"attributes"`
		} `json:"resource"`
		Scopes []otlpScope `json:"scopeSpans"`
		Old    []otlpScope `json:"instrumentationLibrarySpans"`
	}
	otlpTrace struct {
		Batches   []otlpResource `json:"batches"` // Tempo's name for them
		Resources []otlpResource `json:"resourceSpans"`
		Trace     *otlpTrace     `json:"trace"` // /api/v2/traces
	}
)

// decodeTempo decodes a trace.
func decodeTempo(body []byte) ([]Span, error) {
	var t otlpTrace
	if err := json.Unmarshal(body, &t); err != nil {
		return nil, fmt.Errorf("read its answer: %w", err)
	}
	if t.Trace != nil {
		t = *t.Trace
	}
	var out []Span
	for _, r := range append(t.Batches, t.Resources...) {
		of := attributes{}
		of.addOTLP(r.Resource.Attributes)
		service := clean(of["service.name"], maxName)
		for _, scope := range append(r.Scopes, r.Old...) {
			for _, s := range scope.Spans {
				if len(out) >= maxSpans {
					return out, nil
				}
				tags := attributes{}
				tags.addOTLP(s.Attributes)
				for _, e := range s.Events {
					if e.Name == "exception" {
						tags.addOTLP(e.Attributes)
					}
				}
				if s.Status.Message != "" {
					tags["exception.message"] = s.Status.Message
				}
				start, end := nanos(s.Start), nanos(s.End)
				code := scalar(s.Status.Code)
				out = append(out, tags.span(Span{
					ID: spanID(s.ID), Parent: spanID(s.Parent), Service: service, Name: s.Name, Kind: otlpKind(scalar(s.Kind)),
					Start: time.Unix(0, start), Duration: micros((end - start) / 1000), Failed: code == "2" || code == "STATUS_CODE_ERROR",
				}))
			}
		}
	}
	return out, nil
}

func (a attributes) addOTLP(list []otlpAttribute) {
	for _, kv := range list[:min(len(list), 200)] {
		if _, set := a[kv.Key]; set {
			continue
		}
		switch v := kv.Value; {
		case v.Text != nil:
			a[kv.Key] = *v.Text
		case v.Int != nil:
			a[kv.Key] = scalar(v.Int)
		case v.Bool != nil:
			a[kv.Key] = strconv.FormatBool(*v.Bool)
		case v.Float != nil:
			a[kv.Key] = strconv.FormatFloat(*v.Float, 'g', -1, 64)
		}
	}
}

// nanos reads a number of nanoseconds, which JSON has as text.
func nanos(raw json.RawMessage) int64 {
	n, err := strconv.ParseInt(scalar(raw), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// otlpKind reads a kind by name or by number.
func otlpKind(s string) Kind {
	switch s {
	case "3", "4":
		return Client
	case "2", "5":
		return Server
	}
	return kindOf(s)
}

// spanID returns the hex digits of an id, which Tempo's JSON has in base64 and
// OpenTelemetry's in hex.
func spanID(s string) string {
	if len(s) == 16 && strings.Trim(s, "0123456789abcdefABCDEF") == "" {
		return strings.ToLower(s)
	}
	if b, err := base64.StdEncoding.DecodeString(s); err == nil && len(b) == 8 {
		if strings.Trim(string(b), "\x00") == "" {
			return ""
		}
		return hex.EncodeToString(b)
	}
	return clean(s, 32)
}
