package traces

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// Each store is held to the same contract, against a server that answers as its API is
// documented.
var stores = []struct {
	api   string
	serve func(have map[string][]Span) http.HandlerFunc
}{
	{profiles.SpansFromJaeger, serveJaeger},
	{profiles.SpansFromZipkin, serveZipkin},
	{profiles.SpansFromTempo, serveTempo},
}

const (
	failedID = "00112233445566aa0000000000000007"
	goodID   = "00112233445566aa0000000000000008"
	goneID   = "00112233445566aa0000000000000009"
)

// way is a transaction that passes orders and fails at payments.
func way(failed bool) []Span {
	at := time.Unix(1_764_400_000, 0)
	text := ""
	if failed {
		text = "read tcp: connection reset by peer"
	}
	return []Span{
		{ID: "00000000000000a1", Service: "rampload", Name: "GET /", Kind: Client, Start: at, Duration: 9 * time.Millisecond, Failed: failed},
		{ID: "00000000000000a2", Parent: "00000000000000a1", Service: "orders", Name: "GET /", Kind: Server, Start: at, Duration: 8 * time.Millisecond, Failed: failed},
		{ID: "00000000000000a3", Parent: "00000000000000a2", Service: "orders", Name: "POST /charge", Kind: Client, Start: at, Duration: 7 * time.Millisecond, Failed: failed, Text: text, Peer: "10.0.3.2:8080"},
		{ID: "00000000000000a4", Parent: "00000000000000a3", Service: "payments", Name: "POST /charge", Kind: Server, Start: at, Duration: 2 * time.Millisecond},
	}
}

func collectFrom(t *testing.T, from profiles.SpanStore, wanted []Wanted) (map[string]probe.Event, probe.Status) {
	t.Helper()
	out := map[string]probe.Event{}
	status := Collect(t.Context(), from, wanted, "rampload", func(e probe.Event) {
		if e.Kind != probe.TraceRead || e.Trace == nil {
			t.Errorf("got %+v", e)
			return
		}
		out[e.Trace.ID] = e
	})
	return out, status
}

func TestStoreContract(t *testing.T) {
	for _, s := range stores {
		t.Run(s.api, func(t *testing.T) {
			t.Parallel() // it waits for a trace that never comes
			wanted := []Wanted{{ID: failedID, At: 3 * time.Second}, {ID: goodID, Good: true}, {ID: goneID, At: 4 * time.Second}}
			for _, api := range []string{s.api, ""} { // said, and found out
				server := httptest.NewServer(s.serve(map[string][]Span{failedID: way(true), goodID: way(false)}))
				got, status := collectFrom(t, profiles.SpanStore{URL: server.URL + "/", API: api, Within: 2 * time.Second, Headers: []profiles.Header{{Name: "X-Scope-OrgID", Value: "shop"}}}, wanted)
				server.Close()
				if status.State != probe.Partial || !strings.Contains(status.Reason, "1 of the 2") || status.Source.Name != "traces of "+s.api {
					t.Fatalf("status %+v", status)
				}
				e, good, gone := got[failedID], got[goodID], got[goneID]
				if e.At != 3*time.Second || e.Process != "orders" || e.Reason != "read tcp: connection reset by peer" || e.Trace.From != "orders" || e.Trace.To != "payments" || !e.Trace.Calls || e.Trace.Services != 2 || e.Trace.Spans != 4 || !strings.Contains(e.Trace.Peer, "10.0.3.2") || e.Trace.Operation != "POST /charge" {
					t.Errorf("got %+v %+v", e, e.Trace)
				}
				if !good.Trace.Good || good.Process != "" || good.Trace.Spans != 4 || gone.Trace.Spans != 0 {
					t.Errorf("got %+v, %+v", good.Trace, gone.Trace)
				}
			}
		})
		t.Run(s.api+" has none", func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(s.serve(nil))
			defer server.Close()
			_, status := collectFrom(t, profiles.SpanStore{URL: server.URL, API: s.api, Within: 2 * time.Second}, []Wanted{{ID: goneID}})
			if status.State != probe.NotMeasured || !strings.HasPrefix(status.Reason, "not joined: ") || !strings.Contains(status.Reason, "none of the 1") {
				t.Errorf("status %+v", status)
			}
		})
		t.Run(s.api+" has none, and the last question is cut off", func(t *testing.T) {
			t.Parallel()
			empty, asked := s.serve(nil), atomic.Int32{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > 1 {
					<-r.Context().Done()
					return
				}
				empty.ServeHTTP(w, r)
			}))
			defer server.Close()
			_, status := collectFrom(t, profiles.SpanStore{URL: server.URL, API: s.api, Within: 2 * time.Second}, []Wanted{{ID: goneID}})
			if !strings.Contains(status.Reason, "none of the 1") {
				t.Errorf("status %+v", status)
			}
		})
		for name, handler := range map[string]http.HandlerFunc{
			"answers with an error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no\x1b[31m quota", 500) },
			"answers with a page":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>log in</html>")) },
			"never answers":         func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"never ends": func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 1<<16)); err != nil {
						return
					}
				}
			},
		} {
			t.Run(s.api+" "+name, func(t *testing.T) {
				server := httptest.NewServer(handler)
				defer server.Close()
				_, status := collectFrom(t, profiles.SpanStore{URL: server.URL, API: s.api, Within: 200 * time.Millisecond}, []Wanted{{ID: failedID}})
				if status.State != probe.NotMeasured || !strings.HasPrefix(status.Reason, "not joined: ") || strings.ContainsRune(status.Reason, 0x1b) || len(status.Reason) > 300 {
					t.Errorf("status %+v", status)
				}
			})
		}
	}
}

func TestStoreIsAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, api := range []string{"", profiles.SpansFromJaeger} {
		_, status := collectFrom(t, profiles.SpanStore{URL: "http://u:secret@" + l.Addr().String(), API: api, Within: 100 * time.Millisecond}, []Wanted{{ID: failedID}})
		if status.State != probe.NotMeasured || !strings.HasPrefix(status.Reason, "not joined: ") || strings.Contains(status.Reason, "secret") {
			t.Errorf("status %+v", status)
		}
	}
}

func serveJaeger(have map[string][]Span) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/services" {
			fmt.Fprint(w, `{"data":["orders"]}`)
			return
		}
		if r.URL.Path != "/api/traces" {
			http.NotFound(w, r)
			return
		}
		data := []any{}
		for _, id := range r.URL.Query()["traceID"] {
			var spans []any
			processes := map[string]any{}
			for _, s := range have[id] {
				processes["p"+s.Service] = map[string]any{"serviceName": s.Service, "tags": []any{}}
				tags := []any{map[string]any{"key": "span.kind", "type": "string", "value": []string{"internal", "client", "server"}[s.Kind]}}
				if s.Failed {
					tags = append(tags, map[string]any{"key": "error", "type": "bool", "value": true}, map[string]any{"key": "otel.status_description", "type": "string", "value": s.Text})
				}
				if s.Peer != "" {
					host, port, _ := net.SplitHostPort(s.Peer)
					n, _ := strconv.Atoi(port)
					tags = append(tags, map[string]any{"key": "server.address", "type": "string", "value": host}, map[string]any{"key": "server.port", "type": "int64", "value": n})
				}
				refs := []any{}
				if s.Parent != "" {
					refs = append(refs, map[string]any{"refType": "CHILD_OF", "traceID": id, "spanID": s.Parent})
				}
				spans = append(spans, map[string]any{"traceID": id, "spanID": s.ID, "operationName": s.Name, "references": refs, "startTime": s.Start.UnixMicro(), "duration": s.Duration.Microseconds(), "tags": tags, "logs": []any{}, "processID": "p" + s.Service})
			}
			if spans != nil {
				data = append(data, map[string]any{"traceID": id, "spans": spans, "processes": processes})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "errors": nil})
	}
}

func serveZipkin(have map[string][]Span) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		of := func(id string) []any {
			var spans []any
			for _, s := range have[id] {
				tags := map[string]string{}
				if s.Failed {
					tags["error"] = s.Text
				}
				one := map[string]any{"traceId": strings.TrimLeft(id, "0"), "id": s.ID, "name": s.Name, "timestamp": s.Start.UnixMicro(), "duration": s.Duration.Microseconds(), "localEndpoint": map[string]any{"serviceName": s.Service}, "tags": tags}
				if s.Kind != Internal {
					one["kind"] = []string{"", "CLIENT", "SERVER"}[s.Kind]
				}
				if s.Parent != "" {
					one["parentId"] = s.Parent
				}
				if s.Peer != "" {
					host, port, _ := net.SplitHostPort(s.Peer)
					n, _ := strconv.Atoi(port)
					one["remoteEndpoint"] = map[string]any{"ipv4": host, "port": n}
				}
				spans = append(spans, one)
			}
			return spans
		}
		switch {
		case r.URL.Path == "/api/v2/services":
			fmt.Fprint(w, `["orders"]`)
		case r.URL.Path == "/api/v2/traceMany":
			out := []any{}
			for id := range strings.SplitSeq(r.URL.Query().Get("traceIds"), ",") {
				if spans := of(id); spans != nil {
					out = append(out, spans)
				}
			}
			_ = json.NewEncoder(w).Encode(out)
		case strings.HasPrefix(r.URL.Path, "/api/v2/trace/"):
			spans := of(strings.TrimPrefix(r.URL.Path, "/api/v2/trace/"))
			if spans == nil {
				http.NotFound(w, r)
				return
			}
			_ = json.NewEncoder(w).Encode(spans)
		default:
			http.NotFound(w, r)
		}
	}
}

func serveTempo(have map[string][]Span) http.HandlerFunc {
	b64 := func(id string) string {
		b, _ := hex.DecodeString(id)
		return base64.StdEncoding.EncodeToString(b)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/echo" {
			fmt.Fprint(w, "echo")
			return
		}
		spans := have[strings.TrimPrefix(r.URL.Path, "/api/traces/")]
		if len(spans) == 0 {
			http.NotFound(w, r)
			return
		}
		attribute := func(k, v string) any { return map[string]any{"key": k, "value": map[string]any{"stringValue": v}} }
		var batches []any
		for _, s := range spans {
			attributes, status := []any{}, map[string]any{}
			if s.Failed {
				status = map[string]any{"code": "STATUS_CODE_ERROR", "message": s.Text}
			}
			if s.Peer != "" {
				attributes = append(attributes, attribute("peer.address", s.Peer))
			}
			batches = append(batches, map[string]any{
				"resource": map[string]any{"attributes": []any{attribute("service.name", s.Service)}},
				"scopeSpans": []any{map[string]any{"spans": []any{map[string]any{
					"traceId": "x", "spanId": b64(s.ID), "parentSpanId": b64(s.Parent), "name": s.Name, "kind": []string{"SPAN_KIND_INTERNAL", "SPAN_KIND_CLIENT", "SPAN_KIND_SERVER"}[s.Kind],
					"startTimeUnixNano": strconv.FormatInt(s.Start.UnixNano(), 10), "endTimeUnixNano": strconv.FormatInt(s.Start.Add(s.Duration).UnixNano(), 10), "attributes": attributes, "status": status,
				}}}},
			})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"batches": batches})
	}
}
