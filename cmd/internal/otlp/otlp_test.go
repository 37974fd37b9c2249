package otlp

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// take is what a collector of a test does with a message.
type take func(ctx context.Context, m *tracepb.TracesData, authorization string) (*collector.ExportTraceServiceResponse, error)

// Each carrier of messages is held to the same contract, against a server of its own
// protocol's library.
func TestSenderContract(t *testing.T) {
	for _, carrier := range []struct {
		protocol Protocol
		serve    func(*testing.T, take) string
	}{{HTTP, serveHTTP}, {GRPC, serveGRPC}} {
		t.Run(string(carrier.protocol), func(t *testing.T) {
			for _, tt := range []struct {
				name  string
				take  take
				want  Refused
				wrong bool
			}{
				{name: "taken", take: func(_ context.Context, m *tracepb.TracesData, authorization string) (*collector.ExportTraceServiceResponse, error) {
					if len(m.ResourceSpans) != 300 || authorization != "Bearer x" {
						return nil, status.Error(codes.InvalidArgument, "got something else")
					}
					return &collector.ExportTraceServiceResponse{}, nil
				}},
				{name: "taken in part", take: func(context.Context, *tracepb.TracesData, string) (*collector.ExportTraceServiceResponse, error) {
					return &collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 7, ErrorMessage: "too\x1b[31m old\n"}}, nil
				}, want: Refused{Part: 7, Text: "too[31m old"}, wrong: true},
				{name: "refused for good", take: func(context.Context, *tracepb.TracesData, string) (*collector.ExportTraceServiceResponse, error) {
					return nil, status.Error(codes.Unauthenticated, "who are you?")
				}, want: Refused{Text: "who are you?"}, wrong: true},
				{name: "busy", take: func(context.Context, *tracepb.TracesData, string) (*collector.ExportTraceServiceResponse, error) {
					return nil, status.Error(codes.Unavailable, "later")
				}, want: Refused{Text: "later", Again: true}, wrong: true},
			} {
				t.Run(tt.name, func(t *testing.T) {
					s, err := New(Config{URL: carrier.serve(t, tt.take), Protocol: carrier.protocol, Signal: Traces, Headers: map[string]string{"Authorization": "Bearer x"}, Agent: "rampload"})
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					m := &tracepb.TracesData{}
					for range 300 {
						m.ResourceSpans = append(m.ResourceSpans, &tracepb.ResourceSpans{SchemaUrl: "a"})
					}
					err = s.Send(t.Context(), m)
					var got *Refused
					if errors.As(err, &got) != tt.wrong || err != nil && !tt.wrong {
						t.Fatalf("got %v", err)
					}
					if tt.wrong && (got.Text != tt.want.Text || got.Again != tt.want.Again || got.Part != tt.want.Part) {
						t.Errorf("got %+v, want %+v", got, tt.want)
					}
				})
			}
			t.Run("hangs", func(t *testing.T) {
				over := make(chan struct{})
				s, err := New(Config{URL: carrier.serve(t, func(ctx context.Context, _ *tracepb.TracesData, _ string) (*collector.ExportTraceServiceResponse, error) {
					<-over
					return nil, ctx.Err()
				}), Protocol: carrier.protocol, Signal: Traces, Timeout: 100 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				err = s.Send(t.Context(), &tracepb.TracesData{})
				close(over)
				if err == nil || strings.Contains(err.Error(), "127.0.0.1") && strings.Contains(err.Error(), "Post") {
					t.Errorf("got %v", err)
				}
			})
			t.Run("is down", func(t *testing.T) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				l.Close()
				s, err := New(Config{URL: "http://" + l.Addr().String(), Protocol: carrier.protocol, Signal: Traces})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Send(t.Context(), &tracepb.TracesData{}); err == nil || !strings.Contains(err.Error(), "refused") {
					t.Errorf("got %v", err)
				}
			})
			t.Run("is something else", func(t *testing.T) {
				other := httptest.NewServer(http.NotFoundHandler())
				defer other.Close()
				s, err := New(Config{URL: other.URL, Protocol: carrier.protocol, Signal: Traces, Timeout: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Send(t.Context(), &tracepb.TracesData{}); err == nil {
					t.Error("no error")
				}
			})
		})
	}
}

func serveHTTP(t *testing.T, take take) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			in, _ = gzip.NewReader(in)
		}
		body, err := io.ReadAll(in)
		m := &tracepb.TracesData{}
		if err != nil || proto.Unmarshal(body, m) != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer, err := take(r.Context(), m, r.Header.Get("Authorization"))
		if err != nil {
			code := map[codes.Code]int{codes.Unauthenticated: 401, codes.Unavailable: 503}[status.Code(err)]
			if code == 0 {
				code = 400
			}
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, status.Convert(err).Message())
			return
		}
		out, _ := proto.Marshal(answer)
		_, _ = w.Write(out)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func serveGRPC(t *testing.T, take take) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "opentelemetry.proto.collector.trace.v1.TraceService", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Export", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			m := &tracepb.TracesData{}
			if err := decode(m); err != nil {
				return nil, err
			}
			md, _ := metadata.FromIncomingContext(ctx)
			return take(ctx, m, strings.Join(md.Get("authorization"), ","))
		}}},
	}, nil)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return "http://" + l.Addr().String()
}

func TestWaitsThatAreAskedFor(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "-1": 0, "Wed, 21 Oct 2015 07:28:00 GMT": 0, "99999": maxWait} {
		if got := retryAfter(text); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
	if got := pushback("250"); got != 250*time.Millisecond {
		t.Errorf("got %s", got)
	}
}

func TestConfigurationErrors(t *testing.T) {
	for _, raw := range []string{"", "collector:4318", "ftp://x", "http://"} {
		if _, err := New(Config{URL: raw, Signal: Traces}); err == nil || !strings.Contains(err.Error(), strconv.Quote(raw)) {
			t.Errorf("%q: %v", raw, err)
		}
	}
	s, err := New(Config{URL: "https://u:p@c/otlp/", Protocol: GRPC, Signal: Metrics})
	if err != nil || s.url != "https://c/otlp"+Metrics.Method || s.cfg.Headers["Authorization"] == "" {
		t.Errorf("%v %+v", err, s)
	}
}

func FuzzPartial(f *testing.F) {
	b, _ := proto.Marshal(&collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 7, ErrorMessage: "x"}})
	f.Add(b)
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, text := partial(answer); len(text) > 200 || strings.ContainsRune(text, 0x1b) {
			t.Errorf("%q", text)
		}
	})
}
