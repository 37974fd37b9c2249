package spans

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

var run = attack.RunID{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0xaa}

// seen is a span as a collector of any kind saw it.
type seen struct{ trace, id, name, service, text, kind string }

// sink takes what a collector is sent.
type sink struct {
	mu   sync.Mutex
	all  []seen
	fail error
}

func (s *sink) take(spans []seen) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.all = append(s.all, spans...)
	return nil
}

var carriers = map[string]func(*testing.T, *sink) string{
	profiles.SpansOTLPHTTP: func(t *testing.T, s *sink) string {
		return serve(t, func(r *http.Request, body []byte) error {
			m := &tracepb.TracesData{}
			if err := proto.Unmarshal(body, m); err != nil || r.URL.Path != "/v1/traces" {
				return errors.New("no traces")
			}
			return s.take(fromOTLP(m))
		})
	},
	profiles.SpansOTLPGRPC: func(t *testing.T, s *sink) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		server.RegisterService(&grpc.ServiceDesc{
			ServiceName: "opentelemetry.proto.collector.trace.v1.TraceService", HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{{MethodName: "Export", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				m := &tracepb.TracesData{}
				if err := decode(m); err != nil {
					return nil, err
				}
				return &collector.ExportTraceServiceResponse{}, s.take(fromOTLP(m))
			}}},
		}, nil)
		go func() { _ = server.Serve(l) }()
		t.Cleanup(server.Stop)
		return "http://" + l.Addr().String()
	},
	profiles.SpansZipkin: func(t *testing.T, s *sink) string {
		return serve(t, func(r *http.Request, body []byte) error {
			var in []zipkinSpan
			if err := json.Unmarshal(body, &in); err != nil || r.URL.Path != "/api/v2/spans" || r.Header.Get("Content-Type") != "application/json" {
				return errors.New("no spans")
			}
			var out []seen
			for _, x := range in {
				out = append(out, seen{x.Trace, x.ID, x.Name, x.Local.Service, x.Tags["error"], strings.ToLower(x.Kind)})
			}
			return s.take(out)
		})
	},
}

func fromOTLP(m *tracepb.TracesData) (out []seen) {
	for _, r := range m.ResourceSpans {
		service := ""
		for _, kv := range r.Resource.Attributes {
			if kv.Key == "service.name" {
				service = kv.Value.GetStringValue()
			}
		}
		for _, scope := range r.ScopeSpans {
			for _, x := range scope.Spans {
				kind := map[tracepb.Span_SpanKind]string{tracepb.Span_SPAN_KIND_CLIENT: "client"}[x.Kind]
				out = append(out, seen{hex.EncodeToString(x.TraceId), hex.EncodeToString(x.SpanId), x.Name, service, x.GetStatus().GetMessage(), kind})
			}
		}
	}
	return out
}

func serve(t *testing.T, take func(*http.Request, []byte) error) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			in, _ = gzip.NewReader(in)
		}
		body, err := io.ReadAll(in)
		if err == nil {
			err = take(r, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func config(url, protocol string) Config {
	return Config{
		Sink: profiles.SpanSink{URL: url, Protocol: protocol}, RunID: run, Version: "test", Host: "h", Start: func() time.Time { return time.Unix(1_764_400_000, 0) },
		Profile: profiles.Profile{Name: "peak", Targets: []profiles.Target{{Name: "orders", URL: "http://orders:8080", Requests: []profiles.Request{{Method: "GET", Path: "/a\x1b[31m", Weight: 1}}}}},
	}
}

func failure(n uint64) attack.Attempt {
	return attack.Attempt{Request: n, Fault: attack.Reset, Phase: attack.PhaseAwait, Start: time.Duration(n) * time.Millisecond, End: time.Duration(n+5) * time.Millisecond, Conn: attack.Conn{Remote: netip.MustParseAddrPort("10.0.3.2:8080"), Reused: true}}
}

// Each way to send spans is held to the same contract.
func TestCarrierContract(t *testing.T) {
	for protocol, serve := range carriers {
		t.Run(protocol, func(t *testing.T) {
			s := &sink{}
			e, err := New(config(serve(t, s), protocol))
			if err != nil {
				t.Fatal(err)
			}
			e.Take(failure(7))
			good := failure(8)
			good.Fault, good.Phase, good.Status, good.Try = attack.None, attack.PhaseDone, 200, 1
			e.Take(good)
			status := failure(9)
			status.Fault, status.Phase, status.Status = attack.Status, attack.PhaseDone, 502
			e.Take(status)
			idle := failure(0)
			idle.Phase = attack.PhaseIdle
			e.Take(idle) // no request
			if sent, missing := e.Close(); sent != 3 || missing != "" {
				t.Fatalf("sent %d, missing %q", sent, missing)
			}
			want := []seen{
				{"00112233445566aa0000000000000007", "0000000000000800", "GET /a[31m", "rampload", "reset in await", "client"},
				{"00112233445566aa0000000000000008", "0000000000000901", "GET /a[31m", "rampload", "", "client"},
				{"00112233445566aa0000000000000009", "0000000000000a00", "GET /a[31m", "rampload", "status 502", "client"},
			}
			if len(s.all) != len(want) {
				t.Fatalf("got %+v", s.all)
			}
			for i := range want {
				if s.all[i] != want[i] {
					t.Errorf("got %+v, want %+v", s.all[i], want[i])
				}
			}
		})
		t.Run(protocol+" refuses", func(t *testing.T) {
			e, err := New(config(serve(t, &sink{fail: errors.New("no quota")}), protocol))
			if err != nil {
				t.Fatal(err)
			}
			e.Take(failure(1))
			if sent, missing := e.Close(); sent != 0 || !strings.Contains(missing, "1 of 1 spans") || !strings.Contains(missing, "no quota") {
				t.Errorf("sent %d, missing %q", sent, missing)
			}
		})
	}
}

// A hundred thousand failures and a collector that never answers cost a bounded queue, and
// nobody waits for it.
func TestQueueIsBounded(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"never answers": func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() },
		"is busy":       func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "9"); w.WriteHeader(503) },
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(handler)
			defer s.Close()
			defer s.CloseClientConnections()
			e, err := New(config(s.URL, profiles.SpansOTLPHTTP))
			if err != nil {
				t.Fatal(err)
			}
			for n := range uint64(100_000) {
				e.Take(failure(n))
			}
			e.mu.Lock()
			queued := len(e.queue)
			e.mu.Unlock()
			if queued > maxQueue {
				t.Errorf("%d spans wait", queued)
			}
			sent, missing := e.Close()
			if sent != 0 || !strings.Contains(missing, "of 100,000 spans") || !strings.Contains(missing, "spans were more than 1,000 a second") {
				t.Errorf("sent %d, missing %q", sent, missing)
			}
		})
	}
}

func TestWantedTraces(t *testing.T) {
	log := &runlog.Log{Windows: [][]attack.Window{{{Sent: 10_000}}}}
	for n := range uint64(4000) {
		f := attack.Failure{Attempt: failure(n)}
		if n%4 == 0 {
			f.Fault, f.Status = attack.Status, 502
		}
		log.Failures = append(log.Failures, f, f) // two tries
	}
	tr := profiles.Traces{Sample: 0.1, Sampled: true}
	sampling := attack.TracingOf(tr)
	wanted, failed := Wanted(log, run, tr)
	bad, good := 0, 0
	ids := map[string]bool{}
	for _, w := range wanted {
		if ids[w.ID] {
			t.Errorf("%s twice", w.ID)
		}
		ids[w.ID] = true
		if w.Good {
			good++
		} else {
			bad++
		}
	}
	if failed != 4000 || bad != 2*mostOfKind || good != mostGood {
		t.Errorf("failed %d, wanted %d and %d", failed, bad, good)
	}
	for n := range uint64(10_000) {
		if ids[run.TraceID(n).String()] && !sampling.Samples(run, n) {
			t.Errorf("%d is not sampled", n)
		}
	}
	if wanted, _ := Wanted(log, run, profiles.Traces{Sampled: true}); len(wanted) != 2*mostOfKind { // services record by themselves
		t.Errorf("got %d", len(wanted))
	}
	log.Windows[0][0].FailuresDropped = 1 // nobody knows which went well
	if wanted, _ := Wanted(log, run, tr); len(wanted) != 2*mostOfKind {
		t.Errorf("got %d", len(wanted))
	}
}

// What is not sent and not joined is told in one line each, and a run without failures asks
// nobody.
func TestFinish(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	away := "http://" + l.Addr().String()
	cfg := config(away, "")
	cfg.Profile.Traces = profiles.Traces{Sample: 1, Sampled: true, To: cfg.Sink, From: profiles.SpanStore{URL: away, API: profiles.SpansFromJaeger, Within: 50 * time.Millisecond}}
	for _, failures := range []int{0, 3} {
		tr, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		log := &runlog.Log{}
		for n := range uint64(failures) {
			tr.Ended()(failure(n))
			log.Failures = append(log.Failures, attack.Failure{Attempt: failure(n)})
		}
		events := 0
		statuses, warnings := tr.Finish(t.Context(), func() (*runlog.Log, error) { return log, nil }, func(string) {}, func(probe.Event) { events++ })
		if failures == 0 {
			if len(warnings) != 0 || len(statuses) != 2 || statuses[1].State != probe.Measured {
				t.Errorf("got %v %+v", warnings, statuses)
			}
			continue
		}
		if len(warnings) != 2 || !strings.HasPrefix(warnings[0], "traces not sent: 3 of 3 spans: ") || !strings.HasPrefix(warnings[1], "traces not joined: ") {
			t.Errorf("got %q, %d events", warnings, events)
		}
	}
	if tr, err := Open(Config{}); tr != nil || err != nil || tr.Ended() != nil {
		t.Errorf("got %v, %v", tr, err)
	}
}
