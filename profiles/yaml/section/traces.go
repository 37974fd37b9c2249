package section

import (
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

type TracesSyntax struct {
	Sample *scalar.Portion  `yaml:"sample" about:"Share of requests that services are asked to record, by the sampled flag of traceparent. Without it: none, and a ramp floods no store of traces."`
	B3     *scalar.Toggle   `yaml:"b3" about:"Send Zipkin's b3 header beside traceparent."`
	To     *SpanSinkSyntax  `yaml:"to" about:"Where the run's own spans go, of failed requests and of sampled ones: the URL of an OTLP collector or of Zipkin."`
	From   *SpanStoreSyntax `yaml:"from" about:"What is asked after the run for the traces of failed requests: the URL of Jaeger, Zipkin or Tempo."`
}

type SpanSinkFields struct {
	URL      *scalar.Text    `yaml:"url,required" about:"URL, such as http://collector:4318." example:"write url: http://collector:4318"`
	Protocol *spansBy        `yaml:"protocol" about:"How spans are sent. Without it: otlp-grpc to port 4317, zipkin to port 9411, else otlp-http."`
	Headers  *scalar.Headers `yaml:"headers" about:"Headers that go along, such as Authorization."`
}

type SpanStoreFields struct {
	URL     *scalar.Text    `yaml:"url,required" about:"URL, such as http://jaeger:16686." example:"write url: http://jaeger:16686"`
	API     *spansFrom      `yaml:"api" about:"How it is asked. Without it: by the port, 16686, 9411 or 3200, else it is found out."`
	Headers *scalar.Headers `yaml:"headers" about:"Headers that go along, such as Authorization or X-Scope-OrgID."`
	Within  *scalar.Timeout `yaml:"within" about:"How long the spans of services are waited for after the run. Without it: 15s."`
}

// SpanSinkSyntax is a URL, or the fields of one.
type SpanSinkSyntax struct{ SpanSinkFields }

// SpanStoreSyntax is a URL, or the fields of one.
type SpanStoreSyntax struct{ SpanStoreFields }

func (s *SpanSinkSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	urlOrFields(d, n, key, &s.URL, bind.ValueOf(&s.SpanSinkFields))
}

func (s *SpanStoreSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	urlOrFields(d, n, key, &s.URL, bind.ValueOf(&s.SpanStoreFields))
}

func (s *SpanSinkSyntax) Node() *tree.Node {
	if (SpanSinkFields{URL: s.URL}) == s.SpanSinkFields {
		return bind.TextNode(string(bind.Deref(s.URL)), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.SpanSinkFields))
}

func (s *SpanStoreSyntax) Node() *tree.Node {
	if (SpanStoreFields{URL: s.URL}) == s.SpanStoreFields {
		return bind.TextNode(string(bind.Deref(s.URL)), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.SpanStoreFields))
}

func (s *TracesSyntax) Traces() profiles.Traces {
	if s == nil {
		return profiles.Traces{}
	}
	out := profiles.Traces{Sample: float64(bind.Deref(s.Sample)), Sampled: s.Sample != nil, B3: bool(bind.Deref(s.B3))}
	if to := s.To; to != nil {
		out.To = profiles.SpanSink{URL: string(bind.Deref(to.URL)), Protocol: string(bind.Deref(to.Protocol)), Headers: bind.Deref(to.Headers)}
	}
	if from := s.From; from != nil {
		out.From = profiles.SpanStore{URL: string(bind.Deref(from.URL)), API: string(bind.Deref(from.API)), Headers: bind.Deref(from.Headers), Within: time.Duration(bind.Deref(from.Within))}
	}
	return out
}

// TracesOf is the inverse of [TracesSyntax.Traces].
func TracesOf(t profiles.Traces) *TracesSyntax {
	if t.IsZero() {
		return nil
	}
	s := &TracesSyntax{B3: bind.Given(scalar.Toggle(t.B3))}
	if t.Sampled {
		s.Sample = new(scalar.Portion(t.Sample))
	}
	if t.To.Given() {
		s.To = &SpanSinkSyntax{SpanSinkFields{URL: bind.Given(scalar.Text(t.To.URL)), Protocol: bind.Given(spansBy(t.To.Protocol)), Headers: headersOf(t.To.Headers)}}
	}
	if t.From.Given() {
		s.From = &SpanStoreSyntax{SpanStoreFields{URL: bind.Given(scalar.Text(t.From.URL)), API: bind.Given(spansFrom(t.From.API)), Headers: headersOf(t.From.Headers), Within: bind.Given(scalar.Timeout(t.From.Within))}}
	}
	return s
}

type (
	spansBy   string // how spans are sent
	spansFrom string // how traces are asked for
)

func (v *spansBy) Parse(text string, _ bool) error {
	*v = spansBy(text)
	return oneOf(text, "protocol", profiles.SpanProtocols)
}

func (v *spansBy) Format() (string, bool) { return string(*v), false }

func (v *spansFrom) Parse(text string, _ bool) error {
	*v = spansFrom(text)
	return oneOf(text, "api", profiles.SpanAPIs)
}

func (v *spansFrom) Format() (string, bool) { return string(*v), false }
