package profiles

import (
	"net/url"
	"strings"
	"time"
)

// Traces is how a run takes part in distributed tracing. The zero value: each request
// carries a trace context that asks no service to record anything.
type Traces struct {
	// Sample is the share of requests, in [0,1], whose context asks services to record
	// their spans; Sampled says that the profile gives it.
	Sample  float64
	Sampled bool
	B3      bool // Zipkin's b3 header goes along with traceparent
	To      SpanSink
	From    SpanStore
}

// SpanSink is where the run's own spans go: those of failed requests, and of sampled ones.
// The zero value is nowhere.
type SpanSink struct {
	URL      string
	Protocol string // one of SpanProtocols; empty: by the URL
	Headers  []Header
}

// SpanStore is what is asked, after the run, for the traces of failed requests. The zero
// value is nothing.
type SpanStore struct {
	URL     string
	API     string // one of SpanAPIs; empty: by the URL, else it is asked
	Headers []Header
	Within  time.Duration // that the spans of services are waited for; 0: 15 s
}

// DefaultSpansWithin is how long the spans of services are waited for after the run:
// OpenTelemetry's libraries hand them on every 5 s, and collectors and stores take their
// time too.
const DefaultSpansWithin = 15 * time.Second

// How spans are sent.
const (
	SpansOTLPHTTP = "otlp-http"
	SpansOTLPGRPC = "otlp-grpc"
	SpansZipkin   = "zipkin"
)

// How traces are asked for.
const (
	SpansFromJaeger = "jaeger"
	SpansFromZipkin = "zipkin"
	SpansFromTempo  = "tempo"
)

// SpanProtocols are the ways to send spans, SpanAPIs those to ask for traces.
var (
	SpanProtocols = []string{SpansOTLPHTTP, SpansOTLPGRPC, SpansZipkin}
	SpanAPIs      = []string{SpansFromJaeger, SpansFromZipkin, SpansFromTempo}
)

// Given reports whether spans are sent.
func (s SpanSink) Given() bool { return s.URL != "" }

// Given reports whether traces are asked for.
func (s SpanStore) Given() bool { return s.URL != "" }

// IsZero reports whether the profile says nothing of traces.
func (t Traces) IsZero() bool {
	return !t.Sampled && t.Sample == 0 && !t.B3 && !t.To.Given() && !t.From.Given()
}

// Carrier returns how spans are sent: as the profile says, else by the port and path that
// collectors are known by, else by OTLP over HTTP.
func (s SpanSink) Carrier() string {
	if s.Protocol != "" {
		return s.Protocol
	}
	u, err := url.Parse(s.URL)
	switch {
	case err != nil:
	case u.Port() == "4317":
		return SpansOTLPGRPC
	case u.Port() == "9411", strings.HasSuffix(u.Path, "/api/v2/spans"):
		return SpansZipkin
	}
	return SpansOTLPHTTP
}

// Speaks returns how traces are asked for: as the profile says, else by the port that the
// store is known by; empty: it has to be asked.
func (s SpanStore) Speaks() string {
	if s.API != "" {
		return s.API
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	return map[string]string{"16686": SpansFromJaeger, "9411": SpansFromZipkin, "3200": SpansFromTempo}[u.Port()]
}
