package traces

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// jaeger is Jaeger's query service: the JSON API of its page (jaeger, model/json), which
// takes several ids at once.
type jaeger struct{ asked }

func (jaeger) Name() string { return "jaeger" }
func (jaeger) Most() int    { return 20 }

func (j jaeger) Traces(ctx context.Context, ids []string) (map[string][]Span, error) {
	body, _, err := j.get(ctx, "/api/traces", url.Values{"traceID": ids}, "")
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeJaeger(body)
}

// jaegerTag is a tag, or a field of a log.
type jaegerTag struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

type jaegerTrace struct {
	ID    string `json:"traceID"`
	Spans []struct {
		ID         string `json:"spanID"`
		Parent     string `json:"parentSpanID"` // of old releases
		Name       string `json:"operationName"`
		References []struct {
			Type string `json:"refType"`
			Span string `json:"spanID"`
		} `json:"references"`
		Start    int64       `json:"startTime"` // µs since the epoch
		Duration int64       `json:"duration"`  // µs
		Tags     []jaegerTag `json:"tags"`
		Logs     []struct {
			Fields []jaegerTag `json:"fields"`
		} `json:"logs"`
		Process string `json:"processID"`
	} `json:"spans"`
	Processes map[string]struct {
		Service string `json:"serviceName"`
	} `json:"processes"`
}

// decodeJaeger decodes an answer. Traces that could not be found are errors beside those
// that were.
func decodeJaeger(body []byte) (map[string][]Span, error) {
	var answer struct {
		Data []jaegerTrace `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read its answer: %w", err)
	}
	out := map[string][]Span{}
	for _, t := range answer.Data {
		id := wholeID(t.ID)
		for _, s := range t.Spans[:min(len(t.Spans), maxSpans)] {
			tags := attributes{}
			tags.addJaeger(s.Tags)
			for _, l := range s.Logs {
				tags.addJaeger(l.Fields) // an exception is an event
			}
			parent := s.Parent
			for _, r := range s.References {
				if parent == "" || r.Type == "CHILD_OF" {
					parent = r.Span
				}
			}
			out[id] = append(out[id], tags.span(Span{
				ID: s.ID, Parent: parent, Service: clean(t.Processes[s.Process].Service, maxName), Name: s.Name,
				Kind: kindOf(tags["span.kind"]), Start: time.UnixMicro(s.Start), Duration: micros(s.Duration), Failed: tags.failed(),
			}))
		}
	}
	return out, nil
}

func (a attributes) addJaeger(tags []jaegerTag) {
	for _, t := range tags[:min(len(tags), 200)] {
		if _, set := a[t.Key]; set {
			continue
		}
		a[t.Key] = scalar(t.Value)
	}
}

// scalar returns the text of a JSON value that is none of its own kind of structure.
func scalar(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if len(raw) > 0 && raw[0] != '{' && raw[0] != '[' {
		return string(raw)
	}
	return ""
}

// span completes a span by its attributes.
func (a attributes) span(s Span) Span {
	s.Name = clean(s.Name, maxName)
	s.Status = a.status()
	if s.Failed {
		s.Text = a.text()
	}
	if s.Kind == Client && s.Peer == "" {
		s.Peer = a.peer()
	}
	return s
}

func kindOf(s string) Kind {
	switch strings.TrimPrefix(strings.ToLower(s), "span_kind_") {
	case "client", "producer":
		return Client
	case "server", "consumer":
		return Server
	}
	return Internal
}

// micros bounds a duration that a store tells.
func micros(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(24*time.Hour/time.Microsecond))) * time.Microsecond
}

// wholeID returns a trace id with the zeros that stores leave out.
func wholeID(id string) string {
	id = strings.ToLower(clean(id, 64))
	if n := 32 - len(id); n > 0 {
		return strings.Repeat("0", n) + id
	}
	return id
}
