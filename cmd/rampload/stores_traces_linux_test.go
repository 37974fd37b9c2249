package main_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rampload/rampload/report"
)

// tracer hands spans of services to a store, as their libraries do: if the caller asks for
// it, and some at once.
type tracer struct {
	url     string
	mu      sync.Mutex
	waiting map[string][]*trace.Span
	refused string
}

// span returns one that begins now, of a trace and a parent in hexadecimal digits.
func (*tracer) span(traceID, parent, name string, kind trace.Span_SpanKind) *trace.Span {
	s := &trace.Span{SpanId: make([]byte, 8), Name: name, Kind: kind, StartTimeUnixNano: uint64(time.Now().UnixNano())}
	_, _ = rand.Read(s.SpanId)
	s.TraceId, _ = hex.DecodeString(traceID)
	s.ParentSpanId, _ = hex.DecodeString(parent)
	return s
}

// end ends a span of a service; why is empty where all went well.
func (r *tracer) end(service string, s *trace.Span, why string) {
	s.EndTimeUnixNano = uint64(time.Now().UnixNano())
	if why != "" {
		s.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: why}
		s.Events = []*trace.Span_Event{{Name: "exception", TimeUnixNano: s.EndTimeUnixNano, Attributes: []*common.KeyValue{attribute("exception.message", why)}}}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[service] = append(r.waiting[service], s)
}

func attribute(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

func (r *tracer) handOn() {
	r.mu.Lock()
	all := r.waiting
	r.waiting = map[string][]*trace.Span{}
	r.mu.Unlock()
	for service, spans := range all {
		body, _ := proto.Marshal(&trace.TracesData{ResourceSpans: []*trace.ResourceSpans{{
			Resource:   &resource.Resource{Attributes: []*common.KeyValue{attribute("service.name", service)}},
			ScopeSpans: []*trace.ScopeSpans{{Spans: spans}},
		}}})
		resp, err := http.Post(r.url+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
		if err != nil {
			r.refused = err.Error()
			continue
		}
		if resp.StatusCode/100 != 2 {
			said, _ := io.ReadAll(resp.Body)
			r.refused = string(said)
		}
		resp.Body.Close()
	}
}

// TestJaeger has a run send its spans to a real Jaeger, as two services do that it loads:
// orders asks payments, which fails some requests. Afterwards it asks Jaeger for the
// traces of those that failed: each of them fails deepest in payments.
func TestJaeger(t *testing.T) {
	program := storeProgram(t, "jaeger")
	addr := "127.0.0.1:" + freePort(t)
	startDaemon(t, program, addr)
	until(t, "Jaeger", answers("http://"+addr+"/api/services"))
	spans := &tracer{url: "http://" + addr, waiting: map[string][]*trace.Span{}}
	every(t, 5*time.Second, spans.handOn, func() { // as libraries do
		if spans.refused != "" {
			t.Errorf("Jaeger refused spans: %s", spans.refused)
		}
	})

	var mu sync.Mutex
	served, failed := 0, 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parent := strings.Split(r.Header.Get("traceparent"), "-")
		if len(parent) != 4 {
			return
		}
		mu.Lock()
		served++
		bad := served > 300 && served%6 == 0
		if bad {
			failed++
		}
		mu.Unlock()
		if parent[3] == "01" {
			why := ""
			if bad {
				why = "no connection of the pool came free within 5s"
			}
			of := func(s *trace.Span) string { return hex.EncodeToString(s.SpanId) }
			took := spans.span(parent[1], parent[2], "GET /orders", trace.Span_SPAN_KIND_SERVER)
			call := spans.span(parent[1], of(took), "POST", trace.Span_SPAN_KIND_CLIENT)
			call.Attributes = []*common.KeyValue{attribute("peer.service", "payments")}
			paid := spans.span(parent[1], of(call), "POST /pay", trace.Span_SPAN_KIND_SERVER)
			spans.end("payments", paid, why)
			if bad {
				why = "payments answers 503"
			}
			spans.end("orders", call, why)
			spans.end("orders", took, why)
		}
		if bad {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer service.Close()
	dir := t.TempDir()
	profile := fmt.Sprintf("name: traced\ntargets: [{name: shop, url: '%s'}]\nload: [{from: 40/s, to: 160/s, over: 10s}]\nabort-if: []\ntraces: {sample: 50%%, to: 'http://%s', from: 'http://%s'}\n", service.URL, addr, addr)
	if err := os.WriteFile(filepath.Join(dir, "traced.yaml"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.CommandContext(t.Context(), buildProgram(t), "--profile", filepath.Join(dir, "traced.yaml"), "--out", filepath.Join(dir, "out.json")).CombinedOutput()
	f, err := os.Open(filepath.Join(dir, "out.json"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	target := r.Targets[0]
	if target.Failed != uint64(failed) || failed < 50 {
		t.Fatalf("%d failed, the service failed %d\n%s", target.Failed, failed, out)
	}
	var deepest *report.Said
	for i, s := range target.Said {
		if s.Joined == "trace" {
			if deepest != nil {
				t.Errorf("traces end in several places: %+v", s)
			}
			deepest = &target.Said[i]
		}
	}
	if deepest == nil {
		t.Fatalf("nothing is joined by traces: %+v\n%+v\n%s", target.Said, r.Sources, out)
	}
	if deepest.Times != deepest.Of || deepest.Times < uint64(failed)/4 || deepest.Service != "payments" || deepest.Says != "no connection of the pool came free within 5s" ||
		deepest.Edge == nil || deepest.Edge.From != "orders" || deepest.Edge.To != "payments" {
		t.Errorf("%d failed; it says %+v, at %+v", failed, deepest, deepest.Edge)
	}
	for _, s := range r.Sources {
		if strings.HasPrefix(s.Source, "traces") && s.State != "measured" {
			t.Errorf("%+v", s)
		}
	}

	// The run's own spans are there: of every failure, sampled or not, one that says so.
	resp, err := http.Get("http://" + addr + "/api/traces?service=rampload&limit=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data []struct {
			Spans []struct {
				Tags []struct {
					Key   string
					Value any
				}
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, one := range answer.Data {
		for _, s := range one.Spans {
			for _, tag := range s.Tags {
				if tag.Key == "error.type" && tag.Value == "status" {
					own++
				}
			}
		}
	}
	if own != failed {
		t.Errorf("Jaeger has %d spans of requests that failed, of %d", own, failed)
	}
}
