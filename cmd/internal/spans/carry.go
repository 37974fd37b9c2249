package spans

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net"
	"strconv"

	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"

	"github.com/rampload/rampload/cmd/internal/otlp"
	"github.com/rampload/rampload/profiles"
)

// Service is the name that the run's own spans have.
const Service = "rampload"

func newCarrier(cfg Config) (carrier, error) {
	to := otlp.Config{URL: cfg.Sink.URL, Headers: map[string]string{}, Timeout: sendFor, Agent: "rampload/" + cfg.Version, Signal: otlp.Traces}
	for _, h := range cfg.Sink.Headers {
		to.Headers[h.Name] = h.Value
	}
	switch cfg.Sink.Carrier() {
	case profiles.SpansOTLPGRPC:
		to.Protocol = otlp.GRPC
	case profiles.SpansZipkin:
		to.Signal = otlp.Signal{Path: "/api/v2/spans"}
	}
	s, err := otlp.New(to)
	if err != nil {
		return nil, err
	}
	if cfg.Sink.Carrier() == profiles.SpansZipkin {
		return zipkin{s}, nil
	}
	return openTelemetry{s}, nil
}

// openTelemetry carries spans in OpenTelemetry's protocol, with the attributes of its
// semantic conventions for HTTP clients (1.37).
type openTelemetry struct{ to *otlp.Sender }

func (o openTelemetry) close() { o.to.Close() }

func (o openTelemetry) send(ctx context.Context, of *Config, spans []span) error {
	out := make([]*tracepb.Span, len(spans))
	for i := range spans {
		s := &spans[i]
		one := &tracepb.Span{
			TraceId: s.trace[:], SpanId: s.id[:], Name: s.name, Kind: tracepb.Span_SPAN_KIND_CLIENT,
			StartTimeUnixNano: uint64(s.start.UnixNano()), EndTimeUnixNano: uint64(s.end.UnixNano()),
			Attributes: []*commonpb.KeyValue{text("rampload.transaction.id", s.transaction), text("peer.service", s.target.name)},
		}
		add := func(kv *commonpb.KeyValue) { one.Attributes = append(one.Attributes, kv) }
		if s.target.address != "" {
			add(text("server.address", s.target.address))
			add(number("server.port", s.target.port))
		}
		if a, ok := s.remote.(*net.TCPAddr); ok {
			add(text("network.peer.address", a.IP.String()))
			add(number("network.peer.port", a.Port))
			add(&commonpb.KeyValue{Key: "rampload.connection.reused", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: s.reused}}})
		}
		if s.status != 0 {
			add(number("http.response.status_code", s.status))
		}
		if s.try > 0 {
			add(number("http.request.resend_count", s.try))
		}
		if s.fault != "" {
			add(text("error.type", s.fault))
			add(text("rampload.phase", s.phase))
			if s.detail != "" {
				add(text("rampload.detail", s.detail))
			}
			one.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: s.text()}
		}
		out[i] = one
	}
	resource := []*commonpb.KeyValue{
		text("service.name", Service), text("service.version", of.Version), text("service.instance.id", of.Host), text("rampload.profile", of.Profile.Name),
		text("rampload.run.id", hex.EncodeToString(of.RunID[:])),
	}
	if of.Label != "" {
		resource = append(resource, text("rampload.label", of.Label))
	}
	return o.to.Send(ctx, &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: resource},
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: "rampload", Version: of.Version}, Spans: out}},
	}}})
}

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: otlp.Clean(value, 400)}}}
}

func number(key string, value int) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(value)}}}
}

// zipkin carries spans as Zipkin's API takes them (https://zipkin.io/zipkin-api/, v2).
type zipkin struct{ to *otlp.Sender }

func (z zipkin) close() { z.to.Close() }

type zipkinEndpoint struct {
	Service string `json:"serviceName,omitempty"`
	IPv4    string `json:"ipv4,omitempty"`
	IPv6    string `json:"ipv6,omitempty"`
	Port    int    `json:"port,omitempty"`
}

type zipkinSpan struct {
	Trace     string            `json:"traceId"`
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	Name      string            `json:"name"`
	Timestamp int64             `json:"timestamp"` // µs since the epoch
	Duration  int64             `json:"duration"`  // µs, at least 1
	Local     zipkinEndpoint    `json:"localEndpoint"`
	Remote    zipkinEndpoint    `json:"remoteEndpoint"`
	Tags      map[string]string `json:"tags"`
}

func (z zipkin) send(ctx context.Context, of *Config, spans []span) error {
	out := make([]zipkinSpan, len(spans))
	for i := range spans {
		s := &spans[i]
		one := zipkinSpan{
			Trace: s.trace.String(), ID: hex.EncodeToString(s.id[:]), Kind: "CLIENT", Name: s.name,
			Timestamp: s.start.UnixMicro(), Duration: max(s.end.Sub(s.start).Microseconds(), 1),
			Local: zipkinEndpoint{Service: Service}, Remote: zipkinEndpoint{Service: s.target.name},
			Tags: map[string]string{"rampload.transaction.id": s.transaction, "rampload.profile": of.Profile.Name},
		}
		if a, ok := s.remote.(*net.TCPAddr); ok {
			one.Remote.Port = a.Port
			if v4 := a.IP.To4(); v4 != nil {
				one.Remote.IPv4 = v4.String()
			} else {
				one.Remote.IPv6 = a.IP.String()
			}
		}
		if s.status != 0 {
			one.Tags["http.status_code"] = strconv.Itoa(s.status)
		}
		if s.try > 0 {
			one.Tags["rampload.try"] = strconv.Itoa(s.try)
		}
		if s.fault != "" {
			one.Tags["error"], one.Tags["rampload.fault"], one.Tags["rampload.phase"] = s.text(), s.fault, s.phase
		}
		out[i] = one
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return z.to.Post(ctx, "application/json", body)
}
